//! Viewstamped Replication's deliberate bugs.

use super::Viewstamped;
use crate::defect::{Defect, FORKS, READS};
use crate::protocol::Protocol;

/// All of them, in the order they are listed.
pub const DEFECTS: &[&Defect] = &[
    &FORGOTTEN_VIEW,
    &PRIMARY_RESUMES,
    &LONGEST_LOG_WINS,
    &DROPPED_SUFFIX,
    &LONELY_VIEW,
    &PREPARE_OK_WITH_GAPS,
    &COMMIT_ON_PREPARE,
    &DEPOSED_READS,
    &OLD_EPOCH_COUNTS,
    &EPOCH_BEFORE_STATE,
    &RECOVERY_WITHOUT_NONCE,
];

/// Views are kept in memory alone.
pub(super) const FORGOTTEN_VIEW: Defect = Defect {
    name: "forgotten-view",
    protocol: Some(Viewstamped::NAME),
    summary: "a replica that restarts has its log, but neither its view nor its last normal view, and is back in view 0",
    breaks: "the choice of the log by the largest v', and that nobody goes back to an earlier view (section 4.2)",
    seen: "TigerBeetle, pull request 650: a replica took part in a view whose number was not durable yet",
    workload: "register",
    faults: &["kill", "partition"],
    anomalies: FORKS,
    invariant: None,
};

/// A primary that restarts goes on where it was.
pub(super) const PRIMARY_RESUMES: Defect = Defect {
    name: "primary-resumes",
    protocol: Some(Viewstamped::NAME),
    summary: "a primary that restarts leads the same view again, with what of its log had reached its disk",
    breaks: "in a view each op-number is assigned once (section 4.1): it has sent Prepares that it has forgotten",
    seen: "TigerBeetle, pull request 861: a primary crashed in its view, and was back in it with a shorter log",
    workload: "register",
    faults: &["kill"],
    anomalies: FORKS,
    invariant: Some("state machine safety"),
};

/// The last normal view plays no part in the choice of the log.
pub(super) const LONGEST_LOG_WINS: Defect = Defect {
    name: "longest-log-wins",
    protocol: Some(Viewstamped::NAME),
    summary: "a new primary takes the log with the largest op-number, whatever the view in which it was normal",
    breaks: "the choice of the log by the largest v' first (section 4.2, step 3)",
    seen: "the very reason why section 4.2 has DoViewChange carry v'; MongoDB before protocol version 1 chose alike",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: FORKS,
    invariant: None,
};

/// A new primary forgets operations that are not known to be committed.
pub(super) const DROPPED_SUFFIX: Defect = Defect {
    name: "dropped-suffix",
    protocol: Some(Viewstamped::NAME),
    summary: "a new primary keeps the log only up to the commit-number, and drops the rest of it",
    breaks: "operations that f + 1 replicas hold survive, whether or not their commit was heard of (section 4.2)",
    seen: "TigerBeetle, pull request 364: truncating the log of the canonical DoViewChange forked it",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: FORKS,
    invariant: None,
};

/// A view begins on the word of too few.
pub(super) const LONELY_VIEW: Defect = Defect {
    name: "lonely-view",
    protocol: Some(Viewstamped::NAME),
    summary: "a new primary sends StartView after f DoViewChange messages instead of f + 1",
    breaks: "any two quorums share a replica (section 4.2, step 3)",
    seen: "the usual slip by one; section 4.2 counts the primary's own message, section 4.1's f PrepareOKs do not",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: FORKS,
    invariant: None,
};

/// Acknowledgements are cumulative, but what comes before is missing.
pub(super) const PREPARE_OK_WITH_GAPS: Defect = Defect {
    name: "prepare-ok-with-gaps",
    protocol: Some(Viewstamped::NAME),
    summary: "a backup acknowledges a Prepare although operations before it are not in its log",
    breaks: "a backup won't accept a Prepare until it has all earlier ones in its log (section 4.1, step 4)",
    seen: "section 4.1 warns of it; messages that are lost or overtake each other are enough",
    workload: "register",
    faults: &["partition", "pause"],
    anomalies: FORKS,
    invariant: None,
};

/// Backups do not wait to hear that an operation is committed.
pub(super) const COMMIT_ON_PREPARE: Defect = Defect {
    name: "commit-on-prepare",
    protocol: Some(Viewstamped::NAME),
    summary: "a backup executes an operation when the Prepare comes, before it is committed",
    breaks: "replicas execute the same operations in the same order (section 4.1, step 7)",
    seen: "chain and primary-backup designs that apply on receipt; MongoDB's secondaries before rollback was repaired",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: FORKS,
    invariant: Some("state machine safety"),
};

/// A primary that was cut off, and has been replaced without knowing it, serves the past.
pub(super) const DEPOSED_READS: Defect = Defect {
    name: "deposed-reads",
    protocol: Some(Viewstamped::NAME),
    summary: "a primary answers reads from its own state, without a lease and without asking anybody",
    breaks: "reads see every write that completed before (section 6.3)",
    seen: "section 6.3 names it as what leases are for; etcd issue 741 (2014), found by Jepsen, is Raft's",
    workload: "register",
    faults: &["partition", "pause"],
    anomalies: READS,
    invariant: None,
};

/// Messages of an earlier epoch count.
pub(super) const OLD_EPOCH_COUNTS: Defect = Defect {
    name: "old-epoch-counts",
    protocol: Some(Viewstamped::NAME),
    summary: "messages of an earlier epoch are not discarded, so that a group that was replaced goes on deciding",
    breaks: "replicas discard messages of earlier epochs, and inform their senders (section 7.1)",
    seen: "section 7.1 warns of it; the like, two quorums that do not meet, was Raft's one-server membership change",
    workload: "register",
    faults: &["membership"],
    anomalies: &[],
    invariant: Some("progress"),
};

/// A replica belongs to an epoch before it has what was before it.
pub(super) const EPOCH_BEFORE_STATE: Defect = Defect {
    name: "epoch-before-state",
    protocol: Some(Viewstamped::NAME),
    summary: "a replica that is told of a new epoch takes part in it at once, with whatever its log has",
    breaks: "a replica whose status is transitioning has no vote before it is up to date (section 7.1.2)",
    seen: "CockroachDB issue 6369 and the like: a replica votes before the snapshot that makes it one is there",
    workload: "register",
    faults: &["membership"],
    anomalies: FORKS,
    invariant: Some("state machine safety"),
};

/// One life of a replica is taken for another.
pub(super) const RECOVERY_WITHOUT_NONCE: Defect = Defect {
    name: "recovery-without-nonce",
    protocol: Some(Viewstamped::NAME),
    summary: "a replica that lost its disk begins as at the very first, with the vote of the life before",
    breaks: "a replica that recovers has no vote before that is harmless; its nonce tells its lives apart (section 4.3)",
    seen: "Michael et al., DISC 2017: promises that are forgotten break recovery in several such protocols",
    workload: "register",
    faults: &["disk"],
    anomalies: FORKS,
    invariant: Some("view-change safety"),
};
