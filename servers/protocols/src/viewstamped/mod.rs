//! Viewstamped Replication (Liskov & Cowling, *Viewstamped Replication Revisited*, MIT-CSAIL-TR-2012-021,
//! 2012: "the paper"; sections are its).
//!
//! A group of 2f + 1 replicas agrees on one growing sequence of operations. In each *view* one of them, chosen
//! by its turn, is the *primary*: it gives operations their *op-numbers*, sends them to the others (Prepare),
//! and once f + 1 hold one, it is committed. When the primary falls silent, f + 1 replicas move to the next
//! view (StartViewChange), tell its primary their logs (DoViewChange), and it begins the view with the best of
//! them (StartView). Replicas come and go by *epochs*.
//!
//! | file | what it decides | section |
//! |---|---|---|
//! | `node.rs` | one step; what the view of a message means | 4, 7 |
//! | `primary.rs` | op-numbers, Prepare, Commit; what is committed | 4.1 |
//! | `backup.rs` | PrepareOK, and only without gaps | 4.1 |
//! | `view_change.rs` | who moves to the next view and when; which log it begins with | 4.2, 5.3 |
//! | `state_transfer.rs` | how what is missing is fetched | 5.2 |
//! | `snapshot.rs` | checkpoints in the place of the log | 5.1 |
//! | `read.rs` | reads without a place in the log, and leases | 6.3 |
//! | `recovery.rs` | a disk that is empty: new, or lost? | 4.3 |
//! | `reconfiguration.rs` | epochs: StartEpoch, EpochStarted | 7 |
//! | `handover.rs` | the primary lets another lead | |
//! | `disk.rs` | promises wait until what they stand on is durable | |
//! | `view.rs`, `log.rs`, `record.rs`, `message.rs` | views and groups, the log, its form on disk, what nodes say | |
//!
//! # The paper's words, and where they are here
//!
//! - *view-number, epoch-number*: together a [`View`]. *op-number, commit-number*: the index of the last entry,
//!   and of the last one known to be committed. *v'*, the last view in which the status was normal:
//!   `normal_view`.
//! - *status*: `node::Standing`. *Normal* is a backup or the primary; *view-change* is the view change;
//!   *transitioning* is a view change in an epoch that the log does not reach into yet; *recovering* is a node
//!   that finds its disk empty, until it has a vote.
//! - *client-table*: the sessions of the store (`crate::store`), which are part of the replicated state. A
//!   request that comes twice may have two op-numbers; the second changes nothing when it is executed, on no
//!   replica. So the primary needs no table to be safe, and none is lost with it.
//!
//! # Which variant this is
//!
//! - **With disks.** The paper's replicas need none while at most f fail at a time. These may all fail at
//!   once; so the view, v' and the log are durable before PrepareOK, StartViewChange and DoViewChange leave,
//!   before a new primary begins its view, and before a copy counts. A replica whose disk is intact resumes
//!   where it was; only a primary leaves its view, since it may have given op-numbers that it has forgotten.
//!   The recovery protocol is for a disk that is empty (see `recovery.rs`).
//! - **Entries carry the view that made them.** The paper's logs do not. With it a position determines all
//!   before it, and two replicas find where their logs part in one question, so that neither DoViewChange nor
//!   state transfer carries whole logs (section 5.3). The choice of the log is the paper's, by v'.
//! - **A wish comes before a move** (see `view_change.rs`), so that nobody who was cut off deposes a primary that
//!   works.
//! - **A log is not cut before its replacement is there** (see `state_transfer.rs`).
//! - **One message more:** Commit is answered, for reads and for a primary to notice that it is alone.

mod backup;
mod defects;
mod disk;
mod handover;
mod log;
mod message;
mod node;
mod primary;
mod read;
mod reconfiguration;
mod record;
mod recovery;
mod snapshot;
mod state_transfer;
#[cfg(test)]
mod tests;
mod view;
mod view_change;

pub use defects::DEFECTS;
pub use log::{Entry, Log, Operation, Position};
pub use message::{Body, Condition, Message, NewState};
pub use node::Viewstamped;
pub use view::{Group, View};
