//! An acceptor accepts nothing below what it promised.

use std::collections::BTreeMap;

use partita_protocols::NodeId;
use partita_protocols::paxos::{Ballot, Body, Key, Paxos};

use super::super::{Invariant, Observed};
use super::said;

/// "An acceptor can accept a proposal numbered n iff it has not responded to a prepare request having a number
/// greater than n" (paper 2.2, P1a), whatever crashes there are between.
#[derive(Debug, Default)]
pub struct PromiseKept {
    promised: BTreeMap<(NodeId, Key), Ballot>,
}

impl Invariant<Paxos> for PromiseKept {
    fn name(&self) -> &'static str {
        "promise kept"
    }

    fn check(&mut self, observed: &Observed<'_, Paxos>) -> Result<(), String> {
        for body in said(observed) {
            match body {
                Body::Promise { key, ballot, .. } => {
                    let promised = self.promised.entry((observed.node, Key::clone(key)));
                    let promised = promised.or_insert(*ballot);
                    *promised = (*promised).max(*ballot);
                }
                Body::Accepted { key, ballot } => {
                    let promised = self.promised.get(&(observed.node, Key::clone(key)));
                    if let Some(promised) = promised.filter(|promised| *promised > ballot) {
                        return Err(format!(
                            "{} accepts {ballot:?} for {key}, but had promised {promised:?}",
                            observed.node
                        ));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
