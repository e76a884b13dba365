//! The operator: changes the members, has leaders hand over, and asks for snapshots.
//!
//! A node that was removed never comes back: whoever takes its place is a new node, with an empty disk and a
//! name of its own. Under its old name its peers could take messages from its former life, still under way,
//! for promises of the new one, which has forgotten them.

use std::collections::{BTreeMap, BTreeSet};

use partita_protocols::{Administration, NodeId, Random, RequestId};
use rand::RngExt;

use crate::clients::Outcome;
use crate::queue::{MILLISECOND, Time};
use crate::report::Counts;

/// What was asked for, and what came of it.
#[derive(Debug)]
pub(crate) struct Operator {
    random: Random,
    pending: BTreeMap<RequestId, Administration>,
    /// Nodes whose removal was asked for, and may have happened.
    leaving: BTreeSet<NodeId>,
    /// How many nodes may run.
    nodes_max: usize,
    /// How many names were given.
    named: usize,
}

impl Operator {
    pub(crate) fn new(random: Random, nodes: usize, spares: usize) -> Operator {
        Operator {
            random,
            pending: BTreeMap::new(),
            leaving: BTreeSet::new(),
            nodes_max: nodes + spares,
            named: nodes,
        }
    }

    /// Who could become a member: nodes that run and are none, or one that does not run yet.
    pub(crate) fn candidates(&self, nodes: &[NodeId], members: &[NodeId]) -> Vec<NodeId> {
        let staying = nodes.iter().filter(|node| !self.leaving.contains(node));
        let idle: Vec<_> = staying.filter(|node| !members.contains(node)).copied().collect();
        if idle.is_empty() && nodes.len() < self.nodes_max {
            return NodeId::new(&format!("n{}", self.named + 1)).into_iter().collect();
        }
        idle
    }

    /// May any of these be removed by something that was asked for?
    pub(crate) fn may_remove(&self, members: &[NodeId]) -> bool {
        members.iter().any(|member| self.leaving.contains(member))
    }

    /// How long a request travels.
    pub(crate) fn delay(&mut self) -> Time {
        self.random.random_range(MILLISECOND / 2..10 * MILLISECOND)
    }

    /// Something is asked for.
    pub(crate) fn ask(&mut self, request: RequestId, what: Administration, counts: &mut Counts) {
        counts.admin_asked += 1;
        match what {
            Administration::RemoveMember(node) => {
                self.leaving.insert(node);
            }
            Administration::AddMember(node) => {
                let number = node.as_str().trim_start_matches('n').parse();
                self.named = self.named.max(number.unwrap_or(0));
            }
            _ => {}
        }
        self.pending.insert(request, what);
    }

    /// A request has ended. Gives a node that was removed, and when it is to be stopped: its peers may have
    /// to bear it for a while.
    pub(crate) fn settle(
        &mut self,
        request: RequestId,
        outcome: &Outcome,
        counts: &mut Counts,
    ) -> Option<(Time, NodeId)> {
        let what = self.pending.remove(&request)?;
        match outcome {
            Outcome::Done => counts.admin_done += 1,
            Outcome::Rejected => counts.admin_rejected += 1,
            Outcome::Refused(_) => counts.admin_refused += 1,
            Outcome::Unknown | Outcome::Answer(_) => counts.admin_unknown += 1,
        }
        match (what, outcome) {
            (Administration::RemoveMember(node), Outcome::Done) => {
                counts.members_removed += 1;
                let delay = self.random.random_range(0..2_000 * MILLISECOND);
                return Some((delay, node));
            }
            (Administration::RemoveMember(node), Outcome::Rejected | Outcome::Refused(_)) => {
                let asked_twice = self
                    .pending
                    .values()
                    .any(|&pending| pending == Administration::RemoveMember(node));
                if !asked_twice {
                    self.leaving.remove(&node);
                }
            }
            (Administration::AddMember(_), Outcome::Done) => counts.members_added += 1,
            (Administration::Transfer { .. }, Outcome::Done) => counts.transfers += 1,
            (Administration::Snapshot, Outcome::Done) => counts.snapshots_asked += 1,
            _ => {}
        }
        None
    }
}
