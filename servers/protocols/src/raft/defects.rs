//! Raft's deliberate bugs.

use super::Raft;
use crate::defect::{Defect, FORKS, READS};
use crate::protocol::Protocol;

/// All of them, in the order they are listed.
pub const DEFECTS: &[&Defect] = &[
    &STALE_READS,
    &EARLY_ACKS,
    &BLIND_VOTES,
    &FORGOTTEN_VOTES,
    &RECYCLED_VOTES,
    &OLD_TERM_COMMITS,
    &EAGER_TRUNCATION,
    &HASTY_ACKS,
    &COMMIT_BEYOND_MATCH,
    &EARLY_APPLY,
    &HASTY_READS,
    &OLD_SNAPSHOTS,
    &MEMBERLESS_SNAPSHOTS,
    &NEW_MAJORITY_ALONE,
    &STUCK_MEMBERS,
    &VOTING_LEARNERS,
    &UNANSWERED_LEASES,
    &LEASE_BY_OWN_PATIENCE,
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
    anomalies: READS,
    invariant: None,
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
    anomalies: FORKS,
    invariant: None,
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
    anomalies: FORKS,
    invariant: None,
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
    anomalies: FORKS,
    invariant: Some("commitment"),
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
    anomalies: FORKS,
    invariant: Some("configuration"),
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
    anomalies: FORKS,
    invariant: None,
};

/// The vote is not on disk.
pub(super) const FORGOTTEN_VOTES: Defect = Defect {
    name: "forgotten-votes",
    protocol: Some(Raft::NAME),
    summary: "a node keeps its term on disk, but not its vote, and votes again after a restart",
    breaks: "votedFor is persistent state, updated before responding (Raft, figure 2), hence election safety",
    seen: "named by the paper: figure 2, persistent state on all servers",
    workload: "register",
    faults: &["kill"],
    anomalies: FORKS,
    invariant: Some("votes"),
};

/// A candidate counts answers to what it asked before.
pub(super) const RECYCLED_VOTES: Defect = Defect {
    name: "recycled-votes",
    protocol: Some(Raft::NAME),
    summary: "a candidate counts every grant that comes as a vote, also of a pre-vote or of an earlier term",
    breaks: "election safety: a majority votes in the same term (Raft, sections 5.1 and 5.2)",
    seen: "named by the paper: a server rejects what carries an earlier term (section 5.1)",
    workload: "register",
    faults: &["partition", "pause"],
    anomalies: FORKS,
    invariant: Some("votes"),
};

/// A leader commits an earlier term's entry by counting its copies.
pub(super) const OLD_TERM_COMMITS: Defect = Defect {
    name: "old-term-commits",
    protocol: Some(Raft::NAME),
    summary: "a leader takes an entry of an earlier term for committed once a majority has it",
    breaks: "leader completeness, by the commitment rule (Raft, section 5.4.2)",
    seen: "figure 8 of the paper",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: FORKS,
    invariant: Some("commitment"),
};

/// An append cuts off whatever follows it.
pub(super) const EAGER_TRUNCATION: Defect = Defect {
    name: "eager-truncation",
    protocol: Some(Raft::NAME),
    summary: "a follower cuts its log off after every append, so that one that comes late takes acknowledged entries away",
    breaks: "an entry is removed only if it conflicts with a new one (Raft, figure 2)",
    seen: "the student's guide to Raft (2016) names it as a frequent mistake",
    workload: "register",
    faults: &["partition", "pause"],
    anomalies: FORKS,
    invariant: None,
};

/// Entries are acknowledged before they are durable.
pub(super) const HASTY_ACKS: Defect = Defect {
    name: "hasty-acks",
    protocol: Some(Raft::NAME),
    summary: "a follower acknowledges entries when they are in its memory, and not when they are on its disk",
    breaks: "the log is persistent state, updated before responding (Raft, figure 2)",
    seen: "named by the paper: figure 2, persistent state on all servers",
    workload: "register",
    faults: &["kill", "power-cut"],
    anomalies: FORKS,
    invariant: None,
};

/// The commit index is sent to whoever may hold something else there.
pub(super) const COMMIT_BEYOND_MATCH: Defect = Defect {
    name: "commit-beyond-match",
    protocol: Some(Raft::NAME),
    summary: "a leader tells followers to commit up to its commit index, though their logs may differ from its own there",
    breaks: "state machine safety (Raft, section 5.4.3): a follower commits only what it is known to share",
    seen: "etcd's raft warns of it in the comment on its heartbeats",
    workload: "register",
    faults: &["partition"],
    anomalies: FORKS,
    invariant: Some("state machine safety"),
};

/// Followers apply what they append.
pub(super) const EARLY_APPLY: Defect = Defect {
    name: "early-apply",
    protocol: Some(Raft::NAME),
    summary: "a follower applies an entry when it is appended, before it is known to be committed",
    breaks: "state machine safety (Raft, sections 5.3 and 5.4.3)",
    seen: "named by the paper: an entry is applied once it is committed (section 5.3)",
    workload: "register",
    faults: &["partition"],
    anomalies: FORKS,
    invariant: Some("state machine safety"),
};

/// A new leader serves reads before it knows what is committed.
pub(super) const HASTY_READS: Defect = Defect {
    name: "hasty-reads",
    protocol: Some(Raft::NAME),
    summary: "a new leader serves reads before it has committed an entry of its term, so that it may lack what was acknowledged",
    breaks: "linearizable reads (Ongaro's thesis, section 6.4, step 1; Raft, section 8)",
    seen: "named by the paper: a blank no-op at the start of a term (section 8)",
    workload: "register",
    faults: &["partition", "kill"],
    anomalies: READS,
    invariant: None,
};

/// A membership that was cut off the log stays in use.
pub(super) const STUCK_MEMBERS: Defect = Defect {
    name: "stuck-members",
    protocol: Some(Raft::NAME),
    summary: "a node goes on with a membership that was cut off its log, instead of the one before it",
    breaks: "a server uses the latest configuration in its log (Raft, section 6)",
    seen: "named by the thesis: a server must be able to fall back to the previous configuration (section 4.1)",
    workload: "register",
    faults: &["membership"],
    anomalies: FORKS,
    invariant: Some("configuration"),
};

/// A learner counts.
pub(super) const VOTING_LEARNERS: Defect = Defect {
    name: "voting-learners",
    protocol: Some(Raft::NAME),
    summary: "a leader counts the copy of a node that is still catching up like that of a member",
    breaks: "agreement needs a majority of the members; those that catch up are non-voting (Raft, section 6)",
    seen: "named by the paper: new servers are not considered for majorities (section 6)",
    workload: "register",
    faults: &["membership"],
    anomalies: FORKS,
    invariant: Some("commitment"),
};

/// A lease is renewed without an answer.
pub(super) const UNANSWERED_LEASES: Defect = Defect {
    name: "unanswered-leases",
    protocol: Some(Raft::NAME),
    summary: "a leader renews its lease whenever it sends heartbeats, whether or not a majority answers them",
    breaks: "the lease ends before another leader can be elected (Ongaro's thesis, section 6.4.1)",
    seen: "named by the thesis: it is a majority's acknowledgement that extends the lease (section 6.4.1)",
    workload: "register",
    faults: &["partition"],
    anomalies: READS,
    invariant: None,
};

/// A lease is as long as the leader's own patience.
pub(super) const LEASE_BY_OWN_PATIENCE: Defect = Defect {
    name: "lease-by-own-patience",
    protocol: Some(Raft::NAME),
    summary: "a leader's lease lasts as long as its own election timeout, though another's may be shorter or its clock faster",
    breaks: "the assumed bound on clock drift (Ongaro's thesis, section 6.4.1)",
    seen: "named by the thesis: leases assume a bound on clock drift (section 6.4.1)",
    workload: "register",
    faults: &["clock-skew", "partition"],
    anomalies: READS,
    invariant: None,
};

/// Those that show only where reads rest on leases.
pub(crate) const LEASE_DEFECTS: &[&Defect] = &[&UNANSWERED_LEASES, &LEASE_BY_OWN_PATIENCE];
