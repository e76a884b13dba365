//! Sequential specifications: what each operation means to an object that does one thing at a time.
//!
//! A [`Model`] is an entry of the registry [`ALL`]; it makes a [`Specification`] for given [`Options`]. To add
//! a model: one file here, and one line in [`ALL`].

mod append_log;
pub(crate) mod bag;
mod cas_register;
mod cell;
pub(crate) mod collection;
mod counter;
mod fenced_lock;
mod fifo_queue;
mod grow_only_set;
mod kv;
mod list;
mod lock;
mod multi_register;
mod mutex;
mod options;
mod owned_mutex;
mod priority_queue;
mod register;
mod semaphore;
mod set;
mod stack;
mod versioned_register;
mod words;

use partita_history::{Operation, Value};

pub use options::{Engine, FailMeaning, NilReads, Options};

/// All models, by name.
pub const ALL: &[Model] = &[
    register::MODEL,
    cas_register::MODEL,
    versioned_register::MODEL,
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

/// The sequential specification of one object: deterministic, pure, and total over its states.
///
/// States are [`Value`]s: a queue's is a list, a lock's its owner.
pub trait Specification: Send + Sync {
    /// The state before the first operation.
    fn initial(&self) -> Value;

    /// What the operation did; none if its outcome says nothing about the object (a read that crashed, a write
    /// that certainly failed). An operation of unknown outcome that may change the object is of the class of
    /// its success.
    ///
    /// # Errors
    /// In words, when the model has no such function or the value is of the wrong kind.
    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String>;

    /// Whether operations of this class never change a state in which they are possible.
    fn is_observer(&self, class: &Class) -> bool;

    /// The state after an operation; none if it is impossible in this state.
    fn step(&self, state: &Value, class: &Class) -> Option<Value>;

    /// The operation in words, its outcome included: `cas x from 3 to 5`.
    fn describe(&self, operation: &Operation) -> String;

    /// The state in words: `x = 3`.
    fn describe_state(&self, key: Option<&Value>, state: &Value) -> String;

    /// What an operation of this class would have needed, in words: `it read 7`.
    fn describe_need(&self, class: &Class) -> String;

    /// The class as an access to a single value; none if the model (or this class) is not of that kind.
    fn access<'a>(&self, class: &'a Class) -> Option<Access<'a>> {
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
