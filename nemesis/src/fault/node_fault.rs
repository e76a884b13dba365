//! Faults that hit nodes: what they have in common, and whom their shapes mean.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::administrator::Need;
use super::{
    BoxFuture, Context, Fault, Injected, LENGTHS_MS, Shape, Undo, roles_and_leaders, roles_of, selection,
};
use crate::disk::Reach;
use crate::network::Evidence;

/// The roles of nodes, by name.
pub(super) type Roles = BTreeMap<String, String>;

/// A fault that hits the nodes which its shape means. Each is a constant, beside the code that carries it out.
pub(super) struct NodeFault {
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) shapes: &'static [Shape],
    /// The fewest nodes among which there is something to do.
    pub(super) least_nodes: usize,
    pub(super) lengths_ms: &'static [RangeInclusive<u64>],
    /// What its victims' disks must be able to be made to do.
    pub(super) needs_disk: Option<Reach>,
    pub(super) bends_clocks: bool,
    pub(super) needs: Option<Need>,
    pub(super) needs_other_program: bool,
    pub(super) lasts: bool,
    pub(super) harsh: bool,
    pub(super) impossible: fn() -> Option<String>,
    pub(super) means: fn() -> Option<String>,
    pub(super) act: for<'a> fn(Hit<'a>) -> BoxFuture<'a, Injected>,
}

impl NodeFault {
    /// For what a fault does not say of itself.
    pub(super) const PLAIN: NodeFault = NodeFault {
        name: "",
        summary: "",
        shapes: selection::PROCESS_SHAPES,
        least_nodes: 1,
        lengths_ms: LENGTHS_MS,
        needs_disk: None,
        bends_clocks: false,
        needs: None,
        needs_other_program: false,
        lasts: true,
        harsh: false,
        impossible: || None,
        means: || None,
        act: |hit| Box::pin(async move { hit.skipped("it does nothing") }),
    };
}

impl Fault for NodeFault {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn shapes(&self) -> &'static [Shape] {
        self.shapes
    }

    fn least_nodes(&self, _: &str) -> usize {
        self.least_nodes
    }

    fn lengths_ms(&self) -> &'static [RangeInclusive<u64>] {
        self.lengths_ms
    }

    fn needs_disks(&self) -> bool {
        self.needs_disk.is_some()
    }

    fn bends_clocks(&self) -> bool {
        self.bends_clocks
    }

    fn needs(&self) -> Option<Need> {
        self.needs
    }

    fn needs_other_program(&self) -> bool {
        self.needs_other_program
    }

    fn lasts(&self) -> bool {
        self.lasts
    }

    fn is_harsh(&self) -> bool {
        self.harsh
    }

    fn impossible(&self) -> Option<String> {
        if let Some(need) = self.needs_disk
            && let Some(why) = crate::disk::impossible(need)
        {
            return Some(why);
        }
        (self.impossible)()
    }

    fn means(&self) -> Option<String> {
        (self.means)()
    }

    fn inject<'a>(
        &'a self,
        context: &'a Context,
        id: u64,
        shape: &'a str,
        seed: u64,
    ) -> BoxFuture<'a, Injected> {
        Box::pin(async move {
            if let Some(why) = super::obstacle(self, shape, context.cluster.len(), true) {
                return Injected::skipped(shape, why);
            }
            let (victims, roles) = match victims(context, shape, seed).await {
                Ok(found) => found,
                Err(reason) => return Injected::skipped(shape, reason),
            };
            let hit = Hit {
                context,
                id,
                shape,
                seed,
                victims,
                roles,
            };
            let reach = |node: usize| context.cluster.host(node).disk().map(|disk| disk.reach());
            let lacks_it = |&&node: &&usize| reach(node) < self.needs_disk;
            match hit.victims.iter().find(lacks_it) {
                None => (self.act)(hit).await,
                Some(&node) => {
                    let name = context.cluster.name(node);
                    hit.skipped(match reach(node) {
                        None => format!("the disk of {name} can't be made to fail"),
                        Some(_) => format!("the disk of {name} can be made to fail its syncs only"),
                    })
                }
            }
        })
    }
}

/// Whom the shape means, and the roles of all. `Err` says why nobody.
async fn victims(context: &Context, shape: &str, seed: u64) -> Result<(Vec<usize>, Roles), String> {
    let cluster = &context.cluster;
    let (roles, leaders) = roles_and_leaders(context, selection::needs_leader(shape)).await;
    let victims = match (cluster.find(shape), shape) {
        (Some(named), _) => vec![named],
        (None, selection::AGAIN) => cluster
            .last_hit()
            .map_or_else(|| selection::victims("one", cluster.len(), &leaders, seed), Ok)?,
        _ => selection::victims(shape, cluster.len(), &leaders, seed)?,
    };
    Ok((victims, roles))
}

/// A fault that is about to hit nodes.
pub(super) struct Hit<'a> {
    pub(super) context: &'a Context,
    /// Tells it from every other fault of the run.
    pub(super) id: u64,
    pub(super) shape: &'a str,
    /// Decides what is left open.
    pub(super) seed: u64,
    /// The nodes that the shape means; one at least.
    pub(super) victims: Vec<usize>,
    /// The roles that all had just before, as far as known.
    pub(super) roles: Roles,
}

impl Hit<'_> {
    /// The names of these nodes.
    pub(super) fn names(&self, nodes: &[usize]) -> Vec<String> {
        let name = |&node: &usize| self.context.cluster.name(node).to_owned();
        nodes.iter().map(name).collect()
    }

    /// Nothing was done.
    pub(super) fn skipped(&self, reason: impl Into<String>) -> Injected {
        Injected::skipped(self.shape, reason)
    }

    /// Nothing could be done, as none of the victims runs.
    pub(super) fn nobody_ran(&self) -> Injected {
        self.skipped(format!("{} did not run", self.names(&self.victims).join(", ")))
    }

    /// The victims that run, with their pids.
    pub(super) fn running(&self) -> BTreeMap<usize, i32> {
        let pid = |&node: &usize| Some((node, self.context.cluster.status(node).pid()?));
        self.victims.iter().filter_map(pid).collect()
    }

    /// What the disks of all victims can be made to do.
    pub(super) fn reach(&self) -> Option<Reach> {
        let reach = |&node: &usize| self.context.cluster.host(node).disk().map(|disk| disk.reach());
        self.victims.iter().map(reach).min().flatten()
    }

    /// It was done to these nodes.
    pub(super) fn injected(&self, nodes: &[usize], evidence: Evidence, undo: Undo) -> Injected {
        self.context.cluster.remember_hit(nodes);
        let nodes = self.names(nodes);
        Injected {
            what: nodes.join(", "),
            roles: roles_of(&self.roles, &nodes),
            nodes,
            links: Vec::new(),
            outcome: evidence.outcome,
            evidence: evidence.text,
            undo: Some(undo),
        }
    }
}
