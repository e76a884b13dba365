//! States and classes by number, and what each class does to each state.

use std::sync::Arc;

use partita_history::Value;
use rustc_hash::FxHashMap;

use crate::model::{Class, Specification};

/// No state: the operation is impossible.
const IMPOSSIBLE: u32 = u32::MAX;

/// The states and classes met so far.
pub(super) struct States {
    specification: Arc<dyn Specification>,
    states: Vec<Value>,
    state_ids: FxHashMap<Value, u32>,
    classes: Vec<Class>,
    class_ids: FxHashMap<Class, u32>,
    next: FxHashMap<u64, u32>,
}

impl States {
    pub(super) fn new(specification: Arc<dyn Specification>) -> States {
        States {
            specification,
            states: Vec::new(),
            state_ids: FxHashMap::default(),
            classes: Vec::new(),
            class_ids: FxHashMap::default(),
            next: FxHashMap::default(),
        }
    }

    /// With the same specification, and nothing met.
    pub(super) fn emptied(&self) -> States {
        States::new(Arc::clone(&self.specification))
    }

    /// How many states and classes there are.
    pub(super) fn len(&self) -> usize {
        self.states.len() + self.classes.len()
    }

    pub(super) fn state(&mut self, state: Value) -> u32 {
        if let Some(&id) = self.state_ids.get(&state) {
            return id;
        }
        let id = self.states.len() as u32;
        self.states.push(state.clone());
        self.state_ids.insert(state, id);
        id
    }

    pub(super) fn value(&self, state: u32) -> &Value {
        &self.states[state as usize]
    }

    pub(super) fn class(&mut self, class: Class) -> u32 {
        if let Some(&id) = self.class_ids.get(&class) {
            return id;
        }
        let id = self.classes.len() as u32;
        self.classes.push(class.clone());
        self.class_ids.insert(class, id);
        id
    }

    pub(super) fn class_of(&self, class: u32) -> &Class {
        &self.classes[class as usize]
    }

    pub(super) fn is_observer(&self, class: &Class) -> bool {
        self.specification.is_observer(class)
    }

    /// The state after an operation of this class; none if it is impossible in this state.
    pub(super) fn after(&mut self, state: u32, class: u32) -> Option<u32> {
        let pair = u64::from(state) << 32 | u64::from(class);
        let next = match self.next.get(&pair) {
            Some(&next) => next,
            None => {
                let (from, class) = (&self.states[state as usize], &self.classes[class as usize]);
                let next = match self.specification.step(from, class) {
                    Some(value) => self.state(value),
                    None => IMPOSSIBLE,
                };
                self.next.insert(pair, next);
                next
            }
        };
        (next != IMPOSSIBLE).then_some(next)
    }
}
