//! A counter that is incremented by one, and read (ALGORITHMS.md 3.6).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::sweep::{Operation, Order, Sweep, Violation};

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Increment,
    Read(i64),
}

/// Increments only when an operation that ends demands it, and then by the operation that ends first: so the count is
/// as low as it can be.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    count: i64,
    initial: i64,
    increments: BinaryHeap<Reverse<(u32, u32)>>,
    /// Reads of what is not yet reached, by count.
    reads: BinaryHeap<Reverse<(i64, u32)>>,
    /// Open reads of what was over when they began.
    late: Vec<u32>,
}

impl Counter {
    pub(super) fn new(initial: i64) -> Counter {
        Counter {
            count: initial,
            initial,
            increments: BinaryHeap::new(),
            reads: BinaryHeap::new(),
            late: Vec::new(),
        }
    }

    fn increment(&mut self, order: &mut Order) -> Result<(), Violation> {
        let Reverse((_, index)) = self.increments.pop().ok_or(Violation)?;
        order.push(index);
        self.count += 1;
        while let Some(&Reverse((count, index))) = self.reads.peek()
            && count == self.count
        {
            self.reads.pop();
            order.push(index);
        }
        Ok(())
    }
}

impl Sweep for Counter {
    type Step = Step;

    fn is_observer(step: Step) -> bool {
        matches!(step, Step::Read(_))
    }

    fn begin(&mut self, operation: &Operation<Step>, order: &mut Order) {
        let index = operation.index;
        match operation.step {
            Step::Increment => self.increments.push(Reverse((operation.deadline, index))),
            Step::Read(count) if count < self.count => self.late.push(index),
            Step::Read(count) if count > self.count => self.reads.push(Reverse((count, index))),
            Step::Read(_) => {
                order.push(index);
                if self.count == self.initial {
                    order.settle();
                }
            }
        }
    }

    fn end(&mut self, operation: &Operation<Step>, order: &mut Order) -> Result<(), Violation> {
        match operation.step {
            Step::Increment => {
                match self.increments.peek() == Some(&Reverse((operation.deadline, operation.index))) {
                    true => self.increment(order),
                    false => Ok(()),
                }
            }
            Step::Read(_) if self.late.contains(&operation.index) => Err(Violation),
            Step::Read(count) => {
                while self.count < count {
                    self.increment(order)?;
                }
                Ok(())
            }
        }
    }
}
