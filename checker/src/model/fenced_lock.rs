//! A lock that gives each holder a larger token than the one before.
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `acquire` | anything | the token, an integer; null: not known |
//! | `release` | the token; null: not known, and the process that acquired it releases it | anything |
//!
//! Tokens may leave gaps. Whoever knows the token may release the lock. Each key is a lock by itself. Initially free,
//! the next token being larger than `initial` (0). An `acquire` of unknown outcome may have succeeded, with any token
//! that was then possible: only that it was the next larger one at least is kept of it, until its token shows in a
//! `release`. A holder that crashed holds the lock for ever, unless somebody releases it: leases that expire are not
//! modelled. A `fail` did nothing; if `fail` means "observed", a failed `acquire` found the lock held.

use partita_history::{Operation, Outcome, Value};

use super::lock::{self, ACQUIRE, HELD, lock_function, process};
use super::words::{Name, Quoted, Start, class, list, wrong};
use super::{Class, FailMeaning, Model, Specification};

pub(super) const MODEL: Model = Model {
    name: "fenced-lock",
    summary: "acquire (returns a token that grows), release",
    specification: |options| {
        let start = Start::new(
            "fenced-lock",
            options,
            free(0),
            "a token",
            |initial| match initial {
                Value::Int(token) => Some(free(*token)),
                _ => None,
            },
        );
        Box::new(FencedLock {
            start,
            fail: options.fail,
        })
    },
};

/// Release with a token, and by the process that acquired.
const RELEASE_TOKEN: &str = "release token";
const RELEASE_OWN: &str = "release";

/// Its state is `[last]` when it is free, all tokens so far being at most `last`; `[last, holder]` when it is held
/// with that token; `[last, holder, "?"]` when it is held with a token that is not known, but larger. Of all tokens
/// that a holder may have had, the smallest allows most to those who follow.
struct FencedLock {
    start: Start,
    fail: FailMeaning,
}

fn free(last: i64) -> Value {
    Value::List(vec![Value::Int(last)])
}

impl Specification for FencedLock {
    fn initial(&self) -> Value {
        self.start.state()
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        self.start.check()?;
        let f = lock_function("fenced-lock", operation)?;
        let Operation { input, output, .. } = *operation;
        if f != ACQUIRE {
            let release = match input {
                Value::Null => class(RELEASE_OWN, process(operation), Value::Null),
                Value::Int(_) => class(RELEASE_TOKEN, input.clone(), Value::Null),
                other => return wrong("what `release` is given", "a token", other),
            };
            return Ok((operation.outcome != Outcome::Fail).then_some(release));
        }
        let token = match (operation.outcome, output) {
            (Outcome::Fail, _) => {
                let proves = self.fail == FailMeaning::Observed;
                return Ok(proves.then(|| class(HELD, Value::Null, Value::Null)));
            }
            (Outcome::Info, _) => Value::Null,
            (Outcome::Ok, Value::Int(_) | Value::Null) => output.clone(),
            (Outcome::Ok, other) => return wrong("the result of `acquire`", "a token", other),
        };
        Ok(Some(class(ACQUIRE, process(operation), token)))
    }

    fn is_observer(&self, class: &Class) -> bool {
        class.action == HELD
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        let state = list(state);
        let [Value::Int(last), held @ ..] = state else {
            return None;
        };
        match (class.action, held) {
            (ACQUIRE, []) => {
                let holder = class.argument.clone();
                match &class.result {
                    Value::Int(token) if token > last => Some(Value::pair(Value::Int(*token), holder)),
                    Value::Int(_) => None,
                    // There must be a larger one left.
                    _ if *last == i64::MAX => None,
                    _ => Some(Value::List(vec![Value::Int(*last), holder, "?".into()])),
                }
            }
            (RELEASE_TOKEN, [_]) => (class.argument == Value::Int(*last)).then(|| free(*last)),
            (RELEASE_TOKEN, [_, _]) => match &class.argument {
                Value::Int(token) if token > last => Some(free(*token)),
                _ => None,
            },
            (RELEASE_OWN, [holder]) => (*holder == class.argument).then(|| free(*last)),
            (RELEASE_OWN, [holder, _]) if *holder == class.argument => last.checked_add(1).map(free),
            (HELD, [_, ..]) => Some(Value::List(state.to_vec())),
            _ => None,
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        let token = match (operation.f, operation.outcome) {
            (ACQUIRE, Outcome::Ok) => operation.output,
            (ACQUIRE, _) => &Value::Null,
            _ => operation.input,
        };
        let token = match token {
            Value::Null => String::new(),
            token => format!(" with token {}", Quoted(token)),
        };
        lock::describe(operation, "lock", &token)
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        let name = Name("lock", key);
        match list(state) {
            [last, holder] => format!("{name} is held by process {holder} with token {last}"),
            [last, holder, _] => {
                format!("{name} is held by process {holder} with a token not known, larger than {last}")
            }
            [last] => format!("{name} is free, the last token being {last}"),
            _ => format!("{name} is {state}"),
        }
    }

    fn describe_need(&self, class: &Class) -> String {
        match (class.action, &class.result) {
            (ACQUIRE, Value::Null) => "it found the lock free".to_owned(),
            (ACQUIRE, token) => format!("it found the lock free, and all tokens before smaller than {token}"),
            (RELEASE_TOKEN, _) => format!("it found the lock held with token {}", class.argument),
            (RELEASE_OWN, _) => format!("it found the lock held by process {}", class.argument),
            _ => "it found the lock held".to_owned(),
        }
    }
}
