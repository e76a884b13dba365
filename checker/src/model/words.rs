//! What all models say in the same words, and the checks that they share.

use std::fmt;

use partita_history::{Operation, Outcome, Value};
use rustc_hash::FxHashMap;

use super::{Class, Options};

/// The name of an object in prose: its key, or what it is where there is only one.
pub(super) struct Name<'a>(pub(super) &'static str, pub(super) Option<&'a Value>);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            // "3 = 7" would be read as a falsehood.
            Some(Value::Str(key)) if key.parse::<f64>().is_err() => f.write_str(key),
            Some(key) => write!(f, "key {key}"),
            None => f.write_str(self.0),
        }
    }
}

/// A value in prose: the empty string must not vanish.
pub(super) struct Quoted<'a>(pub(super) &'a Value);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Str(string) => write!(f, "{string:?}"),
            value => value.fmt(f),
        }
    }
}

/// The items of a collection in prose: `1, 2, 3`.
pub(super) fn items(items: &[Value]) -> String {
    let items: Vec<String> = items.iter().map(|item| Quoted(item).to_string()).collect();
    items.join(", ")
}

/// What is to be added to the words for an operation that did not end ok.
pub(super) fn known(operation: &Operation) -> &'static str {
    match operation.outcome {
        Outcome::Info => ", outcome unknown",
        Outcome::Fail => ", refused",
        Outcome::Ok => "",
    }
}

/// Its result in words, if it ended ok: ` = 3`.
pub(super) fn found(operation: &Operation) -> String {
    match operation.outcome {
        Outcome::Ok => format!(" = {}", Quoted(operation.output)),
        _ => known(operation).to_owned(),
    }
}

pub(super) fn class(action: &'static str, argument: Value, result: Value) -> Class {
    Class {
        action,
        argument,
        result,
    }
}

/// The function of an operation, if it is one of those that the model knows.
pub(super) fn function(
    model: &str,
    functions: &[&'static str],
    operation: &Operation,
) -> Result<&'static str, String> {
    functions
        .iter()
        .copied()
        .find(|f| *f == operation.f)
        .ok_or_else(|| format!("the model `{model}` knows {}", functions.join(", ")))
}

/// That `what` should have been something else.
pub(super) fn wrong<T>(what: &str, expected: &str, found: &Value) -> Result<T, String> {
    Err(format!("{what} is {expected}, and not {}", found.kind()))
}

/// The elements of a list; none of anything else.
pub(super) fn list(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        _ => &[],
    }
}

/// For each value, the last of the completed operations that mentions it, as `mentions` says.
pub(super) fn last_mentions<'a>(
    completed: &[&'a Class],
    mentions: impl Fn(&'a Class) -> &'a [Value],
) -> FxHashMap<&'a Value, usize> {
    let mut last = FxHashMap::default();
    for (i, class) in completed.iter().enumerate() {
        last.extend(mentions(class).iter().map(|value| (value, i)));
    }
    last
}

/// The state before the first operation, or why the options name none.
pub(super) struct Start(Result<Value, String>, Value);

impl Start {
    /// From the options: null stands for `default`, and `read` makes a state of what it can.
    pub(super) fn new(
        model: &str,
        options: &Options,
        default: Value,
        expected: &str,
        read: impl Fn(&Value) -> Option<Value>,
    ) -> Start {
        let state = match &options.initial {
            Value::Null => Ok(default.clone()),
            initial => read(initial).ok_or_else(|| {
                format!(
                    "the initial state of the model `{model}` is {expected}, and not {}",
                    Quoted(initial)
                )
            }),
        };
        Start(state, default)
    }

    /// A list of items, null being the empty one.
    pub(super) fn items(model: &str, options: &Options, sorted: bool) -> Start {
        Start::new(
            model,
            options,
            Value::List(Vec::new()),
            "a list without nulls",
            |initial| {
                let Value::List(mut items) = initial.clone() else {
                    return None;
                };
                if items.iter().any(Value::is_null) {
                    return None;
                }
                if sorted {
                    items.sort_unstable();
                }
                Some(Value::List(items))
            },
        )
    }

    pub(super) fn state(&self) -> Value {
        self.0.as_ref().unwrap_or(&self.1).clone()
    }

    /// To be asked before anything is judged.
    pub(super) fn check(&self) -> Result<(), String> {
        self.0.as_ref().map(drop).map_err(Clone::clone)
    }
}
