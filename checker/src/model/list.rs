//! A list that is appended to and read as a whole (ALGORITHMS.md 3.1: reads fix the order).
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `append` | the item | anything |
//! | `read` | anything | the list of all items, in order; null is the empty list |
//!
//! Each key is a list by itself. Initially empty, or the list that `initial` gives. An `append` of unknown outcome
//! may have happened. A `fail` did nothing.

use partita_history::{Operation, Outcome, Value};

use super::words::{self, Name, Quoted, Start, class, function, last_mentions, list, wrong};
use super::{Class, Model, NilReads, Specification};

pub(super) const MODEL: Model = Model {
    name: "list",
    summary: "append, read the whole list",
    specification: |options| {
        let start = Start::new("list", options, Value::List(Vec::new()), "a list", |initial| {
            matches!(initial, Value::List(_)).then(|| initial.clone())
        });
        Box::new(List {
            start,
            nil_reads: options.nil_reads,
        })
    },
};

pub(crate) const APPEND: &str = "append";
pub(crate) const READ: &str = "read";

struct List {
    start: Start,
    nil_reads: NilReads,
}

impl Specification for List {
    fn initial(&self) -> Value {
        self.start.state()
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        self.start.check()?;
        let f = function("list", &[APPEND, READ], operation)?;
        match (operation.outcome, operation.output) {
            (Outcome::Fail, _) => Ok(None),
            _ if f == APPEND => Ok(Some(class(APPEND, operation.input.clone(), Value::Null))),
            (Outcome::Info, _) => Ok(None),
            (Outcome::Ok, Value::Null) if self.nil_reads == NilReads::Any => Ok(None),
            (Outcome::Ok, Value::Null) => Ok(Some(class(READ, Value::Null, Value::List(Vec::new())))),
            (Outcome::Ok, Value::List(_)) => Ok(Some(class(READ, Value::Null, operation.output.clone()))),
            (Outcome::Ok, other) => wrong("what `read` found", "a list", other),
        }
    }

    fn is_observer(&self, class: &Class) -> bool {
        class.action == READ
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        match class.action {
            APPEND => {
                let mut items = list(state).to_vec();
                items.push(class.argument.clone());
                Some(Value::List(items))
            }
            _ => (*state == class.result).then(|| state.clone()),
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        let name = Name("list", operation.key);
        match operation.f {
            READ => format!("read {name}{}", words::found(operation)),
            _ => format!(
                "append {} to {name}{}",
                Quoted(operation.input),
                words::known(operation)
            ),
        }
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        format!("{} = [{}]", Name("list", key), words::items(list(state)))
    }

    fn describe_need(&self, class: &Class) -> String {
        match class.action {
            APPEND => format!("it appends {}", Quoted(&class.argument)),
            _ => format!("it saw [{}]", words::items(list(&class.result))),
        }
    }

    /// Only a read that has the item can tell that it was appended.
    fn last_use(&self, completed: &[&Class], crashed: &[&Class]) -> Vec<Option<usize>> {
        let seen = last_mentions(completed, |class| list(&class.result));
        crashed
            .iter()
            .map(|mutator| seen.get(&mutator.argument).copied())
            .collect()
    }
}
