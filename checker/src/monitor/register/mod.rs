//! A register with reads, writes and compare-and-sets, every value written at most once (ALGORITHMS.md 3.2 to
//! 3.4; after Gibbons and Korach, Testing shared memories, 1997).
//!
//! Each written value is a *version*. A compare-and-set from u to v makes v the immediate successor of u, so that
//! versions form *chains*, each begun by a plain write (or by the initial value). Nothing can come between the
//! operations of one chain, and their order is known. A chain is over the earlier, the earlier its first
//! operation ends, and lasts at least until its last operation begins; so chain A must precede B if some
//! operation of A ends before one of B begins, and a linearization exists unless two chains must each precede
//! the other, or a chain contradicts itself.
//!
//! A pending write that nothing completed depends on is left out. A refused compare-and-set of which only the
//! refusal is known ("not u") makes the problem NP-complete. It is judged here if the linearization of all else
//! happens to have room for it, or if u was certainly there all the while.

mod chains;
mod evidence;
mod refusals;
pub(crate) mod versions;

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::{Finding, Monitor};
use crate::linearizability::entry::{Classes, Entry};
use crate::model::{Access, Specification};
use chains::Chains;
use versions::Versions;

/// A moment: a position and 1, so that there is one before all events.
pub(crate) type Time = u32;
/// Before all events: when the initial value was written.
pub(crate) const DAWN: Time = 0;
/// After all events: when a pending operation ends.
pub(crate) const NEVER: Time = Time::MAX;
/// No operation, or no value.
pub(crate) const NONE: u32 = u32::MAX;
/// The initial value.
pub(crate) const INITIAL: u32 = 0;

/// What an operation does; values are numbered, from [`INITIAL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Read(u32),
    Write(u32),
    Swap { from: u32, to: u32 },
    Differs(u32),
    Never,
}

impl Step {
    pub(crate) fn requires(self) -> Option<u32> {
        match self {
            Step::Read(value) | Step::Swap { from: value, .. } => Some(value),
            Step::Write(_) | Step::Differs(_) | Step::Never => None,
        }
    }

    pub(crate) fn produces(self) -> Option<u32> {
        match self {
            Step::Write(value) | Step::Swap { to: value, .. } => Some(value),
            Step::Read(_) | Step::Differs(_) | Step::Never => None,
        }
    }

    /// The version whose place in its chain is the operation's own.
    fn version(self) -> Option<u32> {
        match self {
            Step::Read(value) | Step::Write(value) | Step::Swap { to: value, .. } => Some(value),
            Step::Differs(_) | Step::Never => None,
        }
    }

    fn renamed(self, name: impl Fn(u32) -> u32) -> Step {
        match self {
            Step::Read(value) => Step::Read(name(value)),
            Step::Write(value) => Step::Write(name(value)),
            Step::Swap { from, to } => Step::Swap {
                from: name(from),
                to: name(to),
            },
            Step::Differs(value) => Step::Differs(name(value)),
            Step::Never => Step::Never,
        }
    }
}

/// An operation: what it does, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) step: Step,
    pub(crate) began: Time,
    /// [`NEVER`] if it is pending.
    pub(crate) ended: Time,
}

impl Operation {
    pub(crate) fn is_pending(&self) -> bool {
        self.ended == NEVER
    }
}

/// Why there is no linearization to be had from the monitor.
pub(crate) enum Failure {
    /// There is none, for these operations and what they depend on.
    Violation(Vec<u32>),
    NotApplicable(&'static str),
}

/// Judges operations in the order of their invocations on values below `values`; gives a linearization.
fn judge(operations: &[Operation], values: u32) -> Finding {
    let versions = match Versions::new(operations, values) {
        Ok(versions) => versions,
        Err((versions, Failure::Violation(found))) => {
            return Finding::Fail(evidence::closed(operations, &versions, found));
        }
        Err((_, Failure::NotApplicable(why))) => return Finding::NotApplicable(why),
    };
    let found = Chains::new(operations, &versions).and_then(|chains| {
        let order = chains.order(operations, &versions);
        refusals::insert(operations, &versions, &chains, order)
    });
    match found {
        Ok(order) => Finding::Pass(order),
        Err(Failure::Violation(found)) => Finding::Fail(evidence::closed(operations, &versions, found)),
        Err(Failure::NotApplicable(why)) => Finding::NotApplicable(why),
    }
}

/// The operations' classes as steps.
struct Register {
    steps: Vec<Step>,
    values: u32,
}

/// None if some class is no access to a single value.
pub(super) fn make(classes: &Classes, specification: &dyn Specification) -> Option<Box<dyn Monitor>> {
    let (steps, values) = steps(classes, specification)?;
    Some(Box::new(Register { steps, values }))
}

/// What the operations of each class do, and how many values they name; none if some class is no access to a
/// single value.
pub(crate) fn steps(classes: &Classes, specification: &dyn Specification) -> Option<(Vec<Step>, u32)> {
    let initial = specification.initial();
    let mut values = FxHashMap::default();
    values.insert(&initial, INITIAL);
    let mut number = |value| {
        let next = values.len() as u32;
        *values.entry(value).or_insert(next)
    };
    let mut steps = Vec::with_capacity(classes.len());
    for class in classes.iter() {
        steps.push(match specification.access(class)? {
            Access::Read(value) => Step::Read(number(value)),
            Access::Write(value) => Step::Write(number(value)),
            Access::Swap { from, to } if from == to => Step::Read(number(from)),
            Access::Swap { from, to } => Step::Swap {
                from: number(from),
                to: number(to),
            },
            Access::Differs(value) => Step::Differs(number(value)),
            Access::Never => Step::Never,
        });
    }
    let values = values.len() as u32;
    Some((steps, values))
}

impl Monitor for Register {
    fn judge(&self, entries: &[Entry]) -> Finding {
        debug_assert!(entries.is_sorted_by_key(|entry| entry.invoked));
        let mut operations: Vec<Operation> = entries
            .iter()
            .map(|entry| Operation {
                step: self.steps[entry.class as usize],
                began: entry.invoked + 1,
                ended: entry.deadline.map_or(NEVER, |deadline| deadline + 1),
            })
            .collect();
        let mut values = self.values;
        // A few of many: tables by value would be mostly empty.
        if entries.len() < values as usize / 16 {
            values = renumber(&mut operations);
        }
        judge(&operations, values)
    }
}

/// Numbers only the values that occur; gives how many.
fn renumber(operations: &mut [Operation]) -> u32 {
    let mut names = BTreeMap::from([(INITIAL, INITIAL)]);
    for operation in &mut *operations {
        let step = operation.step;
        let differs = match step {
            Step::Differs(value) => Some(value),
            _ => None,
        };
        for value in [step.requires(), step.produces(), differs].into_iter().flatten() {
            let next = names.len() as u32;
            names.entry(value).or_insert(next);
        }
        operation.step = step.renamed(|value| names[&value]);
    }
    names.len() as u32
}
