//! No ballot is used twice.

use std::collections::BTreeMap;

use partita_protocols::NodeId;
use partita_protocols::paxos::{Ballot, Body, Key, Paxos};

use super::super::{Invariant, Observed};
use super::said;

/// A proposer "begins phase 1 with a higher proposal number than any it has already used" (paper 2.5), whatever
/// crashes there are between. It may ask for the same promise again as long as it has not gone on to phase 2.
#[derive(Debug, Default)]
pub struct BallotsGrow {
    /// The highest ballot that a node has prepared in an instance, and whether it proposed something with it.
    used: BTreeMap<(NodeId, Key), (Ballot, bool)>,
}

impl Invariant<Paxos> for BallotsGrow {
    fn name(&self) -> &'static str {
        "ballots grow"
    }

    fn check(&mut self, observed: &Observed<'_, Paxos>) -> Result<(), String> {
        for body in said(observed) {
            let (key, ballot, proposed) = match body {
                Body::Prepare { key, ballot } => (key, *ballot, false),
                Body::Accept { key, proposal } => (key, proposal.ballot, true),
                _ => continue,
            };
            let used = self.used.entry((observed.node, Key::clone(key)));
            let (last, was_proposed) = used.or_insert((ballot, proposed));
            if ballot < *last || (ballot == *last && *was_proposed && !proposed) {
                return Err(format!(
                    "{} uses {ballot:?} for {key} again, after {last:?}",
                    observed.node
                ));
            }
            (*last, *was_proposed) = (ballot, proposed);
        }
        Ok(())
    }
}
