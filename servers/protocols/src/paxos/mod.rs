//! Single-decree Paxos (Lamport, *Paxos Made Simple*, 2001: "the paper"), once for each key: a set of
//! registers that are written once.
//!
//! Clients *propose* a value for a key, and learn which one was decided, theirs or another; once decided it
//! never changes. Each key is an *instance* of its own, and instances have nothing to do with each other.
//! There is no leader: every node is proposer, acceptor and learner, and serves clients itself.
//!
//! A *proposal* is a value with a number, its *ballot*, here a round and the name of the node that made it. A
//! proposer first has a majority of acceptors *promise* to accept nothing below its ballot, and to tell what
//! they have accepted so far (phase 1); then it asks them to accept (phase 2) not the value that it wants, but
//! that of the highest ballot that any of them told of, and its own only if there was none (the paper's P2c).
//! A value is *chosen* when a majority has accepted it in one ballot; whoever learns that, *decides*.
//!
//! | file | what it decides | where that comes from |
//! |---|---|---|
//! | `acceptor.rs` | what is promised, what is accepted | paper 2.2, P1a; phases 1(b), 2(b) |
//! | `proposer.rs` | which value may be proposed, when to try again | paper 2.2, P2c; phases 1(a), 2(a); 2.4 |
//! | `ballots.rs` | that no ballot is ever used twice | paper 2.5, end |
//! | `learner.rs` | what a decision leads to | paper 2.3 |
//! | `catch_up.rs` | how a node learns of decisions that it missed, and that no instance stays half done | paper 2.3, end |
//! | `read.rs` | when a register may be read | P2c: what a majority has not accepted is not chosen |
//! | `node.rs`, `outbox.rs` | one step; promises wait until they are durable | paper 2.5: "stable storage" |
//! | `record.rs`, `snapshot.rs`, `message.rs` | the log, what replaces it, what nodes say | |
//!
//! **Commands.** A value is an encoded [`store::Command`](crate::store::Command) without its session. This is
//! the one protocol that looks into commands, since it has to know their keys; it serves
//! [`Propose`](crate::store::Operation::Propose) and reads, and rejects all else. It drops the session, since
//! a proposal may be repeated without harm: a register that is decided does not change. With it, two nodes,
//! which apply decisions in whatever order they learn of them, would not even agree on which command of a
//! session came late.
//!
//! **Why a proposer whose value lost is answered by applying its command all the same.** `Propose` sets a
//! register only if it holds nothing, and is answered what the register holds then. The decision was applied
//! before; so the command changes nothing, here or anywhere, and its answer is the decided value.
//!
//! **The rule of the disk.** A promise, an acceptance, and a ballot are durable before anybody hears of them,
//! and a node's own promise and acceptance count from then on, too. A decision needs no such wait: it can not
//! be undone, and whoever forgets it learns it again.
//!
//! **What is remembered.** Of a decided instance the decision, and nothing else. Of others what the acceptor
//! promised and accepted. Promises where nothing was accepted can become many, and may be forgotten in favour
//! of a *floor*: the highest of them, taken as a promise in every instance (to promise more is always safe).

mod acceptor;
mod ballots;
mod catch_up;
mod defects;
mod learner;
mod message;
mod node;
mod outbox;
mod proposer;
mod read;
mod record;
mod snapshot;
#[cfg(test)]
mod tests;

pub use acceptor::Instance;
pub use ballots::{Ballot, Numbered};
pub use defects::DEFECTS;
pub use message::{Body, Message};
pub use node::{Key, Paxos};
