//! What of a failed run is really needed to see it fail: which faults, how many nodes, clients, operations, how much
//! time.
//!
//! Real processes have a will of their own, so a smaller plan is tried several times, and counts as failing if it fails
//! alike once: with an anomaly, if the run had one. What is left in the end is run more often, to say how
//! often it fails.
//!
//! - [`fn@shrink`]: the search.
//! - [`steps`]: plans with a little less in them.
//! - [`history`]: the few operations of a history that contradict each other.

pub(crate) mod history;
mod steps;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use partita_checker::Verdict;

use crate::calibrate::interval::wilson;
use crate::child::{self, INTERRUPTED, Outcome};
use crate::plan::{OnViolation, Plan, quoted};

/// How a plan is tried.
pub(crate) struct Trials {
    /// Did clients see what was wrong? Else it was that nodes ended, or that the cluster did not recover.
    pub(crate) seen_by_clients: bool,
    /// Where run directories are made.
    pub(crate) runs_dir: PathBuf,
    /// How often a smaller plan is tried before it counts as not failing.
    pub(crate) tries: u64,
    /// How often what is left is run in the end.
    pub(crate) final_runs: u64,
    /// Nothing smaller is tried after this time.
    pub(crate) time_budget: Duration,
}

/// What is left.
pub(crate) struct Shrunk {
    pub(crate) plan: Plan,
    /// How often it failed alike.
    pub(crate) hits: u64,
    /// Of so many runs, none of which had a part in the search.
    pub(crate) runs: u64,
}

/// What goes on, for who waits.
pub(crate) enum Progress<'a> {
    /// Something smaller was tried: what was changed, and at which try it failed alike, if it did.
    Tried(&'a str, Option<u64>),
    /// What is left is run again and again.
    Final(u64, u64, bool),
    /// There was no time for more.
    OutOfTime,
    /// A run came to no verdict.
    Broke(&'a anyhow::Error),
}

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Progress::Tried(what, Some(number)) => write!(f, "{what}: fails alike, at try {number}"),
            Progress::Tried(what, None) => write!(f, "{what}: does not fail"),
            Progress::Final(number, of, true) => write!(f, "what is left, run {number} of {of}: fails"),
            Progress::Final(number, of, false) => {
                write!(f, "what is left, run {number} of {of}: does not fail")
            }
            Progress::Broke(error) => {
                write!(f, "a run broke, so nothing smaller is looked for: {error:#}")
            }
            Progress::OutOfTime => write!(f, "the time is over; what was found so far is told"),
        }
    }
}

impl Shrunk {
    /// The chance that a run fails alike, from and to, with 95 % confidence.
    pub(crate) fn interval(&self) -> (f64, f64) {
        wilson(self.hits, self.runs)
    }

    /// For a program.
    pub(crate) fn json(&self, before: &Plan, file: &Path) -> serde_json::Value {
        let size = |plan: &Plan| {
            serde_json::json!({
                "faults": plan.faults.len(),
                "nodes": plan.nodes.len(),
                "concurrency": plan.concurrency,
                "rate": plan.rate,
                "time_limit_ms": plan.time_limit_ms,
            })
        };
        serde_json::json!({
            "format": partita_reports::run::FORMAT,
            "before": size(before),
            "after": size(&self.plan),
            "hits": self.hits,
            "runs": self.runs,
            "interval": self.interval(),
            "file": file,
            "command": format!("partita run --plan {}", quoted(&file.display().to_string())),
        })
    }
}

struct Search<'a> {
    trials: &'a Trials,
    tell: &'a dyn Fn(Progress<'_>),
    deadline: Option<Instant>,
    best: Plan,
    /// When the violation of the best plan was certain, in milliseconds.
    violated_ms: u64,
}

/// Looks for a smaller plan that fails alike; nothing if the plan itself does not fail again. A run that breaks later
/// ends the search, but what was found until then is kept.
///
/// # Errors
/// When a run ends without a verdict before the plan has failed again.
pub(crate) fn shrink(
    plan: &Plan,
    trials: &Trials,
    tell: &dyn Fn(Progress<'_>),
) -> anyhow::Result<Option<Shrunk>> {
    let mut search = Search {
        trials,
        tell,
        deadline: Instant::now().checked_add(trials.time_budget),
        best: plan.clone(),
        violated_ms: plan.time_limit_ms,
    };
    let mut first = plan.clone();
    first.on_violation = OnViolation::Stop;
    if !search.improves("the run as it was", first)? {
        return Ok(None);
    }
    if let Err(error) = search.look() {
        tell(Progress::Broke(&error));
    }
    let (mut hits, mut runs) = (0, 0);
    for number in 1..=trials.final_runs {
        match search.fails(&search.best) {
            Ok(violated) => {
                runs += 1;
                hits += u64::from(violated.is_some());
                tell(Progress::Final(number, trials.final_runs, violated.is_some()));
            }
            Err(error) => {
                tell(Progress::Broke(&error));
                break;
            }
        }
    }
    Ok(Some(Shrunk {
        plan: search.best,
        hits,
        runs,
    }))
}

/// When the violation was seen, in milliseconds, if a run failed alike: with an anomaly, if clients saw one.
///
/// An anomaly's name depends on who happened to see it: a lost write may be a stale read the next time.
fn violated_ms(outcome: &Outcome, seen_by_clients: bool) -> anyhow::Result<Option<u64>> {
    // That nothing was found by what did not look says nothing.
    if outcome.verdict == Verdict::HarnessFailure {
        bail!("the harness failed: {}", outcome.reason);
    }
    let alike = outcome.verdict == Verdict::Invalid && outcome.anomalies.is_empty() != seen_by_clients;
    if !alike && outcome.ended == INTERRUPTED {
        bail!("it was interrupted");
    }
    Ok(alike.then_some(outcome.duration_ms))
}

impl Search<'_> {
    /// Tries one thing after another.
    fn look(&mut self) -> anyhow::Result<()> {
        let violated_ms = self.violated_ms;
        self.change("less time", |plan| steps::end_after(plan, violated_ms))?;
        self.leave_out()?;
        for nodes in [3, 4] {
            if self.best.nodes.len() > nodes
                && self.change(&format!("{nodes} nodes"), |plan| steps::with_nodes(plan, nodes))?
            {
                break;
            }
        }
        while self.best.concurrency > 1
            && self.change("half the clients", |plan| {
                plan.concurrency = plan.concurrency.div_ceil(2)
            })?
        {}
        while self.best.rate > steps::RATE_MIN
            && self.change("half the operations", |plan| {
                plan.rate = (plan.rate / 2.0).max(steps::RATE_MIN)
            })?
        {}
        // With the last violation earlier, later faults may be over.
        let violated_ms = self.violated_ms;
        self.change("less time", |plan| steps::end_after(plan, violated_ms))?;
        Ok(())
    }

    fn is_out_of_time(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn change(&mut self, what: &str, change: impl FnOnce(&mut Plan)) -> anyhow::Result<bool> {
        let mut candidate = self.best.clone();
        change(&mut candidate);
        steps::name_faults(&mut candidate);
        if candidate == self.best {
            return Ok(false);
        }
        // A step that can't be, such as a shape of fault that few nodes don't have, is no step.
        if candidate.check().is_err() {
            return Ok(false);
        }
        if self.is_out_of_time() {
            (self.tell)(Progress::OutOfTime);
            return Ok(false);
        }
        self.improves(what, candidate)
    }

    /// Leaves out faults: larger parts first (delta debugging).
    fn leave_out(&mut self) -> anyhow::Result<()> {
        let mut size = self.best.faults.len();
        while size > 0 {
            let mut start = 0;
            while start < self.best.faults.len() {
                let end = self.best.faults.len().min(start + size);
                let what = format!("without {} of {} faults", end - start, self.best.faults.len());
                let left_out = self.change(&what, |plan| {
                    plan.faults.drain(start..end);
                })?;
                if !left_out {
                    start += size;
                }
            }
            size /= 2;
        }
        Ok(())
    }

    /// Does it fail alike within the tries? If so it is the best so far.
    fn improves(&mut self, what: &str, candidate: Plan) -> anyhow::Result<bool> {
        for number in 1..=self.trials.tries {
            if let Some(violated_ms) = self.fails(&candidate)? {
                (self.tell)(Progress::Tried(what, Some(number)));
                self.best = candidate;
                self.violated_ms = violated_ms;
                return Ok(true);
            }
        }
        (self.tell)(Progress::Tried(what, None));
        Ok(false)
    }

    /// Runs the plan once. When its violation was seen, in milliseconds, if it failed alike.
    fn fails(&self, plan: &Plan) -> anyhow::Result<Option<u64>> {
        let runs_dir = &self.trials.runs_dir;
        let cannot = || format!("`{}` can't be written", runs_dir.display());
        std::fs::create_dir_all(runs_dir).with_context(cannot)?;
        // Others may make something smaller in the same place.
        let file = runs_dir.join(format!(".candidate-{}.toml", std::process::id()));
        std::fs::write(&file, toml::to_string(plan)?).with_context(cannot)?;
        let mut command = child::partita()?;
        command.args(["run", "--json", "--quiet", "--plan"]).arg(&file);
        command.arg("--runs-dir").arg(runs_dir);
        let outcome: anyhow::Result<Outcome> = child::json(command, child::patience_with(plan));
        std::fs::remove_file(&file).with_context(cannot)?;
        violated_ms(&outcome?, self.trials.seen_by_clients)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::Anomaly;

    #[test]
    fn a_run_that_broke_is_not_one_that_does_not_fail() {
        let outcome = |verdict, ended: &str, names: &[&str]| Outcome {
            verdict,
            ended: ended.into(),
            duration_ms: 7,
            anomalies: names
                .iter()
                .map(|name| Anomaly { name: (*name).into() })
                .collect(),
            ..Outcome::default()
        };
        let seen = |verdict, ended, names: &[&str]| violated_ms(&outcome(verdict, ended, names), true);
        assert_eq!(seen(Verdict::Invalid, "violation", &["cycle"]).unwrap(), Some(7));
        assert_eq!(seen(Verdict::Invalid, INTERRUPTED, &["cycle"]).unwrap(), Some(7));
        assert_eq!(seen(Verdict::Invalid, "time limit", &[]).unwrap(), None);
        assert_eq!(seen(Verdict::Valid, "time limit", &[]).unwrap(), None);
        assert!(seen(Verdict::HarnessFailure, "", &[]).is_err());
        assert!(seen(Verdict::NotExercised, INTERRUPTED, &[]).is_err());
    }
}
