//! What is known of a side.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use partita_checker::Verdict;
use partita_history::{History, Outcome};
use partita_reports::run::Summary;
use serde::Deserialize;

use crate::child;
use crate::matrix::night::Place;

const THROUGHPUT: &str = "ok operations a second";
const MEDIAN: &str = "median latency, ms";
const TAIL: &str = "99th percentile of latency, ms";
const GAP: &str = "longest time without an answer, ms";
const LEADERLESS: &str = "longest time without a leader, ms";
const CHANGES: &str = "changes of leader";

/// One side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    pub(crate) name: String,
    /// How often each verdict was given.
    pub(crate) verdicts: BTreeMap<String, u64>,
    /// Trials that looked and could tell, and those in which something was found.
    pub(crate) trials: u64,
    pub(crate) found: u64,
    /// What was measured, by name, and by what it is to be compared with.
    pub(crate) measures: BTreeMap<&'static str, BTreeMap<String, f64>>,
}

impl Side {
    /// A side of which nothing is known yet.
    pub(crate) fn new(name: &str) -> Side {
        Side {
            name: name.to_owned(),
            ..Side::default()
        }
    }

    fn judged(&mut self, verdict: Verdict) {
        *self.verdicts.entry(verdict.to_string()).or_default() += 1;
        // Any other verdict says neither that something is there nor that nothing is.
        self.trials += u64::from([Verdict::Valid, Verdict::Invalid].contains(&verdict));
        self.found += u64::from(verdict == Verdict::Invalid);
    }

    /// Adds a run that came to nothing.
    pub(crate) fn add_broken(&mut self) {
        self.judged(Verdict::HarnessFailure);
    }

    fn measured(&mut self, name: &'static str, key: &str, value: f64) {
        self.measures
            .entry(name)
            .or_default()
            .insert(key.to_owned(), value);
    }

    /// Adds a run that was just done: one pair, of those with the same seed.
    ///
    /// # Errors
    /// When its history can't be read.
    pub(crate) fn add_run(&mut self, key: &str, outcome: &child::Outcome) -> anyhow::Result<()> {
        self.judged(outcome.verdict);
        // It may have broken before it had a history.
        if outcome.verdict == Verdict::HarnessFailure {
            return Ok(());
        }
        self.measure(key, &outcome.run_dir, outcome.rate.ok)
    }

    /// Adds what was measured while the load went on: recovery and the last reads are no part of it.
    fn measure(&mut self, key: &str, directory: &Path, ok_per_second: f64) -> anyhow::Result<()> {
        let history = read_history(directory)?;
        let load = Load::read(directory)?;
        let end = load_end(&history, load.time_limit_ms.saturating_mul(1_000_000));
        self.measured(THROUGHPUT, key, ok_per_second);
        if let Some((median, tail)) = quantiles(&mut latencies(&history, end)) {
            self.measured(MEDIAN, key, median);
            self.measured(TAIL, key, tail);
        }
        self.measured(GAP, key, longest_gap_ms(&history, end));
        if let Some(led) = partita_reports::leadership(directory, load.nodes.len(), end)? {
            self.measured(LEADERLESS, key, led.longest_without_ns as f64 / 1e6);
            self.measured(CHANGES, key, led.changes as f64);
        }
        Ok(())
    }

    /// One run that was recorded: a single pair. Its seconds follow from one another, so they are no pairs.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) fn of_run(directory: &Path) -> anyhow::Result<Side> {
        let path = directory.join("verdict.json");
        let about = || format!("`{}`", path.display());
        let text = std::fs::read_to_string(&path).with_context(about)?;
        let summary: Summary = serde_json::from_str(&text).with_context(about)?;
        let mut side = Side::new(&directory.display().to_string());
        side.judged(summary.verdict);
        side.measure("the run", directory, summary.rate.ok)?;
        Ok(side)
    }

    /// A night: a pair for every kind of cell, whatever its seeds.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) fn of_night(directory: &Path) -> anyhow::Result<Side> {
        let place = Place::read(directory)?;
        let mut side = Side::new(&directory.display().to_string());
        let mut rates: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (number, done) in &place.done {
            let cell = &place.night.cells[*number];
            if cell.canary.is_some() {
                continue;
            }
            side.judged(done.verdict);
            // A run that failed may have ended at any moment.
            if done.verdict == Verdict::Valid {
                let measured = done.attempts.iter().map(|attempt| attempt.ok_per_second);
                rates
                    .entry(&cell.group)
                    .or_default()
                    .extend(measured.filter(|rate| *rate > 0.0));
            }
        }
        for (group, rates) in rates.into_iter().filter(|(_, rates)| !rates.is_empty()) {
            let mean = rates.iter().sum::<f64>() / rates.len() as f64;
            side.measured(THROUGHPUT, group, mean);
        }
        Ok(side)
    }
}

fn read_history(directory: &Path) -> anyhow::Result<History> {
    partita_reports::history(directory)?.with_context(|| format!("`{}` has no history", directory.display()))
}

/// What of a plan is of interest here; another build's may have more in it than this one knows.
#[derive(Deserialize)]
struct Load {
    time_limit_ms: u64,
    nodes: Vec<String>,
}

impl Load {
    fn read(directory: &Path) -> anyhow::Result<Load> {
        let path = directory.join("plan.toml");
        let about = || format!("`{}`", path.display());
        let text = std::fs::read_to_string(&path).with_context(about)?;
        toml::from_str(&text).with_context(about)
    }
}

/// When the load ended: at its time limit, or with the last event where a violation ended the run.
fn load_end(history: &History, time_limit: u64) -> u64 {
    let last = history.operations().map(|operation| {
        let completed = operation.completed.map_or(0, |completed| completed.time);
        completed.max(operation.invoked.time)
    });
    time_limit.min(last.max().unwrap_or(time_limit))
}

/// How long operations took that ended ok, of those that began before this time, in milliseconds.
fn latencies(history: &History, end: u64) -> Vec<f64> {
    let ok = history
        .operations()
        .filter(|operation| operation.outcome == Outcome::Ok);
    let ok = ok.filter(|operation| operation.invoked.time < end);
    ok.filter_map(|operation| {
        let completed = operation.completed?;
        Some(completed.time.saturating_sub(operation.invoked.time) as f64 / 1e6)
    })
    .collect()
}

/// The median and the 99th percentile.
fn quantiles(values: &mut [f64]) -> Option<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let rank = (part * values.len() as f64).ceil() as usize;
        values.get(rank.max(1) - 1).copied()
    };
    Some((at(0.5)?, at(0.99)?))
}

/// The longest time in which nothing ended ok, from the beginning of the load to its end.
fn longest_gap_ms(history: &History, end: u64) -> f64 {
    let ok = history
        .operations()
        .filter(|operation| operation.outcome == Outcome::Ok);
    let mut times: Vec<u64> = ok
        .filter_map(|operation| Some(operation.completed?.time))
        .filter(|time| *time < end)
        .chain([0, end])
        .collect();
    times.sort_unstable();
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.max().unwrap_or(0) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use partita_history::{Event, EventType, OpEvent, Value};

    use super::*;

    /// Writes that are invoked at one time, in milliseconds, and end ok at another.
    fn history(writes: &[(u64, u64)]) -> History {
        let mut history = History::default();
        for &(invoked, completed) in writes {
            for (kind, ms) in [(EventType::Invoke, invoked), (EventType::Ok, completed)] {
                let event = OpEvent {
                    index: 0,
                    time: ms * 1_000_000,
                    process: 0,
                    kind,
                    f: "write".into(),
                    key: None,
                    value: Value::Null,
                    observed: None,
                    node: None,
                    error: None,
                };
                history.push(Event::Op(event)).unwrap();
            }
        }
        history
    }

    #[test]
    fn the_longest_time_without_an_answer_is_that_of_the_whole_load() {
        let ms = 1_000_000;
        assert_eq!(longest_gap_ms(&history(&[]), 5_000 * ms), 5_000.0);
        assert_eq!(longest_gap_ms(&history(&[(4_000, 4_500)]), 5_000 * ms), 4_500.0);
        // The last was a read after the recovery.
        let whole = history(&[(0, 100), (200, 300), (9_000, 9_100)]);
        let end = load_end(&whole, 5_000 * ms);
        assert_eq!((end, longest_gap_ms(&whole, end)), (5_000 * ms, 4_700.0));
        assert_eq!(latencies(&whole, end), [100.0, 100.0]);
        assert_eq!(load_end(&history(&[(0, 100)]), 5_000 * ms), 100 * ms);
    }

    #[test]
    fn what_broke_is_no_trial_and_needs_no_history() {
        let mut side = Side::new("a");
        let broken = child::Outcome {
            verdict: Verdict::HarnessFailure,
            ..child::Outcome::default()
        };
        side.add_run("seed 1", &broken).unwrap();
        side.add_broken();
        for verdict in [
            Verdict::Unknown,
            Verdict::NotExercised,
            Verdict::Valid,
            Verdict::Invalid,
        ] {
            side.judged(verdict);
        }
        assert_eq!((side.trials, side.found), (2, 1));
        assert_eq!(side.verdicts["harness failure"], 2);
    }
}
