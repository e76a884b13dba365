//! Carries a cell out.

use std::path::Path;
use std::time::{Duration, Instant};

use partita_checker::Verdict;
use serde::Deserialize;

use super::cell::{Attempt, Cell, Done, Kind};
use crate::child::{self, Outcome};
use crate::plan::quoted;
use crate::run::directory;

/// How a run ended that somebody broke off.
const INTERRUPTED: &str = "interrupted";

/// What is of interest in the JSON of `partita simulate`.
#[derive(Deserialize)]
struct Simulated {
    verdict: Verdict,
    seeds: u64,
    violations: Vec<Violation>,
    cluster_seconds: f64,
}

#[derive(Deserialize)]
struct Violation {
    seed: u64,
    property: String,
    what: String,
}

/// Does what the cell says; none if somebody broke it off, so that it is still to be done.
///
/// What failed is tried again as often as that is asked for, to tell how often it fails. A canary is tried until it
/// is caught.
pub(crate) fn perform(cell: &Cell, runs: &Path, retries: u32) -> Option<Done> {
    let began = Instant::now();
    let mut attempts = Vec::new();
    if let Some(expected) = &cell.canary {
        for words in &cell.tries {
            let attempt = attempt(cell, words, runs)?;
            let is_caught = expected.is_met_by(&attempt.findings);
            attempts.push(attempt);
            if is_caught {
                break;
            }
        }
    } else if let Some(words) = cell.tries.first() {
        attempts.push(attempt(cell, words, runs)?);
        for _ in 0..retries {
            if attempts.iter().all(|attempt| attempt.verdict == Verdict::Valid) {
                break;
            }
            attempts.push(attempt(cell, words, runs)?);
        }
    }
    Some(cell.judge(attempts, began.elapsed().as_secs_f64()))
}

/// The command that repeats an attempt.
fn command(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    format!("partita {}", words.join(" "))
}

fn attempt(cell: &Cell, words: &[String], runs: &Path) -> Option<Attempt> {
    let ended = match cell.kind {
        Kind::Run => run(cell, words, runs),
        Kind::Simulation => simulation(cell, words).map(Some),
    };
    ended.unwrap_or_else(|error| {
        Some(Attempt {
            verdict: Verdict::HarnessFailure,
            reason: format!("{error:#}"),
            command: command(words),
            ..Attempt::default()
        })
    })
}

fn patience(cell: &Cell) -> Duration {
    child::patience(Duration::from_millis(cell.load_ms))
}

fn run(cell: &Cell, words: &[String], runs: &Path) -> anyhow::Result<Option<Attempt>> {
    let mut child = child::partita()?;
    child
        .args(words)
        .args(["--json", "--quiet", "--runs-dir"])
        .arg(runs);
    let outcome: Outcome = child::json(child, patience(cell))?;
    if outcome.ended == INTERRUPTED {
        return Ok(None);
    }
    // What nodes stored is of use where a bug is to be found, and is much.
    if cell.canary.is_some() || outcome.verdict == Verdict::NotExercised {
        directory::remove_data(&outcome.run_dir)?;
    }
    let name = outcome.run_dir.file_name();
    Ok(Some(Attempt {
        verdict: outcome.verdict,
        findings: outcome.findings(),
        command: if outcome.command.is_empty() {
            command(words)
        } else {
            outcome.command
        },
        run: name.map(|name| Path::new("runs").join(name)),
        reason: outcome.reason,
        ok_per_second: outcome.rate.ok,
        operations: outcome.ops,
        faults: outcome.faults,
        seeds: 0,
    }))
}

fn simulation(cell: &Cell, words: &[String]) -> anyhow::Result<Attempt> {
    let mut child = child::partita()?;
    child.args(words).args(["--json", "--quiet"]);
    let simulated: Simulated = child::json(child, patience(cell))?;
    let mut findings: Vec<_> = simulated
        .violations
        .iter()
        .map(|violation| violation.property.clone())
        .collect();
    findings.sort();
    findings.dedup();
    let reason = match simulated.violations.first() {
        Some(first) => format!(
            "{} of {} seeds: seed {}: {} violated: {}",
            simulated.violations.len(),
            simulated.seeds,
            first.seed,
            first.property,
            first.what
        ),
        None => format!(
            "{} seeds, {:.0} cluster-seconds, nothing violated",
            simulated.seeds, simulated.cluster_seconds
        ),
    };
    let command = match simulated.violations.first() {
        Some(first) => of_seed(words, first.seed),
        None => command(words),
    };
    Ok(Attempt {
        verdict: simulated.verdict,
        reason,
        findings,
        command,
        seeds: simulated.seeds,
        ..Attempt::default()
    })
}

/// The command that repeats one seed of many.
fn of_seed(words: &[String], seed: u64) -> String {
    let mut kept = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if ["--seeds", "--first"].contains(&word.as_str()) {
            words.next();
        } else {
            kept.push(word.clone());
        }
    }
    kept.extend(["--seed".to_owned(), seed.to_string()]);
    command(&kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_many_seeds_is_repeated_by_itself() {
        let line = "simulate raft --seeds 400 --first 7 --defect early-acks";
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        assert_eq!(
            of_seed(&words, 9),
            "partita simulate raft --defect early-acks --seed 9"
        );
        assert_eq!(command(&words), format!("partita {line}"));
    }
}
