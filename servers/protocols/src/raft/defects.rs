//! Raft's deliberate bugs.

use super::Raft;
use crate::defect::Defect;
use crate::protocol::Protocol;

/// All of them, in the order they are listed.
pub const DEFECTS: &[&Defect] = &[
    &STALE_READS,
    &EARLY_ACKS,
    &BLIND_VOTES,
    &NEW_MAJORITY_ALONE,
    &MEMBERLESS_SNAPSHOTS,
    &OLD_SNAPSHOTS,
];

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

/// Only the new majority counts while a change of members is under way.
pub(super) const NEW_MAJORITY_ALONE: Defect = Defect {
    name: "new-majority-alone",
    protocol: Some(Raft::NAME),
    summary: "while members change, only the majority of the new ones counts, not also that of the old ones",
    breaks: "joint consensus: agreement requires separate majorities of both (Raft, section 6)",
    seen: "Raft's own single-server changes, as its author found in 2015 (raft-dev, 'bug in single-server \
           membership changes')",
    workload: "register",
    faults: &["membership"],
    anomaly: "lost write",
};

/// A snapshot forgets who the members are.
pub(super) const MEMBERLESS_SNAPSHOTS: Defect = Defect {
    name: "memberless-snapshots",
    protocol: Some(Raft::NAME),
    summary: "a snapshot holds the members that the cluster began with, and not those as of its last entry",
    breaks: "a snapshot includes the latest configuration as of its last entry (Raft, section 7)",
    seen: "named by the paper as what a snapshot must hold besides the state",
    workload: "register",
    faults: &["membership"],
    anomaly: "lost write",
};

/// A snapshot overwrites what is newer.
pub(super) const OLD_SNAPSHOTS: Defect = Defect {
    name: "old-snapshots",
    protocol: Some(Raft::NAME),
    summary: "a leader's snapshot that comes late takes the place of a log and a state that are newer",
    breaks: "a follower retains what follows a snapshot that describes a prefix of its log (Raft, section 7)",
    seen: "named by the paper: snapshots that are retransmitted or come by mistake",
    workload: "register",
    faults: &["partition", "kill"],
    anomaly: "lost write",
};
