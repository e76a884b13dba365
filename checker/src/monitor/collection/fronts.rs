//! When each item of a queue may have been at the front (ALGORITHMS.md 3.8, peeks).
//!
//! The peeks that saw an item and its taking belong together: nothing else is taken or seen in between. If the first
//! of them ends before the last begins, the item was at the front all the time between; no two items can both be.
//! Seen like this the time of such a *reign* is a single gap, its first, in which nothing else is at the front.
//! Other items are there and gone within a single gap, outside of all reigns.

use super::Conflict;
use super::table::{Item, Moment, Table};

/// The gaps, from `first` to `last`, in one of which an item is at the front and is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Front {
    pub(super) first: Moment,
    pub(super) last: Moment,
}

/// The time in which an item certainly was at the front: from, until, item.
type Reign = (Moment, Moment, u32);

/// For each item, when it may have been at the front.
pub(super) struct Fronts {
    pub(super) of: Vec<Front>,
    /// In order.
    reigns: Vec<Reign>,
}

impl Fronts {
    pub(super) fn new(table: &Table) -> Result<Fronts, Conflict> {
        let reigns = reigns(table)?;
        let mut of = Vec::with_capacity(table.items.len());
        for (i, item) in (0..).zip(&table.items) {
            let (from, until) = bounds(item);
            if from > until {
                let first = until;
                of.push(Front { first, last: first });
                continue;
            }
            // (The first gap may be in a reign: nothing that is compared with it is.)
            let last = until - 1;
            let last = reign_at(&reigns, last).map_or(last, |(from, ..)| from - 1);
            if from > last {
                let during = reign_at(&reigns, from).map(|(.., other)| other);
                return Err(Conflict::between([i].into_iter().chain(during)));
            }
            of.push(Front { first: from, last });
        }
        Ok(Fronts { of, reigns })
    }

    /// What must be known for one item to be at the front before another: the two, and what reigns when the first would
    /// otherwise be there last.
    pub(super) fn conflict(&self, table: &Table, early: u32, late: u32) -> Conflict {
        let until = bounds(&table.items[early as usize]).1;
        let reigning = reign_at(&self.reigns, until - 1).map(|(.., item)| item);
        Conflict::between([early, late].into_iter().chain(reigning))
    }
}

/// When the last operation began that belongs to its time at the front (it can't have been there before it was put
/// in), and when the first of them ended.
fn bounds(item: &Item) -> (Moment, Moment) {
    let until = match item.is_peeked() {
        true => item.first_seen.0,
        false => item.take.ended,
    };
    (item.last_begin(), until)
}

fn reigns(table: &Table) -> Result<Vec<Reign>, Conflict> {
    let mut reigns: Vec<Reign> = Vec::new();
    for (i, item) in (0..).zip(&table.items) {
        let (last_begin, first_end) = bounds(item);
        if first_end < last_begin {
            reigns.push((first_end, last_begin, i));
        }
    }
    reigns.sort_unstable();
    match reigns.windows(2).find(|pair| pair[1].0 < pair[0].1) {
        Some(pair) => Err(Conflict::between([pair[0].2, pair[1].2])),
        None => Ok(reigns),
    }
}

fn reign_at(reigns: &[Reign], gap: Moment) -> Option<Reign> {
    let begun = reigns.partition_point(|&(from, ..)| from <= gap);
    reigns[..begun]
        .last()
        .copied()
        .filter(|&(_, until, _)| gap < until)
}
