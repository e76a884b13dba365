//! Raft's deliberate bugs.

use super::Raft;
use crate::defect::Defect;
use crate::protocol::Protocol;

/// All of them, in the order they are listed.
pub const DEFECTS: &[&Defect] = &[&STALE_READS, &EARLY_ACKS, &BLIND_VOTES];

/// A leader that was cut off, and has been replaced without knowing it, serves the past.
pub(super) const STALE_READS: Defect = Defect {
    name: "stale-reads",
    protocol: Some(Raft::NAME),
    summary: "a leader answers reads from its own state without asking a quorum",
    breaks: "linearizable reads (Ongaro's thesis, section 6.4)",
    seen: "etcd issue 741 (2014) and Consul's default reads, found by Jepsen",
    workload: "register",
    faults: &["partition", "pause"],
    anomaly: "stale read",
};

/// A leader takes an entry for committed once its own disk has it, before a majority does.
pub(super) const EARLY_ACKS: Defect = Defect {
    name: "early-acks",
    protocol: Some(Raft::NAME),
    summary: "a leader acknowledges a write once it is on its own disk, before a majority has it",
    breaks: "leader completeness (Raft, section 5.4.3)",
    seen: "MongoDB's write concern w:1, Redis Sentinel; found by Jepsen",
    workload: "register",
    faults: &["partition", "kill"],
    anomaly: "lost write",
};

/// Votes and pre-votes are granted without comparing logs.
pub(super) const BLIND_VOTES: Defect = Defect {
    name: "blind-votes",
    protocol: Some(Raft::NAME),
    summary: "a node grants its vote without comparing the candidate's log with its own",
    breaks: "the election restriction, hence leader completeness (Raft, section 5.4.1)",
    seen: "MongoDB's protocol version 0 and RethinkDB, found by Jepsen",
    workload: "register",
    faults: &["partition", "kill"],
    anomaly: "lost write",
};
