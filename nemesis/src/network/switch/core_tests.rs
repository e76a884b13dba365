use std::collections::BTreeSet;

use super::*;
use crate::network::link::{Jitter, Share};
use crate::network::switch::frame::tests::tcp_frame;

const LINK: Link = Link {
    from: Endpoint::Node(0),
    to: Endpoint::Node(1),
};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn forces(seed: u64, interferences: &[Interference]) -> BTreeMap<Link, Vec<Force>> {
    let mut forces: Vec<Force> = (0..)
        .zip(interferences)
        .map(|(fault, &interference)| Force {
            interference,
            fault,
            seed,
        })
        .collect();
    forces.sort_unstable();
    BTreeMap::from([(LINK, forces)])
}

fn under(interferences: &[Interference]) -> Core {
    let mut core = Core::default();
    core.set(Time::ZERO, forces(7, interferences));
    core
}

/// A frame that can be told from others: its number in the IP header is not spoilt by what we do here.
fn numbered(number: u32) -> Vec<u8> {
    let mut frame = tcp_frame(16);
    let end = frame.len() - 4;
    frame[end..].copy_from_slice(&number.to_be_bytes());
    frame
}

fn number_of(frame: &[u8]) -> u32 {
    u32::from_be_bytes(frame[frame.len() - 4..].try_into().unwrap())
}

/// Sends so many frames, one a millisecond, and then waits; what arrived, and when, in milliseconds.
fn arrivals(core: &mut Core, count: u32) -> Vec<(u32, u64)> {
    let mut arrived = Vec::new();
    for time in 0..u64::from(count) + 20_000 {
        let now = ms(time);
        while let Some((to, frame)) = core.take_due(now) {
            assert_eq!(to, LINK.to);
            arrived.push((number_of(&frame), time));
        }
        if let Some(number) = u32::try_from(time).ok().filter(|number| *number < count)
            && core.arrive(now, LINK, &numbered(number)) == Fate::PassOn
        {
            arrived.push((number, time));
        }
    }
    assert_eq!((core.next_due(), core.kept), (None, 0), "nothing is left behind");
    arrived
}

fn in_order(arrived: &[(u32, u64)]) -> bool {
    arrived.is_sorted_by_key(|(number, _)| *number)
}

#[test]
fn without_a_fault_everything_passes_at_once() {
    let arrived = arrivals(&mut Core::default(), 100);
    assert_eq!(
        arrived,
        (0..100)
            .map(|number| (number, u64::from(number)))
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_delay_is_as_long_as_it_says_and_keeps_the_order_whatever_its_jitter() {
    for jitter in [Jitter::Even(ms(30)), Jitter::LongTailed(ms(30))] {
        let mut core = under(&[Interference::Delay {
            least: ms(20),
            jitter,
        }]);
        let arrived = arrivals(&mut core, 500);
        assert_eq!(arrived.len(), 500);
        assert!(in_order(&arrived));
        assert!(
            arrived
                .iter()
                .all(|(number, time)| *time >= u64::from(*number) + 20)
        );
        let late: BTreeSet<u64> = arrived
            .iter()
            .map(|(number, time)| time - u64::from(*number))
            .collect();
        assert!(late.len() > 10, "it varies");
        assert_eq!(core.tally(LINK).delayed, 500);
    }
}

#[test]
fn choices_repeat_with_the_seed_and_differ_without() {
    let run = |seed| {
        let mut core = Core::default();
        let all = [
            Interference::Loss(Share::percent(20)),
            Interference::Duplicate(Share::percent(10)),
            Interference::Reorder {
                share: Share::percent(10),
                by: ms(5),
            },
            Interference::Delay {
                least: ms(2),
                jitter: Jitter::Even(ms(3)),
            },
        ];
        core.set(Time::ZERO, forces(seed, &all));
        arrivals(&mut core, 300)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn shares_are_kept() {
    let share = Share::percent(25);
    let mut core = under(&[Interference::Loss(share)]);
    let arrived = arrivals(&mut core, 4_000);
    assert!((2_800..3_200).contains(&arrived.len()), "{}", arrived.len());
    assert!(in_order(&arrived));
    assert_eq!(core.tally(LINK).lost as usize + arrived.len(), 4_000);

    let mut core = under(&[Interference::Duplicate(share)]);
    let twice = arrivals(&mut core, 4_000).len() - 4_000;
    assert!((800..1_200).contains(&twice), "{twice}");

    let mut core = under(&[Interference::Reorder { share, by: ms(5) }]);
    let arrived = arrivals(&mut core, 4_000);
    assert!(!in_order(&arrived) && arrived.len() == 4_000);
    let late = arrived
        .iter()
        .filter(|(number, time)| *time == u64::from(*number) + 5)
        .count();
    assert!((800..1_200).contains(&late), "{late}");
}

#[test]
fn corruption_spoils_the_header_and_leaves_the_rest() {
    let mut core = under(&[Interference::Corrupt(Share::percent(100))]);
    let frame = numbered(3);
    assert_eq!(core.arrive(ms(0), LINK, &frame), Fate::Taken);
    let (_, spoilt) = core.take_due(ms(0)).unwrap();
    let differing: Vec<usize> = (0..frame.len()).filter(|&at| frame[at] != spoilt[at]).collect();
    assert!(
        matches!(differing[..], [at] if (24..44).contains(&at)),
        "{differing:?}"
    );
}

#[test]
fn a_limited_rate_is_kept_and_what_waits_too_long_is_lost() {
    // One frame is 72 bytes long: at one a millisecond that is four times what gets through.
    let length = numbered(0).len() as u64;
    let mut core = under(&[Interference::Rate(250 * length)]);
    let arrived = arrivals(&mut core, 4_000);
    assert!(in_order(&arrived));
    let (_, last) = arrived.last().unwrap();
    let per_second = arrived.len() as u64 * 1_000 / last;
    assert!((240..=270).contains(&per_second), "{per_second}");
    assert!(
        arrived
            .iter()
            .all(|(number, time)| time - u64::from(*number) <= 310)
    );
    assert_eq!(core.tally(LINK).overflowed + arrived.len() as u64, 4_000);
}

#[test]
fn what_is_held_arrives_in_order_once_released_and_what_is_cut_does_not() {
    for (interference, arriving) in [(Interference::Hold, 10), (Interference::Stall, 0)] {
        let mut core = under(&[Interference::delay(ms(5))]);
        for number in 0..5 {
            assert_eq!(core.arrive(ms(0), LINK, &numbered(number)), Fate::Taken);
        }
        // These five are under way.
        core.set(ms(1), forces(7, &[interference]));
        for number in 5..10 {
            assert_eq!(core.arrive(ms(2), LINK, &numbered(number)), Fate::Taken);
        }
        assert_eq!(core.take_due(ms(1_000)), None, "{interference:?}");
        core.set(ms(1_000), BTreeMap::new());
        let arrived = arrivals(&mut core, 0);
        let numbers: Vec<u32> = arrived.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (0..arriving).collect::<Vec<_>>(), "{interference:?}");
        assert_eq!(core.arrive(ms(21_000), LINK, &numbered(10)), Fate::PassOn);
    }
}

#[test]
fn a_delay_that_ends_lets_all_go_on_at_once_in_order() {
    let mut core = under(&[Interference::delay(ms(5_000))]);
    for number in 0..10 {
        core.arrive(ms(number), LINK, &numbered(u32::try_from(number).unwrap()));
    }
    core.set(ms(100), BTreeMap::new());
    assert_eq!(
        core.arrive(ms(100), LINK, &numbered(10)),
        Fate::Taken,
        "not before the others"
    );
    let mut arrived = Vec::new();
    while let Some((_, frame)) = core.take_due(ms(100)) {
        arrived.push(number_of(&frame));
    }
    assert_eq!(arrived, (0..=10).collect::<Vec<_>>());
}

#[test]
fn a_refusing_link_answers_and_the_other_way_is_open() {
    let mut core = under(&[Interference::Reset]);
    assert!(matches!(
        core.arrive(ms(0), LINK, &numbered(0)),
        Fate::SendBack(_)
    ));
    assert_eq!(
        core.arrive(ms(0), LINK, &tcp_frame(4)),
        Fate::PassOn,
        "a reset gets through"
    );
    let back = Link {
        from: LINK.to,
        to: LINK.from,
    };
    assert_eq!(core.arrive(ms(0), back, &numbered(0)), Fate::PassOn);
    assert_eq!(core.tally(LINK).refused, 1);
}

#[test]
fn whatever_happens_every_frame_is_accounted_for() {
    for seed in 0..200 {
        let mut rng = random(seed, "a walk");
        let mut core = Core::default();
        let mut now = Time::ZERO;
        let mut passed = 0;
        for _ in 0..400 {
            now += ms(rng.random_range(0..4));
            match rng.random_range(0..10) {
                0 => {
                    let choices = [
                        Interference::delay(ms(rng.random_range(0..20))),
                        Interference::Rate(rng.random_range(500..50_000)),
                        Interference::Reorder {
                            share: Share::percent(30),
                            by: ms(4),
                        },
                        Interference::Corrupt(Share::percent(30)),
                        Interference::Loss(Share::percent(30)),
                        Interference::Hold,
                        Interference::Stall,
                        Interference::Reset,
                    ];
                    let chosen: Vec<_> = choices.into_iter().filter(|_| rng.random_ratio(1, 4)).collect();
                    core.set(now, forces(seed, &chosen));
                }
                _ => passed += u64::from(core.arrive(now, LINK, &numbered(0)) == Fate::PassOn),
            }
            while core.take_due(now).is_some() {
                passed += 1;
            }
        }
        core.set(now, BTreeMap::new());
        while core.take_due(now).is_some() {
            passed += 1;
        }
        let tally = core.tally(LINK);
        assert_eq!(
            passed + tally.lost + tally.cut + tally.refused + tally.overflowed,
            tally.arrived,
            "seed {seed}: {tally}"
        );
        assert_eq!(
            (passed, core.kept, core.next_due()),
            (tally.forwarded, 0, None),
            "seed {seed}"
        );
    }
}

/// Such a link can be left to somebody else only when nothing of it would be overtaken.
#[test]
fn a_link_is_busy_until_all_that_waited_has_gone_on() {
    let mut core = under(&[Interference::delay(ms(10))]);
    assert_eq!(core.busy(), BTreeSet::from([LINK]), "although nothing came yet");
    assert_eq!(core.arrive(ms(1), LINK, &numbered(0)), Fate::Taken);
    core.set(ms(2), BTreeMap::new());
    assert_eq!(core.busy(), BTreeSet::from([LINK]));
    assert!(core.take_due(ms(2)).is_some());
    assert_eq!(core.busy(), BTreeSet::new());

    let mut core = under(&[Interference::Hold]);
    assert_eq!(core.arrive(ms(1), LINK, &numbered(0)), Fate::Taken);
    core.set(ms(2), BTreeMap::new());
    assert_eq!(core.busy(), BTreeSet::from([LINK]));
    assert!(core.take_due(ms(2)).is_some());
    assert_eq!(core.busy(), BTreeSet::new());
    assert_eq!(core.arrive(ms(3), LINK, &numbered(1)), Fate::PassOn);
    assert_eq!(core.busy(), BTreeSet::new(), "what passes makes nobody busy");
}
