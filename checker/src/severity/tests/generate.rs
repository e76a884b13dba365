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
    pub(super) functions: &'static [&'static str],
}

struct Client {
    process: u64,
    open: Option<(&'static str, Value)>,
}

pub(super) fn history(rng: &mut impl Rng, shape: Shape) -> History {
    let mut clients: Vec<Client> = (0..shape.clients as u64)
        .map(|process| Client { process, open: None })
        .collect();
    let (mut history, mut time, mut written, mut invoked) = (History::default(), 0, 0, 0);
    let (mut state, mut next_process) = (0, shape.clients as u64);
    while invoked < shape.operations || clients.iter().any(|client| client.open.is_some()) {
        let at = rng.random_range(0..clients.len());
        let client = &mut clients[at];
        time += rng.random_range(0..4);
        let process = client.process;
        let mut push = |kind, f: &str, value, observed| {
            let event = OpEvent {
                index: 0,
                time,
                process,
                kind,
                f: f.into(),
                key: None,
                value,
                observed,
                node: (process % 2 == 0).then(|| format!("n{process}")),
                error: None,
            };
            history.push(Event::Op(event)).unwrap();
        };
        let Some((f, input)) = client.open.take() else {
            if invoked < shape.operations {
                invoked += 1;
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
                            state
                        } else {
                            new / 2
                        }
                        .into(),
                        new.into(),
                    ),
                };
                push(EventType::Invoke, f, input.clone(), None);
                client.open = Some((f, input));
            }
            continue;
        };
        let is_wrong = rng.random_range(0..100) < shape.wrong;
        let most = if shape.unique { written + 1 } else { 3 };
        let seen: i64 = if is_wrong {
            rng.random_range(0..=most)
        } else {
            state
        };
        let does = |value: &Value, state: &mut i64| {
            if let Value::Int(value) = value {
                *state = *value;
            }
        };
        if rng.random_range(0..100) < shape.crashed {
            if rng.random_range(0..2) == 0 && f == "write" {
                does(&input, &mut state);
            }
            let ends = rng.random_range(0..3);
            if ends > 0 {
                push(EventType::Info, f, input, None);
            }
            if ends < 2 {
                client.process = next_process;
                next_process += 1;
            }
            continue;
        }
        match (f, input.as_pair()) {
            ("read", _) => push(EventType::Ok, f, seen.into(), None),
            ("cas", Some((from, to))) => {
                if *from == Value::Int(seen) || is_wrong && rng.random_range(0..2) == 0 {
                    does(to, &mut state);
                    push(EventType::Ok, f, input, None);
                } else {
                    let observed = (rng.random_range(0..2) == 0).then(|| seen.into());
                    push(EventType::Fail, f, input, observed);
                }
            }
            _ => {
                does(&input, &mut state);
                push(EventType::Ok, f, input, None);
            }
        }
    }
    history
}
