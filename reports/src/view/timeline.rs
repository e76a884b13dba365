//! The run over time: throughput, latency, faults, nodes, on one axis.

use partita_history::{History, Outcome};
use serde::Serialize;

use super::faults::Band;
use super::latency::{self, Latency};
use super::measures::{self, Measures};
use super::nodes::{self, Strip};
use super::progress::{self, Progress};
use super::seconds;
use crate::load::Run;
use crate::told;

/// How many buckets of time there are at most.
const BUCKETS_MAX: u64 = 160;
/// Widths that a bucket may have, in milliseconds; for longer runs, multiples of the last.
const BUCKETS_MS: [u64; 13] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000,
];

/// The run over time. All times are in seconds since the start of the run.
#[derive(Serialize)]
pub(super) struct Timeline {
    to: f64,
    bucket: f64,
    /// Operations that ended in each bucket, per second, by outcome.
    throughput: Throughput,
    /// How many operations never ended; they are not part of the above.
    unended: usize,
    latency: Latency,
    faults: Vec<Band>,
    nodes: Vec<Strip>,
    /// How far each node's log was committed and applied.
    progress: Vec<Progress>,
    measures: Measures,
}

#[derive(Default, Serialize)]
struct Throughput {
    ok: Vec<f64>,
    fail: Vec<f64>,
    info: Vec<f64>,
}

/// The run over time; none for a history without times.
pub(super) fn timeline(run: &Run, bands: Vec<Band>) -> Option<Timeline> {
    let end_ns = end_ns(run);
    if end_ns == 0 {
        return None;
    }
    let bucket_ns = bucket_ns(end_ns);
    let told = told::told(run);
    Some(Timeline {
        to: seconds(end_ns),
        bucket: seconds(bucket_ns),
        throughput: throughput(&run.history, end_ns, bucket_ns),
        unended: run.unended(),
        latency: latency::latency(&run.history, end_ns, bucket_ns),
        faults: bands,
        nodes: nodes::strips(&told.metrics, &run.summary.nodes, end_ns),
        progress: progress::progress(&run.metrics, &run.summary.nodes, end_ns),
        measures: measures::measures(run, &told, end_ns),
    })
}

fn end_ns(run: &Run) -> u64 {
    let operations = run
        .history
        .operations()
        .map(|op| op.completed.unwrap_or(op.invoked).time);
    let faults = run.history.faults.iter().map(|fault| fault.time);
    let metrics = run.metrics.iter().map(|metric| metric.time);
    operations.chain(faults).chain(metrics).max().unwrap_or(0)
}

fn bucket_ns(end_ns: u64) -> u64 {
    let fits = |ms: &&u64| end_ns / (**ms * 1_000_000) < BUCKETS_MAX;
    let minute_ns = 60_000_000_000;
    match BUCKETS_MS.iter().find(fits) {
        Some(ms) => ms * 1_000_000,
        None => (end_ns / BUCKETS_MAX / minute_ns + 1) * minute_ns,
    }
}

fn throughput(history: &History, end_ns: u64, bucket_ns: u64) -> Throughput {
    let buckets = usize::try_from(end_ns / bucket_ns).unwrap_or(0) + 1;
    let mut counts = [vec![0_u32; buckets], vec![0; buckets], vec![0; buckets]];
    for operation in history.operations() {
        if let Some(completed) = operation.completed {
            counts[latency::lane(operation.outcome)][(completed.time / bucket_ns) as usize] += 1;
        }
    }
    let rates = |outcome: Outcome| {
        let counts = counts[latency::lane(outcome)].iter().enumerate();
        counts
            .map(|(bucket, &count)| {
                // The last bucket is cut short by the end of the run. Less than half of one says too little.
                let covered = (end_ns - bucket as u64 * bucket_ns).clamp(bucket_ns / 2, bucket_ns);
                (f64::from(count) * 1e10 / covered as f64).round() / 10.0
            })
            .collect()
    };
    Throughput {
        ok: rates(Outcome::Ok),
        fail: rates(Outcome::Fail),
        info: rates(Outcome::Info),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_too_many_buckets() {
        for end_ns in [
            1,
            999,
            10_000_000,
            30_000_000_000,
            3_600_000_000_000,
            u64::MAX / 2,
        ] {
            let buckets = end_ns / bucket_ns(end_ns) + 1;
            assert!(buckets <= BUCKETS_MAX, "{end_ns} ns: {buckets} buckets");
        }
        assert_eq!(bucket_ns(30_000_000_000), 200_000_000);
    }
}
