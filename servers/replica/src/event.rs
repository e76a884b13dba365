//! What the driver is told, and what it tells.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use partita_protocols::store::Answer;
use partita_protocols::{Administration, Command, NodeId, Status, WriteId};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::wal::Counters;

/// What happens to the driver.
#[derive(Debug)]
pub(crate) enum Event<M> {
    /// A peer's message.
    Message { from: NodeId, message: M },
    /// A client's request.
    Client(ClientRequest),
    /// This write, and all before it, are durable.
    Persisted(WriteId),
    /// A copy of the store is encoded.
    SnapshotTaken {
        /// The last index applied to it.
        index: u64,
        state: Arc<[u8]>,
    },
    /// The log can not be written any more.
    DiskFailed(io::Error),
}

/// A client's request, on its way to its outcome.
#[derive(Debug)]
pub(crate) struct ClientRequest {
    pub(crate) what: Request,
    pub(crate) outcome: oneshot::Sender<Outcome>,
    /// Its place among the requests that may wait. Held until there is an outcome, even if the client gave
    /// up: what the cluster has not settled is load.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// What a client wants.
#[derive(Debug)]
pub(crate) enum Request {
    /// What this command gives, which changes nothing.
    Read(Command),
    /// What this command gives in the state that this node has applied, however old that is.
    ReadLocal(Command),
    /// This command, applied.
    Apply(Command),
    /// A number for all that this node has applied.
    Checksum,
    /// What an operator wants.
    Administer(Administration),
}

/// How a client's request ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The command was applied, or settled by its session.
    Answer(Answer),
    /// It had no effect: another node leads.
    NotLeader(Option<NodeId>),
    /// A number for the state that commands up to an index lead to.
    Checksum { applied: u64, checksum: u32 },
    /// What the operator wanted is done.
    Done,
    /// It had no effect, and why it can not be.
    Rejected(&'static str),
    /// It may have an effect.
    Unknown,
}

/// What the status page shows.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) status: Status,
    pub(crate) members: Vec<NodeId>,
    pub(crate) log: Counters,
    /// How many messages were handed to the transport since the start.
    pub(crate) messages_sent: u64,
    /// How many snapshots of peers took the place of the state since the start.
    pub(crate) snapshots_installed: u64,
    /// The longest of late that the leader was not heard, by who follows one.
    pub(crate) leader_silence: Option<Duration>,
}

/// The last view, for the status page to read.
pub(crate) type SharedView = Arc<Mutex<View>>;
