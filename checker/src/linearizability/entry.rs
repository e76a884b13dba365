//! One key's operations, as the search sees them: intervals and classes.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use partita_history::{History, OpId, Value};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::InputError;
use crate::model::{Class, Specification};
use crate::monitor::Monitor;

/// An operation that says something about the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: OpId,
    /// Its class, an index into [`Classes`].
    pub(crate) class: u32,
    /// The position at which it was invoked.
    pub(crate) invoked: u32,
    /// The position by which it had taken effect; none if it may never do.
    pub(crate) deadline: Option<u32>,
}

/// The classes that occur, each once.
#[derive(Debug, Default)]
pub(crate) struct Classes {
    all: Vec<Class>,
    observers: Vec<bool>,
    /// The classes, each with its hash, so that none is looked at again when the table grows.
    by_hash: HashTable<(u64, u32)>,
    /// For each class that has one, its blind class.
    blind: FxHashMap<u32, u32>,
}

impl Classes {
    pub(crate) fn intern(&mut self, class: Class, specification: &dyn Specification) -> u32 {
        let hash = FxBuildHasher.hash_one(&class);
        let is_it = |&(other, id): &(u64, u32)| other == hash && self.all[id as usize] == class;
        if let Some(&(_, id)) = self.by_hash.find(hash, is_it) {
            return id;
        }
        let id = self.all.len() as u32;
        self.by_hash.insert_unique(hash, (hash, id), |&(hash, _)| hash);
        self.observers.push(specification.is_observer(&class));
        self.all.push(class);
        id
    }

    /// Adds the classes of operations that do the same but forget what they needed to find.
    pub(crate) fn add_blind(&mut self, specification: &dyn Specification) {
        for id in 0..self.all.len() as u32 {
            if let Some(class) = specification.blind(self.get(id)) {
                let blind = self.intern(class, specification);
                self.blind.insert(id, blind);
            }
        }
    }

    /// The blind class of a class, if there is one and it was added.
    pub(crate) fn blind(&self, id: u32) -> Option<u32> {
        self.blind.get(&id).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Class> {
        self.all.iter()
    }

    pub(crate) fn get(&self, id: u32) -> &Class {
        &self.all[id as usize]
    }

    pub(crate) fn is_observer(&self, id: u32) -> bool {
        self.observers[id as usize]
    }
}

/// The operations of one key that say something about it, in the order of their invocations.
///
/// # Errors
/// When an operation makes no sense to the model.
pub(crate) fn classify(
    history: &History,
    operations: &[OpId],
    specification: &dyn Specification,
) -> Result<(Vec<Entry>, Classes), InputError> {
    let mut classes = Classes::default();
    let mut entries = Vec::with_capacity(operations.len());
    for &id in operations {
        let operation = history.operation(id);
        let class = specification
            .classify(&operation)
            .map_err(|message| InputError::new(id, &operation, message))?;
        let Some(class) = class else { continue };
        let class = classes.intern(class, specification);
        let deadline = operation.deadline();
        if deadline.is_none() && classes.is_observer(class) {
            continue;
        }
        entries.push(Entry {
            id,
            class,
            invoked: operation.invoked.position,
            deadline,
        });
    }
    Ok((entries, classes))
}

/// A key as the search sees it.
pub(crate) struct Object<'a> {
    pub(crate) history: &'a History,
    pub(crate) specification: &'a dyn Specification,
    pub(crate) key: Option<&'a Value>,
    pub(crate) classes: Classes,
    /// What judges it without a search, if there is such a thing and it may be used.
    pub(crate) monitor: Option<Box<dyn Monitor>>,
    /// Whether what no monitor can judge is searched.
    pub(crate) may_search: bool,
    pub(crate) entries: Vec<Entry>,
}
