//! What the locks have in common.

use partita_history::{Operation, Value};

use super::words::{self, Name, function};

pub(crate) const ACQUIRE: &str = "acquire";
pub(crate) const RELEASE: &str = "release";
/// It was refused because the lock (or too many permits) was held.
pub(crate) const HELD: &str = "held";
/// It was refused because the lock was not held.
pub(crate) const NOT_HELD: &str = "not held";

/// Whether an operation acquires or releases.
pub(super) fn lock_function(model: &str, operation: &Operation) -> Result<&'static str, String> {
    function(model, &[ACQUIRE, RELEASE], operation)
}

/// The class action of a refusal that proves its reason.
pub(super) fn refusal(f: &str) -> &'static str {
    if f == ACQUIRE { HELD } else { NOT_HELD }
}

/// The process as a value.
pub(super) fn process(operation: &Operation) -> Value {
    i64::try_from(operation.process)
        .map_or_else(|_| operation.process.to_string().as_str().into(), Value::Int)
}

/// `acquire lock`, and `what` it was, and how it ended.
pub(super) fn describe(operation: &Operation, noun: &'static str, what: &str) -> String {
    let name = Name(noun, operation.key);
    format!("{} {name}{what}{}", operation.f, words::known(operation))
}
