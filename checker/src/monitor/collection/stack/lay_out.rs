//! The order that a peeling proves.
//!
//! Items are laid out from the outermost inwards. The operations of those that are laid out are in order, and no other
//! item had to be there in the gaps where they are. So the next item fits in between two neighbouring operations,
//! with all of its own side by side: whatever is on the stack there, is there again afterwards.

use super::peel::{Peeled, Step};
use crate::monitor::collection::NONE;
use crate::monitor::collection::table::{Moment, Span, Table};

/// Before all operations.
const START: u32 = 0;

/// A linked list of operations, by the gaps in which they happen.
struct List {
    /// Place 0 is [`START`].
    operations: Vec<u32>,
    gaps: Vec<Moment>,
    next: Vec<u32>,
    /// For each gap, the last place in it.
    last: Vec<u32>,
    /// The gaps in which there is something, as a tree of sets: each bit says whether 64 bits one level below have
    /// any.
    sets: Vec<Vec<u64>>,
}

impl List {
    fn new(gaps: usize, operations: usize) -> List {
        let mut sets = Vec::new();
        let mut size = gaps;
        loop {
            size = size.div_ceil(64);
            sets.push(vec![0; size]);
            if size <= 1 {
                break;
            }
        }
        let mut list = List {
            operations: Vec::with_capacity(operations + 1),
            gaps: Vec::with_capacity(operations + 1),
            next: Vec::with_capacity(operations + 1),
            last: vec![NONE; gaps],
            sets,
        };
        list.operations.push(NONE);
        list.gaps.push(0);
        list.next.push(NONE);
        list.enter(START);
        list
    }

    /// The last place in a gap up to this one.
    fn last_until(&self, gap: Moment) -> u32 {
        let mut at = gap as usize;
        for (level, set) in self.sets.iter().enumerate() {
            let below = set[at / 64] & (u64::MAX >> (63 - at % 64));
            if below != 0 {
                at = at / 64 * 64 + below.ilog2() as usize;
                for set in self.sets[..level].iter().rev() {
                    at = at * 64 + set[at].ilog2() as usize;
                }
                return self.last[at];
            }
            // The next level is asked for what comes before.
            match (at / 64).checked_sub(1) {
                Some(before) => at = before,
                None => break,
            }
        }
        START
    }

    /// Puts an operation after a place; gives its own.
    fn insert(&mut self, after: u32, gap: Moment, operation: u32) -> u32 {
        let place = self.operations.len() as u32;
        self.operations.push(operation);
        self.gaps.push(gap);
        self.next.push(self.next[after as usize]);
        self.next[after as usize] = place;
        if [NONE, after].contains(&self.last[gap as usize]) {
            self.enter(place);
        }
        place
    }

    /// A place becomes the last one in its gap.
    fn enter(&mut self, place: u32) {
        let gap = self.gaps[place as usize] as usize;
        if std::mem::replace(&mut self.last[gap], place) == NONE {
            let mut at = gap;
            for set in &mut self.sets {
                set[at / 64] |= 1 << (at % 64);
                at /= 64;
            }
        }
    }
}

/// A linearization.
pub(super) fn lay_out(table: &Table, empties: &[(Moment, Span)], peeled: &Peeled) -> Vec<u32> {
    let mut list = List::new(table.never() as usize, empties.len() + peeled.steps.all.len());
    for &(gap, empty) in empties {
        list.insert(list.last_until(gap), gap, empty.operation);
    }
    let mut steps: Vec<Step> = Vec::new();
    for &i in &peeled.items {
        let item = &table.items[i as usize];
        let mut after = list.last_until(item.first_end() - 1);
        let left = list.gaps[after as usize];
        let right = match list.next[after as usize] {
            NONE => table.end,
            next => list.gaps[next as usize],
        };
        steps.clear();
        steps.extend(peeled.steps.of(i));
        for step in &mut steps {
            step.gap = step.gap.clamp(left, right);
        }
        // A gap of a peek that might come before the item is put in would have been given to that as well, and likewise
        // for the other end: so only the peeks are to be sorted.
        if let [_, peeks @ .., _] = &mut steps[..] {
            peeks.sort_by_key(|peek| peek.gap);
        }
        for step in &steps {
            after = list.insert(after, step.gap, step.operation);
        }
    }
    for (i, item) in (0..).zip(&table.items) {
        if item.presence().is_none() {
            let gap = item.last_begin();
            let mut after = list.last_until(gap);
            for step in peeled.steps.of(i) {
                after = list.insert(after, gap, step.operation);
            }
        }
    }
    let places = std::iter::successors(Some(START), |&place| {
        let next = list.next[place as usize];
        (next != NONE).then_some(next)
    });
    // What is taken at the end may as well be left.
    places
        .filter(|&place| list.gaps[place as usize] < table.end)
        .map(|place| list.operations[place as usize])
        .filter(|&operation| operation != NONE)
        .collect()
}
