//! All deliver the same transactions in the same places.

use std::collections::BTreeMap;

use partita_protocols::NodeId;
use partita_protocols::zab::{Zab, Zxid};

use super::delivered;
use crate::invariants::{Invariant, Observed};

/// If one process delivers a before b, then any that delivers b has delivered a before it (paper 3.1, total
/// order); and of two that have delivered different transactions, one has delivered the other's, too
/// (agreement). As deliveries have places without gaps, both say that no place has two transactions, and no
/// transaction two places.
#[derive(Debug, Default)]
pub struct TotalOrder {
    by_place: BTreeMap<u64, (NodeId, Zxid)>,
    by_name: BTreeMap<Zxid, u64>,
}

impl Invariant<Zab> for TotalOrder {
    fn name(&self) -> &'static str {
        "total order"
    }

    fn check(&mut self, observed: &Observed<'_, Zab>) -> Result<(), String> {
        let node = observed.node;
        for (index, transaction) in delivered(observed) {
            let zxid = transaction.zxid;
            let (first, known) = *self.by_place.entry(index).or_insert((node, zxid));
            if known != zxid {
                return Err(format!(
                    "{node} delivers {zxid} at {index}, where {first} delivered {known}"
                ));
            }
            let place = *self.by_name.entry(zxid).or_insert(index);
            if place != index {
                return Err(format!(
                    "{node} delivers {zxid} at {index}; it was delivered at {place}"
                ));
            }
        }
        Ok(())
    }
}
