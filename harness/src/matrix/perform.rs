//! Carries a cell out.

use std::path::Path;
use std::time::{Duration, Instant};

use partita_checker::Verdict;
use serde::Deserialize;

use super::cell::{Attempt, Cell, Done, Kind};
use crate::child::{self, INTERRUPTED, Outcome};
use crate::cli::units;
use crate::plan::quoted;
use crate::run::directory;

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

/// Does what the cell says; none if somebody broke it off before anything came of it.
///
/// What failed is tried again as often as that is asked for, to tell how often it fails; `keep` hears of it before,
/// and `before` is what it heard of a cell that was broken off then. A canary is tried until it is caught.
pub(crate) fn perform(
    cell: &Cell,
    runs: &Path,
    retries: u32,
    before: Option<Done>,
    keep: &dyn Fn(Done),
) -> Option<Done> {
    let began = Instant::now();
    let (mut attempts, spent) = before.map_or((Vec::new(), 0.0), |it| (it.attempts, it.seconds));
    let judge = |attempts: &[Attempt], unfinished: bool| Done {
        unfinished,
        ..cell.judge(attempts.to_vec(), spent + began.elapsed().as_secs_f64())
    };
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
        let whole = try_again(
            &mut attempts,
            retries,
            || attempt(cell, words, runs),
            |so_far| {
                keep(judge(so_far, true));
            },
        );
        if !whole {
            return (!attempts.is_empty()).then(|| judge(&attempts, true));
        }
    }
    Some(judge(&attempts, false))
}

/// Tries once, and once more for each retry while anything failed. Whoever is killed in a retry must not forget what
/// made it necessary, so that is told before. False if a try was broken off.
fn try_again(
    attempts: &mut Vec<Attempt>,
    retries: u32,
    mut attempt: impl FnMut() -> Option<Attempt>,
    failed: impl Fn(&[Attempt]),
) -> bool {
    while attempts.len() <= retries as usize {
        if !attempts.is_empty() {
            if attempts.iter().all(|attempt| attempt.verdict == Verdict::Valid) {
                break;
            }
            failed(attempts);
        }
        match attempt() {
            Some(it) => attempts.push(it),
            None => return false,
        }
    }
    true
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

fn run(cell: &Cell, words: &[String], runs: &Path) -> anyhow::Result<Option<Attempt>> {
    let mut child = child::partita()?;
    child
        .args(words)
        .args(["--json", "--quiet", "--runs-dir"])
        .arg(runs);
    let plan = crate::cli::run::plan(words)?;
    let outcome: Outcome = child::json(child, child::patience_with(&plan))?;
    // What was found until then was found.
    if outcome.ended == INTERRUPTED && outcome.verdict != Verdict::Invalid {
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
    let patience = child::patience(Duration::from_millis(cell.load_ms));
    let simulated: Simulated = child::json(child, patience)?;
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
            "{}, {:.0} cluster-seconds, nothing violated",
            units::counted(simulated.seeds, "seed"),
            simulated.cluster_seconds
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
    use std::cell::RefCell;

    use super::super::cell::tests::attempt;
    use super::*;

    #[test]
    fn a_failure_is_told_before_it_is_tried_again_and_outlives_a_retry_that_was_broken_off() {
        let told = RefCell::new(Vec::new());
        let tried = |before: Vec<Attempt>, results: Vec<Option<Verdict>>| {
            told.borrow_mut().clear();
            let (mut attempts, mut results) = (before, results.into_iter());
            let whole = try_again(
                &mut attempts,
                2,
                || results.next().unwrap().map(|verdict| attempt(verdict, "")),
                |so_far| told.borrow_mut().push(so_far.len()),
            );
            assert_eq!(results.next(), None, "all are asked for");
            let verdicts: Vec<_> = attempts.iter().map(|attempt| attempt.verdict).collect();
            (whole, verdicts)
        };
        let (red, green) = (Verdict::Invalid, Verdict::Valid);
        assert_eq!(tried(vec![], vec![Some(green)]), (true, vec![green]));
        assert!(told.borrow().is_empty());
        assert_eq!(tried(vec![], vec![None]), (false, vec![]));
        assert_eq!(tried(vec![], vec![Some(red), None]), (false, vec![red]));
        assert_eq!(*told.borrow(), [1]);
        let all = vec![Some(red), Some(green), Some(green)];
        assert_eq!(tried(vec![], all), (true, vec![red, green, green]));
        assert_eq!(*told.borrow(), [1, 2]);
        let before = vec![attempt(red, "")];
        assert_eq!(
            tried(before, vec![Some(green), Some(green)]),
            (true, vec![red, green, green])
        );
    }

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
