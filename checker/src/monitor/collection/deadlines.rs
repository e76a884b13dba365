//! By when items must be gone that nothing took, so that others can be seen and taken.

use super::table::{Item, Moment, Table};

/// For each of some items v, when the first operation ends that began when v was certainly there, and that can't happen
/// as long as v is: one that found nothing there, or saw or took an item u with `key(u) < bound(v)`. Keys are positive,
/// and below `keys`.
pub(super) fn deadlines(
    table: &Table,
    items: &[u32],
    keys: usize,
    key: impl Fn(u32, &Item) -> u32,
    bound: impl Fn(u32, &Item) -> u32,
) -> Vec<Moment> {
    let mut events: Vec<(Moment, Moment, u32)> = Vec::new();
    events.extend(table.empties.iter().map(|empty| (empty.began, empty.ended, 0)));
    for (i, item) in (0..).zip(&table.items) {
        let key = key(i, item);
        let mut add = |(began, ended)| events.push((began, ended, key));
        if !table.is_left(item) {
            add(item.taking());
        }
        table.peeks(item).iter().for_each(|peek| add(item.peeking(peek)));
    }
    events.sort_unstable();
    let since = |i: u32| table.items[i as usize].first_end();
    let mut latest_first: Vec<usize> = (0..items.len()).collect();
    latest_first.sort_unstable_by_key(|&at| std::cmp::Reverse(since(items[at])));
    let mut earliest = Earliest(vec![table.end; keys + 1]);
    let mut deadlines = vec![table.end; items.len()];
    for at in latest_first {
        let i = items[at];
        while let Some((_, ended, key)) = events.pop_if(|(began, ..)| *began >= since(i)) {
            earliest.enter(key, ended);
        }
        deadlines[at] = earliest.below(bound(i, &table.items[i as usize]));
    }
    deadlines
}

/// A tree (after Fenwick, A new data structure for cumulative frequency tables, 1994) of moments by key.
struct Earliest(Vec<Moment>);

impl Earliest {
    fn enter(&mut self, key: u32, moment: Moment) {
        let mut i = key as usize + 1;
        while let Some(node) = self.0.get_mut(i) {
            *node = moment.min(*node);
            i += i & i.wrapping_neg();
        }
    }

    /// The earliest moment of all smaller keys.
    fn below(&self, key: u32) -> Moment {
        let mut i = key as usize;
        let mut earliest = self.0[0];
        while i > 0 {
            earliest = earliest.min(self.0[i]);
            i &= i - 1;
        }
        earliest
    }
}
