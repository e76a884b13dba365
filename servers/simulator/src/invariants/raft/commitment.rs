//! What a leader takes for committed.

use std::collections::BTreeMap;

use partita_protocols::raft::{Membership, Position, Raft};
use partita_protocols::{NodeId, Role};

use crate::invariants::{Invariant, Observed};

/// A leader takes for committed only what a majority has, up to an entry of its own term (Raft paper 5.3 and
/// 5.4.2); while members change, what a majority of the old and one of the new has (section 6).
#[derive(Debug, Default)]
pub struct Commitment {
    seen: BTreeMap<NodeId, Seen>,
}

/// A node as it was last seen.
#[derive(Debug, Default)]
struct Seen {
    /// The term that it leads.
    leads: Option<u64>,
    commit: u64,
    last: Position,
    members: Membership,
}

impl Invariant<Raft> for Commitment {
    fn name(&self) -> &'static str {
        "commitment"
    }

    fn check(&mut self, observed: &Observed<'_, Raft>) -> Result<(), String> {
        let Observed { node, core, .. } = *observed;
        let status = observed.status;
        let log = core.log();
        let leads = (status.role == Role::Leader).then_some(status.term);
        let before = self.seen.get(&node);
        let result = match before {
            Some(before) if leads.is_some() && before.leads == leads && status.commit > before.commit => {
                let (term, commit) = (status.term, status.commit);
                // A peer whose log ends in a later term may have had it when it acknowledged it.
                let has = |peer: NodeId| {
                    let seen = self.seen.get(&peer);
                    peer == node || seen.is_some_and(|seen| seen.last >= Position { term, index: commit })
                };
                let known = log.term_at(commit);
                if known.is_some_and(|known| known != term) {
                    Err(format!(
                        "{node}, which leads term {term}, takes entry {commit} for committed, which is of term {known:?}"
                    ))
                } else if before.members.is_majority(has) {
                    Ok(())
                } else {
                    let members = &before.members;
                    Err(format!(
                        "{node}, which leads term {term}, takes entry {commit} for committed, which no majority has of \
                         {members:?}"
                    ))
                }
            }
            _ => Ok(()),
        };
        let seen = self.seen.entry(node).or_default();
        seen.leads = leads;
        seen.commit = status.commit;
        seen.last = log.last();
        // By these the next commit is judged: those that come with it hold only then.
        if seen.members != *core.membership() {
            seen.members = core.membership().clone();
        }
        result
    }
}
