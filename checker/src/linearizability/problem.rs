//! A history laid out for the search: levels, slots, candidates (ALGORITHMS.md 2.4).
//!
//! The returns of completed operations, in order, are the *levels*. While a completed operation is open it owns
//! a *slot*; slots are used again, so that there are no more than the history's true concurrency. Crashed
//! operations own none: those of one class are counted.

use std::collections::BTreeMap;
use std::ops::Range;

use super::entry::{Classes, Entry};
use crate::model::Specification;

/// An open operation as seen from a level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) slot: u32,
    pub(crate) class: u32,
    /// Index into the entries.
    pub(crate) entry: u32,
}

/// The return of a completed operation.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    /// The operation that returns.
    pub(crate) due: Open,
    /// The position of the return.
    pub(crate) position: u32,
    mutators: Range<usize>,
    observers: Range<usize>,
    arrivals: Range<usize>,
    live: usize,
}

/// The crashed operations of one class.
#[derive(Debug)]
pub(crate) struct Crashed {
    pub(crate) class: u32,
    /// Invocation and entry of each, by invocation.
    members: Vec<(u32, u32)>,
    /// The last level at which a completed operation could make use of one.
    last_level: u32,
}

impl Crashed {
    /// How many there are.
    pub(crate) fn len(&self) -> u32 {
        self.members.len() as u32
    }
}

/// A history laid out for the search.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) levels: Vec<Level>,
    pub(crate) crashed: Vec<Crashed>,
    /// The most operations that were open at a time.
    pub(crate) slots: usize,
    mutators: Vec<Open>,
    observers: Vec<Open>,
    arrivals: Vec<Open>,
    /// Lists of crashed classes; consecutive levels share one while it stays the same.
    live: Vec<Vec<u32>>,
}

impl Problem {
    pub(crate) fn new(entries: &[Entry], classes: &Classes, specification: &dyn Specification) -> Problem {
        let mut problem = Problem {
            levels: Vec::new(),
            crashed: Vec::new(),
            slots: 0,
            mutators: Vec::new(),
            observers: Vec::new(),
            arrivals: Vec::new(),
            live: Vec::new(),
        };
        problem.lay_levels(entries, classes);
        problem.count_crashed(entries, classes, specification);
        problem.list_live();
        problem
    }

    fn lay_levels(&mut self, entries: &[Entry], classes: &Classes) {
        // Invocations before returns at equal positions: intervals are closed.
        let mut events: Vec<(u32, bool, u32)> = Vec::with_capacity(2 * entries.len());
        for (i, entry) in entries.iter().enumerate() {
            if let Some(deadline) = entry.deadline {
                events.push((entry.invoked, false, i as u32));
                events.push((deadline, true, i as u32));
            }
        }
        events.sort_unstable();
        let mut free: Vec<u32> = Vec::new();
        // Open operations by return.
        let mut open: BTreeMap<(u32, u32), Open> = BTreeMap::new();
        let mut first_arrival = 0;
        for (position, returns, i) in events {
            let entry = &entries[i as usize];
            let deadline = entry.deadline.unwrap_or(u32::MAX);
            if !returns {
                let slot = free.pop().unwrap_or_else(|| {
                    self.slots += 1;
                    self.slots as u32 - 1
                });
                let this = Open {
                    slot,
                    class: entry.class,
                    entry: i,
                };
                open.insert((deadline, i), this);
                if classes.is_observer(entry.class) {
                    self.arrivals.push(this);
                }
                continue;
            }
            let (mutators, observers) = (self.mutators.len(), self.observers.len());
            for &other in open.values() {
                if classes.is_observer(other.class) {
                    self.observers.push(other);
                } else {
                    self.mutators.push(other);
                }
            }
            let Some(due) = open.remove(&(deadline, i)) else {
                continue;
            };
            free.push(due.slot);
            self.levels.push(Level {
                due,
                position,
                mutators: mutators..self.mutators.len(),
                observers: observers..self.observers.len(),
                arrivals: first_arrival..self.arrivals.len(),
                live: 0,
            });
            first_arrival = self.arrivals.len();
        }
    }

    fn count_crashed(&mut self, entries: &[Entry], classes: &Classes, specification: &dyn Specification) {
        let mut members: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
        for (i, entry) in entries.iter().enumerate() {
            if entry.deadline.is_none() && !classes.is_observer(entry.class) {
                members
                    .entry(entry.class)
                    .or_default()
                    .push((entry.invoked, i as u32));
            }
        }
        let completed: Vec<_> = self
            .levels
            .iter()
            .map(|level| classes.get(level.due.class))
            .collect();
        let crashed: Vec<_> = members.keys().map(|&class| classes.get(class)).collect();
        let uses = specification.last_use(&completed, &crashed);
        assert_eq!(
            uses.len(),
            crashed.len(),
            "the model answers for every crashed class"
        );
        for ((class, mut members), last) in members.into_iter().zip(uses) {
            members.sort_unstable();
            // A class that no level can make use of, or only levels before its first invocation, is dropped.
            if let Some(last) = last
                && members[0].0 < self.levels[last].position
            {
                self.crashed.push(Crashed {
                    class,
                    members,
                    last_level: last as u32,
                });
            }
        }
    }

    /// A crashed class is live from the first level after its first invocation to its last use.
    fn list_live(&mut self) {
        let mut changes: BTreeMap<usize, Vec<(u32, bool)>> = BTreeMap::new();
        for (i, crashed) in self.crashed.iter().enumerate() {
            let invoked = crashed.members[0].0;
            let from = self.levels.partition_point(|level| level.position < invoked);
            changes.entry(from).or_default().push((i as u32, true));
            changes
                .entry(crashed.last_level as usize + 1)
                .or_default()
                .push((i as u32, false));
        }
        let mut current: Vec<u32> = Vec::new();
        self.live.push(Vec::new());
        for (number, level) in self.levels.iter_mut().enumerate() {
            if let Some(changes) = changes.get(&number) {
                for &(class, begins) in changes {
                    match current.binary_search(&class) {
                        Err(at) if begins => current.insert(at, class),
                        Ok(at) if !begins => {
                            current.remove(at);
                        }
                        _ => {}
                    }
                }
                self.live.push(current.clone());
            }
            level.live = self.live.len() - 1;
        }
    }

    /// The completed mutators open at the return of `level`, by return: the one due comes first, if it is one.
    pub(crate) fn mutators(&self, level: usize) -> &[Open] {
        &self.mutators[self.levels[level].mutators.clone()]
    }

    /// The completed observers open at the return of `level`.
    pub(crate) fn observers(&self, level: usize) -> &[Open] {
        &self.observers[self.levels[level].observers.clone()]
    }

    /// The completed observers invoked since the return before that of `level`.
    pub(crate) fn arrivals(&self, level: usize) -> &[Open] {
        &self.arrivals[self.levels[level].arrivals.clone()]
    }

    /// The crashed classes of which one may take effect before the return of `level`, and still matter then.
    pub(crate) fn live(&self, level: usize) -> &[u32] {
        &self.live[self.levels[level].live]
    }

    /// Whether a crashed class still matters at `level`.
    pub(crate) fn matters(&self, crashed: u32, level: usize) -> bool {
        self.crashed[crashed as usize].last_level as usize >= level
    }

    /// The `used`-th operation of a crashed class, if it was invoked before the return of `level`.
    pub(crate) fn member(&self, crashed: u32, used: u32, level: usize) -> Option<u32> {
        let &(invoked, entry) = self.crashed[crashed as usize].members.get(used as usize)?;
        (invoked < self.levels[level].position).then_some(entry)
    }

    /// The crashed entries that some return can make use of.
    pub(crate) fn useful(&self) -> impl Iterator<Item = u32> {
        self.crashed.iter().flat_map(|crashed| {
            let until = self.levels[crashed.last_level as usize].position;
            let invoked_before = crashed
                .members
                .iter()
                .take_while(move |&&(invoked, _)| invoked < until);
            invoked_before.map(|&(_, entry)| entry)
        })
    }

    /// The memory taken.
    pub(crate) fn bytes(&self) -> u64 {
        let opens = self.mutators.capacity() + self.observers.capacity() + self.arrivals.capacity();
        let live: usize = self.live.iter().map(Vec::capacity).sum();
        let lists = self.live.capacity() * size_of::<Vec<u32>>();
        (opens * size_of::<Open>() + self.levels.capacity() * size_of::<Level>() + live * 4 + lists) as u64
    }
}
