//! Zab's deliberate bugs.

use super::Zab;
use crate::defect::Defect;
use crate::protocol::Protocol;

/// All of them, in the order they are listed.
pub const DEFECTS: &[&Defect] = &[
    &UNSAVED_ACCEPTED_EPOCH,
    &BLIND_ELECTIONS,
    &SYNC_WITHOUT_TRUNCATION,
    &SNAPSHOT_WITHOUT_TAIL,
    &EARLY_NEWLEADER_ACKS,
    &EARLY_BROADCAST,
    &COMMIT_BEFORE_SYNC,
    &GAPS_IN_PROPOSALS,
    &UNSYNCED_PROPOSAL_ACKS,
    &COMMIT_WITHOUT_QUORUM,
    &LOCAL_SYNC,
    &LOCAL_READS,
    &NEW_QUORUM_ALONE,
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
    anomaly: "lost write",
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
    anomaly: "lost write",
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
    anomaly: "state machine safety",
};

/// A follower agrees to be up to date whatever it has.
pub(super) const SNAPSHOT_WITHOUT_TAIL: Defect = Defect {
    name: "sync-loses-tail",
    protocol: Some(Zab::NAME),
    summary: "a follower acknowledges NEWLEADER without having all that goes before it",
    breaks: "f.2.1: the leader's history is accepted as a whole (Zab, section 4.1, phase 2)",
    seen: "ZOOKEEPER-4785: transactions of a DIFF are lost while NEWLEADER is acknowledged",
    workload: "register",
    faults: &["partition", "kill"],
    anomaly: "lost write",
};

/// The history that was taken over may be lost in a crash, although the leader counts on it.
pub(super) const EARLY_NEWLEADER_ACKS: Defect = Defect {
    name: "early-newleader-acks",
    protocol: Some(Zab::NAME),
    summary: "a follower acknowledges NEWLEADER before the history that it took over is durable",
    breaks: "f.2.1: the history is in stable storage before ACK-LD (Zab, section 4.1, phase 2)",
    seen: "ZOOKEEPER-4646 and ZOOKEEPER-3911: committed transactions lost in a crash",
    workload: "register",
    faults: &["kill"],
    anomaly: "lost write",
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
    anomaly: "lost write",
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
    anomaly: "state machine safety",
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
    anomaly: "state machine safety",
};

/// An acknowledgement that a crash makes a lie.
pub(super) const UNSYNCED_PROPOSAL_ACKS: Defect = Defect {
    name: "unsynced-proposal-acks",
    protocol: Some(Zab::NAME),
    summary: "a follower acknowledges a proposal before it is durable",
    breaks: "f.3.1: proposals are accepted in stable storage (Zab, section 4.1, phase 3)",
    seen: "ZooKeeper with forceSync=no, against which its administrator's guide warns",
    workload: "register",
    faults: &["kill"],
    anomaly: "lost write",
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
    anomaly: "lost write",
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
    anomaly: "stale read",
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
    anomaly: "stale read",
};

/// Those who are to come decide before it is decided that they come.
pub(super) const NEW_QUORUM_ALONE: Defect = Defect {
    name: "new-quorum-alone",
    protocol: Some(Zab::NAME),
    summary: "a reconfiguration is committed by a quorum of the new members, without one of the old",
    breaks: "a reconfiguration needs quorums of both (Shraer et al. 2012, section 3.2)",
    seen: "Shraer et al. 2012, section 3.1, which shows how data is lost without it",
    workload: "register",
    faults: &["membership", "partition"],
    anomaly: "lost write",
};
