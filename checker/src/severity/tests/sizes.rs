//! Δ, Γ and k against every candidate, each judged by the oracle.

use super::brute;
use super::levels::{random, with_object};
use super::seeds;
use crate::linearizability::entry::Entry;
use crate::linearizability::search::Budget;
use crate::severity::origin::origins;
use crate::severity::result::{Extent, Unit};
use crate::severity::scene::{Moment, NEVER, Scene};
use crate::severity::shift::Zones;
use crate::severity::stale::stale_reads;
use crate::severity::window::{self, Window};
use crate::severity::{measure, widen};

const UNLIMITED: Budget<'static> = Budget {
    configurations: u64::MAX,
    bytes: u64::MAX,
    stop: &|| false,
};

/// How many parts a nanosecond has here: enough for the positions of a small history.
const PARTS: Moment = 64;

/// A moment in such parts.
fn small(moment: Moment) -> Moment {
    (moment >> 32) * PARTS + (moment & 0xffff_ffff)
}

/// The entries with moments for positions, moved: reads' beginnings back, ends on.
fn moved(scene: &Scene<'_>, back: Moment, on: Moment) -> Vec<Entry> {
    // Far enough from zero.
    let at = |moment: Moment| u32::try_from(moment + 100_000).unwrap();
    let pairs = scene.object.entries.iter().zip(&scene.acts);
    pairs
        .map(|(entry, act)| {
            let back = if act.step.produces().is_none() { back } else { 0 };
            Entry {
                invoked: at(small(act.began) - back),
                deadline: (act.ended != NEVER).then(|| at(small(act.ended) + on)),
                ..*entry
            }
        })
        .collect()
}

/// The least of all sizes that can matter which makes it linearizable.
fn least(scene: &Scene<'_>, at: impl Fn(Moment) -> Vec<Entry>) -> Option<u64> {
    let begins = scene.acts.iter().map(|act| small(act.began));
    let ends = || {
        scene
            .acts
            .iter()
            .filter(|act| act.ended != NEVER)
            .map(|act| small(act.ended))
    };
    let mut sizes: Vec<Moment> = begins
        .flat_map(|begin| ends().map(move |end| begin - end))
        .collect();
    sizes.push(0);
    sizes.retain(|&size| size >= 0);
    sizes.sort_unstable();
    sizes.dedup();
    let fits = |size: &Moment| brute::is_linearizable(scene, scene.object.specification, &at(*size));
    let least = sizes.into_iter().find(fits)?;
    u64::try_from((least + PARTS / 2) / PARTS).ok()
}

fn agrees(extent: &Extent, expected: Option<u64>) -> bool {
    match extent {
        Extent::Exactly(size) => Some(*size) == expected,
        Extent::Boundless(_) => expected.is_none(),
        Extent::AtLeast(_) | Extent::NotKnown(_) => false,
    }
}

fn compare(scene: &Scene<'_>, found: &mut [u32; 2]) -> Result<(), String> {
    let object = scene.object;
    let delta = least(scene, |back| moved(scene, back, 0));
    let gamma = least(scene, |on| moved(scene, 0, on));
    found[0] += u32::from(delta.is_some_and(|delta| delta > 0));
    found[1] += u32::from(gamma.is_some_and(|gamma| gamma > 0));
    let (stale_by, clock_error) = match Zones::new(scene) {
        Ok(zones) => (zones.stale_by(), zones.clock_error()),
        Err(why) => (Extent::Boundless(why.clone()), Extent::Boundless(why)),
    };
    if !agrees(&stale_by, delta) {
        return Err(format!("Δ is {delta:?}, said to be {stale_by:?}"));
    }
    if !agrees(&clock_error, gamma) {
        return Err(format!("Γ is {gamma:?}, said to be {clock_error:?}"));
    }
    let widened = widen::clock_error(object, Unit::Nanoseconds, &|| false);
    if !agrees(&widened, gamma) {
        return Err(format!("Γ is {gamma:?}, by widening {widened:?}"));
    }
    Ok(())
}

#[test]
fn staleness_and_clock_error_are_the_least_that_mend() {
    let mut found = [0; 2];
    for seed in seeds(100_000, 20000) {
        let (history, model) = random(seed, true);
        with_object(&history, model, |object| {
            let scene = Scene::new(object, &object.entries).unwrap();
            if scene.muddle.is_some() || crate::severity::scene::unit_of(object) == Unit::Events {
                return;
            }
            if let Err(message) = compare(&scene, &mut found) {
                panic!("seed {seed}: {message}\n{history:#?}");
            }
        });
    }
    assert!(
        found
            .iter()
            .all(|&found| u64::from(found) >= super::histories(20_000) / 20),
        "{found:?}"
    );
}

#[test]
fn versions_are_the_least_window_that_mends() {
    let mut found = [0_u32; 4];
    for seed in seeds(140_000, 30000) {
        let (history, model) = random(seed, seed % 2 == 0);
        with_object(&history, model, |object| {
            let scene = Scene::new(object, &object.entries).unwrap();
            let fits = |missed: usize| {
                let window = Window::new(object.specification, object.classes.iter(), missed + 1);
                brute::is_linearizable(&scene, &window, &object.entries)
            };
            if !brute::is_plain(&scene) || fits(0) {
                return;
            }
            let expected = (1..12).find(|&missed| fits(missed)).map(|missed| missed as u64);
            let least = stale_reads(&scene, &origins(&scene)).versions.max;
            assert!(
                expected.is_none_or(|expected| least <= expected),
                "seed {seed}: {least} {expected:?}"
            );
            match (window::versions(&scene, least, UNLIMITED), expected) {
                (Extent::Exactly(versions), Some(expected)) if versions == expected => {
                    found[expected.min(3) as usize] += 1;
                }
                (Extent::AtLeast(_), None) => {}
                (other, _) => panic!("seed {seed}: {other:?}, should be {expected:?}\n{history:#?}"),
            }
        });
    }
    let enough = super::histories(30_000) / 6000;
    assert!(
        found[1..].iter().all(|&found| u64::from(found) >= enough),
        "{found:?}"
    );
}

#[test]
fn certainly_stale_reads_bound_the_whole() {
    for seed in seeds(200_000, 10000) {
        let (history, model) = random(seed, seed % 2 == 0);
        with_object(&history, model, |object| {
            let severity = measure(object, UNLIMITED);
            let Some(stale) = &severity.stale_reads else {
                return;
            };
            let within = |bound: u64, extent: &Extent| match extent {
                Extent::Exactly(size) | Extent::AtLeast(size) => bound <= *size,
                Extent::Boundless(_) | Extent::NotKnown(_) => true,
            };
            assert!(
                within(stale.time.max, &severity.stale_by),
                "seed {seed}: {severity:?}"
            );
            assert!(
                within(stale.versions.max, &severity.versions),
                "seed {seed}: {severity:?}"
            );
            assert!(
                stale.stale + stale.from_nowhere <= stale.of,
                "seed {seed}: {severity:?}"
            );
            assert!(!severity.lines().is_empty());
        });
    }
}
