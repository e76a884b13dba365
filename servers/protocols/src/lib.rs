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
//! - [`kind`]: which protocols there are.
//! - [`durable`], [`transfer`]: what all protocols need: promises that wait for the disk, and snapshots sent
//!   in chunks. `budget`: how long a log may become.
//! - [`raft`], [`multi_paxos`], [`viewstamped`], [`zab`]: the protocols, a folder each; all serve the same store.
//! - [`paxos`]: single-decree Paxos, once for each key: registers that are written once.
//! - [`store`]: the replicated state machine: registers, and the client sessions that make retries safe.
//! - [`defect`]: the catalogue of deliberate bugs, by which the harness is itself tested.
//! - [`codec`]: the compact binary form of messages, records and commands, with limits when decoding.

mod budget;
pub mod codec;
pub mod config;
pub mod defect;
pub mod durable;
pub mod kind;
pub mod multi_paxos;
pub mod paxos;
pub mod protocol;
pub mod raft;
pub mod store;
pub mod transfer;
pub mod viewstamped;
pub mod zab;

pub use codec::{Decode, DecodeError, Encode};
pub use config::{Config, ConfigError, NodeId};
pub use defect::Defect;
pub use kind::{ProtocolKind, ProtocolVisitor, UnknownProtocol};
pub use protocol::{
    Administration, Command, Effect, Input, OnDisk, Proposal, Protocol, Query, RecordSource, Records,
    RecoverError, RequestId, Role, Status, WriteId,
};

/// The one source of randomness. Named, because its stream must not change between versions.
pub use rand_chacha::ChaCha12Rng as Random;
