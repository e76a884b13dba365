//! Interned states, and a table of transitions that is filled as the search goes.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use partita_history::Value;
use rustc_hash::FxBuildHasher;

use super::entry::Classes;
use super::table::Table;
use crate::model::Specification;

/// No such step.
const IMPOSSIBLE: u32 = u32::MAX;
/// Not asked yet.
const UNKNOWN: u32 = u32::MAX - 1;
/// With no more classes than this, a state has a row of all its transitions.
const ROW_MAX: usize = 64;
/// What an allocation takes beyond what was asked for.
const ALLOCATION: usize = 16;

/// What each class does to each state, by number.
pub(crate) struct Transitions<'a> {
    specification: &'a dyn Specification,
    classes: &'a Classes,
    states: Vec<Value>,
    ids: HashTable<u32>,
    next: Next,
    bytes: u64,
}

/// The steps asked for so far.
enum Next {
    /// By state, then by class.
    Rows(Vec<Box<[u32]>>),
    Pairs(Table<(u32, u32), Asked>),
}

#[derive(Clone, Copy)]
struct Asked(u32);

impl Default for Asked {
    fn default() -> Self {
        Asked(UNKNOWN)
    }
}

impl<'a> Transitions<'a> {
    pub(crate) const INITIAL: u32 = 0;

    pub(crate) fn new(specification: &'a dyn Specification, classes: &'a Classes) -> Self {
        let mut transitions = Transitions {
            specification,
            classes,
            states: Vec::new(),
            ids: HashTable::new(),
            next: match classes.len() {
                0..=ROW_MAX => Next::Rows(Vec::new()),
                _ => Next::Pairs(Table::new()),
            },
            bytes: 0,
        };
        transitions.intern(specification.initial());
        transitions
    }

    fn intern(&mut self, state: Value) -> u32 {
        let hash = |state: &Value| FxBuildHasher.hash_one(state);
        let this = hash(&state);
        if let Some(&id) = self.ids.find(this, |&id| self.states[id as usize] == state) {
            return id;
        }
        let id = self.states.len() as u32;
        // A vector that doubles has twice its old size and the old one at the time; so has the table of ids.
        self.bytes += (heap_bytes(&state) + 3 * size_of::<Value>() + 24) as u64;
        self.states.push(state);
        self.ids
            .insert_unique(this, id, |&id| hash(&self.states[id as usize]));
        if let Next::Rows(rows) = &mut self.next {
            self.bytes += (4 * self.classes.len() + ALLOCATION + 3 * size_of::<Box<[u32]>>()) as u64;
            rows.push(vec![UNKNOWN; self.classes.len()].into());
        }
        id
    }

    /// A state that was met.
    pub(crate) fn state(&self, state: u32) -> &Value {
        &self.states[state as usize]
    }

    /// The state after an operation of this class; none if it is impossible in this state.
    pub(crate) fn next(&mut self, state: u32, class: u32) -> Option<u32> {
        let known = match &self.next {
            Next::Rows(rows) => rows[state as usize][class as usize],
            Next::Pairs(pairs) => pairs.get(&(state, class)).map_or(UNKNOWN, |asked| asked.0),
        };
        let next = match known {
            UNKNOWN => self.ask(state, class),
            next => next,
        };
        (next != IMPOSSIBLE).then_some(next)
    }

    fn ask(&mut self, state: u32, class: u32) -> u32 {
        let step = self
            .specification
            .step(&self.states[state as usize], self.classes.get(class));
        let next = step.map_or(IMPOSSIBLE, |value| self.intern(value));
        assert!(
            next == IMPOSSIBLE || next == state || !self.classes.is_observer(class),
            "the model says of {:?} that it only observes, but it changed {:?}",
            self.classes.get(class),
            self.states[state as usize],
        );
        match &mut self.next {
            Next::Rows(rows) => rows[state as usize][class as usize] = next,
            Next::Pairs(pairs) => pairs.get_or_default((state, class)).0 = next,
        }
        next
    }

    /// The memory taken, with what the next growth takes for a moment.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
            + match &self.next {
                Next::Rows(_) => 0,
                Next::Pairs(pairs) => pairs.bytes(),
            }
    }
}

fn heap_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Int(_) => 0,
        Value::Str(string) => string.capacity() + ALLOCATION,
        Value::List(items) => {
            let inside: usize = items.iter().map(heap_bytes).sum();
            items.capacity() * size_of::<Value>() + ALLOCATION + inside
        }
    }
}
