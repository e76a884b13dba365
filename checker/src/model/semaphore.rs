//! A semaphore: some permits, that anybody may acquire and release (ALGORITHMS.md 3.7).
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `acquire` | how many permits, at least 1; null: one | anything |
//! | `release` | how many permits, at least 1; null: one | anything |
//!
//! There are as many permits as `initial` says (1 if it says nothing), all free at first; more than these can't be
//! released. Each key is a semaphore by itself. An operation of unknown outcome may have succeeded at any time, with
//! all its permits. A `fail` did nothing; if `fail` means "observed", a failed `acquire` found fewer permits free than
//! it asked for, and a failed `release` found fewer of them taken.

use partita_history::{Operation, Outcome, Value};

use super::lock::{self, ACQUIRE, HELD, NOT_HELD, RELEASE, lock_function, refusal};
use super::words::{Name, Quoted, Start, class, wrong};
use super::{Class, FailMeaning, Model, Specification};

pub(super) const MODEL: Model = Model {
    name: "semaphore",
    summary: "acquire, release; as many permits as the initial value says",
    specification: |options| {
        let expected = "a number of permits";
        let start = Start::new("semaphore", options, Value::Int(1), expected, |initial| {
            matches!(initial, Value::Int(0..)).then(|| initial.clone())
        });
        Box::new(Semaphore {
            start,
            fail: options.fail,
        })
    },
};

/// Its state is the number of free permits.
struct Semaphore {
    start: Start,
    fail: FailMeaning,
}

fn permits(operation: &Operation) -> Result<i64, String> {
    match operation.input {
        Value::Null => Ok(1),
        Value::Int(permits @ 1..) => Ok(*permits),
        Value::Int(other) => Err(format!(
            "`{}` is of at least 1 permit, and not {other}",
            operation.f
        )),
        other => wrong(
            &format!("the value of `{}`", operation.f),
            "a number of permits",
            other,
        ),
    }
}

impl Specification for Semaphore {
    fn initial(&self) -> Value {
        self.start.state()
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        self.start.check()?;
        let f = lock_function("semaphore", operation)?;
        let permits = Value::Int(permits(operation)?);
        let action = match operation.outcome {
            Outcome::Ok | Outcome::Info => f,
            Outcome::Fail if self.fail == FailMeaning::Observed => refusal(f),
            Outcome::Fail => return Ok(None),
        };
        Ok(Some(class(action, permits, Value::Null)))
    }

    fn is_observer(&self, class: &Class) -> bool {
        matches!(class.action, HELD | NOT_HELD)
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        let (Value::Int(free), Value::Int(all), Value::Int(permits)) =
            (state, self.start.state(), &class.argument)
        else {
            return None;
        };
        let taken = all - free;
        match class.action {
            ACQUIRE => (permits <= free).then(|| Value::Int(free - permits)),
            RELEASE => (*permits <= taken).then(|| Value::Int(free + permits)),
            HELD => (permits > free).then(|| state.clone()),
            _ => (*permits > taken).then(|| state.clone()),
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        let what = match operation.input {
            Value::Null => String::new(),
            permits => format!(" ({} permits)", Quoted(permits)),
        };
        lock::describe(operation, "semaphore", &what)
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        let all = self.start.state();
        format!("{} has {state} of {all} permits free", Name("semaphore", key))
    }

    fn describe_need(&self, class: &Class) -> String {
        let permits = &class.argument;
        match class.action {
            ACQUIRE => format!("it found {permits} free"),
            RELEASE => format!("it found {permits} taken"),
            HELD => format!("it found fewer than {permits} free"),
            _ => format!("it found fewer than {permits} taken"),
        }
    }
}
