//! What to run, and what came of it.

use partita_protocols::{Defect, NodeId};

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many nodes.
    pub nodes: usize,
    /// How many clients, each with one request at a time.
    pub clients: usize,
    /// How many virtual milliseconds faults go on.
    pub faulty_ms: u64,
    /// How many virtual milliseconds the cluster then has, healed, to show that it still works.
    pub calm_ms: u64,
    /// After how many entries nodes take a snapshot.
    pub snapshot_entries: u64,
    /// The deliberate bug that all nodes have, if any.
    pub defect: Option<&'static Defect>,
}

impl Default for Options {
    /// Five nodes, six clients, 8 s of faults and 4 s of calm, a snapshot every 50 entries.
    fn default() -> Self {
        Options {
            nodes: 5,
            clients: 6,
            faulty_ms: 8_000,
            calm_ms: 4_000,
            snapshot_entries: 50,
            defect: None,
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The seed: the same seed and options give an equal report.
    pub seed: u64,
    /// What was violated first, if anything was; the run then ended there.
    pub violation: Option<Violation>,
    /// What was done.
    pub counts: Counts,
    /// A fingerprint of every input and effect, in order.
    pub trace: u64,
}

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When, in virtual microseconds.
    pub time_us: u64,
    /// The property, by its name.
    pub property: &'static str,
    /// The node at which it showed, if it was at one.
    pub node: Option<NodeId>,
    /// What happened.
    pub what: String,
}

/// What was done in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Inputs that cores took.
    pub steps: u64,
    /// Terms in which some node led.
    pub leaderships: u64,
    /// Appends acknowledged to clients.
    pub writes: u64,
    /// Reads answered.
    pub reads: u64,
    /// Nodes crashed.
    pub crashes: u64,
    /// Records that crashes lost.
    pub records_lost: u64,
    /// Snapshots with which nodes replaced their logs, their own or a peer's.
    pub snapshots: u64,
    /// Stores that began anew from a snapshot: at a start, or because a peer's came.
    pub restored: u64,
    /// Nodes paused.
    pub pauses: u64,
    /// Partitions made.
    pub partitions: u64,
    /// Messages lost, by chance or by a cut.
    pub messages_lost: u64,
    /// Appends acknowledged after the last fault was healed.
    pub calm_writes: u64,
    /// Reads answered after the last fault was healed.
    pub calm_reads: u64,
}
