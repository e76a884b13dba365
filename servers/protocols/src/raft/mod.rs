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
//! | `leader.rs`, `progress.rs` | what each peer is sent and when: the pipeline | paper 5.3, thesis 10.2.1 and 10.2.2 |
//! | `commit.rs` | when an entry is committed, and that it is applied | paper 5.3 and 5.4.2 |
//! | `snapshot.rs` | when the log is cut, and who is sent a snapshot | paper section 7, thesis chapter 5 |
//! | `membership.rs`, `change.rs` | who has a vote, and how that changes: learners, joint consensus | paper section 6, thesis 4.2 and 4.3 |
//! | `handover.rs` | another shall lead | thesis 3.10 |
//! | `read.rs` | reads without a log write, by read index or by lease | thesis 6.4 |
//! | `disk.rs` | promises wait until what they promise is durable | paper figure 2: "before responding to RPCs" |
//! | `log.rs`, `record.rs`, `message.rs` | the log, its form on disk, what nodes say | |
//!
//! **The rule of the disk.** A message that promises something (a vote, an append's acknowledgement, a
//! request for votes, which stands on the candidate's own vote) leaves when every write issued before it is
//! durable, and a node's own vote and its own copy of an entry count from then on, too. A leader's entries go
//! out to the followers at the same time as to its own disk (thesis 10.2.1).
//!
//! **Members.** A node answers whoever asks, member or not: the sender may have a vote by an entry that is not
//! here yet (section 6). What it counts are the members as its own log has them. A node that was removed, and
//! does not know it, asks for pre-votes in vain: the others hear their leader, or have longer logs.
//!
//! Client sessions (section 8: a command that is retried takes effect once) are the store's, which every
//! protocol serves.

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
pub(crate) use defects::LEASE_DEFECTS;
pub use log::{Entry, Log, Payload, Position};
pub use membership::Membership;
pub use message::{Body, Message};
pub use node::Raft;
