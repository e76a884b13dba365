//! Histories to judge: clients begin, take effect and end at random, so the order of effects is a linearization,
//! unless some results are then made wrong.

use std::collections::{BTreeSet, VecDeque};

use partita_history::{Event, EventType, History, OpEvent, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// What kind of object the clients use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// Reads, writes and compare-and-sets.
    Register,
    /// Reads, writes and appends of strings; a write now and then keeps them short.
    Strings,
    /// Reads and writes of one to three of six registers.
    Registers,
    /// Increments and reads, and decrements as often as increments if values repeat.
    Counter,
    /// Adds, removes and tests of elements.
    Set,
    /// Puts and takes at the ends that a FIFO queue uses.
    Queue,
    /// Puts and takes at the end that a stack uses.
    Stack,
    /// Puts, and takes of the largest.
    PriorityQueue,
}

/// What history to make.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The kind of object.
    pub object: Object,
    /// How many objects.
    pub keys: usize,
    /// How many operations in all.
    pub operations: usize,
    /// How many clients at a time.
    pub clients: usize,
    /// How many different values are written; none if every value is another one.
    pub values: Option<i64>,
    /// How many in a thousand operations that change something crash.
    pub crashed_permille: u32,
    /// How many results are made wrong.
    pub wrong: usize,
}

/// A client's operation.
#[derive(Clone)]
struct Open {
    key: usize,
    f: &'static str,
    input: Value,
    effect: Option<Effect>,
}

type Effect = (EventType, Value, Option<Value>);

/// The state of one object: of whatever kind, only what it needs is used.
#[derive(Clone, Default)]
struct State {
    value: Value,
    text: String,
    count: i64,
    items: VecDeque<i64>,
    set: BTreeSet<i64>,
    cells: [i64; 6],
}

struct Generator {
    rng: ChaCha12Rng,
    shape: Shape,
    states: Vec<State>,
    last_value: i64,
}

/// A history of `shape`, always the same for one seed.
pub fn history(shape: Shape, seed: u64) -> History {
    let mut this = Generator {
        rng: ChaCha12Rng::seed_from_u64(seed),
        shape,
        states: vec![State::default(); shape.keys],
        last_value: 0,
    };
    let mut clients: Vec<(u64, Option<Open>)> = (0..shape.clients as u64).map(|id| (id, None)).collect();
    let (mut next_process, mut invoked, mut time) = (shape.clients as u64, 0, 0);
    let mut open_count = 0;
    let mut wrong: BTreeSet<usize> = (0..shape.wrong)
        .map(|_| this.rng.random_range(shape.operations / 2..shape.operations))
        .collect();
    let mut history = History::default();
    while invoked < shape.operations || open_count > 0 {
        let client = this.rng.random_range(0..clients.len());
        let (process, slot) = &mut clients[client];
        time += 1_000;
        let mut push = |kind, open: &Open, value: Value, observed| {
            let event = OpEvent {
                index: 0,
                time,
                process: *process,
                kind,
                f: open.f.to_owned(),
                key: (shape.keys > 1).then(|| Value::Int(open.key as i64)),
                value,
                observed,
                node: None,
                error: None,
            };
            history
                .push(Event::Op(event))
                .expect("a client does one thing at a time");
        };
        let Some(open) = slot else {
            if invoked < shape.operations {
                let open = this.begin();
                push(EventType::Invoke, &open, open.input.clone(), None);
                *slot = Some(open);
                invoked += 1;
                open_count += 1;
            }
            continue;
        };
        let changes = !matches!(open.f, "read" | "contains");
        if changes && this.rng.random_range(0..1000) < shape.crashed_permille {
            if open.effect.is_none() && this.rng.random() {
                this.take_effect(open);
            }
            push(EventType::Info, open, open.input.clone(), None);
            (*process, *slot) = (next_process, None);
            next_process += 1;
            open_count -= 1;
        } else if let Some((kind, value, observed)) = open.effect.take() {
            push(kind, open, value, observed);
            *slot = None;
            open_count -= 1;
        } else {
            let mut effect = this.take_effect(open);
            if wrong.first().is_some_and(|&at| at <= invoked)
                && let Some(other) = this.wrong_answer(open, &effect.1)
            {
                effect.1 = other;
                wrong.pop_first();
            }
            open.effect = Some(effect);
        }
    }
    history
}

impl Generator {
    fn fresh(&mut self) -> i64 {
        match self.shape.values {
            Some(values) => self.rng.random_range(1..=values),
            None => {
                self.last_value += 1;
                self.last_value
            }
        }
    }

    fn begin(&mut self) -> Open {
        let key = self.rng.random_range(0..self.shape.keys);
        let dice = self.rng.random_range(0..10);
        let unique = self.shape.values.is_none();
        let (f, input) = match self.shape.object {
            Object::Register => match dice {
                0..5 => ("read", Value::Null),
                5..8 => ("write", self.fresh().into()),
                _ => {
                    let from = match self.shape.values {
                        Some(values) => self.rng.random_range(1..=values).into(),
                        None => self.states[key].value.clone(),
                    };
                    ("cas", Value::pair(from, self.fresh().into()))
                }
            },
            Object::Strings => match dice {
                0..5 => ("read", Value::Null),
                5 => ("write", Value::Str(String::new())),
                _ => ("append", letter(self.fresh())),
            },
            Object::Registers => {
                let size = self.rng.random_range(1..=3);
                let mut cells: BTreeSet<i64> = BTreeSet::new();
                while cells.len() < size {
                    cells.insert(self.rng.random_range(0..6));
                }
                let reads = dice < 5;
                let parts = cells.into_iter().map(|cell| match reads {
                    true => Value::Int(cell),
                    false => Value::pair(cell.into(), self.fresh().into()),
                });
                (if reads { "read" } else { "write" }, Value::List(parts.collect()))
            }
            Object::Counter => match dice {
                0..4 => ("read", Value::Null),
                4..7 => ("increment", Value::Null),
                _ if unique => ("increment", Value::Null),
                _ => ("decrement", Value::Null),
            },
            Object::Set => {
                let element = self.rng.random_range(0..self.shape.values.unwrap_or(1_000));
                let f = ["add", "remove", "contains"][self.rng.random_range(0..3)];
                (f, element.into())
            }
            Object::Queue => match dice {
                // More takes than puts, so that it is short, and empty now and then.
                0..4 => ("enqueue", self.fresh().into()),
                _ => ("dequeue", Value::Null),
            },
            Object::Stack => match dice {
                0..5 => ("push", self.fresh().into()),
                _ => ("pop", Value::Null),
            },
            Object::PriorityQueue => match dice {
                0..5 => {
                    self.last_value += 1;
                    // Each another one, in no order.
                    (
                        "insert",
                        (self.last_value.wrapping_mul(0x9E37_79B9) & 0xFFFF_FFFF).into(),
                    )
                }
                _ => ("poll", Value::Null),
            },
        };
        Open {
            key,
            f,
            input,
            effect: None,
        }
    }

    fn take_effect(&mut self, open: &Open) -> Effect {
        let state = &mut self.states[open.key];
        let input = open.input.clone();
        let number = match input {
            Value::Int(number) => number,
            _ => 0,
        };
        let done = |value| (EventType::Ok, value, None);
        let taken = |item: Option<i64>| (EventType::Ok, item.map_or(Value::Null, Value::Int), None);
        match (self.shape.object, open.f) {
            (Object::Register, "read") => done(state.value.clone()),
            (Object::Strings, "read") => done(Value::Str(state.text.clone())),
            (Object::Counter, "read") => done(state.count.into()),
            (Object::Registers, f) => {
                let Value::List(parts) = &input else {
                    return done(input);
                };
                if f == "read" {
                    let read = |part: &Value| match part {
                        Value::Int(cell) => Value::pair(part.clone(), value_of(state.cells[*cell as usize])),
                        _ => Value::Null,
                    };
                    return done(Value::List(parts.iter().map(read).collect()));
                }
                for part in parts {
                    if let Some((Value::Int(cell), Value::Int(value))) = part.as_pair() {
                        state.cells[*cell as usize] = *value;
                    }
                }
                done(input)
            }
            (_, "cas") => {
                let (from, to) = input.as_pair().expect("made as a pair");
                if *from == state.value {
                    state.value = to.clone();
                    return done(input);
                }
                // With unique values, what it saw is recorded, as ours do; with repeated ones it is not, as theirs.
                let seen = self.shape.values.is_none().then(|| state.value.clone());
                (EventType::Fail, input, seen)
            }
            (Object::Strings, f) => {
                let Value::Str(text) = &input else {
                    return done(input);
                };
                if f == "write" {
                    state.text.clear();
                }
                state.text.push_str(text);
                done(input)
            }
            (_, "increment") => {
                state.count += 1;
                done(input)
            }
            (_, "decrement") => {
                state.count -= 1;
                done(input)
            }
            (_, "add") => done(Value::pair(input, i64::from(state.set.insert(number)).into())),
            (_, "remove") => done(Value::pair(input, i64::from(state.set.remove(&number)).into())),
            (_, "contains") => done(i64::from(state.set.contains(&number)).into()),
            (_, "enqueue" | "push") => {
                state.items.push_back(number);
                done(input)
            }
            (_, "insert") => {
                state.set.insert(number);
                done(input)
            }
            (_, "dequeue") => taken(state.items.pop_front()),
            (_, "pop") => taken(state.items.pop_back()),
            (_, "poll") => taken(state.set.pop_last()),
            _ => {
                state.value = input.clone();
                done(input)
            }
        }
    }

    /// Another answer than the right one, if the operation has one to give.
    fn wrong_answer(&mut self, open: &Open, right: &Value) -> Option<Value> {
        match (self.shape.object, open.f, right) {
            (Object::Register, "read", _) => {
                let written = self.shape.values.unwrap_or((self.last_value - 200).max(1));
                let other = Value::Int(self.rng.random_range(1..=written));
                (other != *right).then_some(other)
            }
            (Object::Counter, "read", Value::Int(count)) => Some((count + 2).into()),
            (Object::Strings, "read", Value::Str(text)) => Some(Value::Str(format!("{text}z"))),
            (Object::Registers, "read", Value::List(parts)) => {
                let mut parts = parts.clone();
                let first = parts.first_mut()?;
                *first = Value::pair(first.as_pair()?.0.clone(), self.shape.values?.into());
                (Value::List(parts.clone()) != *right).then_some(Value::List(parts))
            }
            (Object::Queue, "dequeue", Value::Int(_)) => {
                let other = *self.states[open.key].items.back()?;
                (Value::Int(other) != *right).then_some(other.into())
            }
            _ => None,
        }
    }
}

/// Registers that were never written hold null.
fn value_of(cell: i64) -> Value {
    if cell == 0 { Value::Null } else { cell.into() }
}

fn letter(number: i64) -> Value {
    Value::Str(char::from(b'a' + number.rem_euclid(26) as u8).to_string())
}
