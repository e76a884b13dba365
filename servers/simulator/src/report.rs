//! What to run, and what came of it.

use partita_protocols::config::CLOCK_DRIFT_PERCENT_MAX;
use partita_protocols::{Defect, NodeId};
use serde::{Deserialize, Serialize};

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// How many nodes the cluster begins with.
    pub nodes: usize,
    /// How many nodes more may be made members.
    pub spares: usize,
    /// How many clients, each with one request at a time.
    pub clients: usize,
    /// How many virtual milliseconds faults go on.
    pub faulty_ms: u64,
    /// How many virtual milliseconds the cluster then has, healed, to show that it still works. The run ends soon
    /// after it has.
    pub calm_ms: u64,
    /// How many writes, and how many reads, must end well within the calm.
    pub calm_operations_min: u64,
    /// Nodes take a snapshot after a number of entries that each seed draws, at most this.
    pub snapshot_entries: u64,
    /// May reads rest on leases? Half of the seeds do, if nothing is said.
    pub lease_reads: Option<bool>,
    /// By how many percent the fastest clock may outrun the slowest. Leases assume no more than
    /// [`CLOCK_DRIFT_PERCENT_MAX`].
    pub clock_drift_percent: u32,
    /// May clocks jump where reads rest on leases? That breaks what leases assume, so what is then violated is no
    /// fault of the protocol's.
    #[serde(default)]
    pub jumps_under_leases: bool,
    /// The deliberate bug that all nodes have, if any.
    #[serde(with = "crate::names::defect")]
    pub defect: Option<&'static Defect>,
}

impl Default for Options {
    /// Five nodes and two spares, six clients, 8 s of faults and 4 s of calm, snapshots every 50 entries or
    /// more often, clocks as leases assume them.
    fn default() -> Self {
        Options {
            nodes: 5,
            spares: 2,
            clients: 6,
            faulty_ms: 8_000,
            calm_ms: 4_000,
            calm_operations_min: 20,
            snapshot_entries: 50,
            lease_reads: None,
            clock_drift_percent: CLOCK_DRIFT_PERCENT_MAX,
            jumps_under_leases: false,
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
    /// How long it went on, in virtual microseconds.
    pub virtual_us: u64,
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

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What was done in a run, or in several.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counts {
            /// Each count by its name.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }
        }

        impl std::ops::AddAssign for Counts {
            fn add_assign(&mut self, other: Counts) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

counts! {
    /// Inputs that cores took.
    steps,
    /// Terms in which some node led.
    leaderships,
    /// Appends acknowledged to clients.
    writes,
    /// Reads answered.
    reads,
    /// Nodes crashed.
    crashes,
    /// Of them, at a moment when they synced, because they did.
    crashes_at_sync,
    /// Writes that crashes tore, and that recovery cut off.
    torn_writes,
    /// Records that crashes lost.
    records_lost,
    /// Snapshots with which nodes replaced their logs, their own or a peer's.
    snapshots,
    /// Stores that began anew from a snapshot: at a start, or because a peer's came.
    restored,
    /// Of them, because a peer's came.
    installed,
    /// Nodes paused.
    pauses,
    /// Partitions made.
    partitions,
    /// Clocks whose speed was changed.
    clocks,
    /// Clocks that jumped.
    clock_jumps,
    /// Disks that synced slowly for a while.
    slow_disks,
    /// Nodes that did not start because of a bit that rotted.
    rotten,
    /// Messages lost, by chance or by a cut.
    messages_lost,
    /// What the operator asked for: members added and removed, transfers, snapshots.
    admin_asked,
    /// Of it: done.
    admin_done,
    /// Of it: rejected, with no effect.
    admin_rejected,
    /// Of it: refused by a node that does not lead, with no effect.
    admin_refused,
    /// Of it: of unknown fate. Of what is missing from the sum nothing was heard, as when the node crashed.
    admin_unknown,
    /// Members added, as far as the operator was told.
    members_added,
    /// Members removed, as far as the operator was told.
    members_removed,
    /// Transfers of leadership done.
    transfers,
    /// Snapshots that were asked for and done.
    snapshots_asked,
    /// Appends acknowledged after the last fault was healed.
    calm_writes,
    /// Reads answered after the last fault was healed.
    calm_reads,
}
