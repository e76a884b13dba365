//! Deliveries keep the order of each primary, and the order of primaries.

use std::collections::BTreeMap;

use partita_protocols::NodeId;
use partita_protocols::zab::{Zab, Zxid};

use super::delivered;
use crate::invariants::{Invariant, Observed};

/// If a primary broadcasts a before b, then whoever delivers b has delivered a before it (paper 3.2, local
/// primary order); and what a later primary broadcast is delivered after what an earlier one did (global
/// primary order). A primary numbers what it broadcasts from 1, so what follows a delivery is the next of the
/// same epoch, or the first of a later one.
#[derive(Debug, Default)]
pub struct PrimaryOrder {
    /// For each node, what it delivered last, and where.
    last: BTreeMap<NodeId, (u64, Zxid)>,
}

impl Invariant<Zab> for PrimaryOrder {
    fn name(&self) -> &'static str {
        "primary order"
    }

    fn check(&mut self, observed: &Observed<'_, Zab>) -> Result<(), String> {
        let node = observed.node;
        for (index, transaction) in delivered(observed) {
            let zxid = transaction.zxid;
            let before = self.last.insert(node, (index, zxid));
            // After a restart or a snapshot it goes on elsewhere.
            let Some((_, last)) = before.filter(|(place, _)| place + 1 == index) else {
                continue;
            };
            let next = zxid.epoch == last.epoch && zxid.counter == last.counter + 1;
            let first = zxid.epoch > last.epoch && zxid.counter == 1;
            if !next && !first {
                return Err(format!("{node} delivers {zxid} after {last}"));
            }
        }
        Ok(())
    }
}
