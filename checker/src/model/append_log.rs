//! An append-only log, read by offset (ALGORITHMS.md 3.1: offsets fix the order).
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `append` | the item, not null | its offset, from 0; or `[offset, item]`; or null: not known |
//! | `read` | an offset | the item there; null: the log does not reach so far |
//!
//! Offsets have no gaps. Each key is a log by itself. Initially empty, or the list that `initial` gives. An
//! `append` of unknown outcome may have happened, at whatever offset was then the next. A `fail` did nothing.

use partita_history::{Operation, Outcome, Value};

use super::words::{self, Name, Quoted, Start, class, function, list, wrong};
use super::{Class, Model, NilReads, Specification};

pub(super) const MODEL: Model = Model {
    name: "append-log",
    summary: "append (returns the offset), read at an offset (null: past the end)",
    specification: |options| {
        Box::new(AppendLog {
            start: Start::items("append-log", options, false),
            nil_reads: options.nil_reads,
        })
    },
};

pub(crate) const APPEND: &str = "append";
pub(crate) const READ: &str = "read";

struct AppendLog {
    start: Start,
    nil_reads: NilReads,
}

/// Where an append says that it put its item; null if it does not.
fn offset_of(input: &Value, output: &Value) -> Result<Value, String> {
    match (output, output.as_pair()) {
        (Value::Null | Value::Int(_), _) => Ok(output.clone()),
        (_, Some((offset @ Value::Int(_), item))) if item == input => Ok(offset.clone()),
        (other, _) => wrong("the result of `append`", "an offset, or [offset, item]", other),
    }
}

impl Specification for AppendLog {
    fn initial(&self) -> Value {
        self.start.state()
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        self.start.check()?;
        let f = function("append-log", &[APPEND, READ], operation)?;
        let Operation { input, output, .. } = *operation;
        if f == READ {
            if !matches!(input, Value::Int(_)) {
                return wrong("what `read` is given", "an offset", input);
            }
            let says_nothing = self.nil_reads == NilReads::Any && output.is_null();
            let seen = operation.outcome == Outcome::Ok && !says_nothing;
            return Ok(seen.then(|| class(READ, input.clone(), output.clone())));
        }
        if input.is_null() {
            return wrong("what `append` appends", "an item", input);
        }
        Ok(match operation.outcome {
            Outcome::Ok => Some(class(APPEND, input.clone(), offset_of(input, output)?)),
            Outcome::Info => Some(class(APPEND, input.clone(), Value::Null)),
            Outcome::Fail => None,
        })
    }

    fn is_observer(&self, class: &Class) -> bool {
        class.action == READ
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        let items = list(state);
        let is_next = |offset: i64| usize::try_from(offset) == Ok(items.len());
        match (class.action, &class.argument, &class.result) {
            (APPEND, _, Value::Int(offset)) if !is_next(*offset) => None,
            (APPEND, item, _) => {
                let mut items = items.to_vec();
                items.push(item.clone());
                Some(Value::List(items))
            }
            (_, Value::Int(offset), seen) => {
                let there = usize::try_from(*offset).ok().and_then(|at| items.get(at));
                (there.unwrap_or(&Value::Null) == seen).then(|| state.clone())
            }
            _ => None,
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        let name = Name("log", operation.key);
        let Operation { f, input, output, .. } = *operation;
        if f == READ {
            return match operation.outcome {
                Outcome::Ok if output.is_null() => {
                    format!("read {name} at offset {}, past its end", Quoted(input))
                }
                _ => format!(
                    "read {name} at offset {}{}",
                    Quoted(input),
                    words::found(operation)
                ),
            };
        }
        let at = match (operation.outcome, offset_of(input, output)) {
            (Outcome::Ok, Ok(Value::Int(offset))) => format!(" at offset {offset}"),
            _ => String::new(),
        };
        format!(
            "append {} to {name}{at}{}",
            Quoted(input),
            words::known(operation)
        )
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        format!("{} = [{}]", Name("log", key), words::items(list(state)))
    }

    fn describe_need(&self, class: &Class) -> String {
        match (class.action, &class.argument, &class.result) {
            (APPEND, item, Value::Null) => format!("it appends {}", Quoted(item)),
            (APPEND, item, offset) => format!("it appended {} at offset {offset}", Quoted(item)),
            (_, offset, Value::Null) => format!("it found nothing at offset {offset}"),
            (_, offset, item) => format!("it saw {} at offset {offset}", Quoted(item)),
        }
    }
}
