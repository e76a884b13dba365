//! Everything that can be done to a cluster: one file each, and one line in [`ALL`].

mod administrator;
mod bit_rot;
mod clock;
mod clock_jump;
mod clock_skew;
mod clock_strobe;
mod corrupt;
mod cpu;
mod cut;
mod delay;
mod disk_full;
mod duplicate;
mod file_descriptors;
mod flapping;
mod freeze;
mod grudge;
mod hold;
mod io_errors;
mod kill;
mod kill_in_snapshot;
mod lag;
mod limit;
mod links;
mod loss;
mod lost_disk;
mod membership;
mod memory;
mod node_fault;
mod other_boot;
mod partition;
mod pause;
mod power_cut;
mod rate;
mod reject;
mod reorder;
mod restart_storm;
mod rolling_restart;
mod selection;
mod sets;
mod slow_fsync;
mod snapshot;
mod stop;
mod stuck_fsync;
mod torn_writes;
mod traffic;
mod transfer;
mod troubled_disk;
mod upgrade;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;

use partita_history::FaultOutcome;

pub use self::administrator::{Administrator, Changed, Need, Standing};
pub use self::grudge::CLIENTS;
pub use self::membership::restore_members;
pub use self::sets::{SETS, Set};
use crate::cluster::Cluster;
use crate::lab::NetworkKind;
use crate::network::Evidence;

/// A future in a box, which makes traits with async methods usable as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Every fault there is.
pub const ALL: &[&dyn Fault] = &[
    &partition::PARTITION,
    &reject::REJECT,
    &delay::DELAY,
    &loss::LOSS,
    &duplicate::DUPLICATE,
    &reorder::REORDER,
    &corrupt::CORRUPT,
    &rate::RATE,
    &hold::HOLD,
    &kill::KILL,
    &pause::PAUSE,
    &stop::STOP,
    &rolling_restart::ROLLING_RESTART,
    &restart_storm::RESTART_STORM,
    &freeze::FREEZE,
    &cpu::CPU,
    &memory::MEMORY,
    &file_descriptors::FILE_DESCRIPTORS,
    &upgrade::UPGRADE,
    &power_cut::POWER_CUT,
    &torn_writes::TORN_WRITES,
    &slow_fsync::SLOW_FSYNC,
    &stuck_fsync::STUCK_FSYNC,
    &io_errors::IO_ERRORS,
    &disk_full::DISK_FULL,
    &bit_rot::BIT_ROT,
    &lost_disk::LOST_DISK,
    &membership::Membership,
    &transfer::Transfer,
    &snapshot::SNAPSHOT,
    &kill_in_snapshot::KILL_IN_SNAPSHOT,
    &clock_jump::CLOCK_JUMP,
    &clock_skew::CLOCK_SKEW,
    &clock_strobe::CLOCK_STROBE,
    &other_boot::OTHER_BOOT,
];

/// The fault of this name.
pub fn find(name: &str) -> Option<&'static dyn Fault> {
    ALL.iter().copied().find(|fault| fault.name() == name)
}

/// What the harness knows of the nodes from talking to them.
pub trait Observer: Send + Sync {
    /// The role (`leader`, `follower`, ...) of each node that is known, by name. What was last heard will do.
    fn roles(&self) -> BoxFuture<'_, BTreeMap<String, String>>;

    /// Whether a node answers just now, asked over its [control address](Cluster::control_address). A node that
    /// is up but finds no quorum answers.
    fn answers<'a>(&'a self, node: &'a str) -> BoxFuture<'a, bool>;

    /// What each node says of itself just now, in the order of the cluster; `None` for one that keeps silent.
    fn look(&self) -> BoxFuture<'_, Vec<Option<Standing>>>;
}

/// What a fault acts upon.
#[derive(Clone)]
pub struct Context {
    /// The nodes and the network.
    pub cluster: Arc<Cluster>,
    /// Who knows the roles of the nodes.
    pub observer: Arc<dyn Observer>,
    /// Who can change the cluster itself, where the target lets somebody.
    pub administrator: Option<Arc<dyn Administrator>>,
}

/// Whom or how a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its name, in kebab case.
    pub name: &'static str,
    /// What it does, in words that follow the fault's name.
    pub summary: &'static str,
}

/// One in three is about as long as an election takes, so that a node is back before the others are done with it; the
/// others are above and far above that.
const LENGTHS_MS: &[RangeInclusive<u64>] = &[100..=700, 1_000..=2_000, 2_000..=3_000];
/// What stands still may come back when everybody has long gone on.
const PAUSES_MS: &[RangeInclusive<u64>] = &[100..=700, 1_000..=3_000, 4_000..=6_000];

/// Something that can be done to a cluster and undone.
pub trait Fault: Sync {
    /// Its name, in kebab case.
    fn name(&self) -> &'static str;

    /// What it does, in one sentence.
    fn summary(&self) -> &'static str;

    /// The shapes that it comes in.
    fn shapes(&self) -> &'static [Shape];

    /// The fewest nodes among which there is something to do in a shape, whatever the shape means elsewhere.
    fn least_nodes(&self, _shape: &str) -> usize {
        1
    }

    /// How long it is in force, in milliseconds: one of these ranges is drawn, then a time within it.
    fn lengths_ms(&self) -> &'static [RangeInclusive<u64>] {
        LENGTHS_MS
    }

    /// Must the nodes keep their data on [disks that can be made to fail](crate::Cluster::mount_disks)?
    fn needs_disks(&self) -> bool {
        false
    }

    /// Must the nodes have [clocks that can be bent](crate::Cluster::prepare_clocks)?
    fn bends_clocks(&self) -> bool {
        false
    }

    /// The networks over which it can be done.
    fn networks(&self) -> &'static [NetworkKind] {
        NetworkKind::ALL
    }

    /// Can the links that it hits be named by hand, instead of a shape?
    fn takes_grudges(&self) -> bool {
        false
    }

    /// Can it be done a second time before the first is healed? Otherwise the second waits for that.
    fn overlaps_itself(&self) -> bool {
        false
    }

    /// What the target must let an operator do.
    fn needs(&self) -> Option<Need> {
        None
    }

    /// Is there nothing to do without [another program](crate::CommandSpec::other) for the nodes?
    fn needs_other_program(&self) -> bool {
        false
    }

    /// May a sound server end itself because of it, or lose what it had promised?
    fn is_harsh(&self) -> bool {
        false
    }

    /// Is it in force until it is healed? Otherwise it is over once it was injected.
    fn lasts(&self) -> bool {
        true
    }

    /// Why it can't be done on this machine, and what to do about it; `None` if nothing is known to be in the way.
    /// May try it on a process of its own, so it is to be asked before there are threads.
    fn impossible(&self) -> Option<String> {
        None
    }

    /// By which means it is done on this machine, if there is more than one. To be asked when
    /// [`impossible`](Fault::impossible) is.
    fn means(&self) -> Option<String> {
        None
    }

    /// Does it, and probes that it took. A fault that can't apply is skipped, with the reason as its evidence.
    ///
    /// `id` tells it from every other fault of the run; `seed` decides what is left open: which node is `one`.
    fn inject<'a>(
        &'a self,
        context: &'a Context,
        id: u64,
        shape: &'a str,
        seed: u64,
    ) -> BoxFuture<'a, Injected>;
}

/// Undoes a fault, once, and probes that it is undone.
type Undo = Box<dyn FnOnce(Context) -> BoxFuture<'static, Healed> + Send>;

/// A fault that was injected, or skipped.
pub struct Injected {
    /// What was done, in words.
    pub what: String,
    /// The nodes that were hit.
    pub nodes: Vec<String>,
    /// The roles that they had just before, as far as known.
    pub roles: BTreeMap<String, String>,
    /// The directed links that were cut, as `n1>n2`.
    pub links: Vec<String>,
    /// What the probe found.
    pub outcome: FaultOutcome,
    /// What the probe saw, in words.
    pub evidence: String,
    undo: Option<Undo>,
}

/// A fault that was undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healed {
    /// What the probe found.
    pub outcome: FaultOutcome,
    /// What the probe saw, in words.
    pub evidence: String,
}

impl Injected {
    /// Nothing was done.
    fn skipped(what: &str, reason: impl Into<String>) -> Injected {
        Injected {
            what: what.to_owned(),
            nodes: Vec::new(),
            roles: BTreeMap::new(),
            links: Vec::new(),
            outcome: FaultOutcome::Skipped,
            evidence: reason.into(),
            undo: None,
        }
    }

    /// Undoes the fault. `None` if it was skipped: there is nothing to undo.
    pub async fn heal(self, context: &Context) -> Option<Healed> {
        Some(self.undo?(context.clone()).await)
    }
}

/// For a fault that is over once it was injected.
fn nothing_to_undo() -> Undo {
    Box::new(|_| {
        Box::pin(async {
            Healed {
                outcome: FaultOutcome::Took,
                evidence: "there was nothing to undo".into(),
            }
        })
    })
}

impl fmt::Debug for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injected")
            .field("what", &self.what)
            .field("nodes", &self.nodes)
            .field("roles", &self.roles)
            .field("links", &self.links)
            .field("outcome", &self.outcome)
            .field("evidence", &self.evidence)
            .finish_non_exhaustive()
    }
}

impl From<Evidence> for Healed {
    fn from(evidence: Evidence) -> Self {
        Healed {
            outcome: evidence.outcome,
            evidence: evidence.text,
        }
    }
}

/// The shapes of a fault that a cluster of this size, with a leader or without, can have.
pub fn shapes(fault: &dyn Fault, nodes: usize, has_leader: bool) -> Vec<String> {
    let shapes = fault.shapes().iter();
    let possible = shapes.filter(|shape| obstacle(fault, shape.name, nodes, has_leader).is_none());
    possible.map(|shape| shape.name.to_owned()).collect()
}

/// Why a cluster of this size, with a leader or without, can't have a shape of a fault, if it can't.
pub fn obstacle(fault: &dyn Fault, shape: &str, nodes: usize, has_leader: bool) -> Option<String> {
    if selection::needs_leader(shape) && !has_leader {
        return Some(format!("{shape} needs a leader, and there is none"));
    }
    let least = selection::least(shape).max(fault.least_nodes(shape));
    selection::too_few(shape, least, nodes)
}

/// Why a cluster of this size, with a leader or without, can't have a fault in any shape, if it can't.
pub fn obstacle_to_all(fault: &dyn Fault, nodes: usize, has_leader: bool) -> Option<String> {
    if !shapes(fault, nodes, has_leader).is_empty() {
        return None;
    }
    let names = fault.shapes().iter().map(|shape| shape.name);
    let names = names.filter(|shape| has_leader || !selection::needs_leader(shape));
    let least = names.map(|shape| selection::least(shape).max(fault.least_nodes(shape)));
    match least.min() {
        Some(least) => selection::too_few("it", least, nodes),
        None => Some("it needs a leader, and there is none".into()),
    }
}

/// Whether the fault may be told by name which node to hit: `kill:n3`.
pub fn takes_names(fault: &dyn Fault) -> bool {
    fault.shapes().iter().any(|shape| shape.name == selection::AGAIN)
}

/// The shapes that mean the same nodes, or the same links, for every fault that has them.
pub fn common_shapes() -> Vec<Shape> {
    let mut common = selection::PROCESS_SHAPES.to_vec();
    for shape in [links::CUT_SHAPES, links::TRAFFIC_SHAPES].concat() {
        if !common.contains(&shape) {
            common.push(shape);
        }
    }
    common
}

/// Is this no shape, but links named by hand for a fault that takes them, such as `n1>n2+n3`? `Some` says whether it
/// makes sense for these nodes; the error says what is wrong with it.
pub fn grudge(fault: &dyn Fault, shape: &str, nodes: &[String]) -> Option<Result<(), String>> {
    let is_grudge = fault.takes_grudges() && grudge::is_grudge(shape);
    is_grudge.then(|| grudge::parse(shape, nodes).map(drop))
}

/// Why a fault can't be had over a network, and over which it can.
pub fn not_over(fault: &dyn Fault, kind: NetworkKind) -> String {
    let names: Vec<String> = fault.networks().iter().map(ToString::to_string).collect();
    format!("it needs the network {}, and this is {kind}", names.join(" or "))
}

/// The nodes by role, for the nodes that were hit.
fn roles_of(roles: &BTreeMap<String, String>, hit: &[String]) -> BTreeMap<String, String> {
    let of_hit = roles.iter().filter(|(node, _)| hit.contains(node));
    of_hit.map(|(node, role)| (node.clone(), role.clone())).collect()
}

/// How long after the healing a process that was refused something may end of it.
const AFTERMATH: std::time::Duration = std::time::Duration::from_secs(5);

/// What the leader is called, whatever the protocol calls it.
pub(crate) const LEADER: &str = "leader";

/// How long to wait for a leader to be known when a shape asks for one.
const LEADER_PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// The roles, and the positions of the leaders, after waiting for one if it is `wanted`. There can be two: a
/// deposed one may not know it yet.
async fn roles_and_leaders(context: &Context, wanted: bool) -> (BTreeMap<String, String>, Vec<usize>) {
    let deadline = tokio::time::Instant::now() + LEADER_PATIENCE;
    loop {
        let roles = context.observer.roles().await;
        let leaders: Vec<usize> = roles
            .iter()
            .filter(|(_, role)| *role == LEADER)
            .filter_map(|(node, _)| context.cluster.find(node))
            .filter(|node| context.cluster.status(*node).pid().is_some())
            .collect();
        if !wanted || !leaders.is_empty() || tokio::time::Instant::now() >= deadline {
            return (roles, leaders);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn is_kebab_case(name: &str) -> bool {
        !name.is_empty()
            && name
                .split('-')
                .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
    }

    #[test]
    fn names_are_unique_and_kebab_case_and_everything_says_what_it_is() {
        let names: BTreeSet<_> = ALL.iter().map(|fault| fault.name()).collect();
        assert_eq!(names.len(), ALL.len());
        for fault in ALL {
            assert!(
                is_kebab_case(fault.name()) && fault.summary().ends_with('.'),
                "{}",
                fault.name()
            );
            let shapes: BTreeSet<_> = fault.shapes().iter().map(|shape| shape.name).collect();
            assert!(shapes.len() == fault.shapes().len() && !shapes.is_empty());
            for shape in fault.shapes() {
                assert!(
                    is_kebab_case(shape.name) && !shape.summary.is_empty(),
                    "{}",
                    shape.name
                );
            }
            assert_eq!(find(fault.name()).unwrap().name(), fault.name());
        }
    }

    #[test]
    fn a_small_cluster_is_not_planned_what_it_cannot_have() {
        let shapes = |nodes, has_leader| shapes(find("partition").unwrap(), nodes, has_leader);
        assert!(shapes(5, true).contains(&"majorities-ring".to_owned()));
        assert!(!shapes(3, true).contains(&"majorities-ring".to_owned()));
        assert!(shapes(3, true).contains(&"bridge".to_owned()));
        assert!(shapes(5, false).contains(&"halves".to_owned()));
        assert!(!shapes(5, false).contains(&"isolate-leader".to_owned()));
        let all: Vec<_> = find("partition")
            .unwrap()
            .shapes()
            .iter()
            .map(|shape| shape.name.to_owned())
            .collect();
        assert_eq!(shapes(5, true), all);
    }

    #[test]
    fn what_may_be_planned_is_what_can_be_picked() {
        for nodes in 1..=5 {
            let spoilable = (nodes - 1) / 2 > 0;
            for fault in ALL {
                for shape in fault.shapes() {
                    let can = match fault.name() {
                        "partition" | "reject" => links::cut(shape.name, nodes, &[0], 1).is_ok(),
                        "transfer" => selection::successor(shape.name, nodes, &[0], 1).is_ok(),
                        "bit-rot" | "lost-disk" => {
                            spoilable && selection::victims(shape.name, nodes, &[0], 1).is_ok()
                        }
                        _ if fault.takes_grudges() => links::traffic(shape.name, nodes, &[0], 1).is_ok(),
                        _ => continue,
                    };
                    let why = obstacle(*fault, shape.name, nodes, true);
                    let what = format!("{}:{} on {nodes} nodes: {why:?}", fault.name(), shape.name);
                    assert_eq!(why.is_none(), can, "{what}");
                    assert!(why.is_none_or(|why| why.contains("needs at least ")), "{what}");
                }
                let none = shapes(*fault, nodes, true).is_empty();
                assert_eq!(obstacle_to_all(*fault, nodes, true).is_some(), none);
            }
        }
        let of_all = |name, nodes| obstacle_to_all(find(name).unwrap(), nodes, true);
        assert_eq!(
            of_all("lost-disk", 2).unwrap(),
            "it needs at least 3 nodes; there are 2"
        );
        assert_eq!(
            of_all("transfer", 1).unwrap(),
            "it needs at least 2 nodes; there are 1"
        );
        assert_eq!(of_all("delay", 1), None, "clients have links, too");
        let leaderless = obstacle(find("kill").unwrap(), "leader", 5, false);
        assert_eq!(leaderless.unwrap(), "leader needs a leader, and there is none");
    }
}
