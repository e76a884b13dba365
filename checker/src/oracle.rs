//! Exhaustive search: every order of a few operations (Wing and Gong, 1993, with a memo).
//!
//! It shares no code with the engine. It judges what the engine says in tests, and confirms counterexamples in
//! reports.

use std::cell::Cell;

use partita_history::Value;
use rustc_hash::FxHashSet;

use crate::model::{Class, Specification};

/// An operation to be put in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) class: &'a Class,
    pub(crate) invoked: u32,
    /// None if it may never take effect.
    pub(crate) deadline: Option<u32>,
}

/// At most 64 operations, and which must come before which.
#[derive(Clone)]
pub(crate) struct Oracle<'a> {
    specification: &'a dyn Specification,
    candidates: Vec<Candidate<'a>>,
    /// For each operation, the set of those that must come before it.
    before: Vec<u64>,
    /// How many steps all questions together may take; none if each may take [`Oracle::STEPS_MAX`].
    left: Option<Cell<usize>>,
}

/// How many steps it counts for to keep a state: one with many parts takes the memory of many small ones.
fn weight(state: &Value) -> usize {
    const SMALL: usize = 8;
    fn parts(state: &Value) -> usize {
        match state {
            Value::List(items) => items.iter().map(parts).sum(),
            Value::Str(text) => 1 + text.len() / size_of::<Value>(),
            Value::Null | Value::Int(_) => 1,
        }
    }
    1 + parts(state) / SMALL
}

impl<'a> Oracle<'a> {
    /// The most operations that it takes.
    pub(crate) const OPERATIONS_MAX: usize = 64;
    /// How many steps it makes for an answer before it gives up: so many small states, or fewer large ones.
    const STEPS_MAX: usize = 2_000_000;

    /// With the order that real time demands.
    ///
    /// # Panics
    /// If there are more than [`Oracle::OPERATIONS_MAX`].
    pub(crate) fn new(specification: &'a dyn Specification, candidates: Vec<Candidate<'a>>) -> Self {
        assert!(candidates.len() <= Self::OPERATIONS_MAX);
        let before = candidates
            .iter()
            .map(|b| {
                candidates
                    .iter()
                    .enumerate()
                    .filter(|(_, a)| a.deadline.is_some_and(|deadline| deadline < b.invoked))
                    .fold(0, |set, (i, _)| set | 1 << i)
            })
            .collect();
        Oracle {
            specification,
            candidates,
            before,
            left: None,
        }
    }

    /// One that makes no more than so many steps for all answers together.
    pub(crate) fn limited_to(self, steps: usize) -> Self {
        Oracle {
            left: Some(Cell::new(steps)),
            ..self
        }
    }

    /// How many steps the next answer may take.
    fn steps_max(&self) -> usize {
        let left = self.left.as_ref().map_or(Self::STEPS_MAX, Cell::get);
        left.min(Self::STEPS_MAX)
    }

    fn account(&self, steps: usize) {
        if let Some(left) = &self.left {
            left.set(left.get().saturating_sub(steps));
        }
    }

    /// Forgets, or demands, that `a` comes before `b`.
    pub(crate) fn set_before(&mut self, a: usize, b: usize, demanded: bool) {
        self.before[b] = self.before[b] & !(1 << a) | u64::from(demanded) << a;
    }

    fn completed(&self) -> u64 {
        self.candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.deadline.is_some())
            .fold(0, |set, (i, _)| set | 1 << i)
    }

    /// The operations that may come next, real time alone considered.
    pub(crate) fn next(&self, done: u64) -> impl Iterator<Item = usize> {
        // An operation of unknown outcome that is before nothing may be left out; none is before anything.
        (0..self.candidates.len()).filter(move |&i| done >> i & 1 == 0 && self.before[i] & !done == 0)
    }

    /// The state after one more operation, if it is possible.
    pub(crate) fn step(&self, state: &Value, operation: usize) -> Option<Value> {
        self.specification.step(state, self.candidates[operation].class)
    }

    /// Whether there is a linearization; none if it takes too long to tell.
    pub(crate) fn is_linearizable(&self) -> Option<bool> {
        let completed = self.completed();
        let steps_max = self.steps_max();
        let mut steps = 0;
        let mut seen: FxHashSet<(u64, Value)> = FxHashSet::default();
        let mut stack = vec![(0, self.specification.initial())];
        let mut answer = Some(false);
        while let Some((done, state)) = stack.pop() {
            if completed & !done == 0 {
                answer = Some(true);
                break;
            }
            if steps >= steps_max {
                answer = None;
                break;
            }
            if seen.contains(&(done, state.clone())) {
                continue;
            }
            steps += weight(&state);
            for i in self.next(done) {
                if let Some(next) = self.step(&state, i) {
                    stack.push((done | 1 << i, next));
                }
            }
            seen.insert((done, state));
        }
        self.account(steps);
        answer
    }

    /// Orders that no completed operation can continue, as indices of operations: those that put most completed
    /// operations in order first, and none whose operations are all in another one too.
    pub(crate) fn maximal(&self, at_most: usize) -> Vec<Vec<usize>> {
        let completed = self.completed();
        let steps_max = self.steps_max();
        let mut steps = 0;
        let mut seen: FxHashSet<(u64, Value)> = FxHashSet::default();
        let mut found: Vec<(u64, Vec<usize>)> = Vec::new();
        let mut stack = vec![(0u64, self.specification.initial(), Vec::new())];
        while let Some((done, state, order)) = stack.pop() {
            if steps >= steps_max {
                break;
            }
            if !seen.insert((done, state.clone())) {
                continue;
            }
            steps += weight(&state);
            let mut is_maximal = true;
            for i in self.next(done) {
                if let Some(next) = self.step(&state, i) {
                    is_maximal &= completed >> i & 1 == 0;
                    let mut order = order.clone();
                    order.push(i);
                    stack.push((done | 1 << i, next, order));
                }
            }
            if is_maximal {
                found.push((done, order));
            }
        }
        self.account(steps);
        found.sort_by_key(|(done, order)| (std::cmp::Reverse((done & completed).count_ones()), order.len()));
        let mut kept: Vec<(u64, Vec<usize>)> = Vec::new();
        for (done, order) in found {
            // An operation of unknown outcome put in for nothing does not make it another order.
            let is_new = kept.iter().all(|(other, _)| done & completed & !other != 0);
            if is_new && kept.len() < at_most {
                kept.push((done, order));
            }
        }
        kept.into_iter().map(|(_, order)| order).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Model, Options};

    fn class(action: &'static str, value: i64) -> Class {
        let value = Value::Int(value);
        match action {
            "read" => Class {
                action,
                argument: Value::Null,
                result: value,
            },
            _ => Class {
                action,
                argument: value,
                result: Value::Null,
            },
        }
    }

    #[test]
    fn by_hand() {
        let specification = (Model::by_name("register").unwrap().specification)(&Options::default());
        let (w1, w2, r1) = (class("write", 1), class("write", 2), class("read", 1));
        let at = |class, invoked, deadline| Candidate {
            class,
            invoked,
            deadline,
        };
        let judge =
            |candidates: Vec<Candidate<'_>>| Oracle::new(&*specification, candidates).is_linearizable();
        // One after another, the old value read last; the second write open at the read; it crashed.
        let stale = vec![at(&w1, 0, Some(1)), at(&w2, 2, Some(3)), at(&r1, 4, Some(5))];
        assert_eq!(judge(stale.clone()), Some(false));
        assert_eq!(judge(vec![stale[0], at(&w2, 2, Some(6)), stale[2]]), Some(true));
        assert_eq!(judge(vec![stale[0], at(&w2, 2, None), stale[2]]), Some(true));
        assert_eq!(judge(vec![at(&w1, 3, None), stale[2]]), Some(true));
        assert_eq!(judge(vec![stale[2]]), Some(false));

        let mut oracle = Oracle::new(&*specification, stale);
        assert_eq!(oracle.maximal(9), [vec![0, 1]]);
        let hurried = oracle.clone().limited_to(4);
        assert_eq!(hurried.is_linearizable(), Some(false));
        assert_eq!(hurried.is_linearizable(), None, "the steps are for all answers");
        assert!(hurried.maximal(9).is_empty());
        oracle.set_before(1, 2, false);
        assert_eq!(oracle.is_linearizable(), Some(true));
    }
}
