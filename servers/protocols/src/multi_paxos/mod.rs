//! Multi-Paxos (Lamport, *Paxos Made Simple*, 2001; Chandra, Griesemer and Redstone, *Paxos Made Live*, 2007; van
//! Renesse and Altinbuken, *Paxos Made Moderately Complex*, 2015).
//!
//! A cluster chooses one value for each of a sequence of numbered *slots*, and every node applies them in
//! order. Each slot is an instance of Paxos of its own: values are accepted in any order, slots may have gaps,
//! and what a node holds in one slot says nothing about the next. A *ballot* (a round and the node whose it is)
//! numbers a proposal. In phase 1 a node has a majority promise to accept nothing in earlier ballots, and hears
//! what they have accepted, for all slots at once; from then on it *leads*, and runs only phase 2. For every
//! slot that phase 1 told of it proposes the value with the highest ballot, and a no-op where there is a gap
//! before those. A value that a majority has accepted in one ballot is *chosen*, and no other ever will be.
//!
//! | file | what it decides | where that comes from |
//! |---|---|---|
//! | `node.rs` | one step | |
//! | `ballot.rs`, `value.rs` | numbers of proposals; what a slot can hold | Lamport 2.5, section 3 |
//! | `acceptor.rs` | what is promised and accepted | Lamport 2.2; Chandra et al. 5.2 |
//! | `candidate.rs` | who begins a ballot and when; phase 1 | Lamport 2.4 and section 3 |
//! | `leader.rs` | phase 2 of slot after slot, within the window | Lamport section 3 |
//! | `learner.rs` | applying in order, catching up | Lamport 2.3 and section 3; Chandra et al. 5 |
//! | `read.rs` | reads without a slot, by quorum or by lease | Chandra et al. 5.2 |
//! | `snapshot.rs` | cutting the log, sending what is gone | Chandra et al. 5.5 |
//! | `configuration.rs`, `change.rs` | who the members are, slot by slot, and changing them | Lamport, end of section 3 |
//! | `handover.rs` | the leader has another node lead | |
//! | `log.rs`, `record.rs`, `message.rs` | the slots, their form on disk, what nodes say | |
//!
//! **The rule of the disk.** A promise, an acceptance, and a candidate's request, which stands on its own
//! promise, leave when every write issued before them is durable, and a node's own promise and acceptance count
//! from then on, too. A leader's values go to the acceptors at the same time as to its own disk.
//!
//! **What is chosen** the leader says along with what it proposes and with its heartbeats, as one number: all
//! slots up to there. A node takes its word only for slots that it accepted in the leader's own ballot; what it
//! accepted in another, or missed, it asks for.
//!
//! Of the wider family, this is what is *not* here: leaders without a distinguished proposer, quorums other
//! than majorities, and acceptors that are not learners.

mod acceptor;
mod ballot;
mod candidate;
mod change;
mod configuration;
mod defects;
mod handover;
mod leader;
mod learner;
mod log;
mod message;
mod node;
mod read;
mod record;
mod snapshot;
#[cfg(test)]
mod tests;
mod value;

pub use ballot::Ballot;
pub use configuration::{Configuration, Configurations};
pub use defects::DEFECTS;
pub use log::{Log, Slot, Vote};
pub use message::Message;
pub use node::MultiPaxos;
pub use value::Value;
