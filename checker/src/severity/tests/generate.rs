//! Random histories of a register that is often right: with times, clients that come back after a crash, and
//! answers that are old.

use partita_history::{Event, EventType, History, OpEvent, Value};
use rand::{Rng, RngExt};

/// What kind of history to make.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) operations: usize,
    pub(super) clients: usize,
    /// Percent of operations that crash.
    pub(super) crashed: u32,
    /// Percent of answers that are any value instead of the current one.
    pub(super) wrong: u32,
    /// Every written value is another one.
    pub(super) unique: bool,
    /// How many keys; one has no name.
    pub(super) keys: usize,
    pub(super) functions: &'static [&'static str],
}

struct Client {
    process: u64,
    open: Option<(usize, &'static str, Value)>,
}

pub(super) fn history(rng: &mut impl Rng, shape: Shape) -> History {
    let mut clients: Vec<Client> = (0..shape.clients as u64)
        .map(|process| Client { process, open: None })
        .collect();
    let (mut history, mut time, mut written, mut invoked) = (History::default(), 0, 0, 0);
    let (mut states, mut next_process) = (vec![0; shape.keys], shape.clients as u64);
    let mut past: Vec<Vec<i64>> = vec![vec![0]; shape.keys];
    while invoked < shape.operations || clients.iter().any(|client| client.open.is_some()) {
        let at = rng.random_range(0..clients.len());
        let client = &mut clients[at];
        time += rng.random_range(0..4);
        let process = client.process;
        let mut push = |key: usize, kind, f: &str, value, observed| {
            let event = OpEvent {
                index: 0,
                time,
                process,
                kind,
                f: f.into(),
                key: (shape.keys > 1).then_some(Value::Int(key as i64)),
                value,
                observed,
                node: process.is_multiple_of(2).then(|| format!("n{process}")),
                error: None,
            };
            history.push(Event::Op(event)).unwrap();
        };
        let Some((key, f, input)) = client.open.take() else {
            if invoked < shape.operations {
                invoked += 1;
                let key = rng.random_range(0..shape.keys);
                let f = shape.functions[rng.random_range(0..shape.functions.len())];
                written += i64::from(f != "read" && shape.unique);
                let new = if shape.unique {
                    written
                } else {
                    rng.random_range(0..4)
                };
                let input = match f {
                    "read" => Value::Null,
                    "write" => new.into(),
                    _ => Value::pair(
                        if rng.random_range(0..2) == 0 {
                            states[key]
                        } else {
                            new / 2
                        }
                        .into(),
                        new.into(),
                    ),
                };
                push(key, EventType::Invoke, f, input.clone(), None);
                client.open = Some((key, f, input));
            }
            continue;
        };
        let is_wrong = rng.random_range(0..100) < shape.wrong;
        let most = if shape.unique { written + 1 } else { 3 };
        let seen: i64 = match is_wrong {
            // With several keys, one that was there: most others would be nowhere.
            true if shape.keys > 1 => past[key][rng.random_range(0..past[key].len())],
            true => rng.random_range(0..=most),
            false => states[key],
        };
        let mut does = |value: &Value| {
            if let Value::Int(value) = *value {
                states[key] = value;
                past[key].push(value);
            }
        };
        if rng.random_range(0..100) < shape.crashed {
            if rng.random_range(0..2) == 0 && f == "write" {
                does(&input);
            }
            let ends = rng.random_range(0..3);
            if ends > 0 {
                push(key, EventType::Info, f, input, None);
            }
            if ends < 2 {
                client.process = next_process;
                next_process += 1;
            }
            continue;
        }
        match (f, input.as_pair()) {
            ("read", _) => push(key, EventType::Ok, f, seen.into(), None),
            ("cas", Some((from, to))) => {
                if *from == Value::Int(seen) || is_wrong && rng.random_range(0..2) == 0 {
                    does(to);
                    push(key, EventType::Ok, f, input, None);
                } else {
                    let observed = (rng.random_range(0..2) == 0).then(|| seen.into());
                    push(key, EventType::Fail, f, input, observed);
                }
            }
            _ => {
                does(&input);
                push(key, EventType::Ok, f, input, None);
            }
        }
    }
    history
}
