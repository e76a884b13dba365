//! A set to which elements are only ever added (ALGORITHMS.md 3.1: reads fix the order).
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `add` | the element | anything |
//! | `read` | anything | the list of all elements, in any order |
//!
//! Each key is a set by itself. Initially empty, or the list that `initial` gives. An `add` of unknown outcome may
//! have happened. A `fail` did nothing.

use partita_history::{Operation, Outcome, Value};

use super::set::{classify_read, describe_set, start, with};
use super::words::{self, Name, Quoted, Start, class, function, last_mentions, list};
use super::{Class, Model, NilReads, Specification};

pub(super) const MODEL: Model = Model {
    name: "grow-only-set",
    summary: "add, read all; nothing is ever removed",
    specification: |options| {
        Box::new(GrowOnlySet {
            start: start("grow-only-set", options),
            nil_reads: options.nil_reads,
        })
    },
};

pub(crate) const ADD: &str = "add";
pub(crate) const READ: &str = "read";

struct GrowOnlySet {
    start: Start,
    nil_reads: NilReads,
}

impl Specification for GrowOnlySet {
    fn initial(&self) -> Value {
        self.start.state()
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        self.start.check()?;
        if function("grow-only-set", &[ADD, READ], operation)? == READ {
            return classify_read(operation, self.nil_reads);
        }
        let may_be = operation.outcome != Outcome::Fail;
        Ok(may_be.then(|| class(ADD, operation.input.clone(), Value::Null)))
    }

    fn is_observer(&self, class: &Class) -> bool {
        class.action == READ
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        match class.action {
            ADD => Some(with(state, &class.argument)),
            _ => (*state == class.result).then(|| state.clone()),
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        let name = Name("set", operation.key);
        match operation.f {
            READ => format!("read {name}{}", words::found(operation)),
            _ => format!(
                "add {} to {name}{}",
                Quoted(operation.input),
                words::known(operation)
            ),
        }
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        describe_set(key, state)
    }

    fn describe_need(&self, class: &Class) -> String {
        match class.action {
            ADD => format!("it adds {}", Quoted(&class.argument)),
            _ => format!("it saw {{{}}}", words::items(list(&class.result))),
        }
    }

    /// Only a read that has the element can tell that it was added.
    fn last_use(&self, completed: &[&Class], crashed: &[&Class]) -> Vec<Option<usize>> {
        let seen = last_mentions(completed, |class| list(&class.result));
        crashed
            .iter()
            .map(|mutator| seen.get(&mutator.argument).copied())
            .collect()
    }
}
