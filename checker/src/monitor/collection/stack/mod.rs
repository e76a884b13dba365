//! A stack (ALGORITHMS.md 3.9; after Lee and Mathur, Efficient decrease-and-conquer linearizability monitoring,
//! OOPSLA 2025).
//!
//! An item can be around all others, in no matter what order they are, if each of its operations has a gap in which no
//! other item had to be there. There is a linearization if items can be peeled off in this way, one after another,
//! until none is left; whatever can be peeled off may be. Items that never had to be there are no obstacle: each is
//! put in and taken within one gap.

mod blame;
mod lay_out;
mod peel;
mod stabbing;
mod tally;

use super::Conflict;
use super::presence::{counts, place_empties};
use super::table::{Item, Moment, Table};

/// A linearization.
pub(super) fn order(table: &Table) -> Result<Vec<u32>, Conflict> {
    let counts = counts(table);
    let empties = place_empties(table, &counts)?;
    match peel::peel(table, &counts) {
        Ok(peeled) => Ok(lay_out::lay_out(table, &empties, &peeled)),
        Err(stuck) => Err(blame::blame(table, &stuck)),
    }
}

/// For each of some items that are left, when it must be gone so that those below can be taken or seen.
pub(super) fn deadlines(table: &Table, items: &[u32]) -> Vec<Moment> {
    let is_below = |_: u32, item: &Item| item.first_end();
    let above = |_: u32, item: &Item| item.put.began;
    super::deadlines::deadlines(table, items, table.never() as usize, is_below, above)
}
