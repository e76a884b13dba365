//! What is committed is in the log of every later leader.

use std::collections::BTreeMap;

use partita_protocols::raft::Raft;
use partita_protocols::{NodeId, Role};

use crate::invariants::{Invariant, Observed};

/// An entry that was committed in some term is in the log of whoever leads a later one (Raft paper 5.4.3).
///
/// A leader of an *earlier* term need not have it: a candidate that was paused may still gather its votes,
/// and lead, after the others have gone on to later terms. It can commit nothing.
#[derive(Debug, Default)]
pub struct LeaderCompleteness {
    /// The committed entries, the first at index 1.
    committed: Vec<Committed>,
    /// For each node, the last term of which it was seen to be the leader.
    led: BTreeMap<NodeId, u64>,
}

#[derive(Debug)]
struct Committed {
    /// The term in which the entry was made.
    term: u64,
    /// The term of the node that knew first: the leader that committed it.
    committed_in: u64,
}

impl Invariant<Raft> for LeaderCompleteness {
    fn name(&self) -> &'static str {
        "leader completeness"
    }

    fn check(&mut self, observed: &Observed<'_, Raft>) -> Result<(), String> {
        let Observed { node, core, .. } = *observed;
        let status = observed.status;
        // Before its commit index is taken in: a leader must have what was committed before it led.
        if status.role == Role::Leader && self.led.insert(node, status.term) != Some(status.term) {
            // What is gone from its log is in its snapshot, and was committed and applied: state machine
            // safety answers for that.
            let gone = core.log().base().index;
            for (index, entry) in (1..).zip(&self.committed).skip(gone as usize) {
                if entry.committed_in < status.term && core.log().term_at(index) != Some(entry.term) {
                    return Err(format!(
                        "{node} leads term {} without the entry {index} of term {}, committed in term {}; its log ends \
                         at {:?}",
                        status.term,
                        entry.term,
                        entry.committed_in,
                        core.log().last()
                    ));
                }
            }
        }
        for index in self.committed.len() as u64 + 1..=status.commit {
            let Some(term) = core.log().term_at(index) else {
                return Err(format!(
                    "{node} takes entry {index} for committed, but does not have it"
                ));
            };
            self.committed.push(Committed {
                term,
                committed_in: status.term,
            });
        }
        Ok(())
    }
}
