//! The replicated state machine that every protocol serves: objects by key, and client sessions.
//!
//! A key holds one object, of the type that the first change gave it. An operation for another type is refused,
//! and changes nothing.
//!
//! | type | operations | file |
//! |---|---|---|
//! | register, which may hold a list | read, write, compare-and-set, append, propose | `register` |
//! | set | add, remove, contains, read | `set` |
//! | counter | add (gives the count after it), read | `object` |
//! | first-in, first-out queue | enqueue, dequeue, peek | `queue` |
//! | lock with fencing tokens | acquire, release, holder | `lock` |
//! | several registers together | transaction of reads, writes and appends | `transaction` |
//!
//! - [`Value`]: what a register, or an item of a set or a queue, may be.
//! - [`Command`], [`Operation`], [`Answer`]: what clients ask to be applied, what they are answered, and the
//!   binary form of both.
//! - [`Store`]: the state. Applying the same commands in the same order gives the same state and the same
//!   answers on every node (Schneider 1990): it has no clock, no randomness, and no order that is not the
//!   log's.
//! - [`Snapshot`]: a copy of the state, made in no time and encoded wherever there is time.

mod answer;
mod command;
mod lock;
mod object;
mod operation;
mod queue;
mod register;
mod session;
mod set;
mod shards;
mod snapshot;
mod state;
mod transaction;
mod value;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Refusal};
pub use command::{Command, SessionSequence};
pub use lock::Hold;
pub use object::Kind;
pub use operation::Operation;
pub use snapshot::Snapshot;
pub use state::{RETRIES_APPLY_TWICE, SESSIONS_LOST_IN_SNAPSHOT, Store};
pub use transaction::{Access, Part};
pub use value::Value;
