//! Latencies, thinned: operations that fall on the same spot of the picture are one point.

use partita_history::{History, Outcome};
use serde::Serialize;

/// The finest grid of spots: columns of time, and rows of latency to a factor of ten.
const COLUMNS_MAX: u32 = 1200;
const ROWS_PER_DECADE_MAX: u32 = 40;
/// How many points there are at most. The grid is made coarser until they fit.
const POINTS_MAX: usize = 12_000;

/// How long operations took.
#[derive(Serialize)]
pub(super) struct Latency {
    /// How many operations have a latency.
    operations: usize,
    /// How many points they fall on.
    drawn: usize,
    /// The picture's grid: a point `(column, row)` is at time `column * column_s` and
    /// `10^(low + row / rows_per_decade)` milliseconds.
    column_s: f64,
    rows_per_decade: u32,
    low: i32,
    high: i32,
    /// Columns and rows in turn, by outcome.
    points: Points,
    /// Of the operations that ended ok in each bucket, in milliseconds; null where there was none.
    p50: Vec<Option<f64>>,
    p99: Vec<Option<f64>>,
}

#[derive(Default, Serialize)]
struct Points {
    ok: Vec<u32>,
    fail: Vec<u32>,
    info: Vec<u32>,
}

/// One operation's: when it ended and how long it took, in nanoseconds.
struct Sample {
    lane: usize,
    time: u64,
    took: u64,
}

/// A number for each outcome.
pub(super) fn lane(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Ok => 0,
        Outcome::Fail => 1,
        Outcome::Info => 2,
    }
}

/// The latencies of all operations that ended.
pub(super) fn latency(history: &History, end_ns: u64, bucket_ns: u64) -> Latency {
    let samples: Vec<Sample> = history
        .operations()
        .filter_map(|operation| {
            let completed = operation.completed?;
            // A microsecond is the least that a logarithm is taken of.
            let took = completed.time.saturating_sub(operation.invoked.time).max(1_000);
            Some(Sample {
                lane: lane(operation.outcome),
                time: completed.time,
                took,
            })
        })
        .collect();
    let decade = |took: u64| log10_ms(took).floor() as i32;
    let low = samples
        .iter()
        .map(|sample| decade(sample.took))
        .min()
        .unwrap_or(0);
    let high = samples
        .iter()
        .map(|sample| decade(sample.took))
        .max()
        .unwrap_or(0)
        + 1;
    let (mut columns, mut rows_per_decade) = (COLUMNS_MAX, ROWS_PER_DECADE_MAX);
    let mut spots = spots(&samples, end_ns, low, columns, rows_per_decade);
    while spots.len() > POINTS_MAX && columns > 50 {
        columns = columns * 3 / 4;
        rows_per_decade = (rows_per_decade * 3 / 4).max(5);
        spots = self::spots(&samples, end_ns, low, columns, rows_per_decade);
    }
    let mut points = Points::default();
    for &(lane, column, row) in &spots {
        [&mut points.ok, &mut points.fail, &mut points.info][usize::from(lane)].extend([column, row]);
    }
    Latency {
        operations: samples.len(),
        drawn: spots.len(),
        column_s: end_ns as f64 / 1e9 / f64::from(columns),
        rows_per_decade,
        low,
        high,
        points,
        p50: quantiles(&samples, end_ns, bucket_ns, 0.50),
        p99: quantiles(&samples, end_ns, bucket_ns, 0.99),
    }
}

fn log10_ms(ns: u64) -> f64 {
    (ns as f64 / 1e6).log10()
}

/// The spots on which the samples fall, each once: outcome, column, row.
fn spots(
    samples: &[Sample],
    end_ns: u64,
    low: i32,
    columns: u32,
    rows_per_decade: u32,
) -> Vec<(u8, u32, u32)> {
    let mut spots: Vec<(u8, u32, u32)> = samples
        .iter()
        .map(|sample| {
            let column = sample.time as f64 / end_ns as f64 * f64::from(columns);
            let row = (log10_ms(sample.took) - f64::from(low)) * f64::from(rows_per_decade);
            (sample.lane as u8, column.round() as u32, row.round() as u32)
        })
        .collect();
    spots.sort_unstable();
    spots.dedup();
    spots
}

/// A quantile of each bucket's ok operations, by the nearest rank.
fn quantiles(samples: &[Sample], end_ns: u64, bucket_ns: u64, quantile: f64) -> Vec<Option<f64>> {
    let mut buckets = vec![Vec::new(); usize::try_from(end_ns / bucket_ns).unwrap_or(0) + 1];
    for sample in samples.iter().filter(|sample| sample.lane == 0) {
        buckets[(sample.time / bucket_ns) as usize].push(sample.took);
    }
    let of_bucket = |mut took: Vec<u64>| {
        let rank = (took.len() as f64 * quantile).ceil() as usize;
        let index = rank.checked_sub(1)?;
        let (_, nearest, _) = took.select_nth_unstable(index);
        Some((*nearest as f64 / 1e3).round() / 1e3)
    };
    buckets.into_iter().map(of_bucket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(took_ms: impl IntoIterator<Item = u64>) -> Vec<Sample> {
        took_ms
            .into_iter()
            .map(|ms| Sample {
                lane: 0,
                time: 5,
                took: ms * 1_000_000,
            })
            .collect()
    }

    #[test]
    fn quantiles_are_those_of_the_nearest_rank() {
        let hundred = samples(1..=100);
        assert_eq!(quantiles(&hundred, 10, 20, 0.50), [Some(50.0)]);
        assert_eq!(quantiles(&hundred, 10, 20, 0.99), [Some(99.0)]);
        assert_eq!(quantiles(&samples([7]), 25, 20, 0.99), [Some(7.0), None]);
    }

    #[test]
    fn an_operation_far_from_all_others_keeps_its_point() {
        let mut many = samples(std::iter::repeat_n(2, 1000));
        many.push(Sample {
            lane: 0,
            time: 9,
            took: 900_000_000,
        });
        let spots = spots(&many, 10, 0, 100, 40);
        assert_eq!(spots.len(), 2);
        assert_eq!(spots[1], (0, 90, 118));
    }
}
