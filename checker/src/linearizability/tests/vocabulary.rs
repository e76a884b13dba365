//! Random histories of any model (ALGORITHMS.md 10): what its functions are given, and what they may answer. The
//! right answers are found by asking the model which of many it accepts.

use partita_history::{Event, EventType, History, Moment, OpEvent, Operation, Outcome, Value};
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::model::Specification;

/// How many answers are tried before an operation is refused.
const TRIES: usize = 40;

/// The functions of a model; those named twice are asked twice as often.
pub(crate) fn functions(model: &str) -> &'static [&'static str] {
    match model {
        "register" => &["read", "write"],
        "cas-register" | "versioned-register" => &["read", "write", "cas"],
        "write-once-register" => &["propose", "read"],
        "multi-register" => &["read", "write", "txn"],
        "kv" => &["read", "write", "append"],
        "counter" => &["read", "read", "increment", "decrement", "add"],
        "set" => &["add", "add", "remove", "contains", "read"],
        "grow-only-set" => &["add", "read"],
        "list" | "append-log" => &["append", "read"],
        "fifo-queue" => &["enqueue", "enqueue", "dequeue", "dequeue", "peek"],
        "bag" => &["enqueue", "dequeue"],
        "stack" => &["push", "push", "pop", "pop", "peek"],
        "priority-queue" => &["insert", "insert", "poll", "poll", "peek"],
        "mutex" | "owned-mutex" | "semaphore" | "fenced-lock" => &["acquire", "release"],
        other => panic!("what are the functions of {other}?"),
    }
}

fn small(rng: &mut ChaCha8Rng) -> Value {
    Value::Int(rng.random_range(0..4))
}

fn letter(rng: &mut ChaCha8Rng) -> Value {
    (*["a", "b", "ab", "ba"].choose(rng).unwrap()).into()
}

fn key(rng: &mut ChaCha8Rng) -> Value {
    (*["x", "y"].choose(rng).unwrap()).into()
}

/// What a function is given.
pub(crate) fn input(rng: &mut ChaCha8Rng, model: &str, f: &str) -> Value {
    let one_or_two = 1 + rng.random_range(0..2);
    match (model, f) {
        ("append-log", "read") | ("fenced-lock", "release") if rng.random_range(0..3) > 0 => {
            Value::Int(rng.random_range(0..5))
        }
        ("append-log", "read") | ("counter", "add") => Value::Int(rng.random_range(0..3) - 1),
        ("counter", "increment" | "decrement") | ("semaphore", _) if rng.random_range(0..2) == 0 => {
            Value::Int(one_or_two)
        }
        (_, "cas") => Value::pair(small(rng), small(rng)),
        ("multi-register", "write") => Value::List(
            (0..one_or_two)
                .map(|_| Value::pair(key(rng), small(rng)))
                .collect(),
        ),
        ("multi-register", "txn") => {
            let part = |rng: &mut ChaCha8Rng| match rng.random_range(0..2) {
                0 => Value::List(vec!["r".into(), key(rng), Value::Null]),
                _ => Value::List(vec!["w".into(), key(rng), small(rng)]),
            };
            Value::List((0..one_or_two).map(|_| part(rng)).collect())
        }
        ("kv", "write" | "append") => letter(rng),
        (
            _,
            "write" | "append" | "add" | "remove" | "contains" | "enqueue" | "push" | "insert" | "propose",
        ) => small(rng),
        _ => Value::Null,
    }
}

/// What a function may answer, right or wrong.
pub(crate) fn output(rng: &mut ChaCha8Rng, model: &str, f: &str, input: &Value, state: &Value) -> Value {
    let elements = match state {
        Value::List(items) => items.clone(),
        _ => Vec::new(),
    };
    let number = |rng: &mut ChaCha8Rng| Value::Int(rng.random_range(-1..6));
    match (model, f) {
        ("kv", "read") if rng.random_range(0..2) == 0 => letter(rng),
        ("multi-register", "read") => {
            let known = elements.choose(rng).cloned();
            let other = Value::pair(key(rng), [Value::Null, small(rng)].choose(rng).unwrap().clone());
            let mut pairs = vec![known.filter(|_| rng.random_range(0..2) == 0).unwrap_or(other)];
            pairs.extend(elements.choose(rng).cloned());
            Value::List(pairs)
        }
        ("multi-register", "txn") => {
            let Value::List(parts) = input else {
                return Value::Null;
            };
            let answer = |part: &Value, rng: &mut ChaCha8Rng| match part {
                Value::List(words) if words[0] == "r".into() => {
                    let seen = [Value::Null, small(rng)].choose(rng).unwrap().clone();
                    Value::List(vec![words[0].clone(), words[1].clone(), seen])
                }
                part => part.clone(),
            };
            Value::List(parts.iter().map(|part| answer(part, rng)).collect())
        }
        ("grow-only-set" | "set" | "list", "read") if rng.random_range(0..4) == 0 => {
            Value::List((0..rng.random_range(0..3)).map(|_| small(rng)).collect())
        }
        ("append-log", "read") => elements.choose(rng).cloned().unwrap_or(Value::Null),
        ("counter", "read") if rng.random_range(0..2) == 0 => number(rng),
        ("grow-only-set" | "set" | "list" | "counter", "read") => state.clone(),
        ("set", "contains") => Value::Int(rng.random_range(0..2)),
        ("set", "add" | "remove") => match rng.random_range(0..3) {
            0 => Value::Null,
            _ => Value::pair(input.clone(), Value::Int(rng.random_range(0..2))),
        },
        ("write-once-register", "propose") => match rng.random_range(0..4) {
            0 => Value::Null,
            1 => input.clone(),
            2 => small(rng),
            _ => state.clone(),
        },
        ("versioned-register", "read") if rng.random_range(0..3) == 0 => Value::pair(
            [Value::Null, number(rng)].choose(rng).unwrap().clone(),
            small(rng),
        ),
        (_, "read") if rng.random_range(0..2) == 0 => state.clone(),
        ("counter", "increment" | "decrement" | "add") if rng.random_range(0..2) == 0 => {
            Value::pair(input.clone(), number(rng))
        }
        ("versioned-register" | "kv", "read") => state.clone(),
        ("versioned-register" | "append-log", _) | ("fenced-lock", "acquire") => {
            [Value::Null, number(rng), number(rng)]
                .choose(rng)
                .unwrap()
                .clone()
        }
        (_, "dequeue" | "pop" | "poll" | "peek" | "read") => match rng.random_range(0..6) {
            0 => Value::Null,
            _ => small(rng),
        },
        _ => input.clone(),
    }
}

/// What kind of history to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) operations: usize,
    pub(crate) clients: usize,
    /// Percent of operations that crash.
    pub(crate) crashed: u32,
    /// Percent of answers that are not asked of the model.
    pub(crate) wrong: u32,
}

struct Client {
    f: &'static str,
    input: Value,
    /// How it ends, once it has taken effect.
    effect: Option<(EventType, Value)>,
}

struct Generator<'a> {
    rng: &'a mut ChaCha8Rng,
    model: &'a str,
    specification: &'a dyn Specification,
    shape: Shape,
    state: Value,
}

impl Generator<'_> {
    fn percent(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn answer(&mut self, client: &Client) -> Value {
        output(self.rng, self.model, client.f, &client.input, &self.state)
    }

    /// The state after the operation, if the model accepts it. One that says nothing leaves it as it is.
    fn step(&self, process: u64, client: &Client, outcome: Outcome, output: Value) -> Option<Value> {
        let operation = operation(process, client.f, &client.input, outcome, &output);
        match self
            .specification
            .classify(&operation)
            .expect("of the right kind")
        {
            Some(class) => self.specification.step(&self.state, &class),
            None => Some(self.state.clone()),
        }
    }

    fn take_effect(&mut self, process: u64, client: &Client) -> (EventType, Value) {
        if self.percent(self.shape.wrong) {
            return (EventType::Ok, self.answer(client));
        }
        for _ in 0..TRIES {
            let answer = self.answer(client);
            if let Some(state) = self.step(process, client, Outcome::Ok, answer.clone()) {
                self.state = state;
                return (EventType::Ok, answer);
            }
        }
        (EventType::Fail, client.input.clone())
    }

    fn take_unknown_effect(&mut self, process: u64, client: &Client) {
        if let Some(state) = self.step(process, client, Outcome::Info, Value::Null) {
            self.state = state;
        }
    }
}

/// An operation that stands for itself.
pub(crate) fn operation<'a>(
    process: u64,
    f: &'a str,
    input: &'a Value,
    outcome: Outcome,
    output: &'a Value,
) -> Operation<'a> {
    let moment = |position| Moment { position, time: 0 };
    Operation {
        process,
        f,
        key: None,
        input,
        outcome,
        output,
        observed: None,
        invoked: moment(0),
        completed: Some(moment(1)),
        node: None,
        error: None,
    }
}

pub(crate) fn event(process: u64, kind: EventType, f: &str, value: Value) -> Event {
    Event::Op(OpEvent {
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
    })
}

/// A history of `shape`; if all answers are wrong it has no structure at all.
pub(crate) fn history(
    rng: &mut ChaCha8Rng,
    model: &str,
    specification: &dyn Specification,
    shape: Shape,
) -> History {
    let state = specification.initial();
    let mut this = Generator {
        rng,
        model,
        specification,
        shape,
        state,
    };
    let mut events = Vec::new();
    let mut clients: Vec<(u64, Option<Client>)> = (0..shape.clients as u64).map(|id| (id, None)).collect();
    let (mut invoked, mut completed, mut next_process) = (0, 0, shape.clients as u64);
    while completed < shape.operations {
        let at = this.rng.random_range(0..clients.len());
        let (process, slot) = &mut clients[at];
        let Some(client) = slot else {
            if invoked < shape.operations {
                let f = *functions(model).choose(this.rng).unwrap();
                let input = input(this.rng, model, f);
                events.push(event(*process, EventType::Invoke, f, input.clone()));
                let effect = None;
                *slot = Some(Client { f, input, effect });
                invoked += 1;
            }
            continue;
        };
        if client.effect.is_none() && this.percent(shape.crashed) {
            if this.percent(60) {
                this.take_unknown_effect(*process, client);
            }
            if this.percent(50) {
                events.push(event(*process, EventType::Info, client.f, client.input.clone()));
            }
            (*process, *slot) = (next_process, None);
            next_process += 1;
            completed += 1;
            continue;
        }
        match client.effect.take() {
            None => client.effect = Some(this.take_effect(*process, client)),
            Some((kind, output)) => {
                events.push(event(*process, kind, client.f, output));
                *slot = None;
                completed += 1;
            }
        }
    }
    History::from_events(events).unwrap()
}
