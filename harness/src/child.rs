//! Runs as processes of their own, as each needs namespaces of its own; and if one breaks, the others do not.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::getppid;
use partita_checker::Verdict;
use partita_reports::run::{FaultCount, Outcomes, Rate};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cli::terminal::STEP_SUMMARY;
use crate::plan::Plan;

/// How long a run may take beside its load and its checker: to start, to recover, to be reported.
const BESIDE_LOAD: Duration = Duration::from_secs(180);
/// How long the checker of a run may take that does not say so.
const CHECKER_TIME: Duration = Duration::from_secs(60);
/// How much of what a child complained of is told, in bytes.
const COMPLAINT_BYTES_MAX: usize = 4_000;

/// How a run ended that somebody broke off.
pub(crate) const INTERRUPTED: &str = "interrupted";

/// What is of interest in the JSON of `partita run`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) reason: String,
    pub(crate) anomalies: Vec<Anomaly>,
    pub(crate) checks: Vec<Check>,
    pub(crate) ended: String,
    pub(crate) duration_ms: u64,
    pub(crate) ops: BTreeMap<String, Outcomes>,
    pub(crate) rate: Rate,
    pub(crate) faults: BTreeMap<String, FaultCount>,
    pub(crate) run_dir: PathBuf,
    pub(crate) command: String,
}

/// A violation, as far as its kind is concerned.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Anomaly {
    pub(crate) name: String,
}

/// What one checker said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Check {
    pub(crate) checker: String,
    pub(crate) verdict: Verdict,
}

/// What can be found by looking at the nodes: properties of safety, whatever a bug is expected to show clients.
pub(crate) const FOUND_BY_NODES: [&str; 2] = ["replicas disagree", "two leaders in one term"];

impl Check {
    /// The name of what was found by looking at the nodes, and not at what clients saw.
    fn found(&self) -> Option<&'static str> {
        match self.checker.as_str() {
            _ if self.verdict != Verdict::Invalid => None,
            "replicas" => Some(FOUND_BY_NODES[0]),
            "leaders" => Some(FOUND_BY_NODES[1]),
            _ => None,
        }
    }
}

impl Outcome {
    /// What was found, by name; in a violation without an anomaly, such as a node that ended by itself, in words.
    pub(crate) fn findings(&self) -> Vec<String> {
        if self.verdict != Verdict::Invalid {
            return Vec::new();
        }
        let names = self.anomalies.iter().map(|anomaly| anomaly.name.clone());
        let by_nodes = self.checks.iter().filter_map(Check::found).map(str::to_owned);
        let mut names: Vec<_> = names.chain(by_nodes).collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            names.push(self.reason.clone());
        }
        names
    }
}

/// This program again. It ends when we do, even if we are killed.
pub(crate) fn partita() -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("our own program can't be found")?;
    let mut command = Command::new(program);
    command.args(["--with-parent", &std::process::id().to_string()]);
    // Who starts many runs sums them up.
    command.env_remove(STEP_SUMMARY);
    Ok(command)
}

/// How long something with so much time for its load, and the defaults for all else, may take in all.
pub(crate) fn patience(load: Duration) -> Duration {
    load.saturating_mul(2)
        .saturating_add(BESIDE_LOAD)
        .saturating_add(CHECKER_TIME)
}

/// How long a run of this plan may take in all.
pub(crate) fn patience_with(plan: &Plan) -> Duration {
    let its_own = plan.checker_time_ms.saturating_add(plan.operation_timeout_ms);
    plan.time_limit()
        .saturating_mul(2)
        .saturating_add(BESIDE_LOAD)
        .saturating_add(Duration::from_millis(its_own))
}

/// Runs a command that prints one JSON object. The calling thread must live as long as the child, which would end
/// with it.
///
/// # Errors
/// When it can't be started, is not done in time (it is then killed), or prints anything else: then with what it
/// complained of.
pub(crate) fn json<T: DeserializeOwned>(mut command: Command, patience: Duration) -> anyhow::Result<T> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("the run can't be started")?;
    let (done, results) = channel();
    let pipes: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|pipe| Box::new(pipe) as _),
        child.stderr.take().map(|pipe| Box::new(pipe) as _),
    ];
    for (number, pipe) in pipes.into_iter().enumerate() {
        let done = done.clone();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What could be read until it broke is all there is.
            let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
            // Who waited may have given up.
            let _ = done.send((number, bytes));
        });
    }
    drop(done);
    let mut printed: [Vec<u8>; 2] = Default::default();
    let deadline = std::time::Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        match results.recv_timeout(left) {
            Ok((number, bytes)) => printed[number] = bytes,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                child
                    .kill()
                    .and_then(|()| child.wait())
                    .context("it hangs, and can't be killed")?;
                bail!("was not done after {} s, and was killed", patience.as_secs());
            }
        }
    }
    let status = child.wait().context("nobody can say how it ended")?;
    let [out, complaint] = printed;
    serde_json::from_slice(&out).map_err(|_| {
        let complaint = String::from_utf8_lossy(&complaint);
        let complaint = complaint.trim();
        let from = complaint.ceil_char_boundary(complaint.len().saturating_sub(COMPLAINT_BYTES_MAX));
        anyhow::anyhow!("{status}: {}", &complaint[from..])
    })
}

/// Has this process killed when its parent ends.
pub(crate) fn end_with(parent: i32) {
    let asked = prctl::set_pdeathsig(Signal::SIGKILL);
    // It may have ended before that took effect.
    if asked.is_err() || getppid().as_raw() != parent {
        std::process::exit(128 + Signal::SIGKILL as i32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checker_with_much_time_is_waited_for() {
        let mut plan = crate::plan::tests::plan("none");
        (plan.time_limit_ms, plan.operation_timeout_ms) = (30_000, 2_000);
        plan.checker_time_ms = 600_000;
        assert_eq!(patience_with(&plan), Duration::from_secs(60 + 180 + 600 + 2));
    }
}
