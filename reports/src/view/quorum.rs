//! When a majority followed one leader, and how long it took to find the next: from what the nodes said of
//! themselves, so never finer than the time from one question to the next.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::seconds;
use crate::run::Metric;

/// How many stretches and elections are listed.
const LISTED_MAX: usize = 200;

/// How well the cluster held together.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Quorum {
    /// The share of the time in which a majority of all nodes answered and followed one leader.
    healthy: f64,
    /// When that was not so, in seconds.
    without: Vec<(f64, f64)>,
    elections: Vec<Election>,
    /// How many more elections there were.
    left_out: usize,
    /// How often each node was asked, in seconds.
    resolution: f64,
}

/// A change of leaders.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Election {
    node: String,
    term: Option<u64>,
    /// When a majority was first seen to follow the new leader.
    at: f64,
    /// How long no leader had a majority; 0 if that was never seen.
    took: f64,
}

/// How well a cluster was led, in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leadership {
    /// How often another leader was followed by a majority.
    pub changes: usize,
    /// How long no leader was followed by a majority, at the longest, in nanoseconds.
    pub longest_without_ns: u64,
}

/// Until a time, in nanoseconds; none if its nodes tell of no leaders.
pub(crate) fn leadership(metrics: &[Metric], nodes: usize, end_ns: u64) -> Option<Leadership> {
    let samples = samples(metrics)?;
    let until: Vec<&Metric> = samples
        .into_iter()
        .filter(|metric| metric.time < end_ns)
        .collect();
    let watch = watch(&until, nodes);
    let open = watch.without_since.map(|since| (since, end_ns));
    let without = watch.without.iter().copied().chain(open);
    Some(Leadership {
        changes: watch.elections.len(),
        longest_without_ns: without.map(|(from, to)| to - from).max().unwrap_or(0),
    })
}

/// Of a run whose nodes tell of leaders; none of others.
pub(super) fn quorum(metrics: &[Metric], nodes: usize, end_ns: u64) -> Option<Quorum> {
    let samples = samples(metrics)?;
    Some(watch(&samples, nodes).end(end_ns, resolution(&samples)))
}

/// What nodes said, in its order; none if they never tell of a leader.
fn samples(metrics: &[Metric]) -> Option<Vec<&Metric>> {
    if metrics.iter().all(|metric| metric.leader.is_none()) {
        return None;
    }
    let mut samples: Vec<&Metric> = metrics.iter().collect();
    samples.sort_by_key(|metric| metric.time);
    Some(samples)
}

/// Goes through all that was said.
fn watch<'a>(samples: &[&'a Metric], nodes: usize) -> Watch<'a> {
    let mut said: BTreeMap<&str, &Metric> = BTreeMap::new();
    let named: BTreeSet<&str> = samples.iter().map(|metric| metric.node.as_str()).collect();
    let majority = nodes.max(named.len()) / 2 + 1;
    let mut watch = Watch::default();
    for metric in samples {
        said.insert(&metric.node, metric);
        let followed = followed(&said, majority);
        // Before every node was asked once, nobody knows that there is none.
        if followed.is_some() || said.len() == named.len() {
            watch.see(metric.time, followed);
        }
    }
    watch
}

/// The leader that a majority follows, and its term.
fn followed<'a>(said: &BTreeMap<&'a str, &'a Metric>, majority: usize) -> Option<(&'a str, Option<u64>)> {
    let mut followers: BTreeMap<(&str, Option<u64>), usize> = BTreeMap::new();
    for metric in said.values().filter(|metric| metric.up) {
        if let Some(leader) = &metric.leader {
            *followers.entry((leader, metric.term)).or_default() += 1;
        }
    }
    let most = followers.into_iter().max_by_key(|&(_, count)| count);
    most.filter(|&(_, count)| count >= majority)
        .map(|(leader, _)| leader)
}

#[derive(Default)]
struct Watch<'a> {
    leader: Option<(&'a str, Option<u64>)>,
    /// Since when there is none.
    without_since: Option<u64>,
    /// Whether there ever was one: the first is no change of leaders.
    started: bool,
    without: Vec<(u64, u64)>,
    elections: Vec<Election>,
}

impl<'a> Watch<'a> {
    fn see(&mut self, now: u64, followed: Option<(&'a str, Option<u64>)>) {
        match followed {
            None => {
                self.without_since.get_or_insert(now);
            }
            Some(leader) => {
                let since = self.without_since.take();
                if let Some(since) = since {
                    self.without.push((since, now));
                }
                if self.started && self.leader != Some(leader) {
                    self.elections.push(Election {
                        node: leader.0.to_owned(),
                        term: leader.1,
                        at: seconds(now),
                        took: seconds(now - since.unwrap_or(now)),
                    });
                }
                self.started = true;
                self.leader = Some(leader);
            }
        }
    }

    fn end(mut self, end_ns: u64, resolution: f64) -> Quorum {
        if let Some(since) = self.without_since {
            self.without.push((since, end_ns));
        }
        let lost: u64 = self.without.iter().map(|(from, to)| to - from).sum();
        let left_out = self.elections.len().saturating_sub(LISTED_MAX);
        self.elections.truncate(LISTED_MAX);
        self.without.truncate(LISTED_MAX);
        Quorum {
            healthy: 1.0 - lost as f64 / end_ns.max(1) as f64,
            without: self
                .without
                .iter()
                .map(|&(from, to)| (seconds(from), seconds(to)))
                .collect(),
            elections: self.elections,
            left_out,
            resolution,
        }
    }
}

/// The usual time between two samples of a node, in seconds.
fn resolution(samples: &[&Metric]) -> f64 {
    let mut before: BTreeMap<&str, u64> = BTreeMap::new();
    let mut steps: Vec<u64> = samples
        .iter()
        .filter_map(|metric| Some(metric.time - before.insert(&metric.node, metric.time)?))
        .collect();
    steps.sort_unstable();
    let middle = steps.get(steps.len() / 2).copied().unwrap_or(0);
    (seconds(middle) * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn says(time: u64, node: u64, leader: Option<u64>, term: u64) -> Metric {
        Metric {
            time: time * SECOND + node,
            node: format!("n{node}"),
            up: true,
            leader: leader.map(|leader| format!("n{leader}")),
            term: Some(term),
            ..Metric::default()
        }
    }

    #[test]
    fn an_election_lasts_while_no_leader_has_a_majority() {
        let of = |time, leader, term| (1..=3).map(move |node| says(time, node, leader, term));
        let metrics: Vec<Metric> = of(0, Some(1), 1)
            .chain(of(1, Some(1), 1))
            .chain(of(2, None, 2))
            .chain(of(3, None, 2))
            .chain(of(4, Some(2), 2))
            .collect();
        let quorum = quorum(&metrics, 3, 10 * SECOND).unwrap();
        assert_eq!(quorum.elections.len(), 1);
        let election = &quorum.elections[0];
        assert_eq!((election.node.as_str(), election.term), ("n2", Some(2)));
        assert_eq!((election.at.round(), election.took.round()), (4.0, 2.0));
        assert_eq!((quorum.healthy * 10.0).round(), 8.0);
        assert_eq!(quorum.resolution, 1.0);
        let led = leadership(&metrics, 3, 10 * SECOND).unwrap();
        assert_eq!((led.changes, led.longest_without_ns / SECOND), (1, 2));
        let cut = leadership(&metrics, 3, 3 * SECOND + SECOND / 2).unwrap();
        assert_eq!((cut.changes, cut.longest_without_ns / SECOND), (0, 1));
    }

    #[test]
    fn a_leader_without_a_majority_is_none() {
        let metrics = [says(0, 1, Some(1), 1), says(0, 2, None, 1), says(0, 3, None, 1)];
        let never = quorum(&metrics, 3, SECOND).unwrap();
        assert!(never.elections.is_empty());
        assert_eq!((never.healthy * 100.0).round(), 0.0);
        assert_eq!(never.without.len(), 1);
        assert_eq!(quorum(&[], 3, SECOND), None);
    }
}
