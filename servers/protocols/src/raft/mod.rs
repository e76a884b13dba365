//! Raft (Ongaro & Ousterhout, *In Search of an Understandable Consensus Algorithm*, 2014, extended version:
//! "the paper"; Ongaro, *Consensus: Bridging Theory and Practice*, 2014: "the thesis").
//!
//! A cluster agrees on one growing sequence of commands, its *log*. In each *term* at most one node leads.
//! The leader alone takes commands, puts them into its log, and has the others copy it; an entry that a
//! majority holds is *committed*, will never be lost, and is applied by all. When the leader falls silent,
//! the others elect a new one among those whose logs hold all that was committed.
//!
//! | file | what it decides | where that comes from |
//! |---|---|---|
//! | `node.rs` | one step; what a higher term means | paper figure 2, section 5.1 |
//! | `election.rs` | who becomes leader, when one steps down | paper 5.2 and 5.4.1, thesis 9.6 (pre-vote), 4.2.3 (stickiness), 6.2 (quorum check) |
//! | `follower.rs` | copying the leader's log, backing up over conflicts | paper 5.3 |
//! | `leader.rs` | what each peer is sent and when: the pipeline | paper 5.3, thesis 10.2.1 and 10.2.2 |
//! | `commit.rs` | when an entry is committed, and that it is applied | paper 5.3 and 5.4.2 |
//! | `read.rs` | reads without a log write | thesis 6.4 |
//! | `disk.rs` | promises wait until what they promise is durable | paper figure 2: "before responding to RPCs" |
//! | `log.rs`, `record.rs`, `message.rs` | the log, its form on disk, what nodes say | |
//!
//! **The rule of the disk.** A message that promises something (a vote, an append's acknowledgement, a
//! request for votes, which stands on the candidate's own vote) leaves when every write issued before it is
//! durable, and a node's own vote and its own copy of an entry count from then on, too. A leader's entries go
//! out to the followers at the same time as to its own disk (thesis 10.2.1).
//!
//! **Left for later, and where it goes.** Snapshots: `log.rs` gets a first index, `message.rs` a message that
//! carries one (paper section 7). Membership: an entry that is neither command nor no-op, and a configuration
//! that is read from the log (thesis chapter 4). Leadership transfer: an input and a message that lets its
//! receiver skip the pre-vote (thesis 3.10).

mod change;
mod commit;
mod defects;
mod disk;
mod election;
mod follower;
mod handover;
mod leader;
mod log;
mod membership;
mod message;
mod node;
mod progress;
mod read;
mod record;
mod snapshot;
#[cfg(test)]
mod tests;

pub use defects::DEFECTS;
pub use log::{Entry, Log, Payload, Position};
pub use membership::Membership;
pub use message::{Body, Message};
pub use node::Raft;
