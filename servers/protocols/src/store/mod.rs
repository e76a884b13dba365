//! The replicated state machine that every protocol serves: registers by name, and client sessions.
//!
//! - [`Value`]: what a register holds.
//! - [`Command`]: what clients ask to be applied, and its binary form.
//! - [`Store`]: the state. Applying the same commands in the same order gives the same state and the same
//!   answers on every node (Schneider 1990): it has no clock, no randomness, and no order that is not the
//!   log's.

mod command;
mod session;
mod state;
mod value;

pub use command::{Answer, Command, Operation, Refusal, SessionSequence};
pub use state::Store;
pub use value::Value;
