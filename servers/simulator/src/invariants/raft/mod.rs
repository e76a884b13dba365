//! What must hold of Raft, beside what must hold of any protocol.

mod acknowledgements;
mod commitment;
mod configuration;
mod leader_completeness;
mod lease;
mod log_matching;
mod votes;

pub use acknowledgements::Acknowledgements;
pub use commitment::Commitment;
pub use configuration::Configuration;
pub use leader_completeness::LeaderCompleteness;
pub use lease::Lease;
pub use log_matching::LogMatching;
pub use votes::Votes;

use partita_protocols::raft::Raft;

use super::{ElectionSafety, Invariant, Simulated, StateMachineSafety};

impl Simulated for Raft {
    fn invariants() -> Vec<Box<dyn Invariant<Raft>>> {
        vec![
            Box::new(ElectionSafety::default()),
            Box::new(Votes::default()),
            Box::new(LogMatching::default()),
            Box::new(Acknowledgements::default()),
            Box::new(Commitment::default()),
            Box::new(Configuration::default()),
            Box::new(LeaderCompleteness::default()),
            Box::new(Lease::default()),
            Box::new(StateMachineSafety::default()),
        ]
    }
}
