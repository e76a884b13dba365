//! A lock that only its holder can release (ALGORITHMS.md 3.7).
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `acquire` | who acquires; null: the process itself | anything |
//! | `release` | who releases; null: the process itself | anything |
//!
//! It is not reentrant: its holder can't acquire it again. Each key is a lock by itself. Initially free, or held by
//! whom `initial` names. An operation of unknown outcome may have succeeded at any time; a holder that crashed holds
//! the lock for ever, unless somebody releases it in its name: leases that expire are not modelled. A `fail` did
//! nothing; if `fail` means "observed", a failed `acquire` found the lock held, and a failed `release` found that the
//! lock was not held by whom it names.

use partita_history::{Operation, Outcome, Value};

use super::lock::{self, ACQUIRE, HELD, NOT_HELD, RELEASE, lock_function, process, refusal};
use super::words::{Name, Quoted, Start, class};
use super::{Class, FailMeaning, Model, Specification};

pub(super) const MODEL: Model = Model {
    name: "owned-mutex",
    summary: "acquire, release by the holder only",
    specification: |options| {
        let start = Start::new("owned-mutex", options, Value::Null, "a holder", |initial| {
            Some(initial.clone())
        });
        Box::new(OwnedMutex {
            start,
            fail: options.fail,
        })
    },
};

/// Its state is the holder, or null.
struct OwnedMutex {
    start: Start,
    fail: FailMeaning,
}

fn owner(operation: &Operation) -> Value {
    match operation.input {
        Value::Null => process(operation),
        owner => owner.clone(),
    }
}

impl Specification for OwnedMutex {
    fn initial(&self) -> Value {
        self.start.state()
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        let f = lock_function("owned-mutex", operation)?;
        Ok(match operation.outcome {
            Outcome::Ok | Outcome::Info => Some(class(f, owner(operation), Value::Null)),
            Outcome::Fail if self.fail == FailMeaning::Dropped => None,
            // Whoever holds it, an acquisition is refused.
            Outcome::Fail if f == ACQUIRE => Some(class(HELD, Value::Null, Value::Null)),
            Outcome::Fail => Some(class(refusal(f), owner(operation), Value::Null)),
        })
    }

    fn is_observer(&self, class: &Class) -> bool {
        matches!(class.action, HELD | NOT_HELD)
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        let owner = &class.argument;
        match class.action {
            ACQUIRE => state.is_null().then(|| owner.clone()),
            RELEASE => (state == owner).then_some(Value::Null),
            HELD => (!state.is_null()).then(|| state.clone()),
            _ => (state != owner).then(|| state.clone()),
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        lock::describe(operation, "lock", &format!(" as {}", Quoted(&owner(operation))))
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        let name = Name("lock", key);
        match state {
            Value::Null => format!("{name} is free"),
            owner => format!("{name} is held by {}", Quoted(owner)),
        }
    }

    fn describe_need(&self, class: &Class) -> String {
        match class.action {
            ACQUIRE => "it found the lock free".to_owned(),
            HELD => "it found the lock held".to_owned(),
            RELEASE => format!("it found the lock held by {}", Quoted(&class.argument)),
            _ => format!("it found the lock not held by {}", Quoted(&class.argument)),
        }
    }
}
