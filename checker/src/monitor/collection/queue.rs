//! A first-in, first-out queue (ALGORITHMS.md 3.8; without peeks, Gibbons, Bruno and Phillips, Black-box correctness
//! tests for basic parallel data structures, 2002).
//!
//! Item a was certainly put in before b if the first operation of a ends before b begins to be put in; it was
//! certainly at the front after b if the last gap of b at the front is before the first of a. There is an order of the
//! items unless some a and b are like that: both relations are interval orders, so that in any longer circle of them
//! there is one of two items.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::fronts::{Front, Fronts};
use super::presence::{counts, place_empties};
use super::table::{Item, Moment, Span, Table};
use super::{Conflict, NONE};

/// An item, or an operation that found nothing there: as if something were put in, and taken at once.
#[derive(Clone, Copy)]
struct Entrant<'a> {
    /// The first gap in which it may be put in, and the end of the last one.
    put: (Moment, Moment),
    front: Front,
    what: What<'a>,
}

#[derive(Clone, Copy)]
enum What<'a> {
    Item(&'a Item),
    Empty(&'a Span),
}

/// A linearization.
pub(super) fn order(table: &Table) -> Result<Vec<u32>, Conflict> {
    let fronts = Fronts::new(table)?;
    let mut entrants: Vec<Entrant<'_>> = table
        .items
        .iter()
        .zip(&fronts.of)
        .map(|(item, &front)| Entrant {
            put: item.putting(),
            front,
            what: What::Item(item),
        })
        .collect();
    let by_begin = sorted(&entrants, |entrant| entrant.put.0);
    let by_end = sorted(&entrants, |entrant| entrant.put.1);
    if let Some((early, late)) = inversion(&entrants, &by_begin, &by_end) {
        return Err(fronts.conflict(table, early, late));
    }
    let empties = place_empties(table, &counts(table))?;
    entrants.extend(empties.iter().map(|(gap, empty)| Entrant {
        put: (*gap, gap + 1),
        front: Front {
            first: *gap,
            last: *gap,
        },
        what: What::Empty(empty),
    }));
    let (by_begin, by_end) = match empties.is_empty() {
        true => (by_begin, by_end),
        false => (
            sorted(&entrants, |entrant| entrant.put.0),
            sorted(&entrants, |entrant| entrant.put.1),
        ),
    };
    let queue = in_order(&entrants, &by_begin, &by_end);
    Ok(merge(table, &queue))
}

/// Two items of which the second was put in first, and was at the front last.
fn inversion(entrants: &[Entrant<'_>], by_begin: &[u32], by_end: &[u32]) -> Option<(u32, u32)> {
    let mut ended = by_end.iter().peekable();
    // Of those certainly put in before, the one that comes to the front last.
    let mut last: Option<(Moment, u32)> = None;
    for &i in by_begin {
        let entrant = &entrants[i as usize];
        while let Some(&before) = ended.next_if(|&&before| entrants[before as usize].put.1 < entrant.put.0) {
            last = last.max(Some((entrants[before as usize].front.first, before)));
        }
        if let Some((first, before)) = last
            && entrant.front.last < first
        {
            return Some((i, before));
        }
    }
    None
}

/// In an order in which they may be put in, and may be at the front.
fn in_order<'a>(entrants: &[Entrant<'a>], by_begin: &[u32], by_end: &[u32]) -> Vec<Entrant<'a>> {
    let mut is_placed = vec![false; entrants.len()];
    let mut order = Vec::with_capacity(entrants.len());
    let mut begun = by_begin.iter().peekable();
    // Those that nothing left must be put in before: of these, the first to be at the front has nothing before it
    // there, either.
    let mut ready = BinaryHeap::new();
    for &next in by_end {
        while !is_placed[next as usize] {
            let until = entrants[next as usize].put.1;
            while let Some(&i) = begun.next_if(|&&i| entrants[i as usize].put.0 < until) {
                ready.push(Reverse((entrants[i as usize].front.first, i)));
            }
            let Some(Reverse((_, i))) = ready.pop() else { break };
            is_placed[i as usize] = true;
            order.push(entrants[i as usize]);
        }
    }
    order
}

/// All operations in order, the items being in theirs.
fn merge(table: &Table, queue: &[Entrant<'_>]) -> Vec<u32> {
    let mut last = 0;
    let put_in = |entrant: &Entrant<'_>| {
        last = entrant.put.0.max(last);
        last
    };
    let gaps: Vec<Moment> = queue.iter().map(put_in).collect();
    let mut order = Vec::with_capacity(2 * queue.len());
    let mut entered = 0;
    // When the last operation happened that saw or took one.
    let mut seen = 0;
    for ((i, entrant), &gap) in queue.iter().enumerate().zip(&gaps) {
        let (peeks, last) = match entrant.what {
            What::Item(item) => (table.peeks(item), &item.take),
            What::Empty(empty) => (&[][..], empty),
        };
        for span in peeks.iter().chain([last]) {
            seen = span.began.max(gap).max(seen);
            while let Some(&gap) = gaps.get(entered)
                && (entered <= i || gap < seen)
            {
                if let What::Item(item) = queue[entered].what {
                    order.push(item.put.operation);
                }
                entered += 1;
            }
            // What is taken at the end may as well be left.
            if seen < table.end {
                order.push(span.operation);
            }
        }
    }
    order.retain(|&operation| operation != NONE);
    order
}

/// The entrants' indices, by some moment of each.
fn sorted(entrants: &[Entrant<'_>], moment: impl Fn(&Entrant<'_>) -> Moment) -> Vec<u32> {
    let mut keyed: Vec<(Moment, u32)> = entrants.iter().map(moment).zip(0..).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, i)| i).collect()
}
