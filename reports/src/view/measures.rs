//! Numbers that people who run services ask for.

use std::collections::BTreeMap;

use partita_history::{History, Outcome};
use serde::Serialize;

use super::quorum::{self, Quorum};
use super::seconds;
use crate::load::Run;
use crate::words;

/// So long without any operation that ended ok counts as unavailable.
const GAP_NS_MIN: u64 = 500_000_000;
/// How many such stretches are listed.
const GAPS_MAX: usize = 200;

/// What can be measured of a run.
#[derive(Serialize)]
pub(super) struct Measures {
    latencies: Vec<Latencies>,
    unavailable: Unavailable,
    quorum: Option<Quorum>,
}

/// How long operations of a function took that ended in the same way, in milliseconds.
#[derive(Debug, PartialEq, Serialize)]
struct Latencies {
    f: String,
    outcome: &'static str,
    count: usize,
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

/// Stretches in which nothing ended ok.
#[derive(Debug, PartialEq, Serialize)]
struct Unavailable {
    /// From this length on, in seconds.
    from_s: f64,
    total: f64,
    longest: f64,
    gaps: Vec<(f64, f64)>,
    left_out: usize,
}

/// Measures a run whose history has times.
pub(super) fn measures(run: &Run, end_ns: u64) -> Measures {
    Measures {
        latencies: latencies(&run.history),
        unavailable: unavailable(&run.history),
        quorum: quorum::quorum(&run.metrics, run.summary.nodes.len(), end_ns),
    }
}

fn latencies(history: &History) -> Vec<Latencies> {
    let mut took: BTreeMap<(&str, Outcome), Vec<u64>> = BTreeMap::new();
    for operation in history.operations() {
        if let Some(completed) = operation.completed {
            let ns = completed.time.saturating_sub(operation.invoked.time);
            took.entry((operation.f, operation.outcome)).or_default().push(ns);
        }
    }
    let row = |((f, outcome), mut took): ((&str, Outcome), Vec<u64>)| {
        let mut at = |quantile: f64| {
            let rank = (took.len() as f64 * quantile).ceil() as usize;
            let (_, &mut nearest, _) = took.select_nth_unstable(rank.saturating_sub(1));
            (nearest as f64 / 1e3).round() / 1e3
        };
        let (p50, p90, p99, max) = (at(0.5), at(0.9), at(0.99), at(1.0));
        Latencies {
            f: f.to_owned(),
            outcome: words::outcome(outcome),
            count: took.len(),
            p50,
            p90,
            p99,
            max,
        }
    };
    took.into_iter().map(row).collect()
}

/// From the first to the last invocation: before and after, nobody asked.
fn unavailable(history: &History) -> Unavailable {
    let mut ended: Vec<u64> = history
        .operations()
        .filter(|operation| operation.outcome == Outcome::Ok)
        .filter_map(|operation| Some(operation.completed?.time))
        .collect();
    let invoked = history.operations().map(|operation| operation.invoked.time);
    ended.extend(invoked.clone().min());
    ended.extend(invoked.max());
    ended.sort_unstable();
    let gaps: Vec<(u64, u64)> = ended
        .windows(2)
        .map(|pair| (pair[0], pair[1]))
        .filter(|(from, to)| to - from >= GAP_NS_MIN)
        .collect();
    let length = |&(from, to): &(u64, u64)| to - from;
    Unavailable {
        from_s: seconds(GAP_NS_MIN),
        total: seconds(gaps.iter().map(length).sum()),
        longest: seconds(gaps.iter().map(length).max().unwrap_or(0)),
        left_out: gaps.len().saturating_sub(GAPS_MAX),
        gaps: gaps
            .iter()
            .take(GAPS_MAX)
            .map(|&(from, to)| (seconds(from), seconds(to)))
            .collect(),
    }
}
