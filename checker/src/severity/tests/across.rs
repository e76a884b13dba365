//! Causal consistency across keys against its definition.

use std::collections::BTreeMap;

use partita_history::History;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::brute::{is_linearizable, items_of};
use super::generate::{self, Shape};
use super::seeds;
use crate::linearizability::entry::{self, Object};
use crate::model::{Model, Options};
use crate::severity::across::across;
use crate::severity::result::Holds;
use crate::severity::scene::Scene;

/// A read or a write: key, process, position of its operation, value, whether it writes, whether it is pending.
type Item = (usize, u64, u32, u32, bool, bool);

fn items(scenes: &[Scene<'_>]) -> Vec<Item> {
    let of = |(key, scene)| {
        items_of(scene).into_iter().map(move |(act, value, writes)| {
            let act = &scene.acts[act];
            let process = scene.recorded(act).process;
            (key, process, act.invoked, value, writes, act.is_pending())
        })
    };
    scenes.iter().enumerate().flat_map(of).collect()
}

/// Whether every read is explained by what it depends on.
fn by_definition(scenes: &[Scene<'_>]) -> bool {
    let items = items(scenes);
    let direct = |a: &Item, b: &Item| {
        let in_session = a.1 == b.1 && !a.5 && (a.2, a.4) < (b.2, b.4);
        in_session || a.4 && !b.4 && (a.0, a.3) == (b.0, b.3)
    };
    let count = items.len();
    let mut depends: Vec<Vec<bool>> = items
        .iter()
        .map(|a| items.iter().map(|b| direct(a, b)).collect())
        .collect();
    for middle in 0..count {
        for a in 0..count {
            for b in 0..count {
                depends[a][b] |= depends[a][middle] && depends[middle][b];
            }
        }
    }
    let is_explained = |read: usize| {
        let (key, _, _, value, writes, _) = items[read];
        let writer = (0..count).find(|&i| items[i].4 && (items[i].0, items[i].3) == (key, value));
        if writes {
            return true;
        }
        let mut newer = (0..count).filter(|&i| items[i].4 && items[i].0 == key && depends[i][read]);
        match writer {
            None => value == 0 && newer.next().is_none(),
            Some(writer) => !newer.any(|other| depends[writer][other]),
        }
    };
    (0..count).all(|i| !depends[i][i] && is_explained(i))
}

fn compare(history: &History, seen: &mut [u32; 2]) -> Result<(), String> {
    let options = Options {
        initial: 0.into(),
        ..Options::default()
    };
    let specification = (Model::by_name("cas-register").unwrap().specification)(&options);
    let keys: BTreeMap<_, _> = history.by_key();
    let object = |(key, operations): (_, Vec<usize>)| {
        let (entries, classes) = entry::classify(history, &operations, &*specification).unwrap();
        Object {
            history,
            specification: &*specification,
            key,
            monitor: None,
            may_search: true,
            classes,
            entries,
        }
    };
    let objects: Vec<Object<'_>> = keys.into_iter().map(object).collect();
    let scenes: Vec<Scene<'_>> = objects
        .iter()
        .map(|object| Scene::new(object, &object.entries).unwrap())
        .collect();
    let found = across(&objects, &|| false).unwrap();
    if scenes.iter().any(|scene| scene.muddle.is_some()) {
        return Ok(());
    }
    let expected = by_definition(&scenes);
    seen[usize::from(expected)] += 1;
    match found {
        Holds::Yes if expected => Ok(()),
        Holds::No { operations, .. } if !expected && !operations.is_empty() => {
            let linearizable = scenes
                .iter()
                .all(|scene| is_linearizable(scene, &*specification, &scene.object.entries));
            match linearizable {
                true => Err("linearizable, but not causal".to_owned()),
                false => Ok(()),
            }
        }
        other => Err(format!("{other:?}, by definition {expected}")),
    }
}

#[test]
fn across_keys_it_is_what_it_is_defined_to_be() {
    let mut seen = [0; 2];
    for seed in seeds(400_000, 20000) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let shape = Shape {
            operations: rng.random_range(4..16),
            clients: rng.random_range(2..5),
            crashed: [0, 10, 30][rng.random_range(0..3)],
            wrong: [10, 30, 60][rng.random_range(0..3)],
            unique: true,
            keys: rng.random_range(2..4),
            functions: &["read", "read", "write", "write", "cas"],
        };
        let history = generate::history(&mut rng, shape);
        if let Err(message) = compare(&history, &mut seen) {
            panic!("seed {seed}: {message}\n{history:#?}");
        }
    }
    assert!(
        seen.iter()
            .all(|&seen| u64::from(seen) >= super::histories(20_000) / 12),
        "{seen:?}"
    );
}
