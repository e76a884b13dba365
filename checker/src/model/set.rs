//! A set whose elements come and go (ALGORITHMS.md 3.5).
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `add`, `remove` | the element | whether that changed the set: 1 or 0; null or the element: not known |
//! | `contains` | the element | 1 or 0 |
//! | `read` | anything | the list of all elements, in any order |
//!
//! Clients often repeat the element in the completion, so `add` of 1 that completes with 1 says nothing; one that
//! completes with `[1, 1]` says, for any element, that it was not there before.
//!
//! Each key is a set by itself. (The elements of a set could be judged one by one, were it not for `read`.)
//! Initially empty, or the list that `initial` gives. An `add` or `remove` of unknown outcome may have happened,
//! whether or not it changed anything. A `fail` did nothing; if `fail` means "observed", a failed `add` found the
//! element there, and a failed `remove` did not.

use partita_history::{Operation, Outcome, Value};

use super::words::{self, Name, Quoted, Start, class, function, last_mentions, list, wrong};
use super::{Class, FailMeaning, Model, NilReads, Options, Specification};

pub(super) const MODEL: Model = Model {
    name: "set",
    summary: "add, remove, contains (1 or 0), read all",
    specification: |options| {
        Box::new(Set {
            start: start("set", options),
            fail: options.fail,
            nil_reads: options.nil_reads,
        })
    },
};

pub(crate) const ADD: &str = "add";
pub(crate) const REMOVE: &str = "remove";
const CONTAINS: &str = "contains";
pub(crate) const READ: &str = "read";

/// The element was there, or was not, and the operation changed nothing.
pub(crate) const FOUND: &str = "found";
pub(crate) const ABSENT: &str = "absent";
/// The element was not there, and then it was; and the other way round.
pub(crate) const ADDED: &str = "added";
pub(crate) const REMOVED: &str = "removed";

struct Set {
    start: Start,
    fail: FailMeaning,
    nil_reads: NilReads,
}

/// Where a set starts: no element is in it twice.
pub(super) fn start(model: &str, options: &Options) -> Start {
    Start::new(model, options, Value::List(Vec::new()), "a list", |initial| {
        let Value::List(mut elements) = initial.clone() else {
            return None;
        };
        elements.sort_unstable();
        elements.dedup();
        Some(Value::List(elements))
    })
}

/// What a read of a whole set found, sorted. An element that was read twice stays there twice: no set is so.
pub(super) fn classify_read(operation: &Operation, nil_reads: NilReads) -> Result<Option<Class>, String> {
    match (operation.outcome, operation.output) {
        (Outcome::Fail | Outcome::Info, _) => Ok(None),
        (Outcome::Ok, Value::Null) if nil_reads == NilReads::Any => Ok(None),
        (Outcome::Ok, Value::List(elements)) => {
            let mut elements = elements.clone();
            elements.sort_unstable();
            Ok(Some(class(READ, Value::Null, Value::List(elements))))
        }
        (Outcome::Ok, other) => wrong("what `read` found", "a list of elements", other),
    }
}

/// The set with one element more.
pub(super) fn with(state: &Value, element: &Value) -> Value {
    let mut elements = list(state).to_vec();
    if let Err(at) = elements.binary_search(element) {
        elements.insert(at, element.clone());
    }
    Value::List(elements)
}

fn without(state: &Value, element: &Value) -> Value {
    let mut elements = list(state).to_vec();
    if let Ok(at) = elements.binary_search(element) {
        elements.remove(at);
    }
    Value::List(elements)
}

/// The set in words.
pub(super) fn describe_set(key: Option<&Value>, state: &Value) -> String {
    format!("{} = {{{}}}", Name("set", key), words::items(list(state)))
}

/// The answer in a completion, yes or no, if there is one.
fn answer(f: &str, element: &Value, output: &Value) -> Result<Option<bool>, String> {
    let told = match output.as_pair() {
        Some((of, told)) if of == element => told,
        _ => output,
    };
    match told {
        // The element repeated: of `contains` alone we know that it must have answered.
        _ if f != CONTAINS && output == element => Ok(None),
        Value::Null if f != CONTAINS => Ok(None),
        Value::Int(1) => Ok(Some(true)),
        Value::Int(0) => Ok(Some(false)),
        other => wrong(&format!("the result of `{f}`"), "1 or 0", other),
    }
}

impl Specification for Set {
    fn initial(&self) -> Value {
        self.start.state()
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        self.start.check()?;
        let f = function("set", &[ADD, REMOVE, CONTAINS, READ], operation)?;
        if f == READ {
            return classify_read(operation, self.nil_reads);
        }
        let told = match operation.outcome {
            Outcome::Ok => answer(f, operation.input, operation.output)?,
            Outcome::Fail if self.fail == FailMeaning::Observed => Some(false),
            Outcome::Fail => return Ok(None),
            Outcome::Info => None,
        };
        let action = match (f, told) {
            (ADD, None) => ADD,
            (ADD, Some(true)) => ADDED,
            (REMOVE, None) => REMOVE,
            (REMOVE, Some(true)) => REMOVED,
            (ADD, Some(false)) | (CONTAINS, Some(true)) => FOUND,
            // A `contains` that failed says nothing: it has no precondition.
            (CONTAINS, _) if operation.outcome != Outcome::Ok => return Ok(None),
            _ => ABSENT,
        };
        Ok(Some(class(action, operation.input.clone(), Value::Null)))
    }

    fn is_observer(&self, class: &Class) -> bool {
        matches!(class.action, FOUND | ABSENT | READ)
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        let element = &class.argument;
        let is_there = || list(state).binary_search(element).is_ok();
        match class.action {
            ADD => Some(with(state, element)),
            REMOVE => Some(without(state, element)),
            ADDED => (!is_there()).then(|| with(state, element)),
            REMOVED => is_there().then(|| without(state, element)),
            FOUND => is_there().then(|| state.clone()),
            ABSENT => (!is_there()).then(|| state.clone()),
            _ => (*state == class.result).then(|| state.clone()),
        }
    }

    fn describe(&self, operation: &Operation) -> String {
        let name = Name("set", operation.key);
        let Operation { f, input, output, .. } = *operation;
        let element = Quoted(input);
        let known = words::known(operation);
        let told = match operation.outcome {
            Outcome::Ok => answer(f, input, output).unwrap_or_default(),
            Outcome::Fail | Outcome::Info => None,
        };
        match (f, told) {
            (READ, _) => format!("read {name}{}", words::found(operation)),
            (CONTAINS, Some(true)) => format!("{element} found in {name}"),
            (CONTAINS, Some(false)) => format!("{element} not found in {name}"),
            (CONTAINS, None) => format!("look for {element} in {name}{known}"),
            (ADD, Some(false)) => format!("add {element} to {name}, where it was already"),
            (ADD, _) => format!("add {element} to {name}{known}"),
            (_, Some(false)) => format!("remove {element} from {name}, where it was not"),
            (_, _) => format!("remove {element} from {name}{known}"),
        }
    }

    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        describe_set(key, state)
    }

    fn describe_need(&self, class: &Class) -> String {
        let element = Quoted(&class.argument);
        match class.action {
            ADD => format!("it adds {element}"),
            REMOVE => format!("it removes {element}"),
            ADDED => format!("it added {element}, which was not there before"),
            REMOVED => format!("it removed {element}, which was there before"),
            FOUND => format!("it found {element} there"),
            ABSENT => format!("it did not find {element} there"),
            _ => format!("it saw {{{}}}", words::items(list(&class.result))),
        }
    }

    /// Elements meet in reads of the whole set only.
    fn last_use(&self, completed: &[&Class], crashed: &[&Class]) -> Vec<Option<usize>> {
        let about = last_mentions(completed, |class| std::slice::from_ref(&class.argument));
        let read = completed.iter().rposition(|class| class.action == READ);
        crashed
            .iter()
            .map(|mutator| about.get(&mutator.argument).copied().max(read))
            .collect()
    }
}
