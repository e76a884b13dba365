//! Systems under test, seen from outside: one file a system, and one line in [`ALL`].
//!
//! A [`Target`] says how a node is started and how it is asked for its status; its [`Client`]s perform
//! operations. What an answer or an error says about an operation ([`Completion`]) is decided here, from
//! each adapter's table of refusals that are certain to have had no effect; all else is `info`.

mod etcd;
mod http;
mod nats;
mod own;
mod program;
mod redis;
mod tcp;
mod zookeeper;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use partita_history::{Outcome, Value};

pub use etcd::joining::Joining as EtcdJoining;

/// A future that can be sent to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A system under test.
pub trait Target: Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;
    /// What it is, in one line.
    fn summary(&self) -> &'static str;
    /// Is one of its nodes the leader, whom all know? When it is whole, it then has exactly one.
    fn has_leader(&self) -> bool {
        true
    }
    /// Is there at most one leader in each of the terms that its nodes tell of?
    fn has_one_leader_a_term(&self) -> bool {
        false
    }
    /// The functions that clients of this type of object can call; none if it has no such objects.
    fn functions(&self, object: &str) -> &'static [&'static str];
    /// Can its clients read from the node that they ask, and from no other?
    fn reads_locally(&self) -> bool {
        false
    }
    /// Finds the program, and says which version it is.
    ///
    /// # Errors
    /// When the program is not there or does not run; the text says what to do.
    fn locate(&self, options: &Options) -> Result<Program, String>;
    /// Must every node have an address of its own, because nodes talk over more ports than the two that a [`Node`]
    /// has?
    fn needs_own_addresses(&self) -> bool {
        false
    }
    /// Writes what `node` needs to find in its directory, such as its configuration, before it is first started.
    ///
    /// # Errors
    /// When it can't be written.
    fn prepare(&self, cluster: &[Node], node: &Node, data: &Path) -> std::io::Result<()> {
        let _ = (cluster, node, data);
        Ok(())
    }
    /// The command that starts `node` as a member of `cluster`, or as one that is to become a member, by
    /// [`Change::Add`]. `data` is its directory, which is there.
    fn command(
        &self,
        program: &Program,
        options: &Options,
        cluster: &[Node],
        node: &Node,
        data: &Path,
        start: Start,
    ) -> Vec<String>;
    /// Makes, when the nodes have been started and before anybody else uses them, what clients are to find there.
    /// It is tried again until it succeeds, so that doing it twice must be as doing it once.
    ///
    /// # Errors
    /// When it is not yet, or not known to be, done.
    fn found<'a>(
        &'a self,
        cluster: &'a [Node],
        source: Option<IpAddr>,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<(), String>> {
        let _ = (cluster, source, timeout);
        Box::pin(async { Ok(()) })
    }
    /// A client that begins at `node` (an index into the cluster). `name` is its own: no other client of this
    /// cluster ever has it.
    ///
    /// # Errors
    /// When the client itself can't be made.
    fn client(
        &self,
        cluster: &[Node],
        node: usize,
        name: &str,
        options: ClientOptions,
    ) -> Result<Box<dyn Client>, ClientError>;
    /// Asks nodes how they are, at their control addresses and from `source`, if it matters from where.
    ///
    /// # Errors
    /// When the client itself can't be made.
    fn observer(
        &self,
        cluster: &[Node],
        source: Option<IpAddr>,
        timeout: Duration,
    ) -> Result<Box<dyn Observer>, ClientError>;
    /// What an [`Administrator`] can change about it.
    fn administers(&self) -> &'static [Matter] {
        &[]
    }
    /// Does the program of a node end by itself when the node is removed from the cluster?
    fn ends_when_removed(&self) -> bool {
        false
    }
    /// Changes the cluster itself, by way of the control addresses; nothing where the target has no such calls
    /// that we know.
    ///
    /// # Errors
    /// When the client itself can't be made.
    fn administrator(
        &self,
        cluster: &[Node],
        timeout: Duration,
    ) -> Result<Option<Box<dyn Administrator>>, ClientError> {
        let _ = (cluster, timeout);
        Ok(None)
    }
}

/// All targets.
pub static ALL: &[&dyn Target] = &[
    &own::RAFT,
    &own::PAXOS,
    &own::MULTI_PAXOS,
    &own::VIEWSTAMPED,
    &own::ZAB,
    &etcd::PLAIN,
    &etcd::LEASED,
    &zookeeper::ZooKeeper,
    &redis::RedisSentinel,
    &nats::Nats,
];

/// The target of this name.
pub fn find(name: &str) -> Option<&'static dyn Target> {
    ALL.iter().copied().find(|target| target.name() == name)
}

/// A client could not be made; this says nothing about any operation.
pub type ClientError = Box<dyn std::error::Error + Send + Sync>;

/// What the command line says about the target.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Our own program, which holds our own servers.
    pub own_program: PathBuf,
    /// Another program to run instead of the one found on the search path.
    pub binary: Option<PathBuf>,
    /// The deliberate bug to switch on, in our own servers.
    pub defect: Option<String>,
    /// How many entries are applied from one snapshot to the next, in our own servers.
    pub snapshot_entries: Option<u64>,
    /// Have leaders answer reads on a lease, in our own servers.
    pub lease_reads: bool,
}

/// As what a node is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// As a member of the cluster that all nodes are.
    Member,
    /// As none, with an empty disk: it waits to be made one.
    Joining,
}

/// What an operator may have a say in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matter {
    /// Who is a member.
    Members,
    /// Who leads.
    Leadership,
    /// When a node takes a snapshot.
    Snapshots,
    /// Whether a member comes back with an empty disk, and the others take it back.
    EmptyDisks,
}

/// How a client works.
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// The type of the objects that it acts upon: `register`, `queue`, ...
    pub object: &'static str,
    /// Which state its reads see.
    pub reads: Reads,
    /// How long it waits for an operation before it gives up on it.
    pub timeout: Duration,
}

/// Which state reads see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reads {
    /// One with all that was done before the read began.
    #[default]
    Linearizable,
    /// Whatever the node that is asked has, however old.
    Local,
}

/// The program of a target.
#[derive(Clone, Debug)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// Its version, as it says.
    pub version: String,
}

/// A member of the cluster, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Where it listens for its peers.
    pub peer_listen: SocketAddr,
    /// Where it listens for clients.
    pub client_listen: SocketAddr,
    /// Where its peers find it.
    pub peer: SocketAddr,
    /// Where clients find it.
    pub client: SocketAddr,
    /// Where the controller finds it, whatever faults are in force.
    pub control: SocketAddr,
}

/// One operation to perform.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The function.
    pub f: &'a str,
    /// The object to act upon.
    pub key: Option<&'a Value>,
    /// The argument.
    pub value: &'a Value,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Ok, fail, or info.
    pub outcome: Outcome,
    /// The result; for what has none, the argument.
    pub value: Value,
    /// The value that a refused compare-and-set saw.
    pub observed: Option<Value>,
    /// The node that answered, if another than the one asked first.
    pub node: Option<String>,
    /// Why it is fail or info.
    pub error: Option<String>,
}

impl Completion {
    fn ok(value: Value) -> Self {
        Completion {
            outcome: Outcome::Ok,
            value,
            observed: None,
            node: None,
            error: None,
        }
    }

    /// It certainly did not happen.
    fn refused(request: Request<'_>, error: impl Into<String>) -> Self {
        Completion {
            outcome: Outcome::Fail,
            value: request.value.clone(),
            observed: None,
            node: None,
            error: Some(error.into()),
        }
    }

    /// We can't know whether it happened.
    fn unknown(request: Request<'_>, error: impl Into<String>) -> Self {
        Completion {
            outcome: Outcome::Info,
            ..Completion::refused(request, error)
        }
    }

    /// The answer itself is that nothing was done, because of what was seen: the value of a register that was to
    /// be another, the token of a lock that was to be free.
    fn not_applied(request: Request<'_>, observed: Value) -> Self {
        Completion {
            observed: Some(observed),
            error: None,
            ..Completion::refused(request, "")
        }
    }
}

/// One logical client: does one operation at a time.
pub trait Client: Send {
    /// Performs one operation, to its end or to the client's timeout.
    fn perform<'a>(&'a mut self, request: Request<'a>) -> BoxFuture<'a, Completion>;
}

/// Asks nodes how they are.
pub trait Observer: Send + Sync {
    /// What the node (an index into the cluster) says of itself; an error if it does not answer in time.
    fn status(&self, node: usize) -> BoxFuture<'_, Result<Status, String>>;

    /// All that the node holds, as a number by which nodes can be compared; nothing where the target has no means
    /// for it; an error if the node does not answer in time.
    fn checksum(&self, node: usize) -> BoxFuture<'_, Result<Option<Checksum>, String>> {
        let _ = node;
        Box::pin(async { Ok(None) })
    }
}

/// All that a node holds, summed up. Nodes that have applied as much must have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// How much the node has applied: a log position, or a revision.
    pub position: u64,
    /// The sum, in whatever form the target has for it.
    pub sum: String,
}

/// What an operator may want of a cluster. Nodes are indexes into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The node, which runs and was started to join, shall become a member.
    Add(usize),
    /// The node shall be a member no more.
    Remove(usize),
    /// The leader shall hand over, to this node if one is named.
    Transfer(Option<usize>),
    /// This node shall take a snapshot.
    Snapshot(usize),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is done, or was so before.
    Done,
    /// It certainly had no effect.
    Rejected(String),
    /// We can't know.
    Unknown(String),
}

/// Does for a cluster what an operator does.
pub trait Administrator: Send + Sync {
    /// Makes the change, at whichever node it is for, to its end or to the timeout.
    fn change(&self, change: Change) -> BoxFuture<'_, Changed>;

    /// For how long the members must have been connected before any of them lets the members be changed.
    fn settling(&self) -> Duration {
        Duration::ZERO
    }
}

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// `leader`, `follower`, `candidate`, ...
    pub role: String,
    /// The leadership number.
    pub term: u64,
    /// The node that it takes for the leader.
    pub leader: Option<String>,
    /// The highest log position that it knows to be committed.
    pub commit: u64,
    /// The highest log position that it has applied.
    pub applied: u64,
    /// The size of its log or database on disk, in bytes.
    pub log_bytes: u64,
    /// The members of the cluster, where it says so.
    pub members: Option<Vec<String>>,
    /// The last log position in its newest snapshot, where it says so; 0 without a snapshot. Of etcd the revision up to
    /// which it has dropped history: to be compared with itself alone.
    pub snapshot_index: Option<u64>,
    /// How many snapshots of other nodes took the place of its state since it started, where it says so.
    pub snapshots_installed: Option<u64>,
    /// The longest that it did not hear its leader of late, in microseconds, where it says so.
    pub leader_silence_us: Option<u64>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Three nodes, each with an address of its own.
    pub(crate) fn cluster() -> [Node; 3] {
        [1, 2, 3].map(|n| {
            let address = |port| SocketAddr::from(([10, 0, 0, n], port));
            Node {
                name: format!("n{n}"),
                peer_listen: address(7000),
                client_listen: address(8000),
                peer: address(7000),
                client: address(8000),
                control: address(8000),
            }
        })
    }

    #[test]
    fn names_are_unique_kebab_case_and_explained() {
        let names: BTreeSet<_> = ALL.iter().map(|target| target.name()).collect();
        assert_eq!(names.len(), ALL.len());
        for target in ALL {
            assert!(target.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
            let objects = ["register", "write-once-register"];
            let offers_some = objects.iter().any(|object| !target.functions(object).is_empty());
            assert!(!target.summary().is_empty() && offers_some);
            assert_eq!(
                find(target.name()).map(|found| found.summary()),
                Some(target.summary())
            );
        }
    }
}
