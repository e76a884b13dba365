//! A priority queue (ALGORITHMS.md 3.10; after Gibbons, Bruno and Phillips, Black-box correctness tests for basic
//! parallel data structures, 2002): an operation that takes or sees an item needs a gap in which no larger item had to
//! be there, and that is all.
//!
//! The order: an item is put in just before it must be, and taken at the first gap from there on in which no larger
//! one had to be there. A peek comes before the item had to be there only if there is no gap for it afterwards: then
//! at the last one before, and the item is put in there. In between some larger item had to be there all the while,
//! so that it is in nobody's way.

use std::collections::BinaryHeap;

use super::levels::Levels;
use super::presence::{Cover, place_empties};
use super::table::{Item, Moment, Span, Table};
use super::{Conflict, Schedule};

/// In one gap: what was put in before is seen and taken, the largest first; what finds nothing there; what stays is
/// put in, the smallest first.
const OUT: u32 = 0;
const EMPTY: u32 = 1;
const IN: u32 = 2;

/// A linearization.
pub(super) fn order(table: &Table) -> Result<Vec<u32>, Conflict> {
    let largest = largest(table);
    let mut schedule = Schedule::new(table);
    for (gap, empty) in place_empties(table, &largest)? {
        schedule.add(gap, EMPTY, 0, empty.operation);
    }
    let levels = Levels::new(&largest);
    let count = table.items.len() as u32;
    let mut peeks = Vec::new();
    for (i, item) in (0..).zip(&table.items) {
        let rank = i + 1;
        let missing = |span: &Span, window| Conflict {
            items: larger(table, i, window),
            operations: vec![span.operation],
        };
        let first = |from: Moment, until: Moment| levels.first(from, rank).filter(|&gap| gap < until);
        let (from, until) = item.taking();
        let taken = first(from, until).ok_or_else(|| missing(&item.take, (from, until)))?;
        // From when on a peek does no harm.
        let since = from.min(item.first_end());
        let mut put_in = taken.min(item.first_end() - 1);
        peeks.clear();
        for peek in table.peeks(item) {
            let (from, until) = item.peeking(peek);
            let before = || levels.last(since, rank).filter(|&gap| gap >= from);
            let gap = first(from.max(since), until)
                .or_else(before)
                .ok_or_else(|| missing(peek, (from, until)))?;
            put_in = put_in.min(gap);
            peeks.push((gap, peek.operation));
        }
        let at_once = put_in == taken;
        let (phase, place) = if at_once { (OUT, count - i) } else { (IN, i) };
        schedule.add(put_in, phase, place, item.put.operation);
        for &(gap, peek) in &peeks {
            let is_in = gap == put_in && !at_once;
            let (phase, place) = if is_in { (IN, i) } else { (OUT, count - i) };
            schedule.add(gap, phase, place, peek);
        }
        schedule.add(taken, OUT, count - i, item.take.operation);
    }
    Ok(schedule.order())
}

/// For each gap, the largest item that had to be there: its index and 1, or 0 if none had.
fn largest(table: &Table) -> Vec<u32> {
    let mut presences: Vec<_> = table.presences().collect();
    presences.sort_unstable();
    let mut presences = presences.into_iter().peekable();
    let mut present: BinaryHeap<(u32, Moment)> = BinaryHeap::new();
    (0..table.never())
        .map(|gap| {
            while let Some((_, until, i)) = presences.next_if(|&(from, ..)| from == gap) {
                present.push((i + 1, until));
            }
            while present.peek().is_some_and(|&(_, until)| until <= gap) {
                present.pop();
            }
            present.peek().map_or(0, |&(rank, _)| rank)
        })
        .collect()
}

/// The item itself, and larger ones of which one had to be there in each gap of the window.
fn larger(table: &Table, item: u32, window: (Moment, Moment)) -> Vec<u32> {
    let cover = Cover::new(table.presences().filter(|&(.., other)| other > item));
    let chain = cover.chain(window, None).unwrap_or_default();
    [item].into_iter().chain(chain).collect()
}

/// For each of some items that are left, when it must be gone so that smaller ones can be taken or seen.
pub(super) fn deadlines(table: &Table, items: &[u32]) -> Vec<Moment> {
    let rank = |i: u32, _: &Item| i + 1;
    super::deadlines::deadlines(table, items, table.items.len() + 1, rank, rank)
}
