//! How far each node's log was committed and applied over time.

use std::collections::BTreeMap;

use serde::Serialize;

use super::seconds;
use crate::run::Metric;

/// How many points a node has at most; of each stretch of time the last.
const POINTS_MAX: u64 = 250;

/// One node's.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Progress {
    node: String,
    /// Seconds, the highest committed position, the highest applied one, in turn; -1 where it did not tell.
    points: Vec<f64>,
}

/// Of every node that told, in the order of the run's nodes.
pub(super) fn progress(metrics: &[Metric], nodes: &[String], end_ns: u64) -> Vec<Progress> {
    let cell_ns = (end_ns / POINTS_MAX).max(1);
    let mut by_node: BTreeMap<&str, BTreeMap<u64, &Metric>> = BTreeMap::new();
    for metric in metrics {
        if metric.commit.is_some() || metric.applied.is_some() {
            let cells = by_node.entry(&metric.node).or_default();
            cells.insert(metric.time / cell_ns, metric);
        }
    }
    let number = |index: Option<u64>| index.map_or(-1.0, |index| index as f64);
    let mut all: Vec<Progress> = by_node
        .into_iter()
        .map(|(node, cells)| Progress {
            node: node.to_owned(),
            points: cells
                .into_values()
                .flat_map(|metric| {
                    [
                        (seconds(metric.time) * 1e3).round() / 1e3,
                        number(metric.commit),
                        number(metric.applied),
                    ]
                })
                .collect(),
        })
        .collect();
    let place = |node: &str| nodes.iter().position(|known| known == node);
    all.sort_by_key(|progress| place(&progress.node).unwrap_or(usize::MAX));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_stretch_the_last_is_kept_and_silence_is_told() {
        let says = |time: u64, commit: Option<u64>| Metric {
            time,
            node: "n1".into(),
            commit,
            applied: Some(time),
            ..Metric::default()
        };
        let metrics: Vec<Metric> = (0..1_000).map(|i| says(i * 1_000_000_000, None)).collect();
        let progress = progress(&metrics, &["n1".into()], 1_000_000_000_000);
        assert_eq!(progress.len(), 1);
        assert_eq!(progress[0].points.len() as u64, POINTS_MAX * 3);
        assert_eq!(progress[0].points[..3], [3.0, -1.0, 3e9]);
    }
}
