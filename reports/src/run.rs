//! What a run directory holds. The harness writes these files; reports are made from nothing else.
//!
//! ```text
//! plan.toml        all that is needed to repeat the run
//! history.jsonl    every event, in order           (crate partita-history)
//! faults.jsonl     the fault events alone
//! metrics.jsonl    one [`Metric`] a line
//! verdict.json     one [`Summary`]
//! violation.json   of a run that stopped at its first violation: that moment, and how the nodes were then
//! nodes/<name>/    the node's log (node.log) and files
//! report.html      made from the above, as are junit.xml and, of a violation, anomaly.svg
//! ```

use std::collections::BTreeMap;

use partita_checker::{Analysis, Verdict};
use serde::{Deserialize, Serialize};

/// The version of every JSON form: `verdict.json`, `run --json`, `check --json`. It grows when a member changes its
/// meaning or goes away; members may be added at any time.
pub const FORMAT: u32 = 1;

/// `verdict.json`: what a run came to, and how hard it looked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// The version of this format.
    pub format: u32,
    /// The run's name, which is that of its directory.
    pub run: String,
    /// The worst of all checks.
    pub verdict: Verdict,
    /// The exit code that goes with the verdict.
    pub exit_code: u8,
    /// One sentence: why this verdict.
    pub reason: String,
    /// The command that repeats the run.
    pub command: String,
    /// The seed of everything random.
    pub seed: u64,
    /// The system under test.
    pub target: String,
    /// The workload.
    pub workload: String,
    /// The deliberate bug that was switched on in our own servers, if any.
    pub defect: Option<String>,
    /// The names of the nodes.
    pub nodes: Vec<String>,
    /// How nodes were connected (`netns` or `proxy`), and why so.
    pub network: String,
    /// When the run began, in UTC, as `2026-11-21T04:05:06Z`.
    pub started: String,
    /// From the first to the last event, in milliseconds.
    pub duration_ms: u64,
    /// Why the load ended: `time limit`, `interrupted`, `violation`, ...
    pub ended: String,
    /// Operations a second: asked for, and done.
    pub rate: Rate,
    /// Operations by function.
    pub operations: BTreeMap<String, Outcomes>,
    /// Faults by name.
    pub faults: BTreeMap<String, FaultCount>,
    /// What was asked for or expected and never happened, in words.
    pub not_exercised: Vec<String>,
    /// How many snapshots of other nodes took the place of a node's state, as far as the nodes say so.
    pub snapshots_installed: Option<u64>,
    /// What the checkers said.
    pub checks: Vec<Analysis>,
    /// Further facts of the run (versions, settings, times), by name.
    pub facts: BTreeMap<String, String>,
}

/// The rate of operations over the time of the load, per second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// What was asked for.
    pub asked: f64,
    /// Operations invoked.
    pub invoked: f64,
    /// Operations that ended ok.
    pub ok: f64,
}

/// How operations ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Happened.
    pub ok: u64,
    /// Certainly did not.
    pub fail: u64,
    /// Unknown.
    pub info: u64,
}

/// How often a fault was tried, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCount {
    /// Planned by the schedule.
    pub planned: u64,
    /// Seen to be in force.
    pub took: u64,
    /// Not applied.
    pub skipped: u64,
    /// Applied, but not confirmed.
    pub uncertain: u64,
    /// Seen to be healed.
    pub healed: u64,
    /// Those that took, by the role of the nodes that they hit.
    pub roles: BTreeMap<String, u64>,
}

/// One line of `metrics.jsonl`: what a node said of itself at a moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metric {
    /// Nanoseconds since the start of the run.
    pub time: u64,
    /// Which node.
    pub node: String,
    /// Whether it answered.
    pub up: bool,
    /// `leader`, `follower`, `candidate`, ...
    pub role: Option<String>,
    /// The leadership number: Raft's term, and so on.
    pub term: Option<u64>,
    /// The node that it takes for the leader.
    pub leader: Option<String>,
    /// The highest log position that it knows to be committed.
    pub commit: Option<u64>,
    /// The highest log position that it has applied.
    pub applied: Option<u64>,
    /// The size of its log on disk, in bytes.
    pub log_bytes: Option<u64>,
}
