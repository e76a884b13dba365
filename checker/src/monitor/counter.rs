//! A counter that is incremented by one, and read (ALGORITHMS.md 3.6). If increments tell the count, it is judged by
//! the counts (`numbered`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use partita_history::Value;

use super::stream::Translated;
use super::sweep::{Operation, Order, Sweep, Violation};
use super::{Classes, Entry, Finding, Monitor, numbered};
use crate::model::counter::{ADD, READ};
use crate::model::{Class, Specification};

pub(super) const OTHER: &str = "the counter is changed by other amounts than one";
const OVERFLOWS: &str = "the count may overflow";

pub(super) fn make(classes: &Classes, specification: &dyn Specification) -> Box<dyn Monitor> {
    match classes
        .iter()
        .any(|class| class.action == ADD && !class.result.is_null())
    {
        true => numbered::counting(classes, initial(specification)),
        false => Box::new(Plain {
            sweep: sweep(specification).into_monitor(classes),
            steps: classes
                .iter()
                .map(|class| step(class, false).unwrap_or(Step::Increment))
                .collect(),
            initial: initial(specification),
        }),
    }
}

/// A counter whose increments tell nothing.
struct Plain {
    sweep: Box<dyn Monitor>,
    /// By class; only where the sweep applies.
    steps: Vec<Step>,
    initial: i64,
}

impl Monitor for Plain {
    fn judge(&self, entries: &[Entry]) -> Finding {
        match self.sweep.judge(entries) {
            Finding::Fail(core) => Finding::Fail(self.stale(entries).unwrap_or(core)),
            finding => finding,
        }
    }
}

impl Plain {
    /// The lowest read that began when more increments had ended already, and as many of these as prove that.
    fn stale(&self, entries: &[Entry]) -> Option<Vec<u32>> {
        let of = |index: u32| {
            (
                self.steps[entries[index as usize].class as usize],
                entries[index as usize],
            )
        };
        let mut ends: Vec<(u32, u32)> = (0..entries.len() as u32)
            .filter_map(|index| match of(index) {
                (Step::Increment, entry) => Some((entry.deadline?, index)),
                _ => None,
            })
            .collect();
        ends.sort_unstable();
        let (mut ended, mut stale): (usize, Option<(i64, u32)>) = (0, None);
        for index in 0..entries.len() as u32 {
            let (step, entry) = of(index);
            while ends.get(ended).is_some_and(|&(end, _)| end < entry.invoked) {
                ended += 1;
            }
            if let (Step::Read(count), Some(_)) = (step, entry.deadline)
                && count.saturating_sub(self.initial) < ended as i64
                && stale.is_none_or(|(lowest, _)| count < lowest)
            {
                stale = Some((count, index));
            }
        }
        let (count, reader) = stale?;
        let enough = usize::try_from(count.saturating_sub(self.initial).saturating_add(1)).unwrap_or(0);
        let mut core: Vec<u32> = ends.iter().take(enough).map(|&(_, index)| index).collect();
        core.push(reader);
        core.sort_unstable();
        Some(core)
    }
}

fn initial(specification: &dyn Specification) -> i64 {
    match specification.initial() {
        Value::Int(count) => count,
        _ => 0,
    }
}

/// The sweep of a counter whose increments tell nothing.
pub(super) fn sweep(specification: &dyn Specification) -> Translated<Counter> {
    let initial = initial(specification);
    let overflows = initial.checked_add(i64::from(u32::MAX)).is_none();
    Translated::new(Counter::new(initial), move |class| step(class, overflows))
}

fn step(class: &Class, overflows: bool) -> Result<Step, &'static str> {
    match (class.action, &class.argument, &class.result) {
        _ if overflows => Err(OVERFLOWS),
        (READ, _, Value::Int(count)) => Ok(Step::Read(*count)),
        (ADD, Value::Int(1), Value::Null) => Ok(Step::Increment),
        (ADD, Value::Int(1), _) => Err("some increments tell the count"),
        _ => Err(OTHER),
    }
}

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
