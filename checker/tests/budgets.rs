//! Budgets hold: memory by a counting allocator, and whoever asks to stop is heard.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use partita_checker::{Analysis, Engine, Model, Options, Verdict, check};
use partita_history::{Event, EventType, History, OpEvent, Value};
use peak_alloc::PeakAlloc;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const MIB: u64 = 1 << 20;

/// What the allocator counts must be of one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn event(process: u64, kind: EventType, f: &str, value: impl Into<Value>) -> Event {
    Event::Op(OpEvent {
        index: 0,
        time: 0,
        process,
        kind,
        f: f.to_owned(),
        key: None,
        value: value.into(),
        observed: None,
        node: None,
        error: None,
    })
}

/// Additions of different amounts, all open at the same time, and then a read of a count that no subset gives: the
/// search has to go through all subsets before it knows.
fn additions(count: u64, ending: EventType) -> History {
    let amount = |process| 3 * process as i64 + 3;
    let mut events: Vec<Event> = (0..count)
        .map(|process| event(process, EventType::Invoke, "add", amount(process)))
        .collect();
    let end = |process| event(process, ending, "add", amount(process));
    let reader = count;
    if ending == EventType::Info {
        events.extend((0..count).map(end));
        events.push(event(reader, EventType::Invoke, "read", Value::Null));
        events.push(event(reader, EventType::Ok, "read", 1));
    } else {
        events.push(event(reader, EventType::Invoke, "read", Value::Null));
        events.push(event(reader, EventType::Ok, "read", 1));
        events.extend((0..count).map(end));
    }
    History::from_events(events).unwrap()
}

/// Clients put and take, of few different values: what came first shows only much later.
fn queue(operations: usize, seed: u64) -> History {
    History::from_events(queue_events(operations, seed)).unwrap()
}

fn queue_events(operations: usize, seed: u64) -> Vec<Event> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut items = std::collections::VecDeque::new();
    let mut clients: Vec<Option<(&str, Value, Option<Value>)>> = vec![None; 12];
    let mut events = Vec::new();
    while events.len() < 2 * operations {
        let process = rng.random_range(0..clients.len());
        let id = process as u64;
        match &mut clients[process] {
            None => {
                let put = rng.random_range(0..2) == 0;
                let value = if put {
                    Value::Int(rng.random_range(0..4))
                } else {
                    Value::Null
                };
                let f = if put { "enqueue" } else { "dequeue" };
                events.push(event(id, EventType::Invoke, f, value.clone()));
                clients[process] = Some((f, value, None));
            }
            Some((f, value, Some(effect))) => {
                let _ = value;
                events.push(event(id, EventType::Ok, f, effect.clone()));
                clients[process] = None;
            }
            Some((f, value, effect)) => {
                *effect = Some(if *f == "enqueue" {
                    items.push_back(value.clone());
                    value.clone()
                } else {
                    items.pop_front().unwrap_or_default()
                });
            }
        }
    }
    events
}

fn search(history: &History, model: &str, memory_bytes_max: u64) -> Analysis {
    let options = Options {
        engine: Engine::Search,
        memory_bytes_max,
        ..Options::default()
    };
    check(history, Model::by_name(model).unwrap(), &options, &|| false).unwrap()
}

#[test]
fn memory_stays_within_a_tenth_of_its_budget() {
    let _alone = ALONE.lock();
    let cases = [
        ("configurations", additions(40, EventType::Ok), "counter"),
        ("wide masks", additions(150, EventType::Ok), "counter"),
        ("crashed operations", additions(40, EventType::Info), "counter"),
        ("states", queue(4_000, 1), "fifo-queue"),
    ];
    for (what, history, model) in &cases {
        for budget in [3 * MIB, 10 * MIB] {
            let before = ALLOCATOR.current_usage();
            ALLOCATOR.reset_peak_usage();
            let analysis = search(history, model, budget);
            let peak = (ALLOCATOR.peak_usage() - before) as u64;
            assert_eq!(analysis.verdict, Verdict::Unknown, "{what}: {}", analysis.reason);
            // The operations themselves, as the search sees them, are not part of the budget.
            let entries = 64 * 1024 + 200 * history.events() as u64 / 2;
            assert!(
                peak <= budget * 11 / 10 + entries,
                "{what}: {peak} bytes of {budget}"
            );
            assert!(peak >= budget / 4, "{what}: gave up at {peak} bytes of {budget}");
        }
    }
}

#[test]
fn whoever_asks_to_stop_is_heard() {
    let _alone = ALONE.lock();
    // Valid but hard; and a violation that can be made small only slowly.
    let mut wrong = queue_events(1_000, 2);
    for event in wrong.iter_mut().rev().take(80) {
        match event {
            Event::Op(end) if end.kind == EventType::Ok && end.f == "dequeue" => end.value = 9.into(),
            _ => {}
        }
    }
    let wrong = History::from_events(wrong).unwrap();
    for history in [queue(2_000, 1), wrong] {
        for patience in [0, 1, 2, 3, 5, 10, 20, 50, 100] {
            let asked = AtomicU64::new(0);
            let stop = || asked.fetch_add(1, Ordering::Relaxed) >= patience;
            let options = Options {
                engine: Engine::Search,
                ..Options::default()
            };
            let model = Model::by_name("fifo-queue").unwrap();
            let analysis = check(&history, model, &options, &stop).unwrap();
            let asked = asked.into_inner();
            assert!(asked > patience, "asked {asked} times only");
            // Every stage looks once more before it gives up.
            assert!(
                asked < patience + 200,
                "went on for {} more looks",
                asked - patience
            );
            match analysis.verdict {
                Verdict::Unknown => {}
                Verdict::Invalid => assert!(analysis.anomalies.iter().all(|anomaly| !anomaly.minimal)),
                other => panic!("{other} after {patience} looks"),
            }
        }
    }
}
