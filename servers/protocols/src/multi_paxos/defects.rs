//! Multi-Paxos's deliberate bugs.

use super::MultiPaxos;
use crate::defect::{Defect, FORKS, READS};
use crate::protocol::Protocol;

/// All of them, in the order they are listed.
pub const DEFECTS: &[&Defect] = &[
    &PROMISES_FORGOTTEN,
    &ACCEPTS_FORGOTTEN,
    &ACCEPTS_CUT_OFF,
    &BALLOT_LED_TWICE,
    &PROMISES_IGNORED,
    &VOTES_IGNORED,
    &CHOSEN_LEFT_OUT,
    &MINORITY_CHOSEN,
    &GAPS_SKIPPED,
    &PHASE_ONE_FROM_LAST,
    &CHOSEN_MARK_TRUSTED,
    &READS_UNASKED,
    &READS_UNSETTLED,
    &LEASE_NOT_HONOURED,
];

/// An acceptor that restarts takes part in ballots that it had promised to ignore.
pub(super) const PROMISES_FORGOTTEN: Defect = Defect {
    name: "promises-forgotten",
    protocol: Some(MultiPaxos::NAME),
    summary: "an acceptor promises a ballot without writing that to its disk, so that a crash takes it back",
    breaks: "an acceptor must remember its promises even if it fails and restarts (Lamport 2001, 2.2 and 2.5)",
    seen: "warned of in Paxos Made Simple, 2.5, and Paxos Made Live, 5.1 (disk corruption)",
    workload: "register",
    faults: &["kill"],
    anomalies: FORKS,
    invariant: Some("P2c"),
};

/// A value that a majority accepted is gone when that majority has restarted.
pub(super) const ACCEPTS_FORGOTTEN: Defect = Defect {
    name: "accepts-forgotten",
    protocol: Some(MultiPaxos::NAME),
    summary: "an acceptor acknowledges values that it does not write to its disk",
    breaks: "an acceptor must remember what it accepted even if it fails and restarts (Lamport 2001, 2.2 and 2.5)",
    seen: "warned of in Paxos Made Simple, 2.5; the like in every store that acknowledges before its fsync",
    workload: "register",
    faults: &["kill"],
    anomalies: FORKS,
    invariant: None,
};

/// A log that is cut loses more than what the snapshot holds.
pub(super) const ACCEPTS_CUT_OFF: Defect = Defect {
    name: "accepts-cut-off",
    protocol: Some(MultiPaxos::NAME),
    summary: "with the log that a snapshot replaces, what was accepted for slots after it is cut off, too",
    breaks: "an acceptor must remember what it accepted (Lamport 2001, 2.5) beyond the snapshot (Chandra et al. 2007, 5.5)",
    seen: "snapshots and log have to be kept consistent with each other: Paxos Made Live, 5.5",
    workload: "register",
    faults: &["kill"],
    anomalies: FORKS,
    invariant: None,
};

/// A proposer that restarts uses the number of a ballot that it used before.
pub(super) const BALLOT_LED_TWICE: Defect = Defect {
    name: "ballot-led-twice",
    protocol: Some(MultiPaxos::NAME),
    summary: "a proposer remembers its own ballots in memory only, and after a crash uses the number of one again",
    breaks: "a proposer remembers the highest number it has tried, and begins with a higher one (Lamport 2001, 2.5)",
    seen: "warned of in Paxos Made Simple, 2.5",
    workload: "register",
    faults: &["kill"],
    anomalies: FORKS,
    invariant: Some("one leader per ballot"),
};
// One acceptor less than a majority is enough.
pub(super) const MINORITY_CHOSEN: Defect = Defect {
    name: "minority-chosen",
    protocol: Some(MultiPaxos::NAME),
    summary: "a leader takes a value for chosen when half of the members, rounded down, have accepted it",
    breaks: "any two majorities have an acceptor in common (Lamport 2001, 2.2)",
    seen: "quorums that are not majorities: two nodes of four, or of five after a change of members",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: FORKS,
    invariant: Some("agreement"),
};

/// A node that missed a value goes on without it.
pub(super) const GAPS_SKIPPED: Defect = Defect {
    name: "gaps-skipped",
    protocol: Some(MultiPaxos::NAME),
    summary: "a node steps over a slot that is chosen and of which it holds nothing, instead of asking for it",
    breaks: "a command is executed after all those before it (Lamport 2001, section 3)",
    seen: "warned of in Paxos Made Simple, section 3; catching up is what Paxos Made Live, 5, spends pages on",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: FORKS,
    invariant: Some("P2c"),
};

/// Slots between the first that is not known to be chosen and the last that was accepted are not asked about.
pub(super) const PHASE_ONE_FROM_LAST: Defect = Defect {
    name: "phase-one-from-last",
    protocol: Some(MultiPaxos::NAME),
    summary: "a new leader asks only about slots after the last that it accepted itself",
    breaks: "phase 1 is for all slots that the leader does not know to be chosen (Lamport 2001, section 3)",
    seen: "the example of Paxos Made Simple, section 3: slots 135 to 137 and all above 139",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: FORKS,
    invariant: Some("P2c"),
};

/// What the leader says to be chosen is taken for what was accepted here, perhaps in an earlier ballot.
pub(super) const CHOSEN_MARK_TRUSTED: Defect = Defect {
    name: "chosen-mark-trusted",
    protocol: Some(MultiPaxos::NAME),
    summary: "a node applies what it accepted itself once its slot is chosen, though in another ballot",
    breaks: "a learner learns the value that was chosen (Lamport 2001, 2.3)",
    seen: "the counterpart of a commit index that is believed beyond the entries known to match (Raft, figure 2)",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: FORKS,
    invariant: Some("state machine safety"),
};

/// A leader that was cut off, and was preempted without knowing it, serves the past.
pub(super) const READS_UNASKED: Defect = Defect {
    name: "reads-unasked",
    protocol: Some(MultiPaxos::NAME),
    summary: "a leader answers reads from its own state without asking a majority and without a lease",
    breaks: "reads at the leader need a lease or a quorum (Chandra et al. 2007, 5.2)",
    seen: "warned of in Paxos Made Live, 5.2; etcd issue 741 (2014)",
    workload: "register",
    faults: &["partition", "pause"],
    anomalies: READS,
    invariant: None,
};

/// The leader serves reads under a lease that nobody keeps.
pub(super) const LEASE_NOT_HONOURED: Defect = Defect {
    name: "lease-not-honoured",
    protocol: Some(MultiPaxos::NAME),
    summary: "a leader reads under its lease, while acceptors promise other ballots before that has run out",
    breaks: "while the lease lasts, no other node can lead (Chandra et al. 2007, 5.2)",
    seen: "warned of in Paxos Made Live, 5.2",
    workload: "register",
    faults: &["partition", "pause"],
    anomalies: READS,
    invariant: None,
};
/// A leader that was preempted still gets its values accepted.
pub(super) const PROMISES_IGNORED: Defect = Defect {
    name: "promises-ignored",
    protocol: Some(MultiPaxos::NAME),
    summary: "an acceptor accepts values of ballots before the one that it has promised",
    breaks: "P1a: nothing is accepted in ballots before one that was promised (Lamport 2001, 2.2)",
    seen: "warned of in Paxos Made Simple, 2.2: it is what a promise is",
    workload: "register",
    faults: &["partition", "pause"],
    anomalies: FORKS,
    invariant: Some("promises kept"),
};

/// A leader proposes what its own clients want, and nothing else.
pub(super) const VOTES_IGNORED: Defect = Defect {
    name: "votes-ignored",
    protocol: Some(MultiPaxos::NAME),
    summary: "a new leader does not adopt the values of which phase 1 told, and proposes others for their slots",
    breaks: "P2c (Lamport 2001, 2.2)",
    seen: "leaders that take phase 1 for no more than an election; warned of in Paxos Made Simple, 2.2",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: FORKS,
    invariant: Some("P2c"),
};

/// A leader that is behind takes slots for free that are chosen long since.
pub(super) const CHOSEN_LEFT_OUT: Defect = Defect {
    name: "chosen-left-out",
    protocol: Some(MultiPaxos::NAME),
    summary: "an acceptor leaves slots out of its promise that it knows to be chosen, and does not say so",
    breaks: "phase 1 tells what was accepted for every slot asked about (Lamport 2001, section 3)",
    seen: "warned of in Paxos Made Moderately Complex, 4.2 (garbage collection at acceptors)",
    workload: "register",
    faults: &["partition", "pause"],
    anomalies: FORKS,
    invariant: Some("P2c"),
};

/// A new leader reads a state that lacks what the one before acknowledged.
pub(super) const READS_UNSETTLED: Defect = Defect {
    name: "reads-unsettled",
    protocol: Some(MultiPaxos::NAME),
    summary: "a new leader answers reads before what phase 1 told of is chosen and applied",
    breaks: "reads reflect all that was acknowledged before (Chandra et al. 2007, 5.2)",
    seen: "the counterpart of Raft's no-op at the start of a term: Ongaro's thesis, 6.4, step 1",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: READS,
    invariant: None,
};
