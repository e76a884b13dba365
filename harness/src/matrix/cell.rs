//! One run of a matrix, as data.

use std::collections::BTreeMap;
use std::path::PathBuf;

use partita_checker::Verdict;
use partita_protocols::Defect;
use partita_reports::run::{FaultCount, Outcomes};
use serde::{Deserialize, Serialize};

use crate::calibrate;

/// What a cell starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A cluster of processes.
    Run,
    /// Many seeds in virtual time.
    Simulation,
}

/// What is to be done, and what must come of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell {
    /// Its name: no other cell of the matrix has it.
    pub(crate) name: String,
    /// The name without the seed: cells that differ in nothing else have it in common.
    pub(crate) group: String,
    pub(crate) kind: Kind,
    /// The system under test.
    pub(crate) target: String,
    /// The arguments of `partita`, one list a try. But for canaries there is one.
    pub(crate) tries: Vec<Vec<String>>,
    /// How long the load of a try lasts, in milliseconds.
    pub(crate) load_ms: u64,
    /// What must be found, if this cell is a canary.
    pub(crate) canary: Option<Expected>,
}

/// What a canary must die of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Expected {
    /// The bug that is switched on.
    pub(crate) defect: String,
    /// Is it looked for in virtual time? There any property of safety that is violated is what was expected.
    pub(crate) simulated: bool,
    /// In processes: the anomalies of which one is expected, by name.
    pub(crate) findings: Vec<String>,
}

/// What came of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Done {
    /// The cell's name.
    pub(crate) name: String,
    /// The worst of all attempts; of a canary, whether it was caught.
    pub(crate) verdict: Verdict,
    /// Why, in a sentence.
    pub(crate) reason: String,
    /// Every attempt, in order: what a later one came to never hides what an earlier one did.
    pub(crate) attempts: Vec<Attempt>,
    /// How long it took, in seconds.
    pub(crate) seconds: f64,
    /// Is it still to be tried again? So it is while a retry goes on, and if that is broken off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unfinished: bool,
}

/// One attempt at a cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Attempt {
    pub(crate) verdict: Verdict,
    pub(crate) reason: String,
    /// What was violated, by name.
    pub(crate) findings: Vec<String>,
    /// The command that repeats it.
    pub(crate) command: String,
    /// Its run directory, within that of the night; none if it was not made.
    pub(crate) run: Option<PathBuf>,
    /// Operations that ended ok, a second.
    pub(crate) ok_per_second: f64,
    /// Operations, by function.
    pub(crate) operations: BTreeMap<String, Outcomes>,
    /// Faults, by name.
    pub(crate) faults: BTreeMap<String, FaultCount>,
    /// Seeds tried, in virtual time.
    pub(crate) seeds: u64,
}

impl Expected {
    /// Is one of these what was to be found?
    pub(crate) fn is_met_by(&self, findings: &[String]) -> bool {
        if self.simulated {
            let defect = Defect::by_name(&self.defect).ok();
            return findings
                .iter()
                .any(|name| calibrate::is_expected_in_simulation(defect, name));
        }
        findings.iter().any(|name| self.findings.contains(name))
    }
}

impl Cell {
    /// What came of it, from all attempts.
    ///
    /// The verdict of a cell is that of its worst attempt. That of a canary is valid if what it must die of was found,
    /// and else that the harness is blind, which is a failure of the harness.
    pub(crate) fn judge(&self, attempts: Vec<Attempt>, seconds: f64) -> Done {
        let (verdict, reason) = match &self.canary {
            Some(expected) => expected.judge(&attempts),
            None => worst(&attempts),
        };
        Done {
            name: self.name.clone(),
            verdict,
            reason,
            attempts,
            seconds,
            unfinished: false,
        }
    }
}

impl Expected {
    fn judge(&self, attempts: &[Attempt]) -> (Verdict, String) {
        let caught = attempts
            .iter()
            .position(|attempt| self.is_met_by(&attempt.findings));
        if let Some(at) = caught {
            let found = &attempts[at].findings;
            let tries = at + 1;
            return (
                Verdict::Valid,
                format!("caught at try {tries}: {}", found.join(", ")),
            );
        }
        let others: Vec<_> = attempts
            .iter()
            .filter(|attempt| attempt.verdict != Verdict::Valid)
            .map(|attempt| format!("{}: {}", attempt.verdict, attempt.reason))
            .collect();
        let told = match others.first() {
            Some(first) => format!("; one of {} tries ended otherwise ({first})", attempts.len()),
            None => format!("; {} tries passed", attempts.len()),
        };
        let defect = &self.defect;
        (
            Verdict::HarnessFailure,
            format!("the harness is blind: {defect} was not found{told}"),
        )
    }
}

fn worst(attempts: &[Attempt]) -> (Verdict, String) {
    let Some(worst) = attempts.iter().reduce(|worst, attempt| {
        if attempt.verdict > worst.verdict {
            attempt
        } else {
            worst
        }
    }) else {
        return (Verdict::NotExercised, "it was not tried".into());
    };
    let alike = attempts
        .iter()
        .filter(|attempt| attempt.verdict == worst.verdict)
        .count();
    let reason = match attempts.len() {
        1 => worst.reason.clone(),
        all => format!("{alike} of {all} attempts: {}", worst.reason),
    };
    (worst.verdict, reason)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn cell(name: &str, canary: Option<&str>) -> Cell {
        Cell {
            name: name.into(),
            group: name.split(" seed").next().unwrap_or_default().into(),
            kind: Kind::Run,
            target: "raft".into(),
            tries: vec![vec!["run".into(), "raft".into()]],
            load_ms: 10_000,
            canary: canary.map(|defect| Expected {
                defect: defect.into(),
                simulated: false,
                findings: vec!["stale read".into()],
            }),
        }
    }

    pub(crate) fn attempt(verdict: Verdict, finding: &str) -> Attempt {
        Attempt {
            verdict,
            reason: format!("because {finding}"),
            findings: vec![finding.to_owned()],
            command: "partita run raft --seed 7".into(),
            run: Some("runs/a".into()),
            ok_per_second: 388.0,
            ..Attempt::default()
        }
    }

    #[test]
    fn a_retry_never_hides_a_failure() {
        let done = cell("a", None).judge(
            vec![
                attempt(Verdict::Invalid, "stale read"),
                attempt(Verdict::Valid, ""),
            ],
            1.0,
        );
        assert_eq!(
            (done.verdict, done.reason.as_str()),
            (Verdict::Invalid, "1 of 2 attempts: because stale read")
        );
        assert_eq!(done.attempts.len(), 2);
        assert_eq!(
            cell("a", None).judge(Vec::new(), 0.0).verdict,
            Verdict::NotExercised
        );
    }

    #[test]
    fn a_canary_that_passes_says_that_the_harness_is_blind() {
        let canary = cell("c", Some("stale-reads"));
        let blind = canary.judge(vec![attempt(Verdict::Valid, "")], 1.0);
        assert_eq!(blind.verdict, Verdict::HarnessFailure);
        assert_eq!(
            blind.reason,
            "the harness is blind: stale-reads was not found; 1 tries passed"
        );
        let caught = canary.judge(
            vec![
                attempt(Verdict::Valid, ""),
                attempt(Verdict::Invalid, "stale read"),
            ],
            1.0,
        );
        assert_eq!(
            (caught.verdict, caught.reason.as_str()),
            (Verdict::Valid, "caught at try 2: stale read")
        );
        // That something else was found is no proof that this would have been.
        let other = canary.judge(vec![attempt(Verdict::Invalid, "no recovery")], 1.0);
        assert_eq!(other.verdict, Verdict::HarnessFailure);
        assert!(
            other.reason.contains("invalid: because no recovery"),
            "{}",
            other.reason
        );
    }
}
