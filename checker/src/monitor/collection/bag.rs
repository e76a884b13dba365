//! A bag: items are independent of each other, but for operations that found nothing there (ALGORITHMS.md 3.10).

use super::presence::{counts, place_empties};
use super::table::Table;
use super::{Conflict, Schedule};

/// An item is put in as late as possible, and taken as early; so it is there only when it must be.
pub(super) fn order(table: &Table) -> Result<Vec<u32>, Conflict> {
    let mut schedule = Schedule::new(table);
    for (gap, empty) in place_empties(table, &counts(table))? {
        schedule.add(gap, 1, 0, empty.operation);
    }
    for item in &table.items {
        if item.presence().is_some() {
            schedule.add(item.first_end() - 1, 2, 0, item.put.operation);
        } else {
            schedule.add(item.last_begin(), 0, 0, item.put.operation);
        }
        schedule.add(item.last_begin(), 0, 0, item.take.operation);
    }
    Ok(schedule.order())
}
