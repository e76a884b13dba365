//! What is committed is in the log of every later primary, at its op-number.

use std::collections::BTreeMap;

use partita_protocols::viewstamped::{View, Viewstamped};
use partita_protocols::{NodeId, Role};

use super::super::{Invariant, Observed};

/// Every committed operation survives into all later views, at the same place in the order (section 8.1, on the
/// correctness of view changes).
///
/// A viewstamp determines the operation, so it is viewstamps that are compared. A primary of an *earlier* view
/// need not have what was committed in a later one.
#[derive(Debug, Default)]
pub struct ViewChangeSafety {
    /// By op-number, from 1: the view of the entry, and the view of the node that first knew it committed.
    committed: Vec<(View, View)>,
    /// For each node, the last view in which it was seen to lead.
    led: BTreeMap<NodeId, View>,
}

impl Invariant<Viewstamped> for ViewChangeSafety {
    fn name(&self) -> &'static str {
        "view-change safety"
    }

    fn check(&mut self, observed: &Observed<'_, Viewstamped>) -> Result<(), String> {
        let Observed { node, core, .. } = *observed;
        let status = observed.status;
        let (view, log) = (core.view(), core.log());
        // Before its commit-number is taken in: a primary must have what was committed before it led.
        if status.role == Role::Leader && self.led.insert(node, view) != Some(view) {
            let base = log.base().op;
            for (op, &(made_in, committed_in)) in (1..).zip(&self.committed).skip(base as usize) {
                if committed_in < view && log.view_at(op) != Some(made_in) {
                    return Err(format!(
                        "{node} leads {view:?} without operation {op} of {made_in:?}, committed in {committed_in:?}; its \
                         log ends at {:?}",
                        log.last()
                    ));
                }
            }
        }
        for op in self.committed.len() as u64 + 1..=status.commit {
            let Some(made_in) = log.view_at(op) else {
                return Err(format!(
                    "{node} takes operation {op} for committed, but does not have it"
                ));
            };
            self.committed.push((made_in, view));
        }
        Ok(())
    }
}
