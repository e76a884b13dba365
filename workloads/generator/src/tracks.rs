//! Schedules that somebody has thought out: faults that follow one another on tracks, which go on side by side.
//!
//! One track says *what* (one fault, or several, in turn or drawn by lot), *when* (once, or every so often; at a time,
//! or when something holds), and *for how long*. All else is made of several: what is to overlap lies on two tracks,
//! and a flip-flop is a track with two faults in turn.

use std::ops::RangeInclusive;

use rand::RngExt;

use crate::faults::{FaultKind, PlannedFault, Rounds, SEED_SPARE_BITS, When};
use crate::random;
use crate::settings::Settings;

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
    /// What of each is not left to its seed.
    pub settings: Settings,
}

/// The faults of all tracks, in the order of their times. `Err` has the number of a track that has no time even for
/// its first fault.
pub fn schedule(seed: u64, tracks: &[Track]) -> Result<Vec<PlannedFault>, usize> {
    let mut planned = Vec::new();
    for (number, track) in tracks.iter().enumerate() {
        // What is changed on one track leaves the others as they were.
        let drawn = track.draw(seed, number);
        if drawn.is_empty() {
            return Err(number);
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
    fn draw(&self, seed: u64, number: usize) -> Vec<PlannedFault> {
        let mut rng = random(seed, &format!("track {number}"));
        let mut rounds = Rounds::new(&self.kinds);
        let mut planned = Vec::new();
        let mut at_ms = self.at_ms;
        while self.every_ms.is_some() || planned.len() < self.kinds.len() {
            // What takes no time at all would fit even then.
            if at_ms >= self.until_ms {
                break;
            }
            let next = match self.order {
                Order::Mix => rounds.next(&mut rng),
                Order::Sequence => {
                    let turn = planned.len() % self.kinds.len().max(1);
                    let kind = self.kinds.get(turn);
                    kind.and_then(|kind| Some((kind, rounds.shape(turn, &mut rng)?)))
                }
            };
            let Some((kind, shape)) = next else { break };
            let left_ms = self.until_ms.saturating_sub(at_ms);
            let for_ms = match &self.for_ms {
                Some(range) => Some(rng.random_range(range.clone())).filter(|for_ms| *for_ms <= left_ms),
                None => kind.length(&mut rng, left_ms),
            };
            let Some(for_ms) = for_ms else { break };
            planned.push(PlannedFault {
                id: 0,
                at_ms,
                for_ms,
                fault: kind.name.clone(),
                shape,
                when: self.when.clone(),
                seed: rng.random::<u64>() >> SEED_SPARE_BITS,
                settings: self.settings.clone(),
            });
            // Nothing comes endlessly often.
            at_ms = at_ms.saturating_add(self.every_ms.unwrap_or(for_ms).max(1));
        }
        planned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Value;

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
            order: Order::Sequence,
            at_ms: 1_000,
            every_ms: None,
            until_ms: 10_000,
            for_ms: None,
            when: None,
            settings: Settings::default(),
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
    fn settings_go_to_every_fault_of_their_track_and_change_nothing_else() {
        let plain = Track {
            every_ms: Some(1_000),
            ..track(vec![kind("loss", &["all", "one"]), kind("corrupt", &["one"])])
        };
        let set = Track {
            settings: [("percent", Value::Whole(20))].into_iter().collect(),
            ..plain.clone()
        };
        let before = schedule(1, &[plain.clone(), plain.clone()]).unwrap();
        let mut planned = schedule(1, &[set.clone(), plain]).unwrap();
        assert!(planned.iter().any(|fault| fault.settings.is_empty()));
        for fault in &mut planned {
            if fault.settings == set.settings {
                fault.settings = Settings::default();
            }
        }
        assert_eq!(planned, before);
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
        assert_eq!(schedule(1, &[track(vec![kind("kill", &["one"])]), late]), Err(1));
        assert_eq!(schedule(1, &[track(Vec::new())]), Err(0));
        assert_eq!(schedule(1, &[]), Ok(Vec::new()));
    }
}
