//! When items certainly were there, all taken together.

use super::Conflict;
use super::table::{Moment, Span, Table};

/// For each gap, how many items certainly were there.
pub(super) fn counts(table: &Table) -> Vec<u32> {
    let mut counts = vec![0u32; table.never() as usize];
    for (from, until, _) in table.presences() {
        counts[from as usize] = counts[from as usize].wrapping_add(1);
        counts[until as usize] = counts[until as usize].wrapping_sub(1);
    }
    let mut count = 0u32;
    for change in &mut counts {
        count = count.wrapping_add(*change);
        *change = count;
    }
    counts
}

/// For each operation that found nothing there, the first gap in which nothing had to be.
pub(super) fn place_empties(table: &Table, counts: &[u32]) -> Result<Vec<(Moment, Span)>, Conflict> {
    if table.empties.is_empty() {
        return Ok(Vec::new());
    }
    // For each gap, the first one from it on in which nothing had to be there: in the last one, nothing has.
    let mut free = vec![0; counts.len()];
    let mut next = table.end;
    for (gap, &count) in counts.iter().enumerate().rev() {
        if count == 0 {
            next = gap as Moment;
        }
        free[gap] = next;
    }
    let place = |empty: &Span| match free[empty.began as usize] {
        gap if gap < empty.ended => Ok((gap, *empty)),
        _ => Err(Conflict {
            items: Cover::new(table.presences())
                .chain((empty.began, empty.ended), None)
                .unwrap_or_default(),
            operations: vec![empty.operation],
        }),
    };
    table.empties.iter().map(place).collect()
}

/// Covers windows of gaps by the presences of few items.
pub(super) struct Cover {
    /// In order.
    starts: Vec<Moment>,
    /// For each start, of the presences up to it the two that last longest: end and item.
    longest: Vec<[(Moment, u32); 2]>,
}

impl Cover {
    /// By these presences: from, until, item.
    pub(super) fn new(presences: impl Iterator<Item = (Moment, Moment, u32)>) -> Cover {
        let mut presences: Vec<_> = presences.collect();
        presences.sort_unstable();
        let mut starts = Vec::with_capacity(presences.len());
        let mut longest = Vec::with_capacity(presences.len());
        let mut two = [(0, 0); 2];
        for (from, until, item) in presences {
            let this = (until, item);
            if this > two[0] {
                two = [this, two[0]];
            } else {
                two[1] = this.max(two[1]);
            }
            starts.push(from);
            longest.push(two);
        }
        Cover { starts, longest }
    }

    /// As few items as possible, none of them `except`, one of which certainly was there in each gap of the window, in
    /// order; none if in some gap there was none.
    pub(super) fn chain(&self, (mut from, until): (Moment, Moment), except: Option<u32>) -> Option<Vec<u32>> {
        let mut chain = Vec::new();
        while from < until {
            let started = self.starts.partition_point(|&start| start <= from);
            let two = &self.longest[started.checked_sub(1)?];
            let &(end, item) = two.iter().find(|(_, item)| Some(*item) != except)?;
            if end <= from {
                return None;
            }
            chain.push(item);
            from = end;
        }
        Some(chain)
    }
}
