//! What role each node had over time.

use std::collections::BTreeMap;

use serde::Serialize;

use super::seconds;
use crate::run::Metric;

/// How many stretches a node is shown with at most; beyond that, time is cut into as many cells.
const STRETCHES_MAX: u64 = 800;

/// One node over time.
#[derive(Serialize)]
pub(super) struct Strip {
    node: String,
    stretches: Vec<Stretch>,
    /// Whether short stretches gave way to longer ones.
    condensed: bool,
}

/// A time in which a node said the same of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Stretch {
    from: f64,
    to: f64,
    /// `down` if the node did not answer, `up` if it did but told no role.
    role: String,
    term: Option<u64>,
}

/// A strip for each node that the run names or that said anything; none at all if no node said anything.
pub(super) fn strips(metrics: &[Metric], nodes: &[String], end_ns: u64) -> Vec<Strip> {
    if metrics.is_empty() {
        return Vec::new();
    }
    let mut by_node: BTreeMap<&str, Vec<&Metric>> = BTreeMap::new();
    for metric in metrics {
        by_node.entry(&metric.node).or_default().push(metric);
    }
    let mut names: Vec<&str> = nodes.iter().map(String::as_str).collect();
    names.extend(
        by_node
            .keys()
            .filter(|&&name| !nodes.iter().any(|node| node == name)),
    );
    let mut strip = |node: &str| {
        let mut samples = by_node.remove(node).unwrap_or_default();
        samples.sort_by_key(|metric| metric.time);
        let mut stretches = stretches(&samples, end_ns);
        let condensed = stretches.len() as u64 > STRETCHES_MAX;
        if condensed {
            stretches = self::stretches(&condense(&samples, end_ns), end_ns);
        }
        Strip {
            node: node.to_owned(),
            stretches,
            condensed,
        }
    };
    names.into_iter().map(&mut strip).collect()
}

/// Joins samples that say the same. What a sample says holds until the next.
fn stretches(samples: &[&Metric], end_ns: u64) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for (index, metric) in samples.iter().enumerate() {
        let to = seconds(samples.get(index + 1).map_or(end_ns, |next| next.time));
        let role = role(metric).to_owned();
        match stretches.last_mut() {
            Some(last) if last.role == role && (last.term == metric.term || metric.term.is_none()) => {
                last.to = to
            }
            _ => stretches.push(Stretch {
                from: seconds(metric.time),
                to,
                role,
                term: metric.term,
            }),
        }
    }
    stretches
}

fn role(metric: &Metric) -> &str {
    match &metric.role {
        _ if !metric.up => "down",
        Some(role) => role,
        None => "up",
    }
}

/// Keeps the most telling sample of each cell of time.
fn condense<'a>(samples: &[&'a Metric], end_ns: u64) -> Vec<&'a Metric> {
    let cell_ns = (end_ns / STRETCHES_MAX).max(1);
    let telling = |metric: &Metric| match role(metric) {
        "down" => 3,
        "leader" | "primary" => 2,
        "candidate" => 1,
        _ => 0,
    };
    let cells = samples.chunk_by(|a, b| a.time / cell_ns == b.time / cell_ns);
    cells
        .filter_map(|cell| cell.iter().copied().max_by_key(|metric| telling(metric)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(time: u64, role: Option<&str>, term: u64) -> Metric {
        Metric {
            time: time * 1_000_000_000,
            node: "n1".into(),
            up: role.is_some(),
            role: role.map(str::to_owned),
            term: role.map(|_| term),
            ..Metric::default()
        }
    }

    #[test]
    fn samples_that_say_the_same_are_one_stretch() {
        let samples = [
            metric(0, Some("follower"), 1),
            metric(1, Some("follower"), 1),
            metric(2, Some("leader"), 2),
            metric(3, None, 0),
            metric(4, None, 0),
        ];
        let strips = strips(&samples, &["n1".into(), "n2".into()], 6_000_000_000);
        let told: Vec<_> = strips[0]
            .stretches
            .iter()
            .map(|s| (s.from, s.to, s.role.as_str(), s.term))
            .collect();
        assert_eq!(
            told,
            [
                (0.0, 2.0, "follower", Some(1)),
                (2.0, 3.0, "leader", Some(2)),
                (3.0, 6.0, "down", None)
            ]
        );
        assert!(
            strips[1].stretches.is_empty(),
            "a node that never said anything has an empty strip"
        );
    }

    #[test]
    fn a_node_that_flaps_without_end_stays_small_and_keeps_its_leaderships() {
        let flapping: Vec<Metric> = (0..10_000)
            .map(|i| metric(i, Some(if i % 20 == 3 { "leader" } else { "follower" }), i))
            .collect();
        let strips = strips(&flapping, &[], 10_000_000_000_000);
        assert!(strips[0].condensed && strips[0].stretches.len() as u64 <= STRETCHES_MAX + 1);
        assert!(
            strips[0]
                .stretches
                .iter()
                .filter(|stretch| stretch.role == "leader")
                .count()
                > 300
        );
    }
}
