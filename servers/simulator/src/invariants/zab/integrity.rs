//! What is delivered was broadcast.

use std::collections::BTreeMap;

use partita_protocols::zab::{Payload, Zab, Zxid};
use partita_protocols::{NodeId, Role};

use super::delivered;
use crate::invariants::{Invariant, Observed};

/// If a process delivers a transaction, then some process has broadcast it (paper 3.1, integrity): under that
/// zxid, with that content, and once.
#[derive(Debug, Default)]
pub struct Integrity {
    broadcast: BTreeMap<Zxid, Payload>,
    /// For each primary and its epoch, the last index of its history that was looked at.
    seen: BTreeMap<(NodeId, u64), u64>,
}

impl Invariant<Zab> for Integrity {
    fn name(&self) -> &'static str {
        "integrity"
    }

    fn check(&mut self, observed: &Observed<'_, Zab>) -> Result<(), String> {
        let Observed { node, core, .. } = *observed;
        let status = observed.status;
        if status.role == Role::Leader {
            let history = core.history();
            let seen = self.seen.entry((node, status.term)).or_insert_with(|| {
                // What is of its own epoch it has made since it leads; the rest is others'.
                let others = Zxid {
                    epoch: status.term,
                    counter: 0,
                };
                history.floor(others).unwrap_or(history.base_index())
            });
            for index in *seen + 1..=history.last_index() {
                let Some(made) = history.get(index) else { continue };
                let known = self
                    .broadcast
                    .entry(made.zxid)
                    .or_insert_with(|| made.payload.clone());
                if *known != made.payload {
                    return Err(format!(
                        "{node} broadcasts {} as {:?}, which was {known:?}",
                        made.zxid, made.payload
                    ));
                }
            }
            *seen = history.last_index().max(*seen);
        }
        for (index, transaction) in delivered(observed) {
            if self.broadcast.get(&transaction.zxid) != Some(&transaction.payload) {
                return Err(format!(
                    "{node} delivers {} at {index}, which nobody broadcast so: {:?}",
                    transaction.zxid, transaction.payload
                ));
            }
        }
        Ok(())
    }
}
