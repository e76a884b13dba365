//! A lock that does not know its holder (ALGORITHMS.md 3.7).
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `acquire` | anything | anything |
//! | `release` | anything | anything |
//!
//! Anybody may release it. Each key is a lock by itself. Initially free; `initial` may be `free` or `held`. An
//! operation of unknown outcome may have succeeded at any time. A `fail` did nothing; if `fail` means "observed", a
//! failed `acquire` found the lock held, and a failed `release` found it free.

use partita_history::{Operation, Outcome, Value};

use super::lock::{self, ACQUIRE, HELD, NOT_HELD, RELEASE, lock_function, refusal};
use super::words::{Name, Start, class};
use super::{Class, FailMeaning, Model, Specification};

pub(super) const MODEL: Model = Model {
    name: "mutex",
    summary: "acquire, release; whoever does it",
    specification: |options| {
        let start = Start::new("mutex", options, IS_FREE.into(), "free or held", |initial| {
            let known = [IS_FREE, IS_HELD].map(Value::from);
            known.contains(initial).then(|| initial.clone())
        });
        Box::new(Mutex {
            start,
            fail: options.fail,
        })
    },
};

const IS_FREE: &str = "free";
const IS_HELD: &str = "held";

struct Mutex {
    start: Start,
    fail: FailMeaning,
}

impl Specification for Mutex {
    fn initial(&self) -> Value {
        self.start.state()
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        self.start.check()?;
        let f = lock_function("mutex", operation)?;
        let action = match operation.outcome {
            Outcome::Ok | Outcome::Info => f,
            Outcome::Fail if self.fail == FailMeaning::Observed => refusal(f),
            Outcome::Fail => return Ok(None),
        };
        Ok(Some(class(action, Value::Null, Value::Null)))
    }

    fn is_observer(&self, class: &Class) -> bool {
        matches!(class.action, HELD | NOT_HELD)
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        let is_held = *state == Value::from(IS_HELD);
        match class.action {
            ACQUIRE => (!is_held).then(|| IS_HELD.into()),
            RELEASE => is_held.then(|| IS_FREE.into()),
            HELD => is_held.then(|| state.clone()),
            _ => (!is_held).then(|| state.clone()),
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        lock::describe(operation, "lock", "")
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        format!("{} is {state}", Name("lock", key))
    }

    fn describe_need(&self, class: &Class) -> String {
        match class.action {
            ACQUIRE | NOT_HELD => "it found the lock free".to_owned(),
            _ => "it found the lock held".to_owned(),
        }
    }
}
