//! Orphan reads: violations of registers that need no search, even with repeated values (ALGORITHMS.md 2.5).
//!
//! An operation r that found v may have found it only from a mutator w that left v, was invoked before r
//! returned, and was not certainly overwritten before r began: no completed mutator w' lies wholly between w
//! and r. If no w qualifies, there is no linearization. Of several w it is enough to look at the one that
//! returned last.

use partita_history::Value;
use rustc_hash::FxHashMap;

use super::entry::{Classes, Entry};
use crate::model::{Access, Specification};

/// An operation that found a value which can't have been there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Orphan {
    /// The operation; an index into the entries.
    pub(crate) reader: usize,
    /// What left the value before the reader returned (apart from the initial value).
    pub(crate) writers: Vec<usize>,
    /// A completed mutator that lies wholly between all of these and the reader; none if nothing had left the
    /// value yet.
    pub(crate) overwriter: Option<usize>,
}

impl Orphan {
    /// All entries concerned: a set that has no linearization.
    pub(crate) fn core(&self) -> Vec<usize> {
        let mut core = self.writers.clone();
        core.extend(self.overwriter);
        core.push(self.reader);
        core.sort_unstable();
        core
    }
}

/// A time that may lie before all events (the initial value) or after them (an operation that crashed).
type Time = i64;
const NEVER: Time = Time::MAX;

struct Producer {
    invoked: Time,
    returned: Time,
    entry: Option<usize>,
}

/// The orphan that returns first, if there is one and the model's operations are all accesses to one value.
pub(crate) fn find(
    entries: &[Entry],
    classes: &Classes,
    specification: &dyn Specification,
) -> Option<Orphan> {
    let accesses: Vec<Access<'_>> = entries
        .iter()
        .map(|entry| specification.access(classes.get(entry.class)))
        .collect::<Option<_>>()?;
    let initial = specification.initial();
    let producers = producers(entries, &accesses, &initial);
    let overwriters = Overwriters::new(entries, &accesses);
    let mut readers: Vec<(u32, usize)> = entries
        .iter()
        .enumerate()
        .filter_map(|(i, entry)| Some((entry.deadline?, i)))
        .collect();
    readers.sort_unstable();
    readers.into_iter().find_map(|(deadline, reader)| {
        let value = match accesses[reader] {
            Access::Never => {
                return Some(Orphan {
                    reader,
                    writers: Vec::new(),
                    overwriter: None,
                });
            }
            access => access.requires()?,
        };
        let (list, last) = producers
            .get(value)
            .map_or((&[][..], &[][..]), |(list, last)| (list, last));
        let candidates = list.partition_point(|w| w.invoked < Time::from(deadline));
        let mut overwriter = None;
        if candidates > 0 {
            let (returned, entry) = overwriters.first_after(list[last[candidates - 1]].returned)?;
            if returned >= Time::from(entries[reader].invoked) {
                return None;
            }
            overwriter = Some(entry);
        }
        Some(Orphan {
            reader,
            writers: list[..candidates].iter().filter_map(|w| w.entry).collect(),
            overwriter,
        })
    })
}

/// For each value: what leaves it, by invocation; and for each prefix of that list the one that returned last.
type Producers<'a> = FxHashMap<&'a Value, (Vec<Producer>, Vec<usize>)>;

fn producers<'a>(entries: &[Entry], accesses: &[Access<'a>], initial: &'a Value) -> Producers<'a> {
    let mut producers: Producers<'a> = FxHashMap::default();
    producers.entry(initial).or_default().0.push(Producer {
        invoked: -1,
        returned: -1,
        entry: None,
    });
    for (i, (entry, access)) in entries.iter().zip(accesses).enumerate() {
        if let Some(value) = access.produces() {
            producers.entry(value).or_default().0.push(Producer {
                invoked: entry.invoked.into(),
                returned: entry.deadline.map_or(NEVER, Time::from),
                entry: Some(i),
            });
        }
    }
    for (list, last) in producers.values_mut() {
        list.sort_by_key(|w| w.invoked);
        let mut best = 0;
        last.extend((0..list.len()).map(|i| {
            if list[i].returned > list[best].returned {
                best = i;
            }
            best
        }));
    }
    producers
}

/// Completed mutators by invocation, and for each suffix the one that returned first.
struct Overwriters {
    invoked: Vec<Time>,
    first: Vec<(Time, usize)>,
}

impl Overwriters {
    fn new(entries: &[Entry], accesses: &[Access<'_>]) -> Self {
        let mut list: Vec<(Time, (Time, usize))> = entries
            .iter()
            .zip(accesses)
            .enumerate()
            .filter(|(_, (_, access))| access.produces().is_some())
            .filter_map(|(i, (entry, _))| Some((entry.invoked.into(), (entry.deadline?.into(), i))))
            .collect();
        list.sort_unstable();
        let (invoked, mut first): (Vec<Time>, Vec<(Time, usize)>) = list.into_iter().unzip();
        for i in (0..first.len().saturating_sub(1)).rev() {
            first[i] = first[i].min(first[i + 1]);
        }
        Overwriters { invoked, first }
    }

    /// Of those that were invoked after `time`, the return and the entry of the one that returned first.
    fn first_after(&self, time: Time) -> Option<(Time, usize)> {
        self.first
            .get(self.invoked.partition_point(|&invoked| invoked <= time))
            .copied()
    }
}
