//! The contract that all of Partita shares: what a history is.
//!
//! - [`Value`]: what operations carry: an integer, a string, null, or a list of them.
//! - [`Event`]: one line of a history: a client's invocation or completion ([`OpEvent`]), or a phase of a
//!   fault ([`FaultEvent`]).
//! - [`History`]: the events paired into operations, in columns; an [`Operation`] is a view of one.
//! - [`jsonl`]: our file format, one event a line, read with the line and column of every mistake.
//! - [`mod@format`]: every format that can be read, found by looking; and a writer of Jepsen's EDN
//!   ([`format::edn`]).
//!
//! Outcomes are the field's: `ok` means that the operation happened, `fail` that it certainly did not, and
//! `info` that nobody can know: it may take effect at any later time, or never.

pub mod event;
pub mod format;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod history;
pub mod value;

pub use event::{Event, EventType, FaultEvent, FaultOutcome, FaultPhase, FaultValue, OpEvent};
pub use format::{ReadError, jsonl};
pub use history::{History, Moment, OpId, Operation, Outcome, PairingError};
pub use value::Value;
