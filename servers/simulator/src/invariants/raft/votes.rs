//! Whoever leads was elected by a majority, of which nobody votes twice.

use std::collections::BTreeMap;

use partita_protocols::raft::{Body, Message, Raft};
use partita_protocols::{Effect, NodeId, Role};

use crate::invariants::{Invariant, Observed};

/// A node votes for at most one candidate in a term, and remembers it in all its lives; and whoever leads has
/// the votes of a majority in its term, of two majorities while members change (Raft paper 5.2 and 6, figure 2).
#[derive(Debug, Default)]
pub struct Votes {
    /// Whom each node voted for, by term and voter.
    given: BTreeMap<(u64, NodeId), NodeId>,
    /// For each node, the last term of which it was seen to be the leader.
    led: BTreeMap<NodeId, u64>,
}

impl Invariant<Raft> for Votes {
    fn name(&self) -> &'static str {
        "votes"
    }

    fn check(&mut self, observed: &Observed<'_, Raft>) -> Result<(), String> {
        let Observed { node, core, .. } = *observed;
        for effect in observed.effects {
            let Effect::Send { to, message } = effect else {
                continue;
            };
            let Message { term, body } = message;
            let candidate = match body {
                Body::Vote { granted: true } => *to,
                // Whoever asks for votes has given itself its own.
                Body::RequestVote { .. } => node,
                _ => continue,
            };
            let first = *self.given.entry((*term, node)).or_insert(candidate);
            if first != candidate {
                return Err(format!(
                    "{node} votes for {candidate} in term {term}, having voted for {first}"
                ));
            }
        }
        let status = observed.status;
        let given = self.given.get(&(status.term, node)).copied();
        if given.is_some() && core.voted_for() != given {
            return Err(format!(
                "{node} voted for {given:?} in term {}, and does not know it any more",
                status.term
            ));
        }
        if status.role != Role::Leader || self.led.insert(node, status.term) == Some(status.term) {
            return Ok(());
        }
        let voted = |voter| voter == node || self.given.get(&(status.term, voter)) == Some(&node);
        if core.membership().is_majority(voted) {
            return Ok(());
        }
        Err(format!(
            "{node} leads term {} without a majority's votes, of {:?}",
            status.term,
            core.membership()
        ))
    }
}
