//! Who is a member is what the log says.

use std::collections::BTreeMap;

use partita_protocols::Role;
use partita_protocols::raft::{Membership, Payload, Raft};

use crate::invariants::{Invariant, Observed};

/// A node uses the latest membership in its log, whether it is committed or not; or, of what is gone from its
/// log, the latest that was committed (Raft paper 6 and 7).
#[derive(Debug, Default)]
pub struct Configuration {
    /// Those that leaders put into their logs, by index and term, and that may yet be committed.
    proposed: BTreeMap<(u64, u64), Membership>,
    /// Those that were committed, by index.
    committed: BTreeMap<u64, Membership>,
}

impl Invariant<Raft> for Configuration {
    fn name(&self) -> &'static str {
        "configuration"
    }

    fn check(&mut self, observed: &Observed<'_, Raft>) -> Result<(), String> {
        let Observed { node, core, .. } = *observed;
        let log = core.log();
        let status = observed.status;
        let members = core.membership();
        let index = core.membership_index();
        if index > log.base().index {
            match log.entry(index) {
                Some(entry) if matches!(&entry.payload, Payload::Members(said) if **said == *members) => {
                    if status.role == Role::Leader && entry.term == status.term {
                        let proposed = self.proposed.entry((index, entry.term));
                        if !self.committed.contains_key(&index) {
                            proposed.or_insert_with(|| members.clone());
                        }
                    }
                }
                _ => {
                    return Err(format!(
                        "{node} takes {members:?} for the members, by entry {index}, which does not say so"
                    ));
                }
            }
        }
        if self.proposed.is_empty() && self.committed.is_empty() {
            return Ok(());
        }
        let is_committed =
            |&(index, term): &(u64, u64)| index <= status.commit && log.term_at(index) == Some(term);
        let committed: Vec<_> = self
            .proposed
            .extract_if(.., |place, _| is_committed(place))
            .collect();
        for ((index, _), members) in committed {
            self.proposed.retain(|&(other, _), _| other > index);
            self.committed.insert(index, members);
        }
        let base = log.base().index;
        match self.committed.range(..=base).next_back() {
            Some((from, expected)) if index <= base && members != expected => Err(format!(
                "{node} takes {members:?} for the members, whose log begins after {base}, when {expected:?} were, from \
                 {from} on"
            )),
            _ => Ok(()),
        }
    }
}
