//! What must hold after every step, one property a file.
//!
//! | property | says | paper |
//! |---|---|---|
//! | [`ElectionSafety`] | at most one leader in a term | Raft 5.2 |
//! | [`LogMatching`] | an entry's index and term determine it and all before it | Raft 5.3 |
//! | [`LeaderCompleteness`] | what is committed is in the log of every later leader | Raft 5.4.3 |
//! | [`StateMachineSafety`] | no two nodes apply different commands at one index | Raft 5.4.3 |
//! | [`ViewChangeSafety`] | what is committed is in the log of every later primary, at its op-number | Viewstamped Replication 4.2 |
//! | [`NoStepBack`] | who has sent DoViewChange acknowledges nothing in an earlier view | Viewstamped Replication 4.2 |
//!
//! Those of Multi-Paxos are in [`multi_paxos`].
//!
//! Election safety and state machine safety hold for any protocol; the others are of the paper that they name.

mod election_safety;
mod leader_completeness;
mod log_matching;
pub mod multi_paxos;
mod state_machine_safety;
mod viewstamped;
pub mod zab;

pub use election_safety::ElectionSafety;
pub use leader_completeness::LeaderCompleteness;
pub use log_matching::LogMatching;
pub use state_machine_safety::StateMachineSafety;
pub use viewstamped::{NoStepBack, ViewChangeSafety};

use partita_protocols::raft::Raft;
use partita_protocols::{Effect, NodeId, Protocol, Random};

use crate::lists::Lists;
use crate::load::Load;

/// A node just after a step, or just after it recovered (then without effects).
#[derive(Debug)]
pub struct Observed<'a, P: Protocol> {
    /// Which node.
    pub node: NodeId,
    /// Its core.
    pub core: &'a P,
    /// The effects of the step.
    pub effects: &'a [Effect<P::Message>],
}

/// A property that must hold after every step.
pub trait Invariant<P: Protocol> {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Takes note of a step; or says how the property is violated.
    fn check(&mut self, observed: &Observed<'_, P>) -> Result<(), String>;
}

/// A protocol that can be simulated: one that says what must hold of it.
pub trait Simulated: Protocol {
    /// The properties, as at the start of a run.
    fn invariants() -> Vec<Box<dyn Invariant<Self>>>;

    /// What clients do if nothing else is said.
    fn load(clients: usize, random: Random) -> Box<dyn Load> {
        Box::new(Lists::new(clients, random))
    }
}

impl Simulated for Raft {
    fn invariants() -> Vec<Box<dyn Invariant<Raft>>> {
        vec![
            Box::new(ElectionSafety::default()),
            Box::new(LogMatching::default()),
            Box::new(LeaderCompleteness::default()),
            Box::new(StateMachineSafety::default()),
        ]
    }
}
