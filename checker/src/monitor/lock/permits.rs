//! A semaphore whose permits are acquired and released one at a time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::monitor::sweep::{Operation, Order, Sweep, Violation};

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::monitor) enum Step {
    Acquire,
    Release,
    /// At least so many permits were taken.
    SawAtLeast(i64),
    SawAtMost(i64),
}

impl Step {
    fn is_true(self, taken: i64) -> bool {
        match self {
            Step::SawAtLeast(least) => taken >= least,
            Step::SawAtMost(most) => taken <= most,
            Step::Acquire | Step::Release => false,
        }
    }
}

/// Acquires and releases only when an operation that ends demands it, and then by the operation that ends first.
#[derive(Clone, Debug)]
pub(in crate::monitor) struct Permits {
    all: i64,
    taken: i64,
    acquire: BinaryHeap<Reverse<(u32, u32)>>,
    release: BinaryHeap<Reverse<(u32, u32)>>,
    /// Observers that have not been right.
    observers: Vec<(u32, Step)>,
    /// It acts for observers, too; then a violation may be none.
    guesses: bool,
    is_unsure: bool,
}

impl Permits {
    /// With `guesses` only its passes are to be believed.
    pub(super) fn new(all: i64, guesses: bool) -> Permits {
        Permits {
            all,
            taken: 0,
            acquire: BinaryHeap::new(),
            release: BinaryHeap::new(),
            observers: Vec::new(),
            guesses,
            is_unsure: false,
        }
    }

    fn change(&mut self, by: i64, order: &mut Order) -> Result<(), Violation> {
        let (waiting, is_possible) = match by {
            1 => (&mut self.acquire, self.taken < self.all),
            _ => (&mut self.release, self.taken > 0),
        };
        if !is_possible {
            return Err(Violation);
        }
        let Reverse((_, index)) = waiting.pop().ok_or(Violation)?;
        self.taken += by;
        order.push(index);
        let taken = self.taken;
        self.observers.retain(|&(index, step)| {
            let waits = !step.is_true(taken);
            if !waits {
                order.push(index);
            }
            waits
        });
        if taken == 0 {
            order.settle();
        }
        Ok(())
    }
}

impl Sweep for Permits {
    type Step = Step;

    fn is_observer(step: Step) -> bool {
        !matches!(step, Step::Acquire | Step::Release)
    }

    fn begin(&mut self, operation: &Operation<Step>, order: &mut Order) {
        let waits = Reverse((operation.deadline, operation.index));
        match operation.step {
            Step::Acquire => self.acquire.push(waits),
            Step::Release => self.release.push(waits),
            step if step.is_true(self.taken) => order.push(operation.index),
            step => self.observers.push((operation.index, step)),
        }
    }

    fn end(&mut self, operation: &Operation<Step>, order: &mut Order) -> Result<(), Violation> {
        let ends = Some(&Reverse((operation.deadline, operation.index)));
        match operation.step {
            Step::Acquire if self.acquire.peek() == ends => {
                if self.taken == self.all {
                    self.change(-1, order)?;
                }
                self.change(1, order)
            }
            Step::Release if self.release.peek() == ends => {
                if self.taken == 0 {
                    self.change(1, order)?;
                }
                self.change(-1, order)
            }
            Step::Acquire | Step::Release => Ok(()),
            step @ (Step::SawAtLeast(_) | Step::SawAtMost(_)) => {
                let waits = |&(index, _): &(u32, Step)| index == operation.index;
                if !self.observers.iter().any(waits) {
                    return Ok(());
                }
                let by = if matches!(step, Step::SawAtLeast(_)) {
                    1
                } else {
                    -1
                };
                while self.guesses && !step.is_true(self.taken) {
                    self.change(by, order)?;
                }
                self.observers.retain(|waiting| !waits(waiting));
                self.is_unsure |= !self.guesses;
                Ok(())
            }
        }
    }

    fn doubt(&self) -> Option<&'static str> {
        self.is_unsure
            .then_some("a semaphore's refusals depend on when others acquired and released")
    }
}
