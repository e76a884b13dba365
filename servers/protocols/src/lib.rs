//! Sans-IO consensus cores and the replicated store that they serve.
//!
//! A core is a deterministic state machine: inputs go in, effects come out, and that is all. It has no
//! socket, thread, clock or randomness of its own, so one and the same core runs as an operating-system
//! process (`partita-replica`), in virtual time under any fault (`partita-simulator`), and in a unit test
//! that compares its effects whole.
//!
//! - [`protocol`]: the seam, [`Protocol`]: its inputs and its effects. A disk write is an effect and its
//!   completion an input, so that a promise visibly waits for its fsync.
//! - [`config`]: what every core is told when it starts: who the members are, and how long is long.
//! - [`raft`]: Raft. Other protocols get folders of their own and serve the same store.
//! - [`store`]: the replicated state machine: registers, and the client sessions that make retries safe.
//! - [`defect`]: the catalogue of deliberate bugs, by which the harness is itself tested.
//! - [`codec`]: the compact binary form of messages, records and commands, with limits when decoding.

pub mod codec;
pub mod config;
pub mod defect;
pub mod protocol;
pub mod raft;
pub mod store;

pub use codec::{Decode, DecodeError, Encode};
pub use config::{Config, ConfigError, NodeId};
pub use defect::Defect;
pub use protocol::{
    Command, Effect, Input, Proposal, Protocol, RecoverError, RequestId, Role, Status, WriteId,
};

/// The one source of randomness. Named, because its stream must not change between versions.
pub use rand_chacha::ChaCha12Rng as Random;
