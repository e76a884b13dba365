//! A switch: one element of a set, a lock (ALGORITHMS.md 3.5).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::sweep::{Operation, Order, Sweep, Violation};

/// What an operation does; true is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It turned the switch to this.
    Turn(bool),
    /// It left the switch like this, whether or not it was so before.
    Ensure(bool),
    /// It saw it like this.
    Saw(bool),
}

impl Step {
    /// How the switch was after it.
    pub(crate) fn leaves(self) -> bool {
        match self {
            Step::Turn(on) | Step::Ensure(on) | Step::Saw(on) => on,
        }
    }
}

/// Operations that have begun and have not taken effect, by deadline.
type Waiting = BinaryHeap<Reverse<(u32, u32)>>;

/// Turns the switch only when an operation that ends demands it, and then by the operation that ends first.
///
/// With [`Step::Ensure`] this is exact only if the switch can't be turned away from there again. If it can, the
/// order is still a linearization, but a violation may be none.
#[derive(Clone, Debug)]
pub(crate) struct Switch {
    is_on: bool,
    initial: bool,
    /// Those that can turn it off, and on.
    turns: [Waiting; 2],
    ensures: [Waiting; 2],
    /// Observers that have not seen it off, or on.
    observers: [Vec<u32>; 2],
    /// When it last ceased to be off, and on.
    left: [Option<u32>; 2],
}

impl Switch {
    pub(crate) fn new(is_on: bool) -> Switch {
        Switch {
            is_on,
            initial: is_on,
            turns: Default::default(),
            ensures: Default::default(),
            observers: Default::default(),
            left: [None; 2],
        }
    }

    /// Whether it is as it was in the beginning, and no operation waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_on == self.initial
            && self.turns.iter().chain(&self.ensures).all(BinaryHeap::is_empty)
            && self.observers.iter().all(Vec::is_empty)
    }

    fn take_effect(&self, index: u32, order: &mut Order) {
        order.push(index);
        if self.is_on == self.initial {
            order.settle();
        }
    }

    /// Turns it, at the end of some operation at `now`.
    fn flip(&mut self, now: u32, order: &mut Order) -> Result<(), Violation> {
        let on = !self.is_on;
        let to = usize::from(on);
        // One of which it is not known whether it turned the switch may have found it so a moment later.
        let is_due = |Reverse((deadline, _)): &Reverse<(u32, u32)>| *deadline != super::sweep::NEVER;
        let turn = match self.turns[to].peek().is_some_and(is_due) {
            true => self.turns[to].pop(),
            false => self.ensures[to].pop().or_else(|| self.turns[to].pop()),
        };
        let Reverse((_, index)) = turn.ok_or(Violation)?;
        self.left[usize::from(self.is_on)] = Some(now);
        self.is_on = on;
        self.take_effect(index, order);
        while let Some(Reverse((_, index))) = self.ensures[to].pop() {
            self.take_effect(index, order);
        }
        while let Some(index) = self.observers[to].pop() {
            self.take_effect(index, order);
        }
        Ok(())
    }

    /// Whether it was like this at some time since `invoked`.
    fn was(&self, on: bool, invoked: u32) -> bool {
        self.is_on == on || self.left[usize::from(on)].is_some_and(|left| left >= invoked)
    }
}

impl Sweep for Switch {
    type Step = Step;

    fn is_observer(step: Step) -> bool {
        matches!(step, Step::Saw(_))
    }

    fn begin(&mut self, operation: &Operation<Step>, order: &mut Order) {
        let to = usize::from(operation.step.leaves());
        let waits = Reverse((operation.deadline, operation.index));
        match operation.step {
            Step::Turn(_) => self.turns[to].push(waits),
            Step::Ensure(_) if operation.is_pending() => self.turns[to].push(waits),
            Step::Ensure(on) | Step::Saw(on) if on == self.is_on => self.take_effect(operation.index, order),
            Step::Ensure(_) => self.ensures[to].push(waits),
            Step::Saw(_) => self.observers[to].push(operation.index),
        }
    }

    fn end(&mut self, operation: &Operation<Step>, order: &mut Order) -> Result<(), Violation> {
        let (now, on) = (operation.deadline, operation.step.leaves());
        match operation.step {
            Step::Ensure(_) | Step::Saw(_) if self.was(on, operation.invoked) => Ok(()),
            Step::Ensure(_) | Step::Saw(_) => self.flip(now, order),
            Step::Turn(_) => {
                if self.turns[usize::from(on)].peek() != Some(&Reverse((now, operation.index))) {
                    return Ok(());
                }
                if self.is_on == on {
                    self.flip(now, order)?;
                }
                self.flip(now, order)
            }
        }
    }
}
