//! Sizes that runs produce.

use std::time::Duration;

use partita_history::{EventType, History, Value};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::random::{Shape, execution, execution_events, to_history};
use super::{BAG, Kind, PRIORITY_QUEUE, QUEUE, STACK, options};
use crate::linearizability::entry;
use crate::model::{Engine, Options};
use crate::monitor::{self, Finding};
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

/// How long this thread was at work: other work of the machine does not count.
fn busy() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = statistics.split_whitespace().next().expect("a number");
    Duration::from_nanos(nanoseconds.parse().expect("a number"))
}

/// `cargo test --release -p partita-checker --lib how_long -- --ignored --nocapture`
#[test]
#[ignore = "it measures, and tells"]
#[expect(clippy::print_stderr, reason = "it measures, and tells")]
fn how_long_a_monitor_takes() {
    for kind in [QUEUE, STACK, PRIORITY_QUEUE, BAG] {
        for (operations, crashed) in [(100_000, 0), (1_000_000, 0), (1_000_000, 1)] {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let peeks = if crashed > 0 { 0 } else { 20 };
            let shape = Shape {
                peeks,
                ..shape(operations, 100, crashed)
            };
            let history = execution(&mut rng, kind, &shape);
            let specification = (kind.model().specification)(&options(&[]));
            let all: Vec<usize> = (0..operations).collect();
            let (entries, classes) = entry::classify(&history, &all, &*specification).unwrap();
            let start = busy();
            let monitor = monitor::of(kind.model, &classes, &*specification).unwrap();
            let made = busy() - start;
            let finding = match monitor.judge(&entries) {
                Finding::Pass(order) => format!("pass ({} operations)", order.len()),
                other => format!("{other:?}"),
            };
            let judged = busy() - start - made;
            eprintln!(
                "{}: {operations} operations, 100 clients, {crashed} % crashed: made in {made:.0?}, judged in {judged:.0?}: {:.300}",
                kind.model, finding
            );
        }
        let history = with_one_exchange(kind, 1_000_000, 1);
        let start = busy();
        let options = Options {
            engine: Engine::Monitor,
            ..options(&[])
        };
        let (analysis, _) = check_with_witness(&history, kind.model(), &options, &|| false).unwrap();
        let operations = analysis
            .anomalies
            .first()
            .map_or(0, |anomaly| anomaly.operations.len());
        eprintln!(
            "{}: one exchange among 1000000 operations: {}, {operations} operations in {:.1?}",
            kind.model,
            analysis.verdict,
            busy() - start
        );
    }
}
