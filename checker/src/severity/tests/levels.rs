//! Each level against its definition, and the levels against each other.

use partita_history::History;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::brute;
use super::generate::{self, Shape};
use super::seeds;
use crate::linearizability::entry::{self, Object};
use crate::model::{Model, Options};
use crate::monitor;
use crate::severity::ladder::ladder;
use crate::severity::origin::origins;
use crate::severity::result::{Consistency, Holds, Level};
use crate::severity::scene::Scene;

/// A history of each kind in turn.
pub(super) fn random(seed: u64, unique: bool) -> (History, &'static Model) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (model, functions): (_, &'static [&'static str]) = match seed % 3 {
        0 => ("cas-register", &["read", "read", "write", "cas"]),
        1 => ("cas-register", &["read", "cas"]),
        _ => ("register", &["read", "read", "write"]),
    };
    let shape = Shape {
        operations: rng.random_range(2..11),
        clients: rng.random_range(1..5),
        crashed: [0, 10, 30][rng.random_range(0..3)],
        wrong: [0, 15, 40][rng.random_range(0..3)],
        unique,
        keys: 1,
        functions,
    };
    (generate::history(&mut rng, shape), Model::by_name(model).unwrap())
}

/// Calls with the history as an object.
pub(super) fn with_object<T>(history: &History, model: &Model, then: impl FnOnce(&Object<'_>) -> T) -> T {
    let options = Options {
        initial: 0.into(),
        ..Options::default()
    };
    let specification = (model.specification)(&options);
    let operations: Vec<usize> = history.by_key().into_values().flatten().collect();
    let (entries, classes) = entry::classify(history, &operations, &*specification).unwrap();
    then(&Object {
        history,
        specification: &*specification,
        key: None,
        monitor: monitor::of(model.name, &classes, &*specification),
        may_search: true,
        classes,
        entries,
    })
}

fn holds(levels: &[Level], consistency: Consistency) -> &Holds {
    let level = levels.iter().find(|level| level.consistency == consistency);
    &level.unwrap().holds
}

/// What implies what.
const IMPLIED: [(Consistency, Consistency); 7] = [
    (Consistency::Regular, Consistency::Safe),
    (Consistency::Sequential, Consistency::Causal),
    (Consistency::Causal, Consistency::Pram),
    (Consistency::Causal, Consistency::WritesFollowReads),
    (Consistency::Pram, Consistency::MonotonicReads),
    (Consistency::Pram, Consistency::ReadYourWrites),
    (Consistency::Pram, Consistency::MonotonicWrites),
];

fn compare(scene: &Scene<'_>, seen: &mut [[u32; 3]; 10]) -> Result<(), String> {
    let levels = ladder(scene, &origins(scene), &|| false);
    let by_definition = |consistency: Consistency| {
        consistency != Consistency::Eventual && (scene.muddle.is_none() || consistency <= Consistency::Safe)
    };
    for (level, seen) in levels.iter().zip(seen) {
        let Level { consistency, holds } = level;
        seen[match holds {
            Holds::Yes => 0,
            Holds::No { .. } => 1,
            Holds::NotKnown { .. } => 2,
        }] += 1;
        if by_definition(*consistency) && !brute::agrees(holds, brute::holds(scene, *consistency)) {
            return Err(format!("{consistency:?}: {holds:?}"));
        }
    }
    for (stronger, weaker) in IMPLIED {
        let weaker_fails = matches!(holds(&levels, weaker), Holds::No { .. });
        if *holds(&levels, stronger) == Holds::Yes && weaker_fails {
            return Err(format!("{stronger:?} holds, {weaker:?} does not"));
        }
    }
    let is_linearizable = brute::is_linearizable(scene, scene.object.specification, &scene.object.entries);
    if is_linearizable && levels.iter().any(|level| matches!(level.holds, Holds::No { .. })) {
        return Err(format!("linearizable, but {levels:?}"));
    }
    Ok(())
}

fn fuzz(unique: bool, seeds: std::ops::Range<u64>) -> [[u32; 3]; 10] {
    let mut seen = [[0; 3]; 10];
    for seed in seeds {
        let (history, model) = random(seed, unique);
        let compared = with_object(&history, model, |object| {
            let scene = Scene::new(object, &object.entries).unwrap();
            compare(&scene, &mut seen)
        });
        if let Err(message) = compared {
            panic!("seed {seed}, unique {unique}: {message}\n{history:#?}");
        }
    }
    seen
}

#[test]
fn levels_are_what_they_are_defined_to_be() {
    let seeds = seeds(0, 30_000);
    let count = seeds.end as u32;
    let seen = fuzz(true, seeds);
    // Each level was seen to hold, and not to.
    for (consistency, [yes, no, _]) in Consistency::OF_A_KEY.into_iter().zip(seen) {
        assert!(
            yes >= count / 60 && no >= count / 3000,
            "{consistency:?}: {seen:?}"
        );
    }
}

#[test]
fn with_repeated_values_only_single_reads_are_judged() {
    let seeds = seeds(60_000, 10_000);
    let count = (seeds.end - seeds.start) as u32;
    let seen = fuzz(false, seeds);
    assert!(seen[0][1] >= count / 20 && seen[1][1] >= count / 200, "{seen:?}");
    assert!(seen[2][2] >= count / 20, "{seen:?}");
}
