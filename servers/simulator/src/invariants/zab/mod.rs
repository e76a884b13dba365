//! What must hold of Zab, in the words of its paper (Junqueira et al. 2011, section 3).
//!
//! | property | says | paper |
//! |---|---|---|
//! | [`Integrity`] | what is delivered was broadcast, under that name, by its primary | 3.1 |
//! | [`TotalOrder`] | all deliver the same transactions in the same places | 3.1, with agreement |
//! | [`PrimaryOrder`] | deliveries keep the order of each primary, and of primaries | 3.2, local and global primary order |
//! | [`PrimaryIntegrity`] | a primary broadcasts after it has delivered all of earlier epochs | 3.2 |
//!
//! At most one established leader an epoch is `ElectionSafety`; and that equal places have equal commands
//! is `StateMachineSafety`.

mod integrity;
mod primary_integrity;
mod primary_order;
mod total_order;

pub use integrity::Integrity;
pub use primary_integrity::PrimaryIntegrity;
pub use primary_order::PrimaryOrder;
pub use total_order::TotalOrder;

use partita_protocols::Effect;
use partita_protocols::zab::{Transaction, Zab};

use super::{ElectionSafety, Invariant, Observed, Simulated, StateMachineSafety};

impl Simulated for Zab {
    fn invariants() -> Vec<Box<dyn Invariant<Zab>>> {
        vec![
            Box::new(ElectionSafety::default()),
            Box::new(Integrity::default()),
            Box::new(TotalOrder::default()),
            Box::new(PrimaryOrder::default()),
            Box::new(PrimaryIntegrity::default()),
            Box::new(StateMachineSafety::default()),
        ]
    }
}

/// The transactions that a step delivered, with their indexes. (A log is cut only by a later step.)
fn delivered<'a>(observed: &Observed<'a, Zab>) -> impl Iterator<Item = (u64, &'a Transaction)> {
    let history = observed.core.history();
    observed.effects.iter().filter_map(|effect| match effect {
        Effect::Apply { index, .. } => Some((*index, history.get(*index)?)),
        _ => None,
    })
}
