//! Trials in real processes: each is a `partita run` of its own, as each needs namespaces of its own.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use partita_checker::Verdict;

use super::aimed::Aimed;
use super::trial::Trial;
use crate::child::{self, Outcome};

/// What goes wrong in a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Faults<'a> {
    /// Faults of these names, drawn by lot.
    Named(&'a str),
    /// What was thought out for one bug.
    Aimed(Aimed),
}

/// What one run is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) protocol: &'a str,
    pub(crate) defect: Option<&'a str>,
    /// The first that the target can serve if none is given.
    pub(crate) workload: Option<&'a str>,
    pub(crate) faults: Faults<'a>,
    pub(crate) nodes: usize,
    pub(crate) time_limit: Duration,
    pub(crate) seed: u64,
    pub(crate) runs_dir: &'a Path,
}

/// Runs it, until the first violation or to its end.
pub(crate) fn run(run: Run<'_>) -> anyhow::Result<Trial> {
    let mut command = child::partita()?;
    command
        .args(["run", run.protocol])
        .args(["--time-limit", &format!("{}s", run.time_limit.as_secs())])
        .args(["--seed", &run.seed.to_string()])
        .args(["--on-violation", "stop", "--json", "--quiet", "--runs-dir"])
        .arg(run.runs_dir);
    if let Some(defect) = run.defect {
        command.args(["--defect", defect]);
    }
    match run.faults {
        Faults::Named(names) => {
            command.args(["--nemesis", names, "--nodes", &run.nodes.to_string()]);
            if let Some(workload) = run.workload {
                command.args(["--workload", workload]);
            }
        }
        Faults::Aimed(aimed) => {
            let schedule = run
                .runs_dir
                .join(format!("{}-{}.toml", aimed.protocol, aimed.defect));
            fs::write(&schedule, aimed.text)
                .with_context(|| format!("failed to write {}", schedule.display()))?;
            command.args(aimed.options()).arg("--schedule").arg(schedule);
        }
    }
    let outcome: Outcome = child::json(command, child::patience(run.time_limit))
        .with_context(|| format!("the run with seed {}", run.seed))?;
    let found = match outcome.verdict {
        Verdict::Invalid => outcome.findings(),
        Verdict::Valid | Verdict::NotExercised => Vec::new(),
        Verdict::Unknown | Verdict::HarnessFailure => bail!(
            "the run with seed {} ended {}: {}",
            run.seed,
            outcome.verdict,
            outcome.reason
        ),
    };
    Ok(Trial {
        found,
        seconds: outcome.duration_ms as f64 / 1000.0,
    })
}
