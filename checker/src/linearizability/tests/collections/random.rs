//! Random histories: executions with a few results changed, and structureless ones.

use partita_history::{Event, EventType, History, OpEvent, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{BAG, Kind, PRIORITY_QUEUE, QUEUE, STACK, options};
use crate::linearizability::entry::Entry;
use crate::linearizability::search::{self, Budget, Finding, Order};
use crate::linearizability::tests::differential::is_linearizable;
use crate::linearizability::tests::monitored::{Tally, compare, in_order, object};
use crate::monitor;

/// What kind of history to make.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) operations: usize,
    pub(super) clients: usize,
    /// Percent of operations that crash.
    pub(super) crashed: u32,
    /// Percent of operations that put something in; of the rest, those that only look.
    pub(super) puts: u32,
    pub(super) peeks: u32,
    /// Results to change afterwards.
    pub(super) mutations: usize,
    /// Items that are there from the beginning.
    pub(super) initial: Vec<i64>,
}

struct Client {
    f: &'static str,
    input: Value,
    /// The result, once it has taken effect.
    effect: Option<Value>,
}

fn event(process: u64, kind: EventType, f: &str, value: Value) -> OpEvent {
    OpEvent {
        index: 0,
        time: 0,
        process,
        kind,
        f: f.into(),
        key: None,
        value,
        observed: None,
        node: None,
        error: None,
    }
}

pub(super) fn to_history(events: Vec<OpEvent>) -> History {
    History::from_events(events.into_iter().map(Event::Op)).unwrap()
}

/// Items in an order in which larger ones need not come later.
fn items(rng: &mut ChaCha8Rng, count: usize) -> Vec<i64> {
    let mut items: Vec<i64> = (10..10 + count as i64).collect();
    for i in (1..items.len()).rev() {
        items.swap(i, rng.random_range(0..=i));
    }
    items
}

/// An execution, with some results changed.
pub(super) fn execution(rng: &mut ChaCha8Rng, kind: Kind, shape: &Shape) -> History {
    to_history(execution_events(rng, kind, shape))
}

pub(super) fn execution_events(rng: &mut ChaCha8Rng, kind: Kind, shape: &Shape) -> Vec<OpEvent> {
    let mut fresh = items(rng, shape.operations);
    let mut state = shape.initial.clone();
    let mut clients: Vec<(u64, Option<Client>)> = (0..shape.clients as u64).map(|id| (id, None)).collect();
    let (mut events, mut invoked, mut next_process) = (Vec::new(), 0, shape.clients as u64);
    while invoked < shape.operations || clients.iter().any(|(_, client)| client.is_some()) {
        let at = rng.random_range(0..clients.len());
        let (process, slot) = &mut clients[at];
        let Some(client) = slot else {
            if invoked < shape.operations {
                let is_put = rng.random_range(0..100) < shape.puts;
                let is_peek = rng.random_range(0..100) < shape.peeks;
                let (f, input) = match kind.peek {
                    _ if is_put => (kind.put, fresh.pop().expect("enough").into()),
                    Some(peek) if is_peek => (peek, Value::Null),
                    _ => (kind.take, Value::Null),
                };
                events.push(event(*process, EventType::Invoke, f, input.clone()));
                *slot = Some(Client {
                    f,
                    input,
                    effect: None,
                });
                invoked += 1;
            }
            continue;
        };
        let is_crash = client.effect.is_none() && rng.random_range(0..100) < shape.crashed;
        if let Some(result) = client.effect.take() {
            events.push(event(*process, EventType::Ok, client.f, result));
            *slot = None;
            continue;
        }
        if !is_crash || rng.random_range(0..100) < 60 {
            let next = kind.next(&state, |count| rng.random_range(0..count));
            client.effect = Some(if client.f == kind.put {
                if let Value::Int(item) = client.input {
                    state.push(item);
                }
                client.input.clone()
            } else {
                let seen = next.map_or(Value::Null, |next| state[next].into());
                if client.f == kind.take
                    && let Some(next) = next
                {
                    state.remove(next);
                }
                seen
            });
        }
        if is_crash {
            events.push(event(*process, EventType::Info, client.f, client.input.clone()));
            (*process, *slot) = (next_process, None);
            next_process += 1;
        }
    }
    for _ in 0..shape.mutations {
        mutate(rng, kind, &mut events, &shape.initial);
    }
    events
}

/// Changes what one operation saw or took, or swaps it with that of another one.
fn mutate(rng: &mut ChaCha8Rng, kind: Kind, events: &mut [OpEvent], initial: &[i64]) {
    let is_result = |event: &OpEvent| event.kind == EventType::Ok && event.f != kind.put;
    let results: Vec<usize> = (0..events.len()).filter(|&i| is_result(&events[i])).collect();
    if results.is_empty() {
        return;
    }
    let mut any = || results[rng.random_range(0..results.len())];
    let (one, other) = (any(), any());
    let put = |event: &OpEvent| {
        (event.kind == EventType::Invoke && event.f == kind.put).then(|| event.value.clone())
    };
    let mut known: Vec<Value> = events.iter().filter_map(put).collect();
    known.extend(initial.iter().map(|&item| Value::Int(item)));
    match rng.random_range(0..8) {
        0 => events[one].value = Value::Null,
        1 if !known.is_empty() => events[one].value = known[rng.random_range(0..known.len())].clone(),
        2 => events[one].value = Value::Int(99),
        _ => {
            let value = events[one].value.clone();
            events[one].value = std::mem::replace(&mut events[other].value, value);
        }
    }
}

/// Random intervals; each item is put in once, perhaps taken, perhaps seen, at no matter what time.
pub(super) fn structureless(rng: &mut ChaCha8Rng, kind: Kind, shape: &Shape) -> History {
    let puts = shape.operations * shape.puts as usize / 100;
    let fresh = items(rng, puts);
    let mut known: Vec<i64> = fresh.iter().chain(&shape.initial).copied().collect();
    let mut operations: Vec<(&str, Value, Value)> = fresh
        .iter()
        .map(|&item| (kind.put, item.into(), item.into()))
        .collect();
    let all = known.clone();
    while operations.len() < shape.operations {
        let is_peek = rng.random_range(0..100) < shape.peeks;
        let is_empty = rng.random_range(0..100) < 15;
        let mut result = |known: &mut Vec<i64>, takes: bool| {
            if is_empty || known.is_empty() {
                return Value::Null;
            }
            let at = rng.random_range(0..known.len());
            Value::Int(if takes { known.swap_remove(at) } else { known[at] })
        };
        operations.push(match kind.peek {
            Some(peek) if is_peek => (peek, Value::Null, result(&mut all.clone(), false)),
            _ => (kind.take, Value::Null, result(&mut known, true)),
        });
    }
    for i in (1..operations.len()).rev() {
        operations.swap(i, rng.random_range(0..=i));
    }
    // Mostly, what is put in begins before it is taken.
    if rng.random_range(0..3) > 0 {
        operations.sort_by_cached_key(|(f, ..)| u8::from(*f != kind.put) * rng.random_range(0..2));
    }
    let mut open: Vec<(u64, &str, Value, Value)> = Vec::new();
    let mut events = Vec::new();
    let mut waiting = (0..).zip(operations).peekable();
    while waiting.peek().is_some() || !open.is_empty() {
        let may_begin = open.len() < shape.clients && waiting.peek().is_some();
        if may_begin && (open.is_empty() || rng.random_range(0..2) == 0) {
            if let Some((process, (f, input, result))) = waiting.next() {
                events.push(event(process, EventType::Invoke, f, input.clone()));
                open.push((process, f, input, result));
            }
            continue;
        }
        let (process, f, input, result) = open.swap_remove(rng.random_range(0..open.len()));
        events.push(if rng.random_range(0..100) < shape.crashed {
            event(process, EventType::Info, f, input)
        } else {
            event(process, EventType::Ok, f, result)
        });
    }
    to_history(events)
}

pub(super) fn shape(rng: &mut ChaCha8Rng, operations: usize) -> Shape {
    Shape {
        operations,
        clients: rng.random_range(1..6),
        crashed: [0, 0, 10, 25][rng.random_range(0..4)],
        puts: [40, 50, 60][rng.random_range(0..3)],
        peeks: [0, 20, 60][rng.random_range(0..3)],
        mutations: [0, 0, 1, 1, 2][rng.random_range(0..5)],
        initial: [&[][..], &[], &[], &[3], &[4, 1_000, 5]][rng.random_range(0..5)].to_vec(),
    }
}

fn any(rng: &mut ChaCha8Rng, kind: Kind, shape: &Shape) -> History {
    match rng.random_range(0..2) {
        0 => execution(rng, kind, shape),
        _ => structureless(rng, kind, shape),
    }
}

fn fuzz(kind: Kind, seeds: std::ops::Range<u64>) -> Tally {
    let count = super::super::histories(seeds.end - seeds.start);
    let mut tally = Tally::default();
    for seed in seeds.start..seeds.start + count {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let operations = rng.random_range(2..11);
        let shape = shape(&mut rng, operations);
        let history = any(&mut rng, kind, &shape);
        let options = options(&shape.initial);
        if let Err(message) = compare(&history, kind.model(), &options, seed % 8 == 0, &mut tally) {
            panic!(
                "{}, seed {seed}: {message}\n{shape:?}\n{:#?}",
                kind.model, history
            );
        }
    }
    assert!(
        u64::from(tally.passed.min(tally.failed)) > count / 10,
        "{tally:?}"
    );
    tally
}

const HISTORIES: u64 = 200_000;

#[test]
fn queues_are_judged_as_by_the_oracle() {
    let tally = fuzz(QUEUE, 0..HISTORIES);
    assert!(tally.searched < tally.passed / 50, "{tally:?}");
}

#[test]
fn stacks_are_judged_as_by_the_oracle() {
    let tally = fuzz(STACK, HISTORIES..2 * HISTORIES);
    assert!(tally.searched < tally.passed / 50, "{tally:?}");
}

#[test]
fn priority_queues_are_judged_as_by_the_oracle() {
    let tally = fuzz(PRIORITY_QUEUE, 2 * HISTORIES..3 * HISTORIES);
    assert!(tally.searched < tally.passed / 50, "{tally:?}");
}

#[test]
fn bags_are_judged_as_by_the_oracle() {
    let tally = fuzz(BAG, 3 * HISTORIES..4 * HISTORIES);
    assert!(tally.searched < tally.passed / 50, "{tally:?}");
}

/// On histories too long for the oracle.
fn against_the_search(kind: Kind, seeds: std::ops::Range<u64>) {
    let budget = Budget {
        configurations: 20_000,
        bytes: u64::MAX,
        stop: &|| false,
    };
    let count = super::super::histories(seeds.end - seeds.start);
    let (mut passed, mut failed, mut searched, mut spent) = (0, 0, 0, 0);
    for seed in seeds.start..seeds.start + count {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let operations = rng.random_range(20..60);
        let mut shape = shape(&mut rng, operations);
        shape.crashed /= 4;
        let history = any(&mut rng, kind, &shape);
        let options = options(&shape.initial);
        let specification = (kind.model().specification)(&options);
        let object = object(&history, kind.model(), &*specification);
        let judge = |entries: &[Entry]| {
            let (finding, _) = search::search(
                Order::DepthFirst { foresight: true },
                entries,
                &object.classes,
                &*specification,
                budget,
            );
            match finding {
                Finding::Linearizable(_) => Some(true),
                Finding::Violation { .. } => Some(false),
                Finding::Spent { .. } => None,
            }
        };
        let expected = judge(&object.entries);
        let pick =
            |some: &[u32]| -> Vec<Entry> { some.iter().map(|&i| object.entries[i as usize]).collect() };
        let found = object.monitor.as_ref().expect("a monitor").judge(&object.entries);
        let is_right = match &found {
            monitor::Finding::Pass(order) => {
                passed += 1;
                expected != Some(false) && in_order(&object, &object.entries, &pick(order)).is_ok()
            }
            monitor::Finding::Fail(core) => {
                failed += 1;
                let core = pick(core);
                let confirmed = match core.len() {
                    ..=20 => Some(is_linearizable(&object, &core)),
                    _ => judge(&core),
                };
                expected != Some(true) && confirmed != Some(true)
            }
            monitor::Finding::NotApplicable(_) => {
                searched += 1;
                true
            }
        };
        spent += u64::from(expected.is_none());
        assert!(
            is_right,
            "{}, seed {seed}: {found:?}, the search says {expected:?}\n{shape:?}",
            kind.model
        );
    }
    assert!(
        passed.min(failed) > count / 10,
        "{passed} passed, {failed} failed"
    );
    assert!(searched < count / 10, "{searched} of {count} had to be searched");
    assert!(spent < count / 2, "{spent} of {count} took too long");
}

#[test]
fn longer_histories_are_judged_as_by_the_search() {
    for kind in [QUEUE, STACK, PRIORITY_QUEUE, BAG] {
        against_the_search(kind, 0..2_000);
    }
}
