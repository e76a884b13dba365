//! What is left out where not all fits: first the finest digits, then the ends of long values, and operations last.

use partita_history::{History, OpId};

use super::Window;

/// How exact things are kept.
pub(super) struct Level {
    /// Times are multiples of this.
    pub(super) tick_ns: u64,
    /// Longer values are cut.
    pub(super) value_chars: usize,
}

/// From exact to coarse.
pub(super) const LEVELS: [Level; 6] = [
    Level {
        tick_ns: 1_000,
        value_chars: 400,
    },
    Level {
        tick_ns: 10_000,
        value_chars: 160,
    },
    Level {
        tick_ns: 50_000,
        value_chars: 60,
    },
    Level {
        tick_ns: 200_000,
        value_chars: 60,
    },
    Level {
        tick_ns: 500_000,
        value_chars: 60,
    },
    Level {
        tick_ns: 1_000_000,
        value_chars: 30,
    },
];

/// Which operations are kept.
pub(super) enum Keep<'a> {
    All,
    /// So many from the beginning.
    First(usize),
    /// One in so many, and always those of which this holds.
    OneIn {
        one_in: usize,
        always: &'a [bool],
    },
}

impl Keep<'_> {
    pub(super) fn keeps(&self, id: OpId) -> bool {
        match self {
            Keep::All => true,
            Keep::First(count) => id < *count,
            Keep::OneIn { one_in, always } => id.is_multiple_of(*one_in) || always[id],
        }
    }

    pub(super) fn is_partial(&self) -> bool {
        matches!(self, Keep::OneIn { .. })
    }
}

/// Which operations lie in a window, at least in part.
pub(super) fn inside(history: &History, windows: &[Window]) -> Vec<bool> {
    let windows = merged(windows);
    let within = |from: u32, to: u32| {
        let next = windows.partition_point(|window| window.to < from);
        windows.get(next).is_some_and(|window| window.from <= to)
    };
    history
        .operations()
        .map(|operation| {
            let invoked = operation.invoked.position;
            let ended = operation.completed.map_or(invoked, |moment| moment.position);
            within(invoked, ended)
        })
        .collect()
}

/// The same without overlaps, in order.
fn merged(windows: &[Window]) -> Vec<Window> {
    let mut windows = windows.to_vec();
    windows.sort_by_key(|window| window.from);
    let mut merged: Vec<Window> = Vec::new();
    for window in windows {
        match merged.last_mut() {
            Some(last) if window.from <= last.to => last.to = last.to.max(window.to),
            _ => merged.push(window),
        }
    }
    merged
}
