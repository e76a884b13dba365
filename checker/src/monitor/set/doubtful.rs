//! An element that comes and goes, with operations of which it is not known whether they changed it.

use crate::monitor::Finding;
use crate::monitor::sweep::{self, NEVER, Operation};
use crate::monitor::switch::{Step, Switch};

/// How many operations are swept at most, all trials together.
const SWEPT_MAX: usize = 1 << 22;

/// What is known of the element.
pub(super) enum Resolution {
    /// It is linearizable with these operations instead, none of which is unknown.
    Resolved(Vec<Operation<Step>>),
    /// Not so, because of these.
    Violation(Vec<u32>),
    Unknown,
}

/// Tries each completed operation of unknown result as a change and as an observer, if that are not too many trials.
pub(super) fn resolve(is_on: bool, operations: &[Operation<Step>]) -> Resolution {
    let unknown: Vec<usize> = (0..operations.len())
        .filter(|&at| matches!(operations[at].step, Step::Ensure(_)) && !operations[at].is_pending())
        .collect();
    let trials = 1usize.checked_shl(unknown.len() as u32).unwrap_or(usize::MAX);
    if trials.saturating_mul(operations.len()) > SWEPT_MAX {
        return weakened(is_on, operations);
    }
    let mut latest = 0;
    for trial in 0..trials {
        let mut tried = operations.to_vec();
        for (bit, &at) in unknown.iter().enumerate() {
            let on = tried[at].step.leaves();
            tried[at].step = match trial >> bit & 1 {
                0 => Step::Turn(on),
                _ => Step::Saw(on),
            };
        }
        match sweep::run(&mut Switch::new(is_on), &tried).violation {
            None => return Resolution::Resolved(tried),
            Some((position, _)) => latest = latest.max(position),
        }
    }
    let begun = operations
        .iter()
        .take_while(|operation| operation.invoked <= latest);
    Resolution::Violation(begun.map(|operation| operation.index).collect())
}

/// If these operations may even have been left out, a violation is one.
fn weakened(is_on: bool, operations: &[Operation<Step>]) -> Resolution {
    let weakened: Vec<Operation<Step>> = operations
        .iter()
        .map(|operation| match operation.step {
            Step::Ensure(on) => Operation {
                step: Step::Turn(on),
                deadline: NEVER,
                ..*operation
            },
            _ => *operation,
        })
        .collect();
    match sweep::judge(Switch::new(is_on), &weakened) {
        Finding::Fail(core) => Resolution::Violation(core),
        Finding::Pass(_) | Finding::NotApplicable(_) => Resolution::Unknown,
    }
}
