//! Several registers that one operation reads and writes together.
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `read` | anything (a list of keys, say) | a list of `[key, value]` |
//! | `write` | a list of `[key, value]` | anything |
//! | `txn` | a list of `[f, key, value]`, f being `r` (or `read`) or `w` (or `write`) | the same, with the values read |
//!
//! A register that was never written holds null. The parts of a `txn` happen in order, nothing coming between: it
//! reads what it has written itself.
//!
//! The keys of the registers are inside the values, so histories are not split by them. (The `key` of an event, if
//! there is one, names a group of registers that has nothing to do with other groups.) Initially every register
//! holds null, or the `initial` value; a list of `[key, value]` gives each its own. Of an operation of unknown
//! outcome all writes may have happened, or none. A `fail` did nothing.

use partita_history::{Operation, Outcome, Value};

use super::words::{self, Name, Quoted, Start, class, function, list, wrong};
use super::{Class, Model, NilReads, Specification};

pub(super) const MODEL: Model = Model {
    name: "multi-register",
    summary: "registers read and written several at a time: read, write, txn",
    specification: |options| {
        let (unwritten, written) = match state_of(&options.initial) {
            Some(state) => (Value::Null, state),
            None => (options.initial.clone(), Value::List(Vec::new())),
        };
        let start = Start::new("multi-register", options, written.clone(), "a value", |_| {
            Some(written.clone())
        });
        Box::new(MultiRegister {
            start,
            unwritten,
            nil_reads: options.nil_reads,
        })
    },
};

const READ: &str = "read";
const WRITE: &str = "write";
const TXN: &str = "txn";

/// The only class action; the argument is a list of [`PART_READ`, key, value] and [`PART_WRITE`, key, value].
const PARTS: &str = "parts";
const PART_READ: &str = "r";
const PART_WRITE: &str = "w";

struct MultiRegister {
    /// A sorted list of `[key, value]`, without registers that hold what unwritten ones hold.
    start: Start,
    unwritten: Value,
    nil_reads: NilReads,
}

/// The state that a list of `[key, value]` describes, if it is one.
fn state_of(initial: &Value) -> Option<Value> {
    let Value::List(pairs) = initial else { return None };
    let mut state = Value::List(Vec::new());
    for pair in pairs {
        let (key, value) = pair.as_pair()?;
        state = put(&state, key, value, &Value::Null);
    }
    Some(state)
}

fn position(state: &Value, key: &Value) -> Result<usize, usize> {
    list(state).binary_search_by(|pair| {
        pair.as_pair()
            .map_or(std::cmp::Ordering::Less, |(k, _)| k.cmp(key))
    })
}

fn get<'a>(state: &'a Value, key: &Value, unwritten: &'a Value) -> &'a Value {
    let pair = position(state, key).ok().and_then(|at| list(state).get(at));
    pair.and_then(Value::as_pair)
        .map_or(unwritten, |(_, value)| value)
}

fn put(state: &Value, key: &Value, value: &Value, unwritten: &Value) -> Value {
    let mut pairs = list(state).to_vec();
    match position(state, key) {
        Ok(at) if value == unwritten => {
            pairs.remove(at);
        }
        Ok(at) => pairs[at] = Value::pair(key.clone(), value.clone()),
        Err(_) if value == unwritten => {}
        Err(at) => pairs.insert(at, Value::pair(key.clone(), value.clone())),
    }
    Value::List(pairs)
}

fn part(kind: &str, key: &Value, value: &Value) -> Value {
    Value::List(vec![kind.into(), key.clone(), value.clone()])
}

/// The parts of a value that is a list of `[key, value]`.
fn pairs(f: &str, kind: &str, value: &Value) -> Result<Vec<Value>, String> {
    let Value::List(pairs) = value else {
        return wrong(&format!("the value of `{f}`"), "a list of [key, value]", value);
    };
    pairs
        .iter()
        .map(|pair| match pair.as_pair() {
            Some((key, value)) => Ok(part(kind, key, value)),
            None => wrong(&format!("each element of a `{f}`"), "[key, value]", pair),
        })
        .collect()
}

/// The parts of a value that is a list of `[f, key, value]`.
fn micro_operations(value: &Value) -> Result<Vec<Value>, String> {
    let Value::List(parts) = value else {
        return wrong("the value of `txn`", "a list of [f, key, value]", value);
    };
    let parse = |micro: &Value| match list(micro) {
        [Value::Str(f), key, value] if matches!(f.as_str(), PART_READ | READ) => {
            Ok(part(PART_READ, key, value))
        }
        [Value::Str(f), key, value] if matches!(f.as_str(), PART_WRITE | WRITE) => {
            Ok(part(PART_WRITE, key, value))
        }
        [Value::Str(f), _, _] => Err(format!(
            "a part of `txn` reads (r, read) or writes (w, write), and this one is `{f}`"
        )),
        _ => wrong("each part of a `txn`", "[f, key, value]", micro),
    };
    parts.iter().map(parse).collect()
}

fn is_read(part: &Value) -> bool {
    matches!(list(part), [Value::Str(kind), ..] if kind == PART_READ)
}

/// Whether two lists of parts ask for the same things, whatever their reads found.
fn ask_the_same(a: &[Value], b: &[Value]) -> bool {
    let question = |part: &Value| match list(part) {
        [kind, key, _] if is_read(part) => (kind.clone(), key.clone(), Value::Null),
        [kind, key, value] => (kind.clone(), key.clone(), value.clone()),
        _ => (Value::Null, Value::Null, Value::Null),
    };
    a.iter().map(question).eq(b.iter().map(question))
}

/// What an operation did, as far as it is known.
fn parts(f: &str, operation: &Operation) -> Result<Vec<Value>, String> {
    let Operation { input, output, .. } = *operation;
    let is_ok = operation.outcome == Outcome::Ok;
    match f {
        WRITE => pairs(f, PART_WRITE, input),
        READ if is_ok => pairs(f, PART_READ, output),
        READ => Ok(Vec::new()),
        _ => {
            let asked = micro_operations(input)?;
            if !is_ok {
                return Ok(asked.into_iter().filter(|part| !is_read(part)).collect());
            }
            let done = micro_operations(output)?;
            if !ask_the_same(&asked, &done) {
                return Err(
                    "the `txn` completed with other parts than those that it was invoked with".to_owned(),
                );
            }
            Ok(done)
        }
    }
}

/// A list of parts in words: `x = 3, write y = 4`.
fn in_words(parts: &[Value]) -> String {
    let word = |part: &Value| match list(part) {
        [_, key, value] if is_read(part) => format!("{key} = {}", Quoted(value)),
        [_, key, value] => format!("write {key} = {}", Quoted(value)),
        _ => String::new(),
    };
    parts.iter().map(word).collect::<Vec<_>>().join(", ")
}

impl Specification for MultiRegister {
    fn initial(&self) -> Value {
        self.start.state()
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        let f = function("multi-register", &[READ, WRITE, TXN], operation)?;
        let mut parts = parts(f, operation)?;
        if self.nil_reads == NilReads::Any {
            parts.retain(|part| !(is_read(part) && matches!(list(part), [_, _, Value::Null])));
        }
        let says_something = operation.outcome != Outcome::Fail && !parts.is_empty();
        Ok(says_something.then(|| class(PARTS, Value::List(parts), Value::Null)))
    }

    fn is_observer(&self, class: &Class) -> bool {
        list(&class.argument).iter().all(is_read)
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        let mut state = state.clone();
        for part in list(&class.argument) {
            let [_, key, value] = list(part) else { return None };
            if !is_read(part) {
                state = put(&state, key, value, &self.unwritten);
            } else if get(&state, key, &self.unwritten) != value {
                return None;
            }
        }
        Some(state)
    }

    fn describe(&self, operation: &Operation) -> String {
        let known = words::known(operation);
        let of = operation.key;
        let of = of.map_or(String::new(), |_| format!(" in {}", Name("registers", of)));
        let f = operation.f;
        match (f, parts(f, operation)) {
            (_, Ok(parts)) if parts.is_empty() => format!("{f}{of}{known}"),
            (READ, Ok(parts)) => format!("read {}{of}{known}", in_words(&parts)),
            (WRITE, Ok(parts)) => format!("{}{of}{known}", in_words(&parts)),
            (_, Ok(parts)) => format!("{f} ({}){of}{known}", in_words(&parts)),
            (_, Err(_)) => format!("{f} {}{of}{known}", Quoted(operation.input)),
        }
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        let group = key.map_or(String::new(), |_| format!("{}: ", Name("registers", key)));
        let words = |pair: &Value| {
            pair.as_pair()
                .map_or(String::new(), |(key, value)| format!("{key} = {}", Quoted(value)))
        };
        let written: Vec<String> = list(state).iter().map(words).collect();
        match (&written[..], &self.unwritten) {
            ([], unwritten) => format!("{group}all registers are {}", Quoted(unwritten)),
            (written, unwritten) => {
                format!("{group}{}, others {}", written.join(", "), Quoted(unwritten))
            }
        }
    }

    fn describe_need(&self, class: &Class) -> String {
        let (reads, writes): (Vec<_>, Vec<_>) = list(&class.argument).iter().cloned().partition(is_read);
        match (in_words(&reads), in_words(&writes)) {
            (reads, _) if !reads.is_empty() => format!("it saw {reads}"),
            (_, writes) => format!("it is to {writes}"),
        }
    }
}
