//! Sweeps: judges that see a history once, from left to right (ALGORITHMS.md 3.5 to 3.7).
//!
//! A sweep is *lazy*: it does nothing until an operation that has to take effect is about to end, and then as
//! little as possible. So what it has put in order every linearization has put in order too, or something that
//! does the same. It needs to know of an operation how it ends as soon as it begins: in a recorded history that
//! is known; a run is swept with a lag, up to the moment at which all operations begun before have ended.
//! Memory is bounded by the operations that are open and by those that stay pending.

use super::Finding;

/// When a pending operation ends.
pub(crate) const NEVER: u32 = u32::MAX;

/// An operation as a sweep sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation<S> {
    /// Its name.
    pub(crate) index: u32,
    /// What it does.
    pub(crate) step: S,
    /// The position at which it begins.
    pub(crate) invoked: u32,
    /// The position at which it ends, or [`NEVER`].
    pub(crate) deadline: u32,
}

impl<S> Operation<S> {
    /// Whether it may never take effect.
    pub(crate) fn is_pending(&self) -> bool {
        self.deadline == NEVER
    }

    /// The same, doing something else.
    pub(super) fn with<T>(&self, step: T) -> Operation<T> {
        Operation {
            index: self.index,
            step,
            invoked: self.invoked,
            deadline: self.deadline,
        }
    }
}

/// There is no linearization of what has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Violation;

/// A judge of one object that sees each operation begin and each completed one end, in the order of positions: at
/// equal positions beginnings come first (in the order of indices), and ends in the order of indices. Observers
/// that are pending are not shown.
pub(crate) trait Sweep {
    /// What an operation does.
    type Step: Copy;

    /// Whether such an operation never changes the object.
    fn is_observer(step: Self::Step) -> bool;

    /// The operation begins. What takes effect is added to the order.
    fn begin(&mut self, operation: &Operation<Self::Step>, order: &mut Order);

    /// The operation, which is completed, ends.
    ///
    /// # Errors
    /// If what has ended until now has no linearization; that is never said of a shorter prefix too late. The sweep
    /// is then over.
    fn end(&mut self, operation: &Operation<Self::Step>, order: &mut Order) -> Result<(), Violation>;

    /// Why what has been seen can't be said to have a linearization, as the end of a sentence that begins with
    /// "because"; a violation may still be found. Once there is a doubt it stays.
    fn doubt(&self) -> Option<&'static str> {
        None
    }
}

/// The operations that have taken effect, in that order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    sequence: Vec<u32>,
    /// After how many of them the object was last as it was in the beginning.
    settled: usize,
}

impl Order {
    /// One more takes effect.
    pub(crate) fn push(&mut self, index: u32) {
        self.sequence.push(index);
    }

    /// The object is now as it was in the beginning: what comes is a history by itself, of all that has not yet
    /// taken effect. (If the whole has a linearization, the sweep finds one, and its remainder is one of these.)
    pub(crate) fn settle(&mut self) {
        self.settled = self.sequence.len();
    }

    /// Takes what has been added since the last call: for those who do not keep it.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = u32> {
        self.settled = 0;
        self.sequence.drain(..)
    }
}

/// A sweep that has seen all, or all until a violation.
pub(super) struct Swept {
    order: Order,
    /// Where the violation is, and which of the operations ends there.
    pub(super) violation: Option<(u32, usize)>,
    /// Observers that took effect when they ended, and not before.
    forced: Vec<u32>,
    /// How many had taken effect when the object was last as it was in the beginning, no operation was open, and none
    /// was pending: that is plain to see.
    rested: usize,
}

impl Swept {
    pub(super) fn into_sequence(self) -> Vec<u32> {
        self.order.sequence
    }
}

/// Shows a sweep operations that are in the order of their invocations.
pub(super) fn run<S: Sweep>(sweep: &mut S, operations: &[Operation<S::Step>]) -> Swept {
    let mut ends: Vec<u64> = operations
        .iter()
        .enumerate()
        .filter(|(_, operation)| !operation.is_pending())
        .map(|(at, operation)| u64::from(operation.deadline) << 32 | at as u64)
        .collect();
    ends.sort_unstable();
    let mut swept = Swept {
        order: Order {
            sequence: Vec::with_capacity(operations.len()),
            settled: 0,
        },
        violation: None,
        forced: Vec::new(),
        rested: 0,
    };
    let mut begun = 0;
    for (ended, end) in (1..).zip(ends) {
        let (position, at) = ((end >> 32) as u32, end as u32 as usize);
        while let Some(operation) = operations.get(begun)
            && operation.invoked <= position
        {
            sweep.begin(operation, &mut swept.order);
            begun += 1;
        }
        let operation = &operations[at];
        let before = swept.order.sequence.len();
        if sweep.end(operation, &mut swept.order).is_err() {
            swept.violation = Some((position, at));
            return swept;
        }
        if S::is_observer(operation.step) && swept.order.sequence[before..].contains(&operation.index) {
            swept.forced.push(operation.index);
        }
        // All that have begun have ended, so there is none that is pending.
        if begun == ended && swept.order.settled == swept.order.sequence.len() {
            swept.rested = swept.order.settled;
        }
    }
    swept
}

/// Judges operations that are in the order of their invocations; they must be named so that these ascend, too.
pub(super) fn judge<S: Sweep>(mut sweep: S, operations: &[Operation<S::Step>]) -> Finding {
    let swept = run(&mut sweep, operations);
    match (swept.violation, sweep.doubt()) {
        (Some((position, culprit)), _) => Finding::Fail(core::<S>(operations, &swept, position, culprit)),
        (None, Some(why)) => Finding::NotApplicable(why),
        (None, None) => Finding::Pass(swept.order.sequence),
    }
}

/// A violation of more operations is shown by those that the sweep had still before it when the object was last as in
/// the beginning, although it takes all of them to see that it was so.
const PLAIN_MAX: usize = 1_000;

/// The operations that force the sweep into a violation, since the object was last as in the beginning.
fn core<S: Sweep>(
    operations: &[Operation<S::Step>],
    swept: &Swept,
    position: u32,
    culprit: usize,
) -> Vec<u32> {
    let plain = core_since::<S>(operations, swept, swept.rested, (position, culprit));
    match plain.len() {
        ..=PLAIN_MAX => plain,
        _ => core_since::<S>(operations, swept, swept.order.settled, (position, culprit)),
    }
}

/// Of the operations that had not taken effect when `before` had, the changes, and the observers that made the sweep
/// act. The sweep does the same on these alone.
fn core_since<S: Sweep>(
    operations: &[Operation<S::Step>],
    swept: &Swept,
    before: usize,
    (position, culprit): (u32, usize),
) -> Vec<u32> {
    let mut settled = swept.order.sequence[..before].to_vec();
    settled.sort_unstable();
    let mut forced = swept.forced.clone();
    forced.sort_unstable();
    let is_needed = |at: usize, operation: &Operation<S::Step>| {
        at == culprit || !S::is_observer(operation.step) || forced.binary_search(&operation.index).is_ok()
    };
    operations
        .iter()
        .enumerate()
        .take_while(|(_, operation)| operation.invoked <= position)
        .filter(|&(at, operation)| {
            is_needed(at, operation) && settled.binary_search(&operation.index).is_err()
        })
        .map(|(_, operation)| operation.index)
        .collect()
}
