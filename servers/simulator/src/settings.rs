//! What nodes are told when they start.

use partita_protocols::{Config, Defect, NodeId};

use crate::node::{ELECTION_TICKS, HEARTBEAT_TICKS};

/// The window of slots (alpha) of Multi-Paxos: small, so that its end is reached.
const WINDOW: u64 = 16;

/// What nodes are told when they start.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The first members.
    pub(crate) members: Vec<NodeId>,
    pub(crate) snapshot_entries: u64,
    pub(crate) lease_reads: bool,
    /// May clocks jump even so?
    pub(crate) jumps_under_leases: bool,
    pub(crate) defect: Option<&'static Defect>,
}

impl Settings {
    pub(crate) fn config(&self, me: NodeId) -> Option<Config> {
        let peers = self.members.iter().copied().filter(|&node| node != me);
        let mut config = Config::new(me, peers, HEARTBEAT_TICKS, ELECTION_TICKS).ok()?;
        config.snapshot_entries = self.snapshot_entries;
        config.lease_reads = self.lease_reads;
        config.window = WINDOW;
        Some(config.with_defect(self.defect))
    }
}
