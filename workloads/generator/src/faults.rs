//! A schedule of faults.

use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::random;

/// A fault that may be scheduled, and the shapes that it comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultKind {
    /// Its name: `partition`, `kill`, ...
    pub name: String,
    /// Whom or how it hits: `one`, `leader`, `halves`, ...
    pub shapes: Vec<String>,
}

/// One fault of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// Its number, from 0.
    pub id: u64,
    /// When to inject it, in milliseconds since the load began.
    pub at_ms: u64,
    /// How long to leave it in force before healing, in milliseconds.
    pub for_ms: u64,
    /// The fault's name.
    pub fault: String,
    /// Its shape.
    pub shape: String,
    /// Seeds what is left to choose when it is injected: which node is `one`, which ones are a minority.
    pub seed: u64,
}

/// The shortest and the longest time that most faults are left in force, in milliseconds: above and far above an
/// election timeout.
const LONG_MS: std::ops::RangeInclusive<u64> = 1_000..=3_000;
/// The same for the others: around an election timeout, so that a node is back before the others are done with it.
const SHORT_MS: std::ops::RangeInclusive<u64> = 100..=700;
/// One in so many faults, on average, is short.
const SHORT_ONE_IN: u32 = 3;
/// Quiet time after a fault, in milliseconds, when the next does not overlap it.
const QUIET_MS: std::ops::RangeInclusive<u64> = 300..=1_000;
/// Quiet time before the first fault, in milliseconds: it must hit a cluster that works.
const FIRST_MS: u64 = 1_500;
/// Every so many faults, on average, the next begins before the last is healed: bugs hide in combinations.
const OVERLAP_ONE_IN: u32 = 3;

/// Seeds keep to 52 bits, so that every format and every reader of a plan keeps them exact.
const SEED_SPARE_BITS: u32 = 12;

/// Draws a schedule that fits into `load_ms` milliseconds.
///
/// Every combination of fault and shape is used once before any is used again, fault by fault in turn, so that
/// a short run sees as many different ones as it can. Faults of the same name never overlap.
pub fn schedule(seed: u64, kinds: &[FaultKind], load_ms: u64) -> Vec<PlannedFault> {
    let mut rng = random(seed, "faults");
    let mut rounds = Rounds::new(kinds);
    let mut planned: Vec<PlannedFault> = Vec::new();
    let mut at_ms = FIRST_MS;
    while let Some((fault, shape)) = rounds.next(&mut rng) {
        if let Some(same) = planned.iter().rev().find(|planned| planned.fault == fault) {
            at_ms = at_ms.max(same.at_ms + same.for_ms + rng.random_range(QUIET_MS));
        }
        let for_ms = if rng.random_ratio(1, SHORT_ONE_IN) {
            rng.random_range(SHORT_MS)
        } else {
            rng.random_range(LONG_MS)
        };
        if at_ms + for_ms > load_ms {
            break;
        }
        let id = planned.len() as u64;
        planned.push(PlannedFault {
            id,
            at_ms,
            for_ms,
            fault,
            shape,
            seed: rng.random::<u64>() >> SEED_SPARE_BITS,
        });
        at_ms += if rng.random_ratio(1, OVERLAP_ONE_IN) {
            rng.random_range(for_ms / 4..=for_ms * 3 / 4)
        } else {
            for_ms + rng.random_range(QUIET_MS)
        };
    }
    planned
}

/// Deals out faults in turn, and each one's shapes in turn, in shuffled order.
struct Rounds<'a> {
    kinds: &'a [FaultKind],
    faults: Vec<usize>,
    shapes: Vec<Vec<String>>,
}

impl<'a> Rounds<'a> {
    fn new(kinds: &'a [FaultKind]) -> Self {
        Rounds {
            kinds,
            faults: Vec::new(),
            shapes: vec![Vec::new(); kinds.len()],
        }
    }

    fn next(&mut self, rng: &mut crate::Random) -> Option<(String, String)> {
        if self.faults.is_empty() {
            self.faults = (0..self.kinds.len())
                .filter(|&kind| !self.kinds[kind].shapes.is_empty())
                .collect();
            self.faults.shuffle(rng);
        }
        let kind = self.faults.pop()?;
        if self.shapes[kind].is_empty() {
            self.shapes[kind].clone_from(&self.kinds[kind].shapes);
            self.shapes[kind].shuffle(rng);
        }
        Some((self.kinds[kind].name.clone(), self.shapes[kind].pop()?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn kinds() -> Vec<FaultKind> {
        let kind = |name: &str, shapes: &[&str]| FaultKind {
            name: name.into(),
            shapes: shapes.iter().map(|&shape| shape.into()).collect(),
        };
        vec![
            kind("partition", &["halves", "isolate-one"]),
            kind("kill", &["one", "all"]),
            kind("pause", &["leader"]),
        ]
    }

    #[test]
    fn a_seed_gives_one_schedule_and_another_seed_another() {
        assert_eq!(schedule(1, &kinds(), 60_000), schedule(1, &kinds(), 60_000));
        assert_ne!(schedule(1, &kinds(), 60_000), schedule(2, &kinds(), 60_000));
    }

    #[test]
    fn schedules_fit_cover_and_never_overlap_the_same_fault() {
        for seed in 0..200 {
            let planned = schedule(seed, &kinds(), 60_000);
            let seen: BTreeSet<_> = planned.iter().map(|p| (&p.fault, &p.shape)).collect();
            assert_eq!(seen.len(), 5, "seed {seed}: every combination occurs");
            for (i, p) in planned.iter().enumerate() {
                assert!(p.at_ms + p.for_ms <= 60_000 && p.id == i as u64);
                let next = planned[i + 1..].iter().find(|q| q.fault == p.fault);
                assert!(
                    next.is_none_or(|q| q.at_ms > p.at_ms + p.for_ms),
                    "seed {seed}: {p:?} overlaps {next:?}"
                );
            }
        }
    }

    #[test]
    fn thirty_seconds_see_at_least_five_faults_and_every_kind() {
        for seed in 0..200 {
            let planned = schedule(seed, &kinds(), 30_000);
            let names: BTreeSet<_> = planned.iter().map(|p| &p.fault).collect();
            assert!(planned.len() >= 5 && names.len() == 3, "seed {seed}: {planned:?}");
        }
    }

    #[test]
    fn no_faults_or_no_time_give_an_empty_schedule() {
        assert_eq!(schedule(1, &[], 60_000), []);
        assert_eq!(schedule(1, &kinds(), 100), []);
    }
}
