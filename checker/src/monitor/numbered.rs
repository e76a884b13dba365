//! Objects whose changes are numbered: versions, offsets, counts that are returned (ALGORITHMS.md 3.1).
//!
//! The n-th change makes *state* n; state 0 is the initial one. An operation tells of which change it was, or between
//! which states it was. Changes of which nobody knows the number are pending ones: they may fill the gaps, each at
//! a moment before the first operation ends that needs it; the gaps are filled from the left with what began first.

mod adopt;
mod gaps;

pub(super) use self::adopt::{append_log, counting, versioned_register};
use super::level::{self, Inversion, Leveled};
use super::sweep::{NEVER, Operation};
use super::{Entry, Finding, Monitor, stream};

/// What an operation says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It made this state, if it tells, and put that there.
    Change { state: Option<i64>, value: u32 },
    /// It was in some state from the first to the last of these, and it saw what some change put there.
    Observe {
        from: i64,
        to: i64,
        saw: Option<(i64, u32)>,
    },
    /// It was in some other state than this one.
    Differ(i64),
    /// It contradicts itself, or the initial state.
    Never,
}

/// The classes as steps.
struct Numbered {
    steps: Vec<Result<Step, &'static str>>,
    /// After so many changes numbers overflow.
    states_max: i64,
}

/// The operations that go together in a violation.
struct Violation(Vec<u32>);

/// Why there is no order.
enum Failure {
    Violation(Violation),
    NotApplicable(&'static str),
}

impl Monitor for Numbered {
    fn judge(&self, entries: &[Entry]) -> Finding {
        let operations = match stream::operations(entries, |entry| self.steps[entry.class as usize]) {
            Ok(operations) => operations,
            Err(why) => return Finding::NotApplicable(why),
        };
        let is_unnumbered = |operation: &Operation<Step>| {
            !operation.is_pending() && matches!(operation.step, Step::Change { state: None, .. })
        };
        if operations.iter().any(is_unnumbered) {
            return Finding::NotApplicable("not all changes tell their number");
        }
        if operations.len() as u64 > self.states_max.unsigned_abs() {
            return Finding::NotApplicable("numbers overflow");
        }
        match order(&operations) {
            Ok(order) => Finding::Pass(order),
            Err(Failure::Violation(violation)) => Finding::Fail(closed(&operations, &violation)),
            Err(Failure::NotApplicable(why)) => Finding::NotApplicable(why),
        }
    }
}

/// The lowest state after which the operation can be, if it has to be.
fn needs(step: Step) -> i64 {
    match step {
        Step::Change {
            state: Some(state), ..
        } => state,
        Step::Observe { from, .. } => from,
        Step::Change { state: None, .. } | Step::Differ(_) | Step::Never => 0,
    }
}

/// With all changes that they may need: so it has a linearization if the whole has one, for what comes later may be
/// left out.
fn closed(operations: &[Operation<Step>], Violation(named): &Violation) -> Vec<u32> {
    let of = |index: &u32| &operations[*index as usize];
    let state = named.iter().map(|index| needs(of(index).step)).max().unwrap_or(0);
    let end = named.iter().map(|index| of(index).deadline).max().unwrap_or(0);
    let mut named = named.clone();
    named.sort_unstable();
    let is_in = |operation: &&Operation<Step>| match operation.step {
        _ if named.binary_search(&operation.index).is_ok() => true,
        Step::Change {
            state: Some(made), ..
        } => made <= state && operation.invoked <= end,
        Step::Change { state: None, .. } => operation.invoked <= end,
        Step::Observe { .. } | Step::Differ(_) | Step::Never => false,
    };
    operations
        .iter()
        .filter(is_in)
        .map(|operation| operation.index)
        .collect()
}

/// Operations in the order of their states.
fn order(operations: &[Operation<Step>]) -> Result<Vec<u32>, Failure> {
    let filled = gaps::fill(operations)?;
    // Those that fill gaps did so in time.
    let violation = |Inversion(first, second)| Failure::Violation(Violation(vec![first, second]));
    let found = level::check(&leveled(operations, &filled, false)).map_err(violation)?;
    let differs = |operation: &Operation<Step>| matches!(operation.step, Step::Differ(_));
    if !operations.iter().any(differs) {
        return Ok(found);
    }
    level::check(&leveled(operations, &filled, true))
        .map_err(|_| Failure::NotApplicable("a refusal depends on when a version was made"))
}

fn leveled(operations: &[Operation<Step>], filled: &gaps::Filled, refusals: bool) -> Vec<Leveled> {
    let level = |operation: &Operation<Step>| {
        // Changes have even levels, from 2; what is observed between them has odd ones, from 1.
        let observed = |state: i64| 2 * state.max(0).unsigned_abs() + 1;
        let (levels, observes, except) = match operation.step {
            Step::Change { state, .. } => {
                let state = match operation.is_pending() {
                    true => i64::from(*filled.fillers.get(&operation.index)?),
                    false => state?,
                };
                let level = 2 * state.unsigned_abs();
                ((level, level), false, None)
            }
            _ if operation.is_pending() => return None,
            Step::Observe { from, to, .. } => ((observed(from), observed(to)), true, None),
            Step::Differ(state) if refusals => {
                let last = observed(i64::from(filled.last));
                ((1, last), true, (state >= 0).then(|| observed(state)))
            }
            Step::Differ(_) | Step::Never => return None,
        };
        Some(Leveled {
            index: operation.index,
            invoked: operation.invoked,
            deadline: operation.deadline,
            levels,
            observes,
            except,
        })
    };
    operations.iter().filter_map(level).collect()
}
