//! Removals of unknown outcome: each may have taken an item that nothing else took, or none (ALGORITHMS.md 3.8, crashed
//! dequeues; 3.9).
//!
//! With k items left, only the k earliest removals matter: an earlier one can do all that a later one can. In a queue,
//! and in a bag, the item that must be gone first is the one that came first; so the earliest removal is given to the
//! earliest item, and so on, and if that leads to no order, nothing does. Elsewhere, and if it may be either a removal
//! or an operation of its own that took an item, this is a guess. If no guess leads to an order, there may be none
//! even if the items left had never been there; or else the removals are given out in all ways, if these are few.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::table::{Failure, Item, Moment, Table};
use super::{Conflict, Kind};

/// In how many ways removals are given out at most.
const WAYS_MAX: usize = 24;

/// Which items the removals are given to.
pub(super) enum Rule {
    /// The first that came is the first to go. Whether it matters which items were seen without being taken.
    FirstCome { peeks_matter: bool },
    /// The first that must be gone is the first to go; what is given is for each of some items when that is, as far
    /// as it is known. This is a guess.
    ByDeadline(fn(&Table, &[u32]) -> Vec<Moment>),
}

/// A linearization, or operations that have none.
pub(super) fn judge(kind: &Kind, table: &Table) -> Result<Vec<u32>, Failure> {
    let left = indices(table, |item| table.is_left(item));
    if table.removals.is_empty() || left.is_empty() {
        return (kind.order)(table).map_err(|conflict| Failure::Conflict(flat(table, conflict)));
    }
    // These may be taken by something else, or it is not clear by when they are to be.
    let is_special = |item: &Item| {
        let peeks_matter = matches!(kind.removals, Rule::FirstCome { peeks_matter: true });
        table.is_left(item) && (item.take.began < table.end || peeks_matter && item.is_peeked())
    };
    let is_exact = matches!(kind.removals, Rule::FirstCome { .. });
    let plain = indices(table, |item| table.is_left(item) && !is_special(item));
    match guess(kind, table, &plain) {
        Ok(order) => return Ok(order),
        Err(conflict) => {
            let is_certain = |&i: &u32| !is_special(&table.items[i as usize]);
            if is_exact && conflict.items.iter().all(is_certain) {
                return Err(Failure::Conflict(conflict));
            }
        }
    }
    if plain.len() < left.len()
        && let Ok(order) = guess(kind, table, &left)
    {
        return Ok(order);
    }
    let mut certain = table.clone();
    certain
        .items
        .retain(|item| !table.is_left(item) || is_exact && !is_special(item));
    let plain = indices(&certain, |item| table.is_left(item));
    if let Err(conflict) = guess(kind, &certain, &plain) {
        return Err(Failure::Conflict(conflict));
    }
    all_ways(kind, table, &left)
}

fn indices(table: &Table, is_meant: impl Fn(&Item) -> bool) -> Vec<u32> {
    let found = (0..).zip(&table.items).filter(|(_, item)| is_meant(item));
    found.map(|(i, _)| i).collect()
}

/// Gives the earliest removals to some of these items, as the rule says. A conflict is given in full: items, and all
/// operations that they stand for.
fn guess(kind: &Kind, table: &Table, items: &[u32]) -> Result<Vec<u32>, Conflict> {
    // Of two that must be gone at the same time, the later one goes first.
    let came = |&i: &u32| table.items[i as usize].first_end();
    let mut ranked: Vec<(Moment, Reverse<Moment>, u32)> = match kind.removals {
        Rule::FirstCome { .. } => items.iter().map(|i| (came(i), Reverse(0), *i)).collect(),
        Rule::ByDeadline(deadlines) => deadlines(table, items)
            .into_iter()
            .zip(items)
            .map(|(deadline, i)| (deadline, Reverse(came(i)), *i))
            .collect(),
    };
    ranked.sort_unstable();
    let ranked: Vec<u32> = ranked.into_iter().map(|(.., i)| i).collect();
    let given = give(table, &ranked);
    let removals = given.removals.len();
    (kind.order)(&given).map_err(|mut conflict| {
        // An item has no removal, or not an earlier one, because the items before it need theirs.
        let stuck: BTreeSet<u32> = conflict.items.iter().copied().collect();
        let last = ranked.iter().rposition(|i| stuck.contains(i));
        let needed = last.map_or(0, |last| (last + 1).min(removals));
        conflict.items.extend(&ranked[..needed]);
        let items = conflict.items.clone();
        Conflict {
            items,
            ..flat(&given, conflict)
        }
    })
}

/// Gives each of these items a removal of its own, the first one the earliest, as far as there are any.
fn give(table: &Table, items: &[u32]) -> Table {
    let mut given = table.clone();
    for (&i, removal) in items.iter().zip(&table.removals) {
        let item = &mut given.items[i as usize];
        if removal.began < item.take.began {
            let peeks = table.peeks(item);
            item.take_by(removal.operation, removal.began, peeks);
        }
    }
    given
}

/// Tries all ways to give out the removals, if these are few.
fn all_ways(kind: &Kind, table: &Table, left: &[u32]) -> Result<Vec<u32>, Failure> {
    let removals = table.removals.len().min(left.len());
    let ways = (0..removals).try_fold(1usize, |ways, used| ways.checked_mul(left.len() - used));
    if ways.is_none_or(|ways| ways > WAYS_MAX) {
        return Err(Failure::NotApplicable(
            "operations of unknown outcome may have removed items in too many ways",
        ));
    }
    let mut found = Vec::new();
    let mut chosen = Vec::new();
    try_all(kind, table, left, removals, &mut chosen, &mut found)
        .map_or_else(|| Err(Failure::Conflict(Conflict::among(found))), Ok)
}

/// Tries all ways that begin with what is chosen; if none leads to an order, `found` gets what stands in the way.
fn try_all(
    kind: &Kind,
    table: &Table,
    left: &[u32],
    removals: usize,
    chosen: &mut Vec<u32>,
    found: &mut Vec<u32>,
) -> Option<Vec<u32>> {
    if chosen.len() == removals {
        let given = give(table, chosen);
        return (kind.order)(&given)
            .map_err(|conflict| {
                // What took an item may be another operation in another way.
                let items = conflict.items.clone();
                found.extend(flat(&given, conflict).operations);
                found.extend(flat(table, Conflict::between(items)).operations);
            })
            .ok();
    }
    left.iter().find_map(|&i| {
        if chosen.contains(&i) {
            return None;
        }
        chosen.push(i);
        let order = try_all(kind, table, left, removals, chosen, found);
        chosen.pop();
        order
    })
}

/// The conflict in operations alone: of each item, what put it in, what took it, and what shows when it was there.
fn flat(table: &Table, conflict: Conflict) -> Conflict {
    let mut operations = conflict.operations;
    for i in conflict.items {
        let item = &table.items[i as usize];
        operations.extend([item.put.operation, item.take.operation]);
        operations.extend([item.first_seen.1, item.last_seen.1]);
    }
    Conflict::among(operations)
}
