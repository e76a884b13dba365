//! Queues, stacks, priority queues and bags, every item put in at most once (ALGORITHMS.md 3.8 to 3.10).
//!
//! An item was certainly there from when the first of its operations ended until the last of them began. From these
//! times each kind of collection tells by its own rule whether there is an order (`queue`, `stack`, `priority_queue`,
//! `bag`), or finds a few items that allow none: without all others, there is still none.
//!
//! An item that was put in by an operation of unknown outcome is there if something completed saw or took it, and is
//! left out otherwise. What an operation of unknown outcome may have removed is settled in `removals`.

mod bag;
mod deadlines;
mod fronts;
mod levels;
mod presence;
mod priority_queue;
mod queue;
mod removals;
mod shrink;
mod stack;
mod table;

use rustc_hash::FxHashMap;

use super::{Finding, Monitor};
use crate::linearizability::entry::{Classes, Entry};
use crate::model::collection::Effect;
use crate::model::{Class, Specification, bag as bag_model, collection as collection_model};
use partita_history::Value;
use table::{Failure, Moment, Table};

/// No operation, or no item.
const NONE: u32 = u32::MAX;

/// What an operation does; items are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Put(u32),
    Take(u32),
    Peek(u32),
    Empty,
    Remove,
}

impl Step {
    fn item(self) -> Option<u32> {
        match self {
            Step::Put(item) | Step::Take(item) | Step::Peek(item) => Some(item),
            Step::Empty | Step::Remove => None,
        }
    }

    fn renamed(self, name: impl Fn(u32) -> u32) -> Step {
        match self {
            Step::Put(item) => Step::Put(name(item)),
            Step::Take(item) => Step::Take(name(item)),
            Step::Peek(item) => Step::Peek(name(item)),
            Step::Empty | Step::Remove => self,
        }
    }
}

/// An operation: what it does, and when, in positions.
#[derive(Clone, Copy, Debug)]
struct Operation {
    step: Step,
    invoked: u32,
    /// None if it is pending.
    returned: Option<u32>,
}

/// Items and operations that contradict each other.
#[derive(Clone, Debug)]
struct Conflict {
    /// Indices into the table's items.
    items: Vec<u32>,
    operations: Vec<u32>,
}

impl Conflict {
    fn among(operations: Vec<u32>) -> Conflict {
        let items = Vec::new();
        Conflict { items, operations }
    }

    fn between(items: impl IntoIterator<Item = u32>) -> Conflict {
        Conflict {
            items: items.into_iter().collect(),
            operations: Vec::new(),
        }
    }
}

/// A kind of collection.
struct Kind {
    /// A linearization, if nothing is left open.
    order: fn(&Table) -> Result<Vec<u32>, Conflict>,
    /// Whether items are numbered in their own order, and not as they come.
    is_sorted: bool,
    /// Which items removals of unknown outcome took, if any.
    removals: removals::Rule,
}

/// Operations with gaps.
struct Schedule {
    end: Moment,
    /// Gap, phase and place, in one number.
    operations: Vec<(u64, u32)>,
}

impl Schedule {
    fn new(table: &Table) -> Schedule {
        Schedule {
            end: table.end,
            operations: Vec::with_capacity(2 * table.items.len()),
        }
    }

    /// In a gap there are up to four phases, in each of which operations are ordered by their places; those of one
    /// place are in the order in which they are added. What is taken at the end may as well be left.
    fn add(&mut self, gap: Moment, phase: u32, place: u32, operation: u32) {
        if gap < self.end && operation != NONE {
            let key = u64::from(gap) << 32 | u64::from(phase) << 30 | u64::from(place);
            self.operations.push((key, operation));
        }
    }

    fn order(mut self) -> Vec<u32> {
        self.operations.sort_by_key(|&(key, _)| key);
        self.operations
            .into_iter()
            .map(|(_, operation)| operation)
            .collect()
    }
}

struct Collection {
    kind: &'static Kind,
    /// For each class, what its operations do.
    steps: Vec<Step>,
    /// How many items are named.
    items: usize,
    /// Those that were there from the beginning.
    initial: Vec<u32>,
}

/// The monitor of a queue.
pub(super) fn queue(classes: &Classes, specification: &dyn Specification) -> Option<Box<dyn Monitor>> {
    static KIND: Kind = Kind {
        order: queue::order,
        is_sorted: false,
        removals: removals::Rule::FirstCome { peeks_matter: true },
    };
    let initial = collection_model::items(&specification.initial());
    Some(make(&KIND, classes, collection_model::effect, &initial))
}

/// The monitor of a stack.
pub(super) fn stack(classes: &Classes, specification: &dyn Specification) -> Option<Box<dyn Monitor>> {
    static KIND: Kind = Kind {
        order: stack::order,
        is_sorted: false,
        removals: removals::Rule::ByDeadline(stack::deadlines),
    };
    let initial = collection_model::items(&specification.initial());
    Some(make(&KIND, classes, collection_model::effect, &initial))
}

/// The monitor of a priority queue.
pub(super) fn priority_queue(
    classes: &Classes,
    specification: &dyn Specification,
) -> Option<Box<dyn Monitor>> {
    static KIND: Kind = Kind {
        order: priority_queue::order,
        is_sorted: true,
        removals: removals::Rule::ByDeadline(priority_queue::deadlines),
    };
    let initial = collection_model::items(&specification.initial());
    Some(make(&KIND, classes, collection_model::effect, &initial))
}

/// The monitor of a bag.
pub(super) fn bag(classes: &Classes, specification: &dyn Specification) -> Option<Box<dyn Monitor>> {
    static KIND: Kind = Kind {
        order: bag::order,
        is_sorted: false,
        removals: removals::Rule::FirstCome { peeks_matter: false },
    };
    let initial = bag_model::items(&specification.initial());
    Some(make(&KIND, classes, bag_model::effect, &initial))
}

fn make(
    kind: &'static Kind,
    classes: &Classes,
    effect: fn(&Class) -> Effect<'_>,
    initial: &[Value],
) -> Box<dyn Monitor> {
    let named = classes.iter().filter_map(|class| match effect(class) {
        Effect::Put(item) | Effect::Take(item) | Effect::Peek(item) => Some(item),
        Effect::Empty | Effect::Remove => None,
    });
    let mut numbers: FxHashMap<&Value, u32> = FxHashMap::default();
    let mut items: Vec<&Value> = Vec::new();
    for item in initial.iter().chain(named) {
        numbers.entry(item).or_insert_with(|| {
            items.push(item);
            items.len() as u32 - 1
        });
    }
    if kind.is_sorted {
        items.sort_unstable();
        for (number, item) in (0..).zip(&items) {
            numbers.insert(item, number);
        }
    }
    let step = |class| match effect(class) {
        Effect::Put(item) => Step::Put(numbers[item]),
        Effect::Take(item) => Step::Take(numbers[item]),
        Effect::Peek(item) => Step::Peek(numbers[item]),
        Effect::Empty => Step::Empty,
        Effect::Remove => Step::Remove,
    };
    Box::new(Collection {
        kind,
        steps: classes.iter().map(step).collect(),
        items: items.len(),
        initial: initial.iter().map(|item| numbers[item]).collect(),
    })
}

impl Monitor for Collection {
    fn judge(&self, entries: &[Entry]) -> Finding {
        debug_assert!(entries.is_sorted_by_key(|entry| entry.invoked));
        let operations: Vec<Operation> = entries
            .iter()
            .map(|entry| Operation {
                step: self.steps[entry.class as usize],
                invoked: entry.invoked,
                returned: entry.deadline,
            })
            .collect();
        match judge(self.kind, &operations, self.items, &self.initial) {
            Finding::Fail(core) => Finding::Fail(shrink::shrink(self.kind, &operations, &self.initial, core)),
            finding => finding,
        }
    }
}

/// Judges operations in the order of their invocations, on items below `items`, of which `initial` were there from
/// the beginning, in this order.
fn judge(kind: &Kind, operations: &[Operation], items: usize, initial: &[u32]) -> Finding {
    // A few of many: tables by item would be mostly empty.
    if operations.len() < items / 16 {
        let (operations, items, initial) = renumbered(operations, initial);
        return judge_all(kind, &operations, items, &initial);
    }
    judge_all(kind, operations, items, initial)
}

fn judge_all(kind: &Kind, operations: &[Operation], items: usize, initial: &[u32]) -> Finding {
    let found = Table::new(operations, items, initial).and_then(|table| removals::judge(kind, &table));
    match found {
        Ok(order) => Finding::Pass(order),
        Err(Failure::Conflict(conflict)) => {
            Finding::Fail(close(operations, items, initial, conflict.operations))
        }
        Err(Failure::NotApplicable(why)) => Finding::NotApplicable(why),
    }
}

/// Numbers only the items that occur, in the same order.
fn renumbered(operations: &[Operation], initial: &[u32]) -> (Vec<Operation>, usize, Vec<u32>) {
    let named = operations.iter().filter_map(|operation| operation.step.item());
    let mut items: Vec<u32> = initial.iter().copied().chain(named).collect();
    items.sort_unstable();
    items.dedup();
    let name = |item| items.partition_point(|&other| other < item) as u32;
    let renamed = |operation: &Operation| Operation {
        step: operation.step.renamed(name),
        ..*operation
    };
    (
        operations.iter().map(renamed).collect(),
        items.len(),
        initial.iter().map(|&item| name(item)).collect(),
    )
}

/// With operations that contradict each other, what else concerns their items, and those that were there from the
/// beginning, which are part of every part of the history: all that took one of them, and as many removals of
/// unknown outcome as there are items, the earliest of them being the most useful. (What is of no use as long as all
/// operations are as they are may be of use once one of them is taken to be pending.)
fn close(operations: &[Operation], items: usize, initial: &[u32], found: Vec<u32>) -> Vec<u32> {
    let mut is_in = vec![false; operations.len()];
    for i in found.into_iter().filter(|&i| i != NONE) {
        is_in[i as usize] = true;
    }
    let mut is_meant = vec![false; items];
    for &item in initial {
        is_meant[item as usize] = true;
    }
    for (operation, _) in operations.iter().zip(&is_in).filter(|(_, is_in)| **is_in) {
        if let Some(item) = operation.step.item() {
            is_meant[item as usize] = true;
        }
    }
    for (operation, is_in) in operations.iter().zip(&mut is_in) {
        *is_in |= matches!(operation.step, Step::Take(item) if is_meant[item as usize]);
    }
    let mut useful = is_meant.into_iter().filter(|&is_meant| is_meant).count();
    for (operation, is_in) in operations.iter().zip(&mut is_in) {
        if operation.step == Step::Remove && useful > 0 {
            useful -= 1;
            *is_in = true;
        }
    }
    (0..)
        .zip(is_in)
        .filter_map(|(i, is_in)| is_in.then_some(i))
        .collect()
}
