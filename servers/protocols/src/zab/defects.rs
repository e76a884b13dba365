//! Zab's deliberate bugs.

use super::Zab;
use crate::defect::{Defect, FORKS, READS};
use crate::protocol::Protocol;

/// All of them, in the order they are listed.
pub const DEFECTS: &[&Defect] = &[
    &UNSAVED_ACCEPTED_EPOCH,
    &BLIND_ELECTIONS,
    &SYNC_WITHOUT_TRUNCATION,
    &ACKS_BEFORE_FSYNC,
    &SNAPSHOT_AHEAD_OF_STATE,
    &EARLY_BROADCAST,
    &COMMIT_BEFORE_SYNC,
    &GAPS_IN_PROPOSALS,
    &COMMIT_WITHOUT_QUORUM,
    &LOCAL_SYNC,
    &LOCAL_READS,
    &CONFIGURATION_AT_ONCE,
];

/// A node that crashes forgets which epoch it promised, and promises it again to another.
pub(super) const UNSAVED_ACCEPTED_EPOCH: Defect = Defect {
    name: "unsaved-accepted-epoch",
    protocol: Some(Zab::NAME),
    summary: "the accepted epoch is not written to disk, so that a crash forgets the promise",
    breaks: "one leader an epoch (Zab, section 4.1, phase 1: f.p is in stable storage)",
    seen: "ZooKeeper up to 3.3.3, which kept no epochs beside the zxid (Medeiros 2012, section 4.3)",
    workload: "register",
    faults: &["kill"],
    anomalies: FORKS,
    invariant: None,
};

/// The greatest name wins, whatever its history.
pub(super) const BLIND_ELECTIONS: Defect = Defect {
    name: "election-ignores-zxid",
    protocol: Some(Zab::NAME),
    summary: "votes are compared by name alone, and a leader with followers ahead of it leads on",
    breaks: "the leader has the most recent history of a quorum (Zab, section 4.1, phase 1)",
    seen: "ZOOKEEPER-1154, where a server without the last transaction leads those that have it",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: FORKS,
    invariant: None,
};

/// A follower that is ahead keeps what its leader does not have.
pub(super) const SYNC_WITHOUT_TRUNCATION: Defect = Defect {
    name: "sync-without-truncation",
    protocol: Some(Zab::NAME),
    summary: "a follower keeps transactions that its leader does not have, and goes on after them",
    breaks: "total order and agreement (Zab, section 3.1)",
    seen: "ZOOKEEPER-1154: a DIFF is sent where a TRUNC is due",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: FORKS,
    invariant: Some("state machine safety"),
};

/// A follower's word is worth what was in its memory.
pub(super) const ACKS_BEFORE_FSYNC: Defect = Defect {
    name: "acks-before-fsync",
    protocol: Some(Zab::NAME),
    summary: "a follower acknowledges NEWLEADER and proposals before they are durable",
    breaks: "f.2.1 and f.3.1: accepted in stable storage, then acknowledged (Zab, section 4.1)",
    seen: "ZOOKEEPER-4646 and ZOOKEEPER-3911: committed transactions lost in a crash; forceSync=no",
    workload: "register",
    faults: &["kill", "power-cut"],
    anomalies: FORKS,
    invariant: None,
};

/// A snapshot that claims more than it holds.
pub(super) const SNAPSHOT_AHEAD_OF_STATE: Defect = Defect {
    name: "snapshot-ahead-of-state",
    protocol: Some(Zab::NAME),
    summary: "a snapshot is named after the last zxid when it was finished, not after the last that it holds",
    breaks: "agreement (Zab, section 3.1): what lies between is lost where the snapshot is used",
    seen: "ZOOKEEPER-3127: a snapshot's zxid covers a transaction of which it holds a part",
    workload: "register",
    faults: &["kill"],
    anomalies: FORKS,
    invariant: None,
};

/// A leader takes promises for agreement, and its history for committed.
pub(super) const EARLY_BROADCAST: Defect = Defect {
    name: "early-broadcast",
    protocol: Some(Zab::NAME),
    summary: "a leader begins to broadcast before a quorum has acknowledged NEWLEADER",
    breaks: "primary integrity (Zab, section 3.2)",
    seen: "ZooKeeper before Zab 1.0, which waited for no such quorum (Medeiros 2012, section 4.3)",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: FORKS,
    invariant: None,
};

/// What a follower holds on its own account is taken for the leader's.
pub(super) const COMMIT_BEFORE_SYNC: Defect = Defect {
    name: "commit-before-sync",
    protocol: Some(Zab::NAME),
    summary: "a follower that is not yet synchronized delivers what it has up to the zxid of a COMMIT",
    breaks: "total order (Zab, section 3.1); a COMMIT is for who has acknowledged NEWLEADER",
    seen: "ZOOKEEPER-4394: requests applied in synchronization that are not known to be committed",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: FORKS,
    invariant: Some("state machine safety"),
};

/// On a network that loses messages the order of a channel is taken for granted.
pub(super) const GAPS_IN_PROPOSALS: Defect = Defect {
    name: "gaps-in-proposals",
    protocol: Some(Zab::NAME),
    summary: "a follower accepts a proposal although it lacks the one before it",
    breaks: "local primary order (Zab, section 3.2), for which channels must be in order (section 2)",
    seen: "ZOOKEEPER-4925: a hole in the committed log is passed on to others",
    workload: "register",
    faults: &["partition"],
    anomalies: FORKS,
    invariant: Some("state machine safety"),
};

/// The leader's own disk is taken for the ensemble.
pub(super) const COMMIT_WITHOUT_QUORUM: Defect = Defect {
    name: "commit-without-quorum",
    protocol: Some(Zab::NAME),
    summary: "a leader commits what is on its own disk, before a quorum has acknowledged it",
    breaks: "l.3.2: a quorum acknowledges before COMMIT (Zab, section 4.1, phase 3)",
    seen: "asynchronous replication, as in Redis Sentinel; found by Jepsen",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: FORKS,
    invariant: None,
};

/// ZooKeeper's own `sync`.
pub(super) const LOCAL_SYNC: Defect = Defect {
    name: "local-sync",
    protocol: Some(Zab::NAME),
    summary: "a leader answers reads and SYNC without asking a quorum whether it still leads",
    breaks: "linearizable reads",
    seen: "ZOOKEEPER-1675, and the consistency guarantees in ZooKeeper's documentation",
    workload: "register",
    faults: &["partition", "pause"],
    anomalies: READS,
    invariant: None,
};

/// ZooKeeper's reads, passed off as linearizable.
pub(super) const LOCAL_READS: Defect = Defect {
    name: "local-reads",
    protocol: Some(Zab::NAME),
    summary: "a follower answers reads from its own state without asking its leader",
    breaks: "linearizable reads",
    seen: "ZooKeeper, by design: its documentation offers sync for what must be recent",
    workload: "register",
    faults: &["partition", "pause"],
    anomalies: READS,
    invariant: None,
};

/// The leader's word is enough for who decides.
pub(super) const CONFIGURATION_AT_ONCE: Defect = Defect {
    name: "configuration-at-once",
    protocol: Some(Zab::NAME),
    summary: "a reconfiguration is active when it is proposed, before a quorum of the old members has it",
    breaks: "quorums of both the old and the new members commit a reconfiguration (Shraer et al., section 3.2)",
    seen: "ZooKeeper before 3.5, whose servers were restarted one by one with another list of members",
    workload: "register",
    faults: &["membership", "partition"],
    anomalies: FORKS,
    invariant: Some("state machine safety"),
};
