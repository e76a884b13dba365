//! A counter that can be changed by any amount (ALGORITHMS.md 3.6).
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `increment`, `decrement` | null (by one), or the amount | null or the amount: nothing more is known; see below |
//! | `add` | the amount, which may be negative | null or the amount; see below |
//! | `read` | anything | the count |
//!
//! An operation that also tells the count after it (increment-and-get) completes with `[amount, count]`, or, if it
//! was invoked with null, with the count alone. Counts wrap around at 64 bits. Each key is a counter by itself.
//! Initially 0, or the integer that `initial` gives. A change of unknown outcome may have been made. A `fail` did
//! nothing.

use partita_history::{Operation, Outcome, Value};

use super::words::{self, Name, Quoted, Start, class, function, wrong};
use super::{Class, Model, NilReads, Specification};

pub(super) const MODEL: Model = Model {
    name: "counter",
    summary: "increment, decrement, add, read",
    specification: |options| {
        let start = Start::new("counter", options, Value::Int(0), "an integer", |initial| {
            matches!(initial, Value::Int(_)).then(|| initial.clone())
        });
        Box::new(Counter {
            start,
            nil_reads: options.nil_reads,
        })
    },
};

const INCREMENT: &str = "increment";
const DECREMENT: &str = "decrement";
pub(crate) const ADD: &str = "add";
pub(crate) const READ: &str = "read";

struct Counter {
    start: Start,
    nil_reads: NilReads,
}

/// By how much a change changes the counter.
fn amount(f: &str, input: &Value) -> Result<i64, String> {
    let amount = match input {
        Value::Int(amount) => *amount,
        Value::Null if f != ADD => 1,
        other => return wrong(&format!("the amount of `{f}`"), "an integer", other),
    };
    Ok(if f == DECREMENT {
        amount.wrapping_neg()
    } else {
        amount
    })
}

/// The count after a change that ended ok; null if it does not say.
fn count_after(f: &str, input: &Value, output: &Value) -> Result<Value, String> {
    match (output, output.as_pair()) {
        (Value::Null, _) => Ok(Value::Null),
        (output, _) if output == input => Ok(Value::Null),
        (Value::Int(_), _) if input.is_null() => Ok(output.clone()),
        (_, Some((_, count @ Value::Int(_)))) => Ok(count.clone()),
        (other, _) => wrong(
            &format!("the result of `{f}`"),
            "null, its amount, or [amount, count]",
            other,
        ),
    }
}

impl Specification for Counter {
    fn initial(&self) -> Value {
        self.start.state()
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        self.start.check()?;
        let f = function("counter", &[INCREMENT, DECREMENT, ADD, READ], operation)?;
        let Operation { input, output, .. } = *operation;
        if f == READ {
            return match (operation.outcome, output) {
                (Outcome::Fail | Outcome::Info, _) => Ok(None),
                (Outcome::Ok, Value::Int(_)) => Ok(Some(class(READ, Value::Null, output.clone()))),
                (Outcome::Ok, Value::Null) if self.nil_reads == NilReads::Any => Ok(None),
                (Outcome::Ok, other) => wrong("what `read` found", "an integer", other),
            };
        }
        let amount = Value::Int(amount(f, input)?);
        Ok(match operation.outcome {
            Outcome::Ok => Some(class(ADD, amount, count_after(f, input, output)?)),
            Outcome::Info => Some(class(ADD, amount, Value::Null)),
            Outcome::Fail => None,
        })
    }

    fn is_observer(&self, class: &Class) -> bool {
        class.action == READ
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        match (class.action, state, &class.argument) {
            (ADD, Value::Int(count), Value::Int(amount)) => {
                let count = Value::Int(count.wrapping_add(*amount));
                (class.result.is_null() || class.result == count).then_some(count)
            }
            _ => (*state == class.result).then(|| state.clone()),
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        let name = Name("counter", operation.key);
        let Operation { f, input, output, .. } = *operation;
        if f == READ {
            return format!("read {name}{}", words::found(operation));
        }
        let by = match input {
            Value::Null => String::new(),
            amount => format!(" by {}", Quoted(amount)),
        };
        let after = match count_after(f, input, output) {
            Ok(count @ Value::Int(_)) if operation.outcome == Outcome::Ok => format!(" to {count}"),
            _ => String::new(),
        };
        let verb = if f == ADD { "change" } else { f };
        format!("{verb} {name}{by}{after}{}", words::known(operation))
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        format!("{} = {}", Name("counter", key), Quoted(state))
    }

    fn describe_need(&self, class: &Class) -> String {
        match (class.action, &class.result) {
            (ADD, Value::Null) => format!("it adds {}", class.argument),
            (ADD, count) => format!("it added {} and made it {count}", class.argument),
            (_, count) => format!("it saw {count}"),
        }
    }
}
