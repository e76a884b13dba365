//! A schedule of faults.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use serde::{Deserialize, Serialize};

use crate::random;

/// A fault that may be scheduled, and the shapes that it comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultKind {
    /// Its name: `partition`, `kill`, ...
    pub name: String,
    /// Whom or how it hits: `one`, `leader`, `halves`, ...
    pub shapes: Vec<String>,
    /// How long it is in force, in milliseconds: one of these ranges is drawn, then a time within it.
    pub lengths_ms: Vec<RangeInclusive<u64>>,
}

impl FaultKind {
    /// Draws a length that is no longer than the time that is left; none if it can't be so short.
    pub(crate) fn length(&self, rng: &mut crate::Random, left_ms: u64) -> Option<u64> {
        let fitting = self.lengths_ms.iter().filter(|range| *range.start() <= left_ms);
        let range = fitting.collect::<Vec<_>>().choose(rng).copied()?.clone();
        Some(rng.random_range(range).min(left_ms))
    }

    /// The shortest that it can be in force.
    pub(crate) fn least_ms(&self) -> u64 {
        let starts = self.lengths_ms.iter().map(|range| *range.start());
        starts.min().unwrap_or(0)
    }
}

/// What a fault waits for when its time has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum When {
    /// A leader is known.
    Leader,
    /// No leader is known.
    NoLeader,
    /// A node writes a line with this text to its log.
    Log(String),
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::Leader => f.write_str("leader"),
            When::NoLeader => f.write_str("no-leader"),
            When::Log(text) => write!(f, "log:{text}"),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("log:")) {
            ("leader", _) => Ok(When::Leader),
            ("no-leader", _) => Ok(When::NoLeader),
            (_, Some(line)) if !line.is_empty() => Ok(When::Log(line.to_owned())),
            _ => Err(format!(
                "unknown condition `{text}`; there are: leader, no-leader, log:TEXT"
            )),
        }
    }
}

impl TryFrom<String> for When {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<When> for String {
    fn from(when: When) -> String {
        when.to_string()
    }
}

/// One fault of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// What it waits for when its time has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Seeds what is left to choose when it is injected: which node is `one`, which ones are a minority.
    pub seed: u64,
}

/// Quiet time after a fault, in milliseconds, when the next does not overlap it.
const QUIET_MS: std::ops::RangeInclusive<u64> = 300..=1_000;
/// Quiet time before the first fault, in milliseconds: it must hit a cluster that works.
const FIRST_MS: u64 = 1_500;
/// Every so many faults, on average, the next begins before the last is healed: bugs hide in combinations.
const OVERLAP_ONE_IN: u32 = 3;

/// Seeds keep to 52 bits, so that every format and every reader of a plan keeps them exact.
pub(crate) const SEED_SPARE_BITS: u32 = 12;

/// Draws a schedule that fits into `load_ms` milliseconds.
///
/// Every combination of fault and shape is used once before any is used again, fault by fault in turn, so that
/// a short run sees as many different ones as it can; and of a fault's shapes every other one is named after the leader
/// while there are such, because most bugs show when a leader is hit. Faults of the same name never overlap.
pub fn schedule(seed: u64, kinds: &[FaultKind], load_ms: u64) -> Vec<PlannedFault> {
    let mut rng = random(seed, "faults");
    let mut rounds = Rounds::new(kinds);
    let mut planned: Vec<PlannedFault> = Vec::new();
    let mut at_ms = FIRST_MS;
    while let Some((kind, shape)) = rounds.next(&mut rng) {
        let kind = &kinds[kind];
        let fault = kind.name.clone();
        if let Some(same) = planned.iter().rev().find(|planned| planned.fault == fault) {
            at_ms = at_ms.max(same.at_ms + same.for_ms + rng.random_range(QUIET_MS));
        }
        let Some(for_ms) = kind.length(&mut rng, load_ms.saturating_sub(at_ms)) else {
            break;
        };
        let id = planned.len() as u64;
        planned.push(PlannedFault {
            id,
            at_ms,
            for_ms,
            fault,
            shape,
            when: None,
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
pub(crate) struct Rounds<'a> {
    kinds: &'a [FaultKind],
    faults: Vec<usize>,
    shapes: Vec<Vec<String>>,
}

impl<'a> Rounds<'a> {
    pub(crate) fn new(kinds: &'a [FaultKind]) -> Self {
        Rounds {
            kinds,
            faults: Vec::new(),
            shapes: vec![Vec::new(); kinds.len()],
        }
    }

    /// The position of the next kind, and its shape.
    pub(crate) fn next(&mut self, rng: &mut crate::Random) -> Option<(usize, String)> {
        if self.faults.is_empty() {
            self.faults = (0..self.kinds.len())
                .filter(|&kind| !self.kinds[kind].shapes.is_empty())
                .collect();
            self.faults.shuffle(rng);
        }
        let kind = self.faults.pop()?;
        Some((kind, self.shape(kind, rng)?))
    }

    /// The next shape of this kind.
    pub(crate) fn shape(&mut self, kind: usize, rng: &mut crate::Random) -> Option<String> {
        if self.shapes[kind].is_empty() {
            self.shapes[kind].clone_from(&self.kinds[kind].shapes);
            self.shapes[kind].shuffle(rng);
            leaders_first(&mut self.shapes[kind]);
        }
        self.shapes[kind].pop()
    }
}

/// Has every other shape be one that is named after the leader, beginning with the last, until there are no more.
fn leaders_first(shapes: &mut Vec<String>) {
    let (mut leaders, mut others): (Vec<String>, Vec<String>) =
        shapes.drain(..).partition(|shape| shape.contains("leader"));
    while !(leaders.is_empty() && others.is_empty()) {
        shapes.extend(leaders.pop());
        shapes.extend(others.pop());
    }
    shapes.reverse();
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn kinds() -> Vec<FaultKind> {
        let kind = |name: &str, shapes: &[&str]| FaultKind {
            name: name.into(),
            shapes: shapes.iter().map(|&shape| shape.into()).collect(),
            lengths_ms: vec![1_000..=3_000],
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
    fn leaders_are_hit_early_and_every_shape_still_comes_once_a_round() {
        let shapes = [
            "halves",
            "isolate-leader",
            "bridge",
            "one",
            "leader-with-minority",
            "ring",
        ];
        let kinds = [FaultKind {
            name: "partition".into(),
            shapes: shapes.map(String::from).into(),
            lengths_ms: vec![500..=500],
        }];
        let mut firsts = BTreeSet::new();
        for seed in 0..50 {
            let planned = schedule(seed, &kinds, 60_000);
            for round in planned.chunks_exact(shapes.len()) {
                let names: Vec<&str> = round.iter().map(|p| p.shape.as_str()).collect();
                assert!(
                    names[0].contains("leader") && names[2].contains("leader"),
                    "seed {seed}: {names:?}"
                );
                assert_eq!(BTreeSet::from_iter(names), BTreeSet::from(shapes), "seed {seed}");
            }
            firsts.insert(planned[0].shape.clone());
        }
        assert_eq!(firsts.len(), 2, "which one is first is drawn");
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
    fn each_kind_lasts_as_long_as_it_likes_and_no_longer_than_there_is_time() {
        let kinds = [FaultKind {
            lengths_ms: vec![50..=500, 4_000..=6_000],
            ..kinds().remove(1)
        }];
        let mut seen = BTreeSet::new();
        for seed in 0..50 {
            for planned in schedule(seed, &kinds, 20_000) {
                assert!(
                    planned.at_ms + planned.for_ms <= 20_000,
                    "seed {seed}: {planned:?}"
                );
                seen.insert(planned.for_ms / 1_000);
            }
            assert!(
                !schedule(seed, &kinds, 1_600).is_empty(),
                "seed {seed}: a short one fits"
            );
        }
        assert!(
            seen.contains(&0) && seen.contains(&4) && seen.contains(&5),
            "{seen:?}"
        );
    }

    #[test]
    fn conditions_are_read_back_and_what_is_none_is_refused() {
        for when in [
            When::Leader,
            When::NoLeader,
            When::Log("became leader: yes".into()),
        ] {
            assert_eq!(when.to_string().parse(), Ok(when));
        }
        for bad in ["", "log:", "leaders", "log"] {
            assert!(
                bad.parse::<When>().unwrap_err().contains("there are: leader"),
                "{bad}"
            );
        }
    }

    #[test]
    fn no_faults_or_no_time_give_an_empty_schedule() {
        assert_eq!(schedule(1, &[], 60_000), []);
        assert_eq!(schedule(1, &kinds(), 100), []);
    }
}
