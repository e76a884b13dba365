//! Where moments go: in their order, never closer than labels need.

use partita_history::{OpId, Operation, Outcome};

use super::{BAR, CHAR, LANE, TOP};
use crate::words;

/// The least distance of two moments, in pixels.
const GAP: f64 = 26.0;
/// The least length of an operation that ended, in pixels.
const BAR_MIN: f64 = 64.0;
const LABEL_CHARS_MAX: usize = 34;

/// The places of all moments.
pub(super) struct Layout {
    /// The processes, from top to bottom.
    pub(super) lanes: Vec<u64>,
    pub(super) right: f64,
    /// Positions of the history and where they are.
    places: Vec<(u32, f64)>,
}

/// What stands above a bar.
pub(super) fn label(operation: &Operation) -> String {
    words::clip(&words::operation(operation), LABEL_CHARS_MAX)
}

/// How wide a label is, with the node's name and a margin.
fn label_width(operation: &Operation) -> f64 {
    let node = operation.node.map_or(0, |node| node.chars().count().min(12) + 1);
    (label(operation).chars().count() + node + 2) as f64 * CHAR
}

fn end(operation: &Operation) -> Option<u32> {
    let ended = operation.completed.filter(|_| operation.outcome != Outcome::Info);
    ended.map(|moment| moment.position)
}

impl Layout {
    pub(super) fn of(operations: &[(OpId, Operation)]) -> Layout {
        let mut lanes: Vec<u64> = Vec::new();
        for (_, operation) in operations {
            if !lanes.contains(&operation.process) {
                lanes.push(operation.process);
            }
        }
        let longest = lanes
            .iter()
            .map(|lane| lane.to_string().len() + 8)
            .max()
            .unwrap_or(8);
        let mut moments: Vec<u32> = operations
            .iter()
            .flat_map(|(_, operation)| [Some(operation.invoked.position), end(operation)])
            .flatten()
            .collect();
        moments.sort_unstable();
        moments.dedup();
        let mut places: Vec<(u32, f64)> = Vec::new();
        // Where each lane is free of labels again.
        let mut free: Vec<f64> = vec![0.0; lanes.len()];
        for moment in moments {
            let mut x = places
                .last()
                .map_or(longest as f64 * CHAR + 14.0, |&(_, x)| x + GAP);
            let begins = operations
                .iter()
                .find(|(_, operation)| operation.invoked.position == moment);
            if let Some((_, operation)) = begins {
                let lane = lanes
                    .iter()
                    .position(|lane| *lane == operation.process)
                    .unwrap_or(0);
                x = x.max(free[lane]);
                free[lane] = x + label_width(operation);
            }
            let ends = operations
                .iter()
                .find(|(_, operation)| end(operation) == Some(moment));
            if let Some((_, operation)) = ends {
                let begun = places
                    .iter()
                    .find(|(other, _)| *other == operation.invoked.position);
                x = x.max(begun.map_or(0.0, |&(_, begun)| begun + BAR_MIN));
            }
            places.push((moment, x));
        }
        let last = places.last().map_or(0.0, |&(_, x)| x + 60.0);
        Layout {
            lanes,
            right: free.into_iter().fold(last, f64::max) + 14.0,
            places,
        }
    }

    /// Begin, end and top of an operation's bar.
    pub(super) fn place(&self, operation: &Operation) -> (f64, f64, f64) {
        let x = |position: u32| {
            let found = self.places.binary_search_by_key(&position, |&(moment, _)| moment);
            found.map_or(0.0, |place| self.places[place].1)
        };
        let lane = self
            .lanes
            .iter()
            .position(|lane| *lane == operation.process)
            .unwrap_or(0);
        let begin = x(operation.invoked.position);
        let y = TOP + LANE * lane as f64 + LANE - 8.0 - BAR - 6.0;
        (begin, end(operation).map_or(begin + 26.0, x), y)
    }
}
