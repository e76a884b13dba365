//! The deliberate bugs of Paxos.

use super::Paxos;
use crate::defect::{DECISIONS, Defect};
use crate::protocol::Protocol;

/// All of them, in the order they are listed.
pub const DEFECTS: &[&Defect] = &[
    &VOLATILE_PROMISES,
    &HASTY_ACCEPTS,
    &BALLOT_REUSE,
    &ACCEPT_BELOW_PROMISE,
    &ADOPT_ANY,
    &OWN_VALUE,
    &MINORITY_LEARNING,
    &ACCEPTS_ACROSS_BALLOTS,
    &ACCEPTED_IS_DECIDED,
    &UNASKED_READS,
    &SNAPSHOT_FORGETS_ACCEPTED,
];

/// Phase 1 leaves nothing on disk.
pub(super) const VOLATILE_PROMISES: Defect = Defect {
    name: "volatile-promises",
    protocol: Some(Paxos::NAME),
    summary: "an acceptor keeps its promises in memory only, and after a crash accepts what it promised not to",
    breaks: "P1a across crashes (Paxos Made Simple, 2.2, and 2.5 on stable storage)",
    seen: "warned of in Paxos Made Simple, 2.5: stable storage maintains what the acceptor must remember",
    workload: "agreement",
    faults: &["kill"],
    anomalies: DECISIONS,
    invariant: None,
};

/// "Accepted" is said while the acceptance is on its way to the disk.
pub(super) const HASTY_ACCEPTS: Defect = Defect {
    name: "hasty-accepts",
    protocol: Some(Paxos::NAME),
    summary: "an acceptor says that it accepted a proposal before that is on its disk",
    breaks: "an acceptor records its response in stable storage before sending it (Paxos Made Simple, 2.5)",
    seen: "warned of in Paxos Made Simple, 2.5; Paxos Made Live, 5.1, on acceptors that lose their disk",
    workload: "agreement",
    faults: &["kill", "power-cut"],
    anomalies: DECISIONS,
    invariant: None,
};

/// A node that starts again counts its rounds from the beginning.
pub(super) const BALLOT_REUSE: Defect = Defect {
    name: "ballot-reuse",
    protocol: Some(Paxos::NAME),
    summary: "a proposer counts its rounds in memory only, and after a restart uses a ballot for another value",
    breaks: "no two proposals have the same number (Paxos Made Simple, 2.2 and 2.5)",
    seen: "warned of in Paxos Made Simple, 2.5, last paragraph",
    workload: "agreement",
    faults: &["kill"],
    anomalies: DECISIONS,
    invariant: None,
};

/// Phase 2(b) does not look at the promise of phase 1(b).
pub(super) const ACCEPT_BELOW_PROMISE: Defect = Defect {
    name: "accept-below-promise",
    protocol: Some(Paxos::NAME),
    summary: "an acceptor accepts a proposal though it promised a higher ballot",
    breaks: "P1a (Paxos Made Simple, 2.2)",
    seen: "the condition that Paxos Made Simple, 2.2, phase 2(b), ends with (\"unless\")",
    workload: "agreement",
    faults: &["partition", "pause"],
    anomalies: DECISIONS,
    invariant: None,
};

/// Of the accepted proposals that it is told of, the proposer takes the first that comes.
pub(super) const ADOPT_ANY: Defect = Defect {
    name: "adopt-any",
    protocol: Some(Paxos::NAME),
    summary: "a proposer adopts some accepted value that it was told of, and not that of the highest ballot",
    breaks: "P2c (Paxos Made Simple, 2.2)",
    seen: "the word \"highest-numbered\" of P2c, without which P2b does not follow (Paxos Made Simple, 2.2)",
    workload: "agreement",
    faults: &["partition", "pause", "kill"],
    anomalies: DECISIONS,
    invariant: None,
};

/// Promises are counted, but not read.
pub(super) const OWN_VALUE: Defect = Defect {
    name: "own-value",
    protocol: Some(Paxos::NAME),
    summary: "a proposer proposes its own value, whatever the acceptors say that they accepted",
    breaks: "P2b and P2c (Paxos Made Simple, 2.2)",
    seen: "Paxos Made Simple, 2.2: what a majority of acceptors alone, without P2, would lead to",
    workload: "agreement",
    faults: &["partition", "pause", "kill"],
    anomalies: DECISIONS,
    invariant: None,
};

/// A majority of too few.
pub(super) const MINORITY_LEARNING: Defect = Defect {
    name: "minority-learning",
    protocol: Some(Paxos::NAME),
    summary: "a learner takes a value for chosen when one acceptor less than a majority has accepted it",
    breaks: "a value is chosen when a majority has accepted it (Paxos Made Simple, 2.2 and 2.3)",
    seen: "off by one in the size of a majority; any two must share an acceptor (Paxos Made Simple, 2.2)",
    workload: "agreement",
    faults: &["partition", "kill"],
    anomalies: DECISIONS,
    invariant: None,
};

/// The tally is not cleared when the proposer tries again.
pub(super) const ACCEPTS_ACROSS_BALLOTS: Defect = Defect {
    name: "accepts-across-ballots",
    protocol: Some(Paxos::NAME),
    summary: "acceptances of different ballots are counted together",
    breaks: "a majority must have accepted one and the same proposal (Paxos Made Simple, 2.2)",
    seen: "the like of Raft's figure 8: copies counted that belong to different terms",
    workload: "agreement",
    faults: &["partition", "pause"],
    anomalies: DECISIONS,
    invariant: None,
};

/// What somebody accepted is served as if it were chosen.
pub(super) const ACCEPTED_IS_DECIDED: Defect = Defect {
    name: "accepted-is-decided",
    protocol: Some(Paxos::NAME),
    summary: "a read takes the value that any one acceptor has accepted for the decided one",
    breaks: "a learner must find out that a majority accepted (Paxos Made Simple, 2.3)",
    seen: "dirty reads, as in VoltDB 6.3, found by Jepsen (2016)",
    workload: "agreement",
    faults: &["partition", "kill"],
    anomalies: DECISIONS,
    invariant: None,
};

/// An empty register is reported on the word of one node.
pub(super) const UNASKED_READS: Defect = Defect {
    name: "unasked-reads",
    protocol: Some(Paxos::NAME),
    summary: "a node that knows of no decision says that the register is empty without asking a majority",
    breaks: "linearizable reads: a missed message leaves a node without the decision (Paxos Made Simple, 2.3)",
    seen: "reads that a replica answers from its own state, as ZooKeeper's do by design",
    workload: "agreement",
    faults: &["partition", "pause"],
    anomalies: DECISIONS,
    invariant: None,
};

/// Compaction keeps the decisions alone.
pub(super) const SNAPSHOT_FORGETS_ACCEPTED: Defect = Defect {
    name: "snapshot-forgets-accepted",
    protocol: Some(Paxos::NAME),
    summary: "a snapshot holds the decisions, but not what the acceptor promised and accepted where none is known",
    breaks: "the acceptor's state must survive (Paxos Made Simple, 2.5 on stable storage)",
    seen: "Paxos Made Live, 5.5, on keeping snapshot and log consistent",
    workload: "agreement",
    faults: &["kill"],
    anomalies: DECISIONS,
    invariant: None,
};
