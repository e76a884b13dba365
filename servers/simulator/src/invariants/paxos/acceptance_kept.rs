//! An acceptor remembers what it accepted.

use std::collections::BTreeMap;

use partita_protocols::NodeId;
use partita_protocols::paxos::{Ballot, Body, Key, Paxos};

use super::super::{Invariant, Observed};
use super::said;

/// "An acceptor needs to remember only the highest-numbered proposal that it has ever accepted" (paper 2.2),
/// "even if it fails and then restarts": what it says later is never less than what it said before.
#[derive(Debug, Default)]
pub struct AcceptanceKept {
    accepted: BTreeMap<(NodeId, Key), Ballot>,
}

impl Invariant<Paxos> for AcceptanceKept {
    fn name(&self) -> &'static str {
        "acceptance kept"
    }

    fn check(&mut self, observed: &Observed<'_, Paxos>) -> Result<(), String> {
        for body in said(observed) {
            let (key, told) = match body {
                Body::Accepted { key, ballot } => {
                    let accepted = self.accepted.entry((observed.node, Key::clone(key)));
                    let accepted = accepted.or_insert(*ballot);
                    *accepted = (*accepted).max(*ballot);
                    continue;
                }
                Body::Promise { key, accepted, .. } | Body::Holds { key, accepted, .. } => {
                    (key, accepted.as_ref().map(|accepted| accepted.ballot))
                }
                _ => continue,
            };
            let before = self.accepted.get(&(observed.node, Key::clone(key))).copied();
            if told < before {
                return Err(format!(
                    "{} says that it has accepted {told:?} for {key}, but had accepted {before:?}",
                    observed.node
                ));
            }
        }
        Ok(())
    }
}
