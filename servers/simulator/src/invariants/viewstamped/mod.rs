//! What must hold of Viewstamped Replication (Liskov & Cowling 2012).

mod no_step_back;
mod view_change_safety;

pub use no_step_back::NoStepBack;
pub use view_change_safety::ViewChangeSafety;

use partita_protocols::viewstamped::Viewstamped;

use super::{ElectionSafety, Invariant, Simulated, StateMachineSafety};

impl Simulated for Viewstamped {
    const RECOVERS_LOST_DISKS: bool = true;

    fn invariants() -> Vec<Box<dyn Invariant<Viewstamped>>> {
        vec![
            Box::new(ElectionSafety::default()),
            Box::new(ViewChangeSafety::default()),
            Box::new(NoStepBack::default()),
            Box::new(StateMachineSafety::default()),
        ]
    }
}
