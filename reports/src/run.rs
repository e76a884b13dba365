//! What a run directory holds. The harness writes these files; reports are made from nothing else.
//!
//! ```text
//! plan.toml        all that is needed to repeat the run
//! history.jsonl    every event, in order           (crate partita-history)
//! faults.jsonl     the fault events alone
//! metrics.jsonl    one [`Metric`] a line
//! verdict.json     one [`Summary`]
//! violation.json   of a run that stopped at its first violation: that moment, and how the nodes were then
//! messages.json    of a simulated run: the messages at its end, one [`crate::sequence::Diagram`]
//! nodes/<name>/    the node's log (node.log) and files
//! report.html      made from the above, as are junit.xml and, of a violation, anomaly.svg
//! ```
//!
//! When a run is over, `history.jsonl` and `metrics.jsonl` are packed ([`crate::lines`]).

use std::collections::BTreeMap;

use partita_checker::{Analysis, Verdict};
use partita_history::{FaultEvent, FaultOutcome, FaultPhase};
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
    /// What came of them, by the role of the nodes that they hit.
    #[serde(default)]
    pub coverage: BTreeMap<String, Coverage>,
}

/// What came of a fault at nodes of one role. One that was skipped hit nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Nodes at which it was seen to be in force.
    pub took: u64,
    /// Nodes at which it was applied, but not confirmed.
    pub uncertain: u64,
    /// Nodes at which it was seen to be healed.
    pub healed: u64,
}

/// Counts faults by name, from their events.
pub fn count_faults(events: &[FaultEvent]) -> BTreeMap<String, FaultCount> {
    let mut counts: BTreeMap<String, FaultCount> = BTreeMap::new();
    for event in events {
        let (count, value) = (counts.entry(event.f.clone()).or_default(), &event.value);
        let took = value.outcome == Some(FaultOutcome::Took);
        let column = match value.phase {
            FaultPhase::Planned => &mut count.planned,
            FaultPhase::Injected if took => &mut count.took,
            FaultPhase::Injected if value.outcome == Some(FaultOutcome::Skipped) => &mut count.skipped,
            FaultPhase::Injected => &mut count.uncertain,
            FaultPhase::Healed if took => &mut count.healed,
            FaultPhase::Healed => continue,
        };
        *column += 1;
        if value.phase == FaultPhase::Planned {
            continue;
        }
        for node in &value.nodes {
            let role = value.roles.get(node).map_or("unknown", String::as_str);
            let cell = count.coverage.entry(role.to_owned()).or_default();
            match (value.phase, took) {
                (FaultPhase::Healed, _) => cell.healed += 1,
                (_, true) => {
                    cell.took += 1;
                    *count.roles.entry(role.to_owned()).or_default() += 1;
                }
                (_, false) => cell.uncertain += 1,
            }
        }
    }
    counts
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
    /// The longest that it did not hear its leader of late, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader_silence_us: Option<u64>,
}

#[cfg(test)]
mod tests {
    use partita_history::FaultValue;

    use super::*;

    #[test]
    fn faults_are_counted_by_role_and_outcome() {
        let event = |phase, outcome, nodes: &[&str]| FaultEvent {
            index: 0,
            time: 0,
            f: "kill".into(),
            value: FaultValue {
                id: 0,
                phase,
                outcome,
                what: String::new(),
                started: 0,
                nodes: nodes.iter().map(|&node| node.into()).collect(),
                roles: [("n1".into(), "leader".into()), ("n2".into(), "follower".into())].into(),
                links: Vec::new(),
                evidence: String::new(),
            },
        };
        use FaultOutcome::{Skipped, Took, Uncertain};
        use FaultPhase::{Healed, Injected, Planned};
        let counts = count_faults(&[
            event(Planned, None, &[]),
            event(Injected, Some(Took), &["n1", "n2"]),
            event(Healed, Some(Took), &["n1", "n2"]),
            event(Injected, Some(Uncertain), &["n2"]),
            event(Healed, Some(Uncertain), &["n2"]),
            event(Injected, Some(Took), &["n3"]),
            event(Injected, Some(Skipped), &[]),
        ]);
        let kill = &counts["kill"];
        let totals = [kill.planned, kill.took, kill.skipped, kill.uncertain, kill.healed];
        assert_eq!(totals, [1, 2, 1, 1, 1]);
        let cell = |took, uncertain, healed| Coverage {
            took,
            uncertain,
            healed,
        };
        let expected = [
            ("follower", cell(1, 1, 1)),
            ("leader", cell(1, 0, 1)),
            ("unknown", cell(1, 0, 0)),
        ];
        assert_eq!(
            kill.coverage,
            expected.map(|(role, cell)| (role.to_owned(), cell)).into()
        );
        assert_eq!(crate::words::roles(kill), "follower 1 of 2, leader 1, unknown 1");
    }
}
