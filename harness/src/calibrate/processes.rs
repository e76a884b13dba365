//! Trials in real processes: each is a `partita run` of its own, as each needs namespaces of its own.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::trial::Trial;

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

/// What of the run's JSON is of interest here.
#[derive(Deserialize)]
struct Outcome {
    verdict: String,
    reason: String,
    anomalies: Vec<Anomaly>,
    checks: Vec<Check>,
    duration_ms: u64,
}

#[derive(Deserialize)]
struct Check {
    checker: String,
    verdict: String,
}

impl Check {
    /// The name of what was found by looking at the nodes, and not at what clients saw.
    fn found(&self) -> Option<&'static str> {
        match self.checker.as_str() {
            _ if self.verdict != "invalid" => None,
            "replicas" => Some("replicas disagree"),
            "leaders" => Some("two leaders in one term"),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct Anomaly {
    name: String,
}

/// Runs it, until the first violation or to its end.
pub(crate) fn run(run: Run<'_>) -> anyhow::Result<Trial> {
    let program = std::env::current_exe().context("our own program can't be found")?;
    let mut command = Command::new(program);
    command
        .args(["run", run.protocol, "--nemesis", run.faults])
        .args(["--nodes", &run.nodes.to_string()])
        .args(["--time-limit", &format!("{}s", run.time_limit.as_secs())])
        .args(["--seed", &run.seed.to_string()])
        .args(["--on-violation", "stop", "--json", "--quiet", "--runs-dir"])
        .arg(run.runs_dir)
        .stdin(Stdio::null());
    if let Some(defect) = run.defect {
        command.args(["--defect", defect]);
    }
    if let Some(workload) = run.workload {
        command.args(["--workload", workload]);
    }
    let output = command.output().context("the run can't be started")?;
    let outcome: Outcome = serde_json::from_slice(&output.stdout).with_context(|| {
        let log = String::from_utf8_lossy(&output.stderr);
        format!("the run with seed {} said: {}", run.seed, log.trim())
    })?;
    let found = match outcome.verdict.as_str() {
        "invalid" => {
            let mut names: Vec<_> = outcome
                .anomalies
                .into_iter()
                .map(|anomaly| anomaly.name)
                .chain(outcome.checks.iter().filter_map(Check::found).map(str::to_owned))
                .collect();
            names.sort();
            names.dedup();
            // Such as a node that ended by itself, or a cluster that did not recover.
            if names.is_empty() {
                names.push(outcome.reason);
            }
            names
        }
        "valid" | "not-exercised" => Vec::new(),
        other => bail!("the run with seed {} ended {other}: {}", run.seed, outcome.reason),
    };
    Ok(Trial {
        found,
        seconds: outcome.duration_ms as f64 / 1000.0,
    })
}
