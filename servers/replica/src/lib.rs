//! Runs a protocol core as an OS process: sockets, write-ahead log, client API.
//!
//! - `options`: what a node is told on its command line.
//! - `run`: puts the parts together, and runs until something fails.
//! - `driver`: the one task that owns the core and the store; everything else talks to it by one queue.
//! - `event`: what it is told, and what it tells. `ticks`: when ticks are due.
//! - `wal`: the write-ahead log and the snapshot: checksums, group commit by a thread of its own, recovery.
//! - `recovery`: from what the disk holds to a core that goes on. [`offline`]: the same without a node.
//! - [`fuzzing`]: any bytes at whatever takes bytes from outside.
//! - `transport`: framed TCP between peers.
//! - `api`: HTTP and JSON for clients.
//!
//! **Invariant.** The driver never waits for a disk, a socket or a client: what could make it wait is a queue
//! with a limit, and a full queue drops (peers: the protocol repeats itself) or refuses (clients: they are
//! told).

mod api;
mod driver;
mod event;
pub mod fuzzing;
pub mod offline;
mod options;
mod recovery;
mod run;
mod silence;
mod ticks;
mod transport;
mod wal;

pub use options::NodeOptions;
pub use run::run;
