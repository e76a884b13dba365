//! A primary broadcasts after it has delivered all of earlier epochs.

use std::collections::BTreeMap;

use partita_protocols::zab::{Zab, Zxid};
use partita_protocols::{NodeId, Role};

use super::delivered;
use crate::invariants::{Invariant, Observed};

/// If a primary broadcasts a transaction, and some process delivers one of an earlier epoch, then the primary
/// has delivered that one before it broadcast (paper 3.2, primary integrity).
///
/// Checked more strictly: when a leader is established it must have delivered all that anybody has by then;
/// and nobody may then deliver what is of an earlier epoch and beyond that.
#[derive(Debug, Default)]
pub struct PrimaryIntegrity {
    /// What anybody has delivered furthest.
    furthest: Option<(u64, Zxid)>,
    /// For each epoch with an established leader, who that is, and the index of the last it delivered before.
    established: BTreeMap<u64, (NodeId, u64)>,
}

impl Invariant<Zab> for PrimaryIntegrity {
    fn name(&self) -> &'static str {
        "primary integrity"
    }

    fn check(&mut self, observed: &Observed<'_, Zab>) -> Result<(), String> {
        let Observed { node, core, .. } = *observed;
        let status = observed.status;
        if status.role == Role::Leader && !self.established.contains_key(&status.term) {
            if let Some((index, zxid)) = self.furthest.filter(|(_, zxid)| zxid.epoch < status.term) {
                let history = core.history();
                let has = index <= history.base_index() || history.zxid_at(index) == Some(zxid);
                if status.applied < index || !has {
                    return Err(format!(
                        "{node} leads epoch {} and has delivered {}; {zxid} was delivered at {index}",
                        status.term, status.applied
                    ));
                }
            }
            // The step that established it may have broadcast as well, and even committed.
            let own = Zxid {
                epoch: status.term,
                counter: 0,
            };
            let before = core.history().floor(own).unwrap_or(status.applied);
            self.established.insert(status.term, (node, before));
        }
        for (index, transaction) in delivered(observed) {
            let zxid = transaction.zxid;
            let later = self.established.range(zxid.epoch + 1..);
            for (epoch, (leader, before)) in later {
                if index > *before {
                    return Err(format!(
                        "{node} delivers {zxid} at {index}; {leader} leads epoch {epoch} since it delivered {before}"
                    ));
                }
            }
            if self.furthest.is_none_or(|(place, _)| place < index) {
                self.furthest = Some((index, zxid));
            }
        }
        Ok(())
    }
}
