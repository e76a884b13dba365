//! Interned states, and a table of transitions that is filled as the search goes.

use partita_history::Value;
use rustc_hash::FxHashMap;

use super::entry::Classes;
use crate::model::Specification;

const IMPOSSIBLE: u32 = u32::MAX;

/// What each class does to each state, by number.
pub(crate) struct Transitions<'a> {
    specification: &'a dyn Specification,
    classes: &'a Classes,
    states: Vec<Value>,
    ids: FxHashMap<Value, u32>,
    next: FxHashMap<u64, u32>,
    bytes: u64,
}

impl<'a> Transitions<'a> {
    pub(crate) const INITIAL: u32 = 0;

    pub(crate) fn new(specification: &'a dyn Specification, classes: &'a Classes) -> Self {
        let mut transitions = Transitions {
            specification,
            classes,
            states: Vec::new(),
            ids: FxHashMap::default(),
            next: FxHashMap::default(),
            bytes: 0,
        };
        transitions.intern(specification.initial());
        transitions
    }

    fn intern(&mut self, state: Value) -> u32 {
        if let Some(&id) = self.ids.get(&state) {
            return id;
        }
        let id = self.states.len() as u32;
        self.bytes += 2 * (size_of::<Value>() + heap_bytes(&state)) as u64 + 16;
        self.states.push(state.clone());
        self.ids.insert(state, id);
        id
    }

    /// A state that was met.
    pub(crate) fn state(&self, state: u32) -> &Value {
        &self.states[state as usize]
    }

    /// The state after an operation of this class; none if it is impossible in this state.
    pub(crate) fn next(&mut self, state: u32, class: u32) -> Option<u32> {
        let pair = u64::from(state) << 32 | u64::from(class);
        let next = match self.next.get(&pair) {
            Some(&next) => next,
            None => {
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
                self.next.insert(pair, next);
                self.bytes += 24;
                next
            }
        };
        (next != IMPOSSIBLE).then_some(next)
    }

    /// Roughly the memory filled.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn heap_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Int(_) => 0,
        Value::Str(string) => string.len(),
        Value::List(items) => items
            .iter()
            .map(|item| size_of::<Value>() + heap_bytes(item))
            .sum(),
    }
}
