//! Sequential specifications: what each operation means to an object that does one thing at a time.
//!
//! A [`Model`] is an entry of the registry [`ALL`]; it makes a [`Specification`] for given [`Options`]. To add
//! a model: one file here, and one line in [`ALL`].

pub(crate) mod append_log;
pub(crate) mod bag;
mod cas_register;
mod cell;
pub(crate) mod collection;
pub(crate) mod counter;
mod fenced_lock;
mod fifo_queue;
pub(crate) mod grow_only_set;
mod kv;
pub(crate) mod list;
pub(crate) mod lock;
mod multi_register;
mod mutex;
mod options;
mod owned_mutex;
mod priority_queue;
mod register;
mod semaphore;
pub(crate) mod set;
mod stack;
pub(crate) mod versioned_register;
mod words;
pub(crate) mod write_once_register;

use std::any::Any;

use partita_history::{Operation, Outcome, Value};

use cell::Cell;
use collection::Collection;
use words::{Name, Quoted};

pub use options::{Engine, FailMeaning, NilReads, Options};

/// All models, by name.
pub const ALL: &[Model] = &[
    register::MODEL,
    cas_register::MODEL,
    versioned_register::MODEL,
    write_once_register::MODEL,
    multi_register::MODEL,
    kv::MODEL,
    counter::MODEL,
    set::MODEL,
    grow_only_set::MODEL,
    list::MODEL,
    append_log::MODEL,
    fifo_queue::MODEL,
    bag::MODEL,
    stack::MODEL,
    priority_queue::MODEL,
    mutex::MODEL,
    owned_mutex::MODEL,
    semaphore::MODEL,
    fenced_lock::MODEL,
];

/// An entry of the registry of models.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Its name on the command line, in kebab case.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Makes the specification of one object (of one key).
    pub specification: fn(&Options) -> Box<dyn Specification>,
}

impl Model {
    /// The model of that name.
    pub fn by_name(name: &str) -> Option<&'static Model> {
        ALL.iter().find(|model| model.name == name)
    }
}

/// What an operation did, its arguments and its outcome: operations of one class are interchangeable in their
/// effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    /// What it did, in the specification's own words.
    pub action: &'static str,
    /// What it was given; null if nothing.
    pub argument: Value,
    /// What it returned; null if nothing, or if that does not matter.
    pub result: Value,
}

impl Class {
    /// What it did, was given, and returned.
    pub fn new(action: &'static str, argument: &Value, result: &Value) -> Class {
        Class {
            action,
            argument: argument.clone(),
            result: result.clone(),
        }
    }
}

/// What an operation asks of, and does to, an object that holds one value at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access<'a> {
    /// It found this value, and left it there.
    Read(&'a Value),
    /// It put this value there, whatever was there before.
    Write(&'a Value),
    /// It replaced one value by another.
    Swap {
        /// The value it found.
        from: &'a Value,
        /// The value it left, which is another one.
        to: &'a Value,
    },
    /// It found some other value than this one.
    Differs(&'a Value),
    /// Its outcome contradicts itself.
    Never,
}

impl<'a> Access<'a> {
    /// The value that must be there.
    pub fn requires(self) -> Option<&'a Value> {
        match self {
            Access::Read(value) | Access::Swap { from: value, .. } => Some(value),
            Access::Write(_) | Access::Differs(_) | Access::Never => None,
        }
    }

    /// The value that is there afterwards, if the operation changes it.
    pub fn produces(self) -> Option<&'a Value> {
        match self {
            Access::Write(value) | Access::Swap { to: value, .. } => Some(value),
            Access::Read(_) | Access::Differs(_) | Access::Never => None,
        }
    }
}

/// Of what type a specification is.
pub trait Typed {
    /// The value, whose type can then be asked for.
    fn as_any(&self) -> &(dyn Any + 'static);
}

impl<T: Any> Typed for T {
    fn as_any(&self) -> &(dyn Any + 'static) {
        self
    }
}

/// The name of the model of [`ALL`] that makes specifications of this type; none if it is a user's own. Monitors
/// and stories go by it, and not by the name that a [`Model`] gives itself: a user may name a model as they like.
pub(crate) fn registered_name(specification: &dyn Specification) -> Option<&'static str> {
    let any = specification.as_any();
    let shared = any
        .downcast_ref::<Cell>()
        .map(Cell::model)
        .or_else(|| any.downcast_ref::<Collection>().map(Collection::model));
    shared.or_else(|| {
        let is_same = |model: &&Model| {
            // Of what is in the box, and not of the box.
            let made = (model.specification)(&Options::default());
            (*made).as_any().type_id() == any.type_id()
        };
        ALL.iter().find(is_same).map(|model| model.name)
    })
}

/// The sequential specification of one object: deterministic, pure, and total over its states.
///
/// States are [`Value`]s: a queue's is a list, a lock's its owner. Three functions have to be written:
/// [`initial`](Specification::initial), [`classify`](Specification::classify) and [`step`](Specification::step).
/// The others make reports easier to read and the search faster. `examples/own_model.rs` has a whole one.
pub trait Specification: Typed + Send + Sync {
    /// The state before the first operation.
    fn initial(&self) -> Value;

    /// What the operation did; none if its outcome says nothing about the object (a read that crashed, a write
    /// that certainly failed). An operation of unknown outcome that may change the object is of the class of
    /// its success.
    ///
    /// # Errors
    /// In words, when the model has no such function or the value is of the wrong kind.
    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String>;

    /// Whether operations of this class never change a state in which they are possible. False is always correct;
    /// true makes the search faster and counterexamples smaller.
    fn is_observer(&self, class: &Class) -> bool {
        let _ = class;
        false
    }

    /// The state after an operation; none if it is impossible in this state.
    fn step(&self, state: &Value, class: &Class) -> Option<Value>;

    /// The operation in words, its outcome included: `cas x from 3 to 5`.
    fn describe(&self, operation: &Operation) -> String {
        let name = Name("the object", operation.key);
        let mut text = operation.f.to_owned();
        if !operation.input.is_null() {
            text.push_str(&format!(" {}", Quoted(operation.input)));
        }
        text.push_str(&format!(" on {name}"));
        // Many clients repeat the argument in the completion.
        let says_more = !operation.output.is_null() && operation.output != operation.input;
        if operation.outcome != Outcome::Ok || says_more {
            text.push_str(&words::found(operation));
        }
        text
    }

    /// The state in words: `x = 3`.
    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String {
        format!("{} = {}", Name("the object", key), Quoted(state))
    }

    /// What an operation of this class would have needed, in words: `it read 7`.
    fn describe_need(&self, class: &Class) -> String {
        let Class {
            action,
            argument,
            result,
        } = class;
        match (argument, result) {
            (Value::Null, Value::Null) => format!("it is to {action}"),
            (argument, Value::Null) => format!("it is to {action} {}", Quoted(argument)),
            (Value::Null, result) => format!("its {action} gave {}", Quoted(result)),
            (argument, result) => format!("its {action} {} gave {}", Quoted(argument), Quoted(result)),
        }
    }

    /// The class as an access to a single value; none if the model (or this class) is not of that kind.
    fn access<'a>(&self, class: &'a Class) -> Option<Access<'a>> {
        let _ = class;
        None
    }

    /// The class of an operation that leaves the same, but does not mind what it finds: wherever one of `class` is
    /// possible, one of this class is, and with the same effect. None if `class` minds nothing, or if there is none.
    /// Counterexamples are made smaller with it.
    fn blind(&self, class: &Class) -> Option<Class> {
        let _ = class;
        None
    }

    /// For each class of `crashed` operations, the last of the `completed` ones that could make use of it: an
    /// operation of unknown outcome may be taken not to have happened when no completed operation can tell
    /// (ALGORITHMS.md 2.4, R5). `completed` is in the order of returns. None if no operation can tell; the last
    /// index if the model does not know, which is always correct.
    fn last_use(&self, completed: &[&Class], crashed: &[&Class]) -> Vec<Option<usize>> {
        vec![completed.len().checked_sub(1); crashed.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specification_knows_the_model_that_made_it() {
        for model in ALL {
            let specification = (model.specification)(&Options::default());
            assert_eq!(registered_name(&*specification), Some(model.name));
        }
    }

    #[test]
    fn names_are_unique_and_kebab_case_and_found() {
        for (i, model) in ALL.iter().enumerate() {
            assert!(!model.summary.is_empty());
            assert!(model.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
            assert!(ALL[..i].iter().all(|other| other.name != model.name));
            assert_eq!(Model::by_name(model.name).unwrap().summary, model.summary);
        }
        assert!(Model::by_name("regster").is_none());
    }
}
