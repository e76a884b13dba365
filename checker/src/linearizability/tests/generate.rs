//! Random histories (ALGORITHMS.md 10): executions with a few results changed, and structureless ones.

use partita_history::{Event, EventType, History, OpEvent, Value};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// What kind of history to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) operations: usize,
    pub(crate) clients: usize,
    /// Percent of operations that crash.
    pub(crate) crashed: u32,
    /// Percent of refused compare-and-sets that say what they saw.
    pub(crate) observed: u32,
    /// Every written value is another one.
    pub(crate) unique: bool,
    /// Results to change afterwards.
    pub(crate) mutations: usize,
    pub(crate) functions: &'static [&'static str],
}

struct Client {
    f: &'static str,
    input: Value,
    /// The result, once the operation has taken effect: outcome, output, observed.
    effect: Option<(EventType, Value, Option<Value>)>,
}

/// The numbers that values are made from: small enough to meet, 0 being the initial one.
fn value(f: &str, number: i64) -> Value {
    if f == "append" || f == "kv-write" {
        Value::Str(char::from(b'a' + (number.unsigned_abs() % 26) as u8).to_string())
    } else {
        Value::Int(number)
    }
}

struct Generator<'a> {
    rng: &'a mut ChaCha8Rng,
    shape: Shape,
    is_kv: bool,
    written: i64,
    state: Value,
}

impl Generator<'_> {
    fn percent(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn fresh(&mut self) -> Value {
        self.written += 1;
        let number = if self.shape.unique {
            self.written
        } else {
            self.rng.random_range(0..4)
        };
        value(if self.is_kv { "append" } else { "write" }, number)
    }

    /// A value that somebody may have written.
    fn known(&mut self) -> Value {
        if self.is_kv {
            let length = self.rng.random_range(0..3);
            return Value::Str(
                (0..length)
                    .map(|_| ['a', 'b', 'c'][self.rng.random_range(0..3)])
                    .collect(),
            );
        }
        if self.percent(40) {
            return self.state.clone();
        }
        let max = if self.shape.unique { self.written + 1 } else { 3 };
        Value::Int(self.rng.random_range(0..=max))
    }

    fn input(&mut self, f: &str) -> Value {
        match f {
            "read" => Value::Null,
            "cas" => Value::pair(self.known(), self.fresh()),
            _ => self.fresh(),
        }
    }

    fn take_effect(&mut self, client: &Client) -> (EventType, Value, Option<Value>) {
        let input = client.input.clone();
        match client.f {
            "read" => (EventType::Ok, self.state.clone(), None),
            "append" => {
                if let (Value::Str(state), Value::Str(more)) = (&mut self.state, &input) {
                    state.push_str(more);
                }
                (EventType::Ok, input, None)
            }
            "cas" => {
                let (from, to) = input.as_pair().unwrap();
                if self.state == *from {
                    self.state = to.clone();
                    return (EventType::Ok, input, None);
                }
                let seen = self.percent(self.shape.observed).then(|| self.state.clone());
                (EventType::Fail, input, seen)
            }
            _ => {
                self.state = input.clone();
                (EventType::Ok, input, None)
            }
        }
    }

    fn wrong_effect(&mut self, client: &Client) -> (EventType, Value, Option<Value>) {
        match client.f {
            "read" => (EventType::Ok, self.known(), None),
            "cas" if self.percent(50) => (EventType::Ok, client.input.clone(), None),
            "cas" => (
                EventType::Fail,
                client.input.clone(),
                self.percent(50).then(|| self.known()),
            ),
            _ => (EventType::Ok, client.input.clone(), None),
        }
    }
}

fn event(process: u64, kind: EventType, f: &str, value: Value, observed: Option<Value>) -> Event {
    Event::Op(OpEvent {
        index: 0,
        time: 0,
        process,
        kind,
        f: f.into(),
        key: None,
        value,
        observed,
        node: None,
        error: None,
    })
}

/// A history of `shape`; with `mutations` of at least the number of operations it is structureless.
pub(crate) fn history(rng: &mut ChaCha8Rng, shape: Shape) -> History {
    History::from_events(events(rng, shape)).unwrap()
}

/// The events of such a history.
pub(crate) fn events(rng: &mut ChaCha8Rng, shape: Shape) -> Vec<Event> {
    let is_kv = shape.functions.contains(&"append");
    let state = if is_kv { "".into() } else { Value::Int(0) };
    let mut this = Generator {
        rng,
        shape,
        is_kv,
        written: 0,
        state,
    };
    let wrong: Vec<usize> = (0..shape.mutations)
        .map(|_| this.rng.random_range(0..shape.operations))
        .collect();
    let structureless = shape.mutations >= shape.operations;
    let mut events = Vec::new();
    let mut clients: Vec<(u64, Option<Client>)> = (0..shape.clients as u64).map(|id| (id, None)).collect();
    let (mut invoked, mut completed, mut next_process) = (0, 0, shape.clients as u64);
    while completed < shape.operations {
        let at = this.rng.random_range(0..clients.len());
        let (process, slot) = &mut clients[at];
        let Some(client) = slot else {
            if invoked < shape.operations {
                let f = shape.functions[this.rng.random_range(0..shape.functions.len())];
                let input = this.input(f);
                events.push(event(*process, EventType::Invoke, f, input.clone(), None));
                *slot = Some(Client {
                    f,
                    input,
                    effect: None,
                });
                invoked += 1;
            }
            continue;
        };
        if this.percent(shape.crashed) {
            // It may have taken effect before, or takes effect now.
            if client.effect.is_none() && this.percent(50) {
                this.take_effect(client);
            }
            if this.percent(50) {
                events.push(event(
                    *process,
                    EventType::Info,
                    client.f,
                    client.input.clone(),
                    None,
                ));
            }
            (*process, *slot) = (next_process, None);
            next_process += 1;
            completed += 1;
            continue;
        }
        match client.effect.take() {
            None => client.effect = Some(this.take_effect(client)),
            Some(right) => {
                let (kind, output, observed) = if structureless || wrong.contains(&completed) {
                    this.wrong_effect(client)
                } else {
                    right
                };
                events.push(event(*process, kind, client.f, output, observed));
                *slot = None;
                completed += 1;
            }
        }
    }
    events
}
