//! A register that counts how often it was written, as etcd does for each key.
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `read` | anything | `[version, value]` |
//! | `write` | the value | the version that it made; or `[version, value]`; or null: not known |
//! | `cas` | `[version, value]`: writes the value if the version is still this one | as `write`; or as invoked: not known |
//!
//! Every write and successful `cas` makes the version larger by exactly one (etcd's `version` of a key does so; its
//! `mod_revision`, which counts the writes to all keys, does not). Each key is a register by itself. Initially
//! `[0, null]`; `initial` may give another `[version, value]`, or a value of version 0. A `write` or `cas` of
//! unknown outcome may have happened. A `fail` did nothing; a failed `cas` that recorded in `observed` the
//! `[version, value]` that it saw counts as a read, and if `fail` means "observed", any failed `cas` found another
//! version than its own. In a read, a null `version` is not known.

use partita_history::{Operation, Outcome, Value};

use super::words::{self, Name, Quoted, Start, class, function, wrong};
use super::{Class, FailMeaning, Model, NilReads, Specification};

pub(super) const MODEL: Model = Model {
    name: "versioned-register",
    summary: "one value and how often it was written: read, write, compare-and-set by version",
    specification: |options| {
        let start = Value::pair(Value::Int(0), Value::Null);
        let start = Start::new("versioned-register", options, start, "a value", |initial| {
            Some(match initial.as_pair() {
                Some((Value::Int(_), _)) => initial.clone(),
                _ => Value::pair(Value::Int(0), initial.clone()),
            })
        });
        Box::new(VersionedRegister {
            start,
            fail: options.fail,
            nil_reads: options.nil_reads,
        })
    },
};

pub(crate) const READ: &str = "read";
pub(crate) const WRITE: &str = "write";
pub(crate) const CAS: &str = "cas";
/// It found the value, and does not know its version.
pub(crate) const READ_VALUE: &str = "read value";
/// It found another version than this one.
pub(crate) const DIFFERS: &str = "differs";
/// A refused compare-and-set that says it saw the very version it expected.
pub(crate) const NEVER: &str = "never";

struct VersionedRegister {
    start: Start,
    fail: FailMeaning,
    nil_reads: NilReads,
}

impl VersionedRegister {
    fn classify_read(&self, seen: &Value) -> Result<Option<Class>, String> {
        match seen.as_pair() {
            Some((Value::Int(_), _)) => Ok(Some(class(READ, Value::Null, seen.clone()))),
            Some((Value::Null, Value::Null)) if self.nil_reads == NilReads::Any => Ok(None),
            Some((Value::Null, value)) => Ok(Some(class(READ_VALUE, Value::Null, value.clone()))),
            None if seen.is_null() && self.nil_reads == NilReads::Any => Ok(None),
            // A register that nobody has written to may be told so.
            None if seen.is_null() => Ok(Some(class(
                READ,
                Value::Null,
                Value::pair(Value::Int(0), Value::Null),
            ))),
            _ => wrong("what was found", "[version, value]", seen),
        }
    }
}

/// The version that a write or compare-and-set says it made; null if it does not say.
fn version_made(f: &str, input: &Value, output: &Value) -> Result<Value, String> {
    match (output, output.as_pair()) {
        (Value::Null | Value::Int(_), _) => Ok(output.clone()),
        (_, Some(_)) if f == CAS && output == input => Ok(Value::Null),
        (_, Some((version @ (Value::Int(_) | Value::Null), _))) => Ok(version.clone()),
        (other, _) => wrong(
            &format!("the result of `{f}`"),
            "a version, or [version, value]",
            other,
        ),
    }
}

impl Specification for VersionedRegister {
    fn initial(&self) -> Value {
        self.start.state()
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        self.start.check()?;
        let f = function("versioned-register", &[READ, WRITE, CAS], operation)?;
        let Operation { input, output, .. } = *operation;
        if f == CAS && !matches!(input.as_pair(), Some((Value::Int(_), _))) {
            return wrong("what `cas` is given", "[version, value]", input);
        }
        match operation.outcome {
            Outcome::Ok if f == READ => self.classify_read(output),
            Outcome::Ok => Ok(Some(class(f, input.clone(), version_made(f, input, output)?))),
            Outcome::Info if f == READ => Ok(None),
            Outcome::Info => Ok(Some(class(f, input.clone(), Value::Null))),
            Outcome::Fail if f != CAS => Ok(None),
            Outcome::Fail => match (operation.observed, input.as_pair()) {
                (Some(seen), Some((version, _))) if seen.as_pair().is_some_and(|(v, _)| v == version) => {
                    Ok(Some(class(NEVER, version.clone(), Value::Null)))
                }
                (Some(seen), _) => self.classify_read(seen),
                (None, Some((version, _))) if self.fail == FailMeaning::Observed => {
                    Ok(Some(class(DIFFERS, version.clone(), Value::Null)))
                }
                _ => Ok(None),
            },
        }
    }

    fn is_observer(&self, class: &Class) -> bool {
        !matches!(class.action, WRITE | CAS)
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        let (Value::Int(version), value) = state.as_pair()? else {
            return None;
        };
        let write = |value: &Value| {
            let made = Value::Int(version.checked_add(1)?);
            (class.result.is_null() || class.result == made).then(|| Value::pair(made, value.clone()))
        };
        match class.action {
            WRITE => write(&class.argument),
            CAS => match class.argument.as_pair()? {
                (Value::Int(expected), value) if expected == version => write(value),
                _ => None,
            },
            READ => (*state == class.result).then(|| state.clone()),
            READ_VALUE => (*value == class.result).then(|| state.clone()),
            DIFFERS => (class.argument != Value::Int(*version)).then(|| state.clone()),
            _ => None,
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        let name = Name("register", operation.key);
        let Operation { f, input, output, .. } = *operation;
        let known = words::known(operation);
        let made = match (operation.outcome, version_made(f, input, output)) {
            (Outcome::Ok, Ok(Value::Int(version))) => format!(", making version {version}"),
            _ => String::new(),
        };
        match (f, input.as_pair(), output.as_pair()) {
            (READ, _, Some((version, value))) if operation.outcome == Outcome::Ok => {
                format!("read {name} = {}, version {version}", Quoted(value))
            }
            (READ, _, _) => format!("read {name}{}", words::found(operation)),
            (CAS, Some((version, value)), _) => {
                let seen = match operation.observed.and_then(Value::as_pair) {
                    Some((version, value)) => format!(" (saw {}, version {version})", Quoted(value)),
                    None => String::new(),
                };
                format!(
                    "cas {name} to {} if at version {version}{made}{known}{seen}",
                    Quoted(value)
                )
            }
            _ => format!("write {name} = {}{made}{known}", Quoted(input)),
        }
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        let name = Name("register", key);
        match state.as_pair() {
            Some((version, value)) => format!("{name} = {}, version {version}", Quoted(value)),
            None => format!("{name} = {}", Quoted(state)),
        }
    }

    fn describe_need(&self, class: &Class) -> String {
        let made = match &class.result {
            Value::Null => String::new(),
            version => format!(", making version {version}"),
        };
        match (class.action, class.argument.as_pair(), class.result.as_pair()) {
            (READ, _, Some((version, value))) => format!("it saw {}, version {version}", Quoted(value)),
            (READ | READ_VALUE, _, _) => format!("it saw {}", Quoted(&class.result)),
            (CAS, Some((version, _)), _) => format!("it found version {version}{made}"),
            (DIFFERS, _, _) => format!("it found another version than {}", class.argument),
            (NEVER, _, _) => format!(
                "it was refused for not finding version {}, yet says that it saw that very version",
                class.argument
            ),
            _ => format!("it writes {}{made}", Quoted(&class.argument)),
        }
    }
}
