//! Nothing is accepted in ballots before one that was promised.

use std::collections::BTreeMap;

use partita_protocols::multi_paxos::{Ballot, Message, MultiPaxos};
use partita_protocols::{Effect, NodeId};

use super::super::{Invariant, Observed};

/// An acceptor can accept a proposal only if it has not answered a request with a greater number (P1a, Lamport
/// 2001, 2.2); not in any later life of its process either.
#[derive(Debug, Default)]
pub struct PromisesKept {
    /// The last ballot that each node has promised to another.
    promised: BTreeMap<NodeId, Ballot>,
}

impl Invariant<MultiPaxos> for PromisesKept {
    fn name(&self) -> &'static str {
        "promises kept"
    }

    fn check(&mut self, observed: &Observed<'_, MultiPaxos>) -> Result<(), String> {
        for effect in observed.effects {
            let Effect::Send { message, .. } = effect else {
                continue;
            };
            let node = observed.node;
            match message {
                Message::Promise { ballot, .. } => {
                    let promised = self.promised.entry(node).or_insert(*ballot);
                    *promised = (*promised).max(*ballot);
                }
                Message::Accepted { ballot, first, .. } => {
                    if let Some(promised) = self.promised.get(&node).filter(|&promised| promised > ballot) {
                        return Err(format!(
                            "{node} accepts in ballot {ballot} for slot {first}, but has promised {promised}"
                        ));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
