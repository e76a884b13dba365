//! What is known of a side.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context;
use partita_checker::Verdict;
use partita_history::{History, Outcome, jsonl};
use partita_reports::run::Summary;

use crate::child;
use crate::matrix::night::Place;

const THROUGHPUT: &str = "ok operations a second";
const MEDIAN: &str = "median latency, ms";
const TAIL: &str = "99th percentile of latency, ms";
const GAP: &str = "longest time without an answer, ms";

/// One side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    pub(crate) name: String,
    /// How often each verdict was given.
    pub(crate) verdicts: BTreeMap<String, u64>,
    /// Trials, and those in which something was found.
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
        self.trials += 1;
        self.found += u64::from(verdict == Verdict::Invalid);
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
        let history = read_history(&outcome.run_dir)?;
        self.measured(THROUGHPUT, key, outcome.rate.ok);
        let mut latencies = latencies(&history, |_| true);
        if let Some((median, tail)) = quantiles(&mut latencies) {
            self.measured(MEDIAN, key, median);
            self.measured(TAIL, key, tail);
        }
        self.measured(GAP, key, longest_gap_ms(&history));
        Ok(())
    }

    /// One run that was recorded: a pair for every second, as the same plan does the same at the same time.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) fn of_run(directory: &Path) -> anyhow::Result<Side> {
        let path = directory.join("verdict.json");
        let about = || format!("`{}`", path.display());
        let text = std::fs::read_to_string(&path).with_context(about)?;
        let summary: Summary = serde_json::from_str(&text).with_context(about)?;
        let history = read_history(directory)?;
        let mut side = Side::new(&directory.display().to_string());
        side.judged(summary.verdict);
        let last = history.operations().map(|operation| operation.invoked.time).max();
        // The last second is not whole.
        for second in 0..last.unwrap_or(0) / 1_000_000_000 {
            let key = format!("second {second:06}");
            let mut in_it = latencies(&history, |time| time / 1_000_000_000 == second);
            side.measured(THROUGHPUT, &key, in_it.len() as f64);
            if let Some((median, tail)) = quantiles(&mut in_it) {
                side.measured(MEDIAN, &key, median);
                side.measured(TAIL, &key, tail);
            }
        }
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
    let path = directory.join("history.jsonl");
    let about = || format!("`{}`", path.display());
    let file = File::open(&path).with_context(about)?;
    jsonl::read(BufReader::new(file), true).with_context(about)
}

/// How long operations took that ended ok, of those that began at a time that is wanted, in milliseconds.
fn latencies(history: &History, wanted: impl Fn(u64) -> bool) -> Vec<f64> {
    let ok = history
        .operations()
        .filter(|operation| operation.outcome == Outcome::Ok);
    let ok = ok.filter(|operation| wanted(operation.invoked.time));
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

/// The longest time in which nothing ended ok.
fn longest_gap_ms(history: &History) -> f64 {
    let ok = history
        .operations()
        .filter(|operation| operation.outcome == Outcome::Ok);
    let mut times: Vec<u64> = ok
        .filter_map(|operation| Some(operation.completed?.time))
        .collect();
    times.sort_unstable();
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.max().unwrap_or(0) as f64 / 1e6
}
