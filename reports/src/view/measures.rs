//! Numbers that people who run services ask for.

use std::collections::BTreeMap;

use partita_history::{History, Operation, Outcome};
use serde::Serialize;

use super::quorum::{self, Quorum};
use super::seconds;
use crate::load::Run;
use crate::run::Metric;
use crate::told::Told;
use crate::words;

/// So long without any operation that ended ok counts as unavailable.
const GAP_NS_MIN: u64 = 500_000_000;
/// So short a time without an operation does not part two stretches in which somebody asked.
const PAUSE_NS_MAX: u64 = 50_000_000;
/// How many such stretches are listed.
const GAPS_MAX: usize = 200;

/// What can be measured of a run.
#[derive(Serialize)]
pub(super) struct Measures {
    latencies: Vec<Latencies>,
    unavailable: Unavailable,
    quorum: Option<Quorum>,
    silence: Option<Spread>,
}

/// How values are spread, in milliseconds.
#[derive(Debug, PartialEq, Serialize)]
struct Spread {
    p50: f64,
    p99: f64,
    max: f64,
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

/// Stretches in which somebody asked and nothing ended ok.
#[derive(Debug, PartialEq, Serialize)]
struct Unavailable {
    /// How many operations ended ok.
    ok: usize,
    /// From this length on, in seconds.
    from_s: f64,
    total: f64,
    longest: f64,
    gaps: Vec<(f64, f64)>,
    left_out: usize,
}

/// Measures a run whose history has times.
pub(super) fn measures(run: &Run, told: &Told<'_>, end_ns: u64) -> Measures {
    Measures {
        latencies: latencies(&run.history),
        unavailable: unavailable(&run.history),
        quorum: quorum::quorum(&told.metrics, run.summary.nodes.len(), end_ns),
        silence: silence(&run.metrics),
    }
}

/// For how long followers did not hear their leader: the longest of about a second, each time that they were asked.
fn silence(metrics: &[Metric]) -> Option<Spread> {
    let told = metrics.iter().filter_map(|metric| metric.leader_silence_us);
    let mut told: Vec<u64> = told.collect();
    told.sort_unstable();
    let at = |percent: usize| Some(*told.get(told.len().checked_sub(1)? * percent / 100)? as f64 / 1e3);
    Some(Spread {
        p50: at(50)?,
        p99: at(99)?,
        max: at(100)?,
    })
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

fn unavailable(history: &History) -> Unavailable {
    let mut ended: Vec<u64> = history
        .operations()
        .filter(|operation| operation.outcome == Outcome::Ok)
        .filter_map(|operation| Some(operation.completed?.time))
        .collect();
    let ok = ended.len();
    let asked = asked(history);
    ended.extend(asked.first().map(|(from, _)| from));
    ended.extend(asked.last().map(|(_, to)| to));
    ended.sort_unstable();
    let between = ended.windows(2).map(|pair| (pair[0], pair[1]));
    let long = |(from, to): &(u64, u64)| to.saturating_sub(*from) >= GAP_NS_MIN;
    let gaps: Vec<(u64, u64)> = between
        .filter(long)
        .flat_map(|(from, to)| {
            let first = asked.partition_point(|asked| asked.1 <= from);
            let within = asked[first..].iter().take_while(move |asked| asked.0 < to);
            within.map(move |asked| (asked.0.max(from), asked.1.min(to)))
        })
        .filter(long)
        .collect();
    let length = |&(from, to): &(u64, u64)| to - from;
    Unavailable {
        ok,
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

/// Stretches in which at least one operation was pending, in order. One that never ended was so to the last.
fn asked(history: &History) -> Vec<(u64, u64)> {
    let ends = |operation: &Operation<'_>| operation.completed.unwrap_or(operation.invoked).time;
    let last = history.operations().map(|operation| ends(&operation)).max();
    let pending = |operation: Operation<'_>| {
        let to = operation.completed.map_or(last, |completed| Some(completed.time));
        (operation.invoked.time, to.unwrap_or_default())
    };
    let mut pending: Vec<(u64, u64)> = history.operations().map(pending).collect();
    pending.sort_unstable();
    let mut asked: Vec<(u64, u64)> = Vec::new();
    for (from, to) in pending {
        match asked.last_mut() {
            Some(before) if from <= before.1.saturating_add(PAUSE_NS_MAX) => before.1 = before.1.max(to),
            _ => asked.push((from, to)),
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use partita_history::{Event, EventType, OpEvent, Value};

    use super::*;

    /// Operations of one client each: when they began and ended, in milliseconds, and how.
    fn of(operations: &[(u64, Option<u64>, EventType)]) -> Unavailable {
        let mut events = Vec::new();
        for (process, &(begun, ended, kind)) in operations.iter().enumerate() {
            let event = |kind, ms: u64| OpEvent {
                index: 0,
                time: ms * 1_000_000,
                process: process as u64,
                kind,
                f: "read".into(),
                key: None,
                value: Value::Null,
                observed: None,
                node: None,
                error: None,
            };
            events.push(event(EventType::Invoke, begun));
            events.extend(ended.map(|ended| event(kind, ended)));
        }
        events.sort_by_key(|event| event.time);
        let mut history = History::default();
        for event in events {
            history.push(Event::Op(event)).unwrap();
        }
        unavailable(&history)
    }

    #[test]
    fn where_nobody_asks_nothing_is_unavailable() {
        use EventType::{Info, Ok};
        let idle = of(&[(0, Some(5), Ok), (3_000, Some(3_005), Ok)]);
        assert!(idle.gaps.is_empty(), "{idle:?}");
        let waited = of(&[
            (0, Some(5), Ok),
            (1_000, Some(2_000), Info),
            (3_000, Some(3_005), Ok),
        ]);
        assert_eq!((waited.gaps.as_slice(), waited.total), (&[(1.0, 2.0)][..], 1.0));
        // Clients that time out and ask again at once.
        let again = of(&[
            (0, Some(400), Info),
            (401, Some(801), Info),
            (802, Some(1_200), Ok),
        ]);
        assert_eq!(again.gaps, [(0.0, 1.2)]);
        let never = of(&[(0, None, Info), (700, Some(900), Info)]);
        assert_eq!((never.ok, never.gaps), (0, vec![(0.0, 0.9)]));
    }
}
