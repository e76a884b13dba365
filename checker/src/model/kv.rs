//! A key-value store, key by key: each key holds a string that can be read, written and appended to.

use partita_history::{Operation, Outcome, Value};

use super::words::{Name, Quoted};
use super::{Class, Model, Options, Specification};

pub(super) const MODEL: Model = Model {
    name: "kv",
    summary: "one string a key: read, write, append; an unwritten key reads \"\"",
    specification: |options| Box::new(KeyValue(options.clone())),
};

const READ: &str = "read";
const WRITE: &str = "write";
const APPEND: &str = "append";

struct KeyValue(Options);

fn text(value: &Value) -> &str {
    match value {
        Value::Str(text) => text,
        _ => "",
    }
}

impl Specification for KeyValue {
    fn initial(&self) -> Value {
        match &self.0.initial {
            Value::Null => "".into(),
            Value::Str(text) => text.as_str().into(),
            other => other.to_string().as_str().into(),
        }
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        let action = match operation.f {
            "read" => READ,
            "write" => WRITE,
            "append" => APPEND,
            _ => return Err("the model `kv` knows read, write and append".to_owned()),
        };
        let says_something = match operation.outcome {
            Outcome::Ok => true,
            Outcome::Info => action != READ,
            Outcome::Fail => false,
        };
        if !says_something {
            return Ok(None);
        }
        let value = if action == READ {
            operation.output
        } else {
            operation.input
        };
        match value {
            Value::Str(_) if action == READ => Ok(Some(Class {
                action,
                argument: Value::Null,
                result: value.clone(),
            })),
            Value::Str(_) => Ok(Some(Class {
                action,
                argument: value.clone(),
                result: Value::Null,
            })),
            other => Err(format!(
                "the model `kv` holds strings, and this is {}",
                other.kind()
            )),
        }
    }

    fn is_observer(&self, class: &Class) -> bool {
        class.action == READ
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        match class.action {
            READ => (*state == class.result).then(|| state.clone()),
            WRITE => Some(class.argument.clone()),
            APPEND => Some(Value::Str(format!("{}{}", text(state), text(&class.argument)))),
            _ => None,
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        let key = Name("register", operation.key);
        let known = match operation.outcome {
            Outcome::Info => ", outcome unknown",
            Outcome::Fail => ", failed",
            Outcome::Ok => "",
        };
        match operation.f {
            READ if operation.outcome == Outcome::Ok => format!("read {key} = {}", Quoted(operation.output)),
            READ => format!("read {key}{known}"),
            APPEND => format!("append {} to {key}{known}", Quoted(operation.input)),
            _ => format!("write {key} = {}{known}", Quoted(operation.input)),
        }
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        format!("{} = {}", Name("register", key), Quoted(state))
    }

    fn describe_need(&self, class: &Class) -> String {
        match class.action {
            READ => format!("it saw {}", Quoted(&class.result)),
            APPEND => format!("it appends {}", Quoted(&class.argument)),
            _ => format!("it writes {}", Quoted(&class.argument)),
        }
    }

    /// Whatever follows a write of v starts with v until the next write, and whatever follows an append of t
    /// contains t: reads of anything else can't tell.
    fn last_use(&self, completed: &[&Class], crashed: &[&Class]) -> Vec<Option<usize>> {
        let can_tell = |mutator: &Class, seen: &str| match mutator.action {
            WRITE => seen.starts_with(text(&mutator.argument)),
            _ => seen.contains(text(&mutator.argument)),
        };
        crashed
            .iter()
            .map(|mutator| {
                completed
                    .iter()
                    .rposition(|class| class.action == READ && can_tell(mutator, text(&class.result)))
            })
            .collect()
    }
}
