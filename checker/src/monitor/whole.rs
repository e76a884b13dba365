//! What is only added to, and read as a whole: grow-only sets, and lists (ALGORITHMS.md 3.1).
//!
//! Each read holds all that an earlier one held, so the reads, by length, tell when the items came: an item of a list
//! at its place, an item of a set somewhere after the longest read without it. What no read holds came after all of
//! them. Levels count what was there: a read of n items has level 2n + 1, the item that came after these level 2n + 2.

use partita_history::Value;
use rustc_hash::{FxHashMap, FxHashSet};

use super::level::{self, Inversion, Leveled};
use super::sweep::Operation;
use super::{Classes, Entry, Finding, Monitor, stream};
use crate::model::{Class, Specification, grow_only_set, list};

/// What an operation does; items are numbered.
#[derive(Clone, Debug)]
enum Step {
    Put(u32),
    Read {
        /// Of a set, sorted by number.
        items: Vec<u32>,
        /// What is there at first is missing, or something is there twice that can't be.
        is_impossible: bool,
    },
}

/// The classes as steps.
struct Whole {
    steps: Vec<Step>,
    initial: Vec<u32>,
    /// Whether the items have an order.
    is_list: bool,
}

pub(super) fn grow_only_set(classes: &Classes, specification: &dyn Specification) -> Box<dyn Monitor> {
    make(classes, specification, false)
}

pub(super) fn list(classes: &Classes, specification: &dyn Specification) -> Box<dyn Monitor> {
    make(classes, specification, true)
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        _ => &[],
    }
}

fn make(classes: &Classes, specification: &dyn Specification, is_list: bool) -> Box<dyn Monitor> {
    let state = specification.initial();
    let mut names: FxHashMap<&Value, u32> = FxHashMap::default();
    let mut numbered = |values| -> Vec<u32> {
        let mut name = |item| {
            let next = names.len() as u32;
            *names.entry(item).or_insert(next)
        };
        let items: &[Value] = values;
        let mut numbered: Vec<u32> = items.iter().map(&mut name).collect();
        if !is_list {
            numbered.sort_unstable();
        }
        numbered
    };
    let initial = numbered(items(&state));
    let step = |class| {
        let class: &Class = class;
        if matches!(class.action, list::APPEND | grow_only_set::ADD) {
            return Step::Put(numbered(std::slice::from_ref(&class.argument))[0]);
        }
        let items = numbered(items(&class.result));
        let is_impossible = match is_list {
            true => !items.starts_with(&initial),
            false => items.windows(2).any(|pair| pair[0] == pair[1]) || !contains(&items, &initial),
        };
        Step::Read { items, is_impossible }
    };
    let steps = classes.iter().map(step).collect();
    Box::new(Whole {
        steps,
        initial,
        is_list,
    })
}

/// Whether a sorted sequence has all items of another one.
fn contains(all: &[u32], some: &[u32]) -> bool {
    let mut all = all.iter();
    some.iter().all(|item| all.any(|other| other == item))
}

/// A read, for all that found the same.
#[derive(Clone, Copy)]
struct Found<'a> {
    /// One of them that completed.
    index: u32,
    items: &'a [u32],
}

/// The operations that go together in a violation.
struct Violation<'a> {
    operations: Vec<u32>,
    /// Reads whose items have to have been put there.
    reads: Vec<Found<'a>>,
}

impl Monitor for Whole {
    fn judge(&self, entries: &[Entry]) -> Finding {
        let step = |entry: &Entry| Ok(&self.steps[entry.class as usize]);
        let operations = match stream::operations(entries, step) {
            Ok(operations) => operations,
            Err(why) => return Finding::NotApplicable(why),
        };
        if self.is_list && has_twins(&operations) {
            return Finding::NotApplicable("an item is appended more than once");
        }
        match self.order(&operations) {
            Ok(order) => Finding::Pass(order),
            Err(violation) => Finding::Fail(closed(&operations, violation)),
        }
    }
}

fn has_twins(operations: &[Operation<&Step>]) -> bool {
    let mut seen = FxHashSet::default();
    operations
        .iter()
        .any(|operation| matches!(operation.step, Step::Put(item) if !seen.insert(*item)))
}

/// With what put the items of the reads there: so it has a linearization if the whole has one, for items that nothing
/// else holds may be left out.
fn closed(operations: &[Operation<&Step>], violation: Violation<'_>) -> Vec<u32> {
    let needed: FxHashSet<u32> = violation
        .reads
        .iter()
        .flat_map(|read| read.items)
        .copied()
        .collect();
    let mut named = violation.operations;
    named.extend(violation.reads.iter().map(|read| read.index));
    let is_in = |operation: &&Operation<&Step>| match operation.step {
        Step::Put(item) if needed.contains(item) => true,
        _ => named.contains(&operation.index),
    };
    operations
        .iter()
        .filter(is_in)
        .map(|operation| operation.index)
        .collect()
}

impl Whole {
    fn order<'a>(&'a self, operations: &[Operation<&'a Step>]) -> Result<Vec<u32>, Violation<'a>> {
        let reads = self.reads(operations)?;
        let longest = reads.last().map_or(self.initial.len(), |read| read.items.len()) as u64;
        let places = self.places(&reads);
        let writers = self.writers(operations, &reads, &places)?;
        let mut leveled = Vec::with_capacity(operations.len());
        for operation in operations {
            let levels = match operation.step {
                _ if operation.is_pending() && !writers.contains(&operation.index) => continue,
                Step::Read { items, .. } => {
                    // An empty read comes before everything.
                    let level = 2 * items.len() as u64 + 1;
                    (level, level)
                }
                Step::Put(item) => {
                    let place = places.get(item).map_or(longest, |&(place, _)| place);
                    let level = 2 * place + 2;
                    match writers.contains(&operation.index) {
                        true => (level, level),
                        false => (level, u64::MAX),
                    }
                }
            };
            leveled.push(Leveled {
                index: operation.index,
                invoked: operation.invoked,
                deadline: operation.deadline,
                levels,
                observes: false,
                except: None,
            });
        }
        level::check(&leveled).map_err(|Inversion(first, second)| {
            let mut violation = Violation {
                operations: vec![first, second],
                reads: Vec::new(),
            };
            for index in [first, second] {
                if let Step::Read { items, .. } = operations[index as usize].step {
                    violation.reads.push(Found { index, items });
                }
            }
            // What came first according to a read.
            if let Step::Put(item) = operations[second as usize].step
                && !violation.reads.iter().any(|read| read.items.contains(item))
                && let Some(&(_, read)) = places.get(item)
            {
                violation.reads.push(reads[read]);
            }
            violation
        })
    }

    /// What was found, by length, each content once, each a part of the next.
    fn reads<'a>(&self, operations: &[Operation<&'a Step>]) -> Result<Vec<Found<'a>>, Violation<'a>> {
        let mut reads = Vec::new();
        let mut seen = FxHashSet::default();
        for operation in operations {
            if let Step::Read { items, is_impossible } = operation.step
                && !operation.is_pending()
                // Operations of one class share one step.
                && seen.insert(std::ptr::from_ref(operation.step))
            {
                let read = Found {
                    index: operation.index,
                    items,
                };
                if *is_impossible {
                    return Err(Violation {
                        operations: Vec::new(),
                        reads: vec![read],
                    });
                }
                reads.push(read);
            }
        }
        reads.sort_by_key(|read| read.items.len());
        for pair in reads.windows(2) {
            let is_part = match self.is_list {
                true => pair[1].items.starts_with(pair[0].items),
                false => contains(pair[1].items, pair[0].items),
            };
            if !is_part {
                return Err(Violation {
                    operations: Vec::new(),
                    reads: pair.to_vec(),
                });
            }
        }
        Ok(reads)
    }

    /// For each item that was read: how many were there before it came, and the first of the reads that has it (for
    /// what is there at first, that does not matter).
    fn places(&self, reads: &[Found<'_>]) -> FxHashMap<u32, (u64, usize)> {
        let mut places = FxHashMap::default();
        if !self.is_list {
            places.extend(self.initial.iter().map(|&item| (item, (0, 0))));
        }
        let mut before = self.initial.len();
        for (at, read) in reads.iter().enumerate() {
            match self.is_list {
                true => {
                    let items = read.items.iter().enumerate().skip(before);
                    places.extend(items.map(|(place, &item)| (item, (place as u64, at))));
                }
                false => {
                    for &item in read.items {
                        places.entry(item).or_insert((before as u64, at));
                    }
                }
            }
            before = read.items.len();
        }
        places
    }

    /// What put there the items that were read: of a set, the operation that began first.
    fn writers<'a>(
        &self,
        operations: &[Operation<&Step>],
        reads: &[Found<'a>],
        places: &FxHashMap<u32, (u64, usize)>,
    ) -> Result<FxHashSet<u32>, Violation<'a>> {
        let mut first: FxHashMap<u32, u32> = FxHashMap::default();
        for operation in operations {
            if let Step::Put(item) = operation.step {
                first.entry(*item).or_insert(operation.index);
            }
        }
        let Some(longest) = reads.last() else {
            return Ok(FxHashSet::default());
        };
        let came = match self.is_list {
            true => &longest.items[self.initial.len()..],
            false => longest.items,
        };
        let mut writers = FxHashSet::default();
        for &item in came {
            if !self.is_list && self.initial.binary_search(&item).is_ok() {
                continue;
            }
            // Of a list, each item is appended once.
            let is_new = first.get(&item).is_some_and(|&writer| writers.insert(writer));
            if !is_new {
                let read = places.get(&item).map_or(longest, |&(_, read)| &reads[read]);
                return Err(Violation {
                    operations: Vec::new(),
                    reads: vec![*read],
                });
            }
        }
        Ok(writers)
    }
}
