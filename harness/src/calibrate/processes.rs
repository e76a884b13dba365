//! Trials in real processes: each is a `partita run` of its own, as each needs namespaces of its own.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use partita_checker::Verdict;

use super::trial::Trial;
use crate::child::{self, Outcome};

/// What one run is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) protocol: &'a str,
    pub(crate) defect: Option<&'a str>,
    /// The first that the target can serve if none is given.
    pub(crate) workload: Option<&'a str>,
    pub(crate) faults: &'a str,
    pub(crate) nodes: usize,
    pub(crate) time_limit: Duration,
    pub(crate) seed: u64,
    pub(crate) runs_dir: &'a Path,
}

/// Runs it, until the first violation or to its end.
pub(crate) fn run(run: Run<'_>) -> anyhow::Result<Trial> {
    let mut command = child::partita()?;
    command
        .args(["run", run.protocol, "--nemesis", run.faults])
        .args(["--nodes", &run.nodes.to_string()])
        .args(["--time-limit", &format!("{}s", run.time_limit.as_secs())])
        .args(["--seed", &run.seed.to_string()])
        .args(["--on-violation", "stop", "--json", "--quiet", "--runs-dir"])
        .arg(run.runs_dir);
    if let Some(defect) = run.defect {
        command.args(["--defect", defect]);
    }
    if let Some(workload) = run.workload {
        command.args(["--workload", workload]);
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
