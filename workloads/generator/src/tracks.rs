//! Schedules that somebody has thought out: faults that follow one another on tracks, which go on side by side.
//!
//! One track says *what* (one fault, or several, in turn or drawn by lot), *when* (once, or every so often; at a time,
//! or when something holds), and *for how long*. All else is made of several: what is to overlap lies on two tracks,
//! and a flip-flop is a track with two faults in turn.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use rand::RngExt;

use crate::faults::{FaultKind, PlannedFault, Rounds, SEED_SPARE_BITS, When};
use crate::random;

/// In which order the faults of a track come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By lot; all come once before any comes again.
    #[default]
    Mix,
    /// One after the other, as they are listed.
    Sequence,
}

/// Faults that follow one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// The faults. Their lengths hold where the track has none.
    pub kinds: Vec<FaultKind>,
    /// The positions of those that may be left out for want of time.
    pub spare: BTreeSet<usize>,
    /// The order in which they come.
    pub order: Order,
    /// When the first comes, in milliseconds since the load began.
    pub at_ms: u64,
    /// How long after the beginning of one the next begins. Without it each fault comes once, the next when the one
    /// before is over.
    pub every_ms: Option<u64>,
    /// When all is over, in milliseconds since the load began.
    pub until_ms: u64,
    /// How long each is in force, in milliseconds.
    pub for_ms: Option<RangeInclusive<u64>>,
    /// What each waits for when its time has come.
    pub when: Option<When>,
}

/// A fault that must come, and for which a track has no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTime {
    /// The track's position.
    pub track: usize,
    /// The position of the fault's kind on the track; none if the track has no fault at all.
    pub kind: Option<usize>,
}

/// The faults of all tracks, in the order of their times.
///
/// # Errors
/// When a track has no time for a fault that must come: in a mix that goes on every so often one must, whichever; else
/// all that are not spare.
pub fn schedule(seed: u64, tracks: &[Track]) -> Result<Vec<PlannedFault>, NoTime> {
    let mut planned = Vec::new();
    for (number, track) in tracks.iter().enumerate() {
        // What is changed on one track leaves the others as they were.
        let (drawn, come) = track.draw(seed, number);
        let missing = if track.order == Order::Mix && track.every_ms.is_some() {
            None
        } else {
            (0..come.len()).find(|kind| !come[*kind] && !track.spare.contains(kind))
        };
        if missing.is_some() || drawn.is_empty() {
            let kind = missing.or((!track.kinds.is_empty()).then_some(0));
            return Err(NoTime { track: number, kind });
        }
        planned.extend(drawn);
    }
    planned.sort_by_key(|fault| fault.at_ms);
    for (id, fault) in (0..).zip(&mut planned) {
        fault.id = id;
    }
    Ok(planned)
}

impl Track {
    /// The faults of this track, and which of its kinds have come.
    fn draw(&self, seed: u64, number: usize) -> (Vec<PlannedFault>, Vec<bool>) {
        let mut rng = random(seed, &format!("track {number}"));
        let mut rounds = Rounds::new(&self.kinds);
        let mut planned = Vec::new();
        let mut come = vec![false; self.kinds.len()];
        let mut at_ms = self.at_ms;
        let mut dealt = 0;
        while self.every_ms.is_some() || dealt < self.kinds.len() {
            // What takes no time at all would fit even then.
            if at_ms >= self.until_ms {
                break;
            }
            let next = match self.order {
                Order::Mix => rounds.next(&mut rng),
                Order::Sequence => {
                    let turn = dealt % self.kinds.len().max(1);
                    let shape = (turn < self.kinds.len()).then(|| rounds.shape(turn, &mut rng));
                    shape.flatten().map(|shape| (turn, shape))
                }
            };
            let Some((turn, shape)) = next else { break };
            dealt += 1;
            let kind = &self.kinds[turn];
            let is_first = !std::mem::replace(&mut come[turn], true);
            let left_ms = self.until_ms - at_ms;
            let kept = left_ms.checked_sub(self.reserved_ms(&come));
            let left_ms = match kept.filter(|left_ms| *left_ms >= self.least_ms(kind)) {
                Some(left_ms) => left_ms,
                None if self.every_ms.is_none() && self.spare.contains(&turn) => {
                    come[turn] = !is_first;
                    continue;
                }
                // Nothing is kept for the others where there is too little for all: the first that is late is missed.
                None => left_ms,
            };
            let for_ms = match &self.for_ms {
                // One that has yet to come is shortened, as far as it may be, rather than left out.
                Some(range) => Some(rng.random_range(range.clone()))
                    .map(|for_ms| if is_first { for_ms.min(left_ms) } else { for_ms })
                    .filter(|for_ms| *for_ms <= left_ms && *for_ms >= *range.start()),
                None => kind.length(&mut rng, left_ms),
            };
            let Some(for_ms) = for_ms else {
                come[turn] = !is_first;
                break;
            };
            planned.push(PlannedFault {
                id: 0,
                at_ms,
                for_ms,
                fault: kind.name.clone(),
                shape,
                when: self.when.clone(),
                seed: rng.random::<u64>() >> SEED_SPARE_BITS,
            });
            // Nothing comes endlessly often.
            at_ms = at_ms.saturating_add(self.every_ms.unwrap_or(for_ms).max(1));
        }
        (planned, come)
    }

    /// How much time those need that must come and have not, where each begins when the one before is over.
    fn reserved_ms(&self, come: &[bool]) -> u64 {
        if self.every_ms.is_some() {
            return 0;
        }
        let yet = (0..come.len()).filter(|kind| !come[*kind] && !self.spare.contains(kind));
        // What takes no time at all moves the next by one.
        yet.map(|kind| self.least_ms(&self.kinds[kind]).max(1))
            .fold(0, u64::saturating_add)
    }

    /// The shortest that a fault can be in force here.
    fn least_ms(&self, kind: &FaultKind) -> u64 {
        match &self.for_ms {
            Some(range) => *range.start(),
            None => kind.least_ms(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, shapes: &[&str]) -> FaultKind {
        FaultKind {
            name: name.into(),
            shapes: shapes.iter().map(|&shape| shape.into()).collect(),
            lengths_ms: vec![100..=200],
        }
    }

    fn track(kinds: Vec<FaultKind>) -> Track {
        Track {
            kinds,
            spare: BTreeSet::new(),
            order: Order::Sequence,
            at_ms: 1_000,
            every_ms: None,
            until_ms: 10_000,
            for_ms: None,
            when: None,
        }
    }

    fn names(planned: &[PlannedFault]) -> Vec<&str> {
        planned.iter().map(|fault| fault.fault.as_str()).collect()
    }

    #[test]
    fn a_sequence_goes_once_through_and_a_flip_flop_goes_on() {
        let two = || vec![kind("kill", &["all"]), kind("pause", &["one"])];
        let once = schedule(1, &[track(two())]).unwrap();
        assert_eq!(names(&once), ["kill", "pause"]);
        assert_eq!((once[0].at_ms, once[1].at_ms), (1_000, 1_000 + once[0].for_ms));
        let flip_flop = Track {
            every_ms: Some(2_000),
            ..track(two())
        };
        let planned = schedule(1, &[flip_flop]).unwrap();
        assert_eq!(names(&planned), ["kill", "pause", "kill", "pause", "kill"]);
        assert!(
            planned
                .iter()
                .enumerate()
                .all(|(i, fault)| fault.at_ms == 1_000 + 2_000 * i as u64)
        );
    }

    #[test]
    fn a_mix_deals_all_before_any_comes_again_and_hangs_on_the_seed() {
        let kinds = ["a", "b", "c", "d", "e"]
            .map(|name| kind(name, &["one"]))
            .to_vec();
        let mix = Track {
            order: Order::Mix,
            every_ms: Some(500),
            ..track(kinds)
        };
        let mut orders = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let planned = schedule(seed, std::slice::from_ref(&mix)).unwrap();
            assert_eq!(planned, schedule(seed, std::slice::from_ref(&mix)).unwrap());
            let mut first: Vec<_> = names(&planned)[..5].to_vec();
            orders.insert(first.join(" "));
            first.sort_unstable();
            assert_eq!(first, ["a", "b", "c", "d", "e"], "seed {seed}");
        }
        assert!(orders.len() > 10, "{orders:?}");
    }

    #[test]
    fn tracks_overlap_are_numbered_by_time_and_do_not_disturb_each_other() {
        let long = Track {
            for_ms: Some(5_000..=5_000),
            ..track(vec![kind("partition", &["halves"])])
        };
        let short = Track {
            at_ms: 500,
            every_ms: Some(1_000),
            when: Some(When::Leader),
            ..track(vec![kind("kill", &["leader", "one"])])
        };
        let both = schedule(3, &[short.clone(), long]).unwrap();
        let alone = schedule(3, &[short]).unwrap();
        assert!(both.iter().zip(0..).all(|(fault, id)| fault.id == id));
        assert!(both.windows(2).all(|pair| pair[0].at_ms <= pair[1].at_ms));
        let kills: Vec<_> = both.iter().filter(|fault| fault.fault == "kill").collect();
        assert!(kills.len() > 5 && kills.iter().all(|kill| kill.when == Some(When::Leader)));
        assert!(
            kills
                .iter()
                .zip(&alone)
                .all(|(kill, alone)| kill.seed == alone.seed)
        );
        let partition = both.iter().find(|fault| fault.fault == "partition").unwrap();
        assert_eq!((partition.at_ms, partition.for_ms), (1_000, 5_000));
    }

    #[test]
    fn what_takes_no_time_comes_to_an_end_as_well() {
        let flash = Track {
            every_ms: Some(1_000),
            for_ms: Some(0..=0),
            ..track(vec![kind("kill", &["one"])])
        };
        assert_eq!(schedule(1, &[flash]).map(|planned| planned.len()), Ok(9));
        let once = Track {
            every_ms: Some(u64::MAX),
            ..track(vec![kind("kill", &["one"])])
        };
        assert_eq!(schedule(1, &[once]).map(|planned| planned.len()), Ok(1));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let late = Track {
            at_ms: 9_950,
            ..track(vec![kind("kill", &["one"])])
        };
        let no_time = |track, kind| Err(NoTime { track, kind });
        assert_eq!(
            schedule(1, &[track(vec![kind("kill", &["one"])]), late]),
            no_time(1, Some(0))
        );
        assert_eq!(schedule(1, &[track(Vec::new())]), no_time(0, None));
        assert_eq!(schedule(1, &[]), Ok(Vec::new()));
    }

    #[test]
    fn every_fault_that_is_not_spare_comes_or_is_named() {
        let two = || vec![kind("kill", &["one"]), kind("pause", &["one"])];
        let no_time = Err(NoTime {
            track: 0,
            kind: Some(1),
        });
        for order in [Order::Mix, Order::Sequence] {
            // Two of six seconds are more than the nine that there are.
            let long = Track {
                order,
                for_ms: Some(6_000..=6_000),
                ..track(two())
            };
            for seed in 0..20 {
                let Err(NoTime {
                    track: 0,
                    kind: Some(missing),
                }) = schedule(seed, std::slice::from_ref(&long))
                else {
                    panic!("seed {seed}: {order:?}");
                };
                assert!(order == Order::Mix || missing == 1);
            }
            let spare = Track {
                spare: BTreeSet::from([0, 1]),
                ..long
            };
            assert_eq!(schedule(1, &[spare]).map(|planned| planned.len()), Ok(1));
            // What is spare gives way to what is not.
            let first = Track {
                spare: BTreeSet::from([0]),
                order,
                for_ms: Some(6_000..=6_000),
                ..track(two())
            };
            for seed in 0..20 {
                let planned = schedule(seed, std::slice::from_ref(&first)).unwrap();
                assert_eq!(names(&planned), ["pause"], "seed {seed}: {order:?}");
            }
        }
        let seldom = |order| Track {
            order,
            every_ms: Some(20_000),
            ..track(two())
        };
        assert_eq!(schedule(1, &[seldom(Order::Sequence)]), no_time);
        let mix = schedule(1, &[seldom(Order::Mix)]);
        assert_eq!(mix.map(|planned| planned.len()), Ok(1), "one of a mix will do");
    }

    #[test]
    fn no_draw_of_lengths_leaves_the_last_without_time() {
        let kinds = ["a", "b", "c", "d"].map(|name| kind(name, &["one"])).to_vec();
        let tight = Track {
            for_ms: Some(1_500..=6_000),
            ..track(kinds.clone())
        };
        let own_lengths = Track {
            at_ms: 9_550,
            ..track(kinds)
        };
        for seed in 0..200 {
            for (track, least) in [(&tight, 1_500), (&own_lengths, 100)] {
                let planned = schedule(seed, std::slice::from_ref(track)).unwrap();
                assert_eq!(planned.len(), 4, "seed {seed}");
                let fits =
                    |fault: &PlannedFault| fault.for_ms >= least && fault.at_ms + fault.for_ms <= 10_000;
                assert!(planned.iter().all(fits), "seed {seed}: {planned:?}");
            }
        }
    }
}
