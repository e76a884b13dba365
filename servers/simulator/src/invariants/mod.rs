//! What must hold after every step, one property a file.
//!
//! | property | says | paper |
//! |---|---|---|
//! | [`ElectionSafety`] | at most one leader in a term | Raft 5.2 |
//! | [`StateMachineSafety`] | no two nodes apply different commands at one index | Raft 5.4.3 |
//! | [`Votes`](raft::Votes) | nobody votes twice in a term; who leads has a majority's votes | Raft 5.2 |
//! | [`LogMatching`](raft::LogMatching) | an entry's index and term determine it and all before it | Raft 5.3 |
//! | [`Acknowledgements`](raft::Acknowledgements) | what was acknowledged in a term stays while it lasts | Raft figure 2 |
//! | [`Commitment`](raft::Commitment) | committed is what majorities have, up to an entry of the term | Raft 5.3, 5.4.2, 6 |
//! | [`Configuration`](raft::Configuration) | who is a member is what the log says | Raft 6, 7 |
//! | [`LeaderCompleteness`](raft::LeaderCompleteness) | what is committed is in the log of every later leader | Raft 5.4.3 |
//! | [`Lease`](raft::Lease) | who answers reads by a lease is the newest leader | Raft thesis 6.4.1 |
//! | [`ViewChangeSafety`] | what is committed is in the log of every later primary, at its op-number | Viewstamped Replication 4.2 |
//! | [`NoStepBack`] | who has sent DoViewChange acknowledges nothing in an earlier view | Viewstamped Replication 4.2 |
//!
//! The first two hold for any protocol; the others are one protocol's. Those of [`paxos`], [`multi_paxos`]
//! and [`zab`] are told there.

mod election_safety;
pub mod multi_paxos;
pub mod paxos;
pub mod raft;
mod state_machine_safety;
mod viewstamped;
pub mod zab;

pub use election_safety::ElectionSafety;
pub use state_machine_safety::StateMachineSafety;
pub use viewstamped::{NoStepBack, ViewChangeSafety};

use partita_protocols::{Effect, NodeId, Protocol, Random, Status};

use crate::lists::Lists;
use crate::load::Load;

/// A node just after a step, or just after it recovered (then without effects).
#[derive(Debug)]
pub struct Observed<'a, P: Protocol> {
    /// Which node.
    pub node: NodeId,
    /// Its core.
    pub core: &'a P,
    /// What the core shows of itself.
    pub status: Status,
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
    /// Can a member come back, under its name, that has lost its disk?
    const RECOVERS_LOST_DISKS: bool = false;

    /// The properties, as at the start of a run.
    fn invariants() -> Vec<Box<dyn Invariant<Self>>>;

    /// What clients do if nothing else is said.
    fn load(clients: usize, random: Random) -> Box<dyn Load> {
        Box::new(Lists::new(clients, random))
    }
}
