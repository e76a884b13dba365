//! A register that is written once, as consensus gives it: the first proposal decides, for ever.
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `propose` | the value, not null | the value that is decided, this one or another; null: not known |
//! | `read` | anything | the value that is decided; null: none is |
//!
//! Each key is a register by itself. Initially nothing is decided, or the value that `initial` gives. A `propose` of
//! unknown outcome may have happened. A `fail` did nothing.
//!
//! Linearizability of this object is what papers call agreement (all are told the same), validity (what is decided was
//! proposed) and integrity (it never changes), and that nobody misses a decision that somebody has learned before.

use partita_history::{Operation, Outcome, Value};
use rustc_hash::FxHashMap;

use super::words::{self, Name, Quoted, class, function, wrong};
use super::{Class, Model, NilReads, Options, Specification};

pub(super) const MODEL: Model = Model {
    name: "write-once-register",
    summary: "the first proposal decides: propose (returns what is decided), read",
    specification: |options| {
        Box::new(WriteOnceRegister {
            options: options.clone(),
        })
    },
};

pub(crate) const PROPOSE: &str = "propose";
pub(crate) const READ: &str = "read";

struct WriteOnceRegister {
    options: Options,
}

impl Specification for WriteOnceRegister {
    fn initial(&self) -> Value {
        self.options.initial.clone()
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        let f = function("write-once-register", &[PROPOSE, READ], operation)?;
        let Operation { input, output, .. } = *operation;
        let read = || class(READ, Value::Null, output.clone());
        if f == READ {
            let says_nothing = self.options.nil_reads == NilReads::Any && output.is_null();
            return Ok((operation.outcome == Outcome::Ok && !says_nothing).then(read));
        }
        if input.is_null() {
            return wrong("what `propose` is given", "a value", input);
        }
        Ok(match operation.outcome {
            Outcome::Fail => None,
            // It came too late, and saw what was decided.
            Outcome::Ok if !output.is_null() && output != input => Some(read()),
            Outcome::Ok => Some(class(PROPOSE, input.clone(), output.clone())),
            Outcome::Info => Some(class(PROPOSE, input.clone(), Value::Null)),
        })
    }

    fn is_observer(&self, class: &Class) -> bool {
        class.action == READ
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        match class.action {
            PROPOSE if state.is_null() => Some(class.argument.clone()),
            PROPOSE => (class.result.is_null() || class.result == *state).then(|| state.clone()),
            _ => (class.result == *state).then(|| state.clone()),
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        let name = Name("register", operation.key);
        let known = words::known(operation);
        match (operation.f, operation.outcome) {
            (READ, _) => format!("read {name}{}", words::found(operation)),
            (_, Outcome::Ok) if !operation.output.is_null() => {
                let (proposed, decided) = (Quoted(operation.input), Quoted(operation.output));
                format!("propose {proposed} for {name}, decided is {decided}")
            }
            _ => format!("propose {} for {name}{known}", Quoted(operation.input)),
        }
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        let name = Name("register", key);
        match state {
            Value::Null => format!("nothing is decided for {name}"),
            state => format!("{} is decided for {name}", Quoted(state)),
        }
    }

    fn describe_need(&self, class: &Class) -> String {
        match (class.action, &class.result) {
            (PROPOSE, Value::Null) => format!("it proposes {}", Quoted(&class.argument)),
            (PROPOSE, value) => format!("it found nothing decided, or {}", Quoted(value)),
            (_, Value::Null) => "it saw that nothing is decided".to_owned(),
            (_, value) => format!("it saw that {} is decided", Quoted(value)),
        }
    }

    fn blind(&self, given: &Class) -> Option<Class> {
        let minds = given.action == PROPOSE && !given.result.is_null();
        minds.then(|| class(PROPOSE, given.argument.clone(), Value::Null))
    }

    /// Only who is told a value can tell that it was proposed.
    fn last_use(&self, completed: &[&Class], crashed: &[&Class]) -> Vec<Option<usize>> {
        let told = completed.iter().enumerate();
        let last: FxHashMap<&Value, usize> = told.map(|(i, class)| (&class.result, i)).collect();
        let proposed = crashed.iter().map(|class| &class.argument);
        proposed.map(|value| last.get(value).copied()).collect()
    }
}
