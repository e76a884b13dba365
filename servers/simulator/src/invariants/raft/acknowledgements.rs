//! What was acknowledged stays.

use std::collections::BTreeMap;

use partita_protocols::raft::{Body, Message, Raft};
use partita_protocols::{Effect, NodeId};

use crate::invariants::{Invariant, Observed};

/// Whoever acknowledged an entry to the leader of a term has it for as long as that term lasts, whatever
/// crashes come between (Raft paper, figure 2: persistent state, and when entries are removed). Only the leader
/// of a later term may take it away.
#[derive(Debug, Default)]
pub struct Acknowledgements {
    given: BTreeMap<NodeId, Acknowledged>,
}

/// The last entry that a node acknowledged.
#[derive(Debug)]
struct Acknowledged {
    in_term: u64,
    index: u64,
    entry_term: u64,
}

impl Invariant<Raft> for Acknowledgements {
    fn name(&self) -> &'static str {
        "acknowledgements"
    }

    fn check(&mut self, observed: &Observed<'_, Raft>) -> Result<(), String> {
        let Observed { node, core, .. } = *observed;
        let log = core.log();
        for effect in observed.effects {
            if let Effect::Send {
                message:
                    Message {
                        term,
                        body: Body::Appended { matched },
                    },
                ..
            } = effect
                && let Some(entry_term) = log.term_at(*matched)
                && self
                    .given
                    .get(&node)
                    .is_none_or(|given| (given.in_term, given.index) < (*term, *matched))
            {
                let given = Acknowledged {
                    in_term: *term,
                    index: *matched,
                    entry_term,
                };
                self.given.insert(node, given);
            }
        }
        let Some(given) = self.given.get(&node) else {
            return Ok(());
        };
        let gone = given.index < log.base().index;
        if observed.status.term != given.in_term || gone || log.term_at(given.index) == Some(given.entry_term)
        {
            return Ok(());
        }
        Err(format!(
            "{node} acknowledged entry {} of term {} in term {}, and does not have it any more; its log ends at {:?}",
            given.index,
            given.entry_term,
            given.in_term,
            log.last()
        ))
    }
}
