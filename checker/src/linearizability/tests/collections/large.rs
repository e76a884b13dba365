//! Sizes that runs produce.

use partita_history::{EventType, History, Value};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::random::{Shape, execution, execution_events, to_history};
use super::{BAG, Kind, PRIORITY_QUEUE, QUEUE, STACK, options};
use crate::model::{Engine, Options};
use crate::verdict::{Analysis, Verdict};
use crate::{check_with_witness, verify};

fn shape(operations: usize, clients: usize, crashed: u32) -> Shape {
    Shape {
        operations,
        clients,
        crashed,
        puts: 50,
        peeks: 20,
        mutations: 0,
        initial: Vec::new(),
    }
}

fn judge(history: &History, kind: Kind) -> Analysis {
    let options = Options {
        engine: Engine::Monitor,
        ..options(&[])
    };
    let (analysis, witnesses) = check_with_witness(history, kind.model(), &options, &|| false).unwrap();
    if analysis.verdict == Verdict::Valid {
        verify(history, kind.model(), &options, &witnesses).unwrap();
    }
    analysis
}

#[test]
fn fifty_thousand_operations_are_judged_without_a_search() {
    for kind in [QUEUE, STACK, PRIORITY_QUEUE, BAG] {
        for (seed, crashed) in [(1, 0), (2, 2)] {
            // What is seen and then taken by an operation of unknown outcome is not judged.
            let peeks = if crashed > 0 && kind.model == "fifo-queue" {
                0
            } else {
                20
            };
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let shape = Shape {
                peeks,
                ..shape(50_000, 50, crashed)
            };
            let analysis = judge(&execution(&mut rng, kind, &shape), kind);
            assert_eq!(
                analysis.verdict,
                Verdict::Valid,
                "{}: {}",
                kind.model,
                analysis.reason
            );
        }
    }
}

/// In the middle, two items of which the second came later and the first was still there are exchanged where they
/// are taken.
fn with_one_exchange(kind: Kind, operations: usize, seed: u64) -> History {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut events = execution_events(&mut rng, kind, &shape(operations, 20, 0));
    let is_take = |i: &usize| {
        let event = &events[*i];
        event.kind == EventType::Ok && event.f == kind.take && event.value != Value::Null
    };
    let takes: Vec<usize> = (events.len() / 2..events.len()).filter(is_take).collect();
    let (one, other) = (takes[0], takes[60]);
    let value = events[one].value.clone();
    events[one].value = std::mem::replace(&mut events[other].value, value);
    to_history(events)
}

#[test]
fn one_exchange_among_fifty_thousand_operations_is_found_and_made_small() {
    for kind in [QUEUE, STACK, PRIORITY_QUEUE] {
        for seed in 0..2 {
            let analysis = judge(&with_one_exchange(kind, 50_000, seed), kind);
            let [anomaly] = &analysis.anomalies[..] else {
                panic!("{}, seed {seed}: {}", kind.model, analysis.reason);
            };
            assert!(
                anomaly.confirmed && anomaly.operations.len() <= 8,
                "{}, seed {seed}: {anomaly:?}",
                kind.model
            );
        }
    }
}
