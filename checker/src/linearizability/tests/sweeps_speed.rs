//! How fast monitors are: run it in release, and see.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it measures, and tells"
)]

use std::time::Instant;

use partita_history::Value;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::linearizability::entry::{self, Entry};
use crate::model::{Class, Model, Options};
use crate::monitor::{self, Finding};

/// Clients begin, take effect and end at random.
fn run(
    model: &str,
    operations: usize,
    clients: usize,
    initial: Value,
    mut effect: impl FnMut(&mut ChaCha8Rng, &mut Vec<i64>) -> Class,
) {
    let model = Model::by_name(model).unwrap();
    let options = Options {
        initial,
        ..Options::default()
    };
    let specification = (model.specification)(&options);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut classes = entry::Classes::default();
    let mut entries: Vec<Entry> = Vec::with_capacity(operations);
    let mut open: Vec<Option<(usize, Option<u32>)>> = vec![None; clients];
    let (mut position, mut state) = (0, Vec::new());
    while entries.len() < operations {
        let client = rng.random_range(0..clients);
        open[client] = match open[client] {
            None => {
                entries.push(Entry {
                    id: entries.len(),
                    class: u32::MAX,
                    invoked: position,
                    deadline: None,
                });
                position += 1;
                Some((entries.len() - 1, None))
            }
            Some((at, None)) => {
                let class = classes.intern(effect(&mut rng, &mut state), &*specification);
                entries[at].class = class;
                Some((at, Some(class)))
            }
            Some((at, Some(_))) => {
                entries[at].deadline = Some(position);
                position += 1;
                None
            }
        };
    }
    entries.retain(|entry| {
        entry.deadline.is_some() || entry.class != u32::MAX && !classes.is_observer(entry.class)
    });
    let start = Instant::now();
    let monitor = monitor::of(model.name, &classes, &*specification).unwrap();
    let made = start.elapsed();
    let Finding::Pass(order) = monitor.judge(&entries) else {
        panic!("{} is not linearizable", model.name);
    };
    let judged = start.elapsed();
    // The last value is lost, if it is seen by somebody else.
    let mut broken = entries.clone();
    let last = broken.len() - 1;
    broken[last].class = broken[0].class;
    broken[last].deadline = Some(position);
    let start = Instant::now();
    let finding = match monitor.judge(&broken) {
        Finding::Pass(_) => "pass".to_owned(),
        Finding::Fail(core) => format!("fail, core of {}", core.len()),
        Finding::NotApplicable(why) => why.to_owned(),
    };
    println!(
        "{:<20} {:>8} operations, {clients} clients, {:>7} classes: make {:>6.1?}, judge {:>6.1?} ({} ordered); \
         last operation like the first: {finding} in {:>6.1?}",
        model.name,
        entries.len(),
        classes.len(),
        made,
        judged - made,
        order.len(),
        start.elapsed()
    );
}

fn class(action: &'static str, argument: impl Into<Value>, result: impl Into<Value>) -> Class {
    Class {
        action,
        argument: argument.into(),
        result: result.into(),
    }
}

fn set(elements: i64) -> impl FnMut(&mut ChaCha8Rng, &mut Vec<i64>) -> Class {
    move |rng, state| {
        state.resize(elements as usize, 0);
        let element = rng.random_range(0..elements);
        let there = &mut state[element as usize];
        let (before, action) = (*there, rng.random_range(0..3));
        let action = match (action, before) {
            (0, 0) => {
                *there = 1;
                "added"
            }
            (1, 1) => {
                *there = 0;
                "removed"
            }
            (_, 0) => "absent",
            _ => "found",
        };
        class(action, element, Value::Null)
    }
}

fn permits(all: i64) -> impl FnMut(&mut ChaCha8Rng, &mut Vec<i64>) -> Class {
    move |rng, state| {
        state.resize(1, 0);
        let acquires = state[0] == 0 || state[0] < all && rng.random_range(0..2) == 0;
        state[0] += if acquires { 1 } else { -1 };
        class(if acquires { "acquire" } else { "release" }, 1, Value::Null)
    }
}

#[test]
#[ignore = "it measures: --release -- --ignored --nocapture speed"]
fn speed() {
    for operations in [100_000, 1_000_000] {
        run("set", operations, 100, Value::Null, set(10_000));
        run("set", operations, 100, Value::Null, set(5));
        run("counter", operations, 100, Value::Null, |rng, state| {
            state.resize(1, 0);
            if rng.random_range(0..2) == 0 {
                return class("read", Value::Null, state[0]);
            }
            state[0] += 1;
            class("add", 1, Value::Null)
        });
        run("counter", operations, 100, Value::Null, |rng, state| {
            state.resize(1, 0);
            if rng.random_range(0..2) == 0 {
                return class("read", Value::Null, state[0]);
            }
            state[0] += 1;
            class("add", 1, state[0])
        });
        run("mutex", operations, 100, Value::Null, |rng, state| {
            let mut class = permits(1)(rng, state);
            class.argument = Value::Null;
            class
        });
        run("semaphore", operations, 100, 1.into(), permits(1));
        run("semaphore", operations, 100, 10.into(), permits(10));
        run(
            "versioned-register",
            operations,
            100,
            Value::Null,
            |rng, state| {
                state.resize(2, 0);
                if rng.random_range(0..2) == 0 {
                    let value = if state[0] == 0 {
                        Value::Null
                    } else {
                        state[0].into()
                    };
                    return class("read", Value::Null, Value::pair(state[0].into(), value));
                }
                state[0] += 1;
                class("write", state[0], state[0])
            },
        );
        run("append-log", operations, 100, Value::Null, |rng, state| {
            state.resize(1, 0);
            if rng.random_range(0..2) == 0 && state[0] > 0 {
                let offset = rng.random_range(0..state[0]);
                return class("read", offset, offset);
            }
            state[0] += 1;
            class("append", state[0] - 1, state[0] - 1)
        });
        run("list", operations, 100, Value::Null, |rng, state| {
            if rng.random_range(0..operations) < 20 {
                let items = state.iter().copied().map(Value::Int).collect();
                return class("read", Value::Null, Value::List(items));
            }
            state.push(state.len() as i64);
            class("append", state.len() as i64 - 1, Value::Null)
        });
        run("grow-only-set", operations, 100, Value::Null, |rng, state| {
            if rng.random_range(0..operations) < 20 {
                let items = state.iter().copied().map(Value::Int).collect();
                return class("read", Value::Null, Value::List(items));
            }
            state.push(state.len() as i64);
            class("add", state.len() as i64 - 1, Value::Null)
        });
    }
}
