//! What keeps items from being peeled off: a few that hold each other.

use std::collections::BTreeSet;

use super::peel::{Step, Stuck};
use crate::monitor::collection::Conflict;
use crate::monitor::collection::presence::Cover;
use crate::monitor::collection::table::Table;

/// How many items are tried for a beginning.
const BEGINNINGS: usize = 32;

/// A small set of items that can't be peeled off by themselves: one step of each has no gap in which none of the others
/// had to be there.
pub(super) fn blame(table: &Table, stuck: &Stuck) -> Conflict {
    let presence = |&i: &u32| {
        let (from, until) = table.items[i as usize].presence()?;
        Some((from, until, i))
    };
    let cover = Cover::new(stuck.items.iter().filter_map(presence));
    // Steps are sorted by item.
    let reason = |item: u32| {
        let first = stuck.steps.partition_point(|step| step.item < item);
        let steps = stuck.steps[first..].iter().take_while(|step| step.item == item);
        let reasons = steps.filter_map(|step| Some((cover.chain(step.window, Some(item))?, *step)));
        reasons.min_by_key(|(chain, _)| chain.len())
    };
    let mut beginnings = stuck.items.clone();
    beginnings.sort_unstable_by_key(|&i| {
        let item = &table.items[i as usize];
        (item.last_begin() - item.first_end(), i)
    });
    beginnings.truncate(BEGINNINGS);
    let mut best: Option<Conflict> = None;
    for beginning in beginnings {
        let at_most = best.as_ref().map_or(usize::MAX, |best| best.items.len() - 1);
        best = close(beginning, at_most, reason).or(best);
    }
    best.unwrap_or_else(|| Conflict::between(stuck.items.iter().copied()))
}

/// The items that hold `beginning`, those that hold these, and so on, if there are at most so many.
fn close(
    beginning: u32,
    at_most: usize,
    reason: impl Fn(u32) -> Option<(Vec<u32>, Step)>,
) -> Option<Conflict> {
    let mut conflict = Conflict::between([beginning]);
    let mut is_in = BTreeSet::from([beginning]);
    let mut next = 0;
    while let Some(&item) = conflict.items.get(next) {
        let (chain, step) = reason(item)?;
        conflict.operations.push(step.operation);
        conflict
            .items
            .extend(chain.into_iter().filter(|&other| is_in.insert(other)));
        if conflict.items.len() > at_most {
            return None;
        }
        next += 1;
    }
    Some(conflict)
}
