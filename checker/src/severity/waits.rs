//! Operations in an order in which each comes after all that it waits for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::causal::Unknown;

/// How many operations are handled between two looks at the caller's stop.
const STOP_INTERVAL: usize = 4096;

/// How far one came.
pub(super) enum Walk<B> {
    /// All were handled.
    Done,
    /// The handler found this.
    Broken(B),
    /// What is left depends on itself.
    Stuck {
        /// For each operation, how many of those that it waits for are left.
        open: Vec<u8>,
        /// The first that is left.
        first: u32,
    },
}

/// Handles `count` operations; `waits` are sorted pairs of an operation and one that must come after it.
///
/// # Errors
/// [`Unknown::Stopped`] when `stop` says so.
pub(super) fn walk<B>(
    count: usize,
    waits: &[(u32, u32)],
    stop: &dyn Fn() -> bool,
    mut handle: impl FnMut(u32) -> Option<B>,
) -> Result<Walk<B>, Unknown> {
    debug_assert!(waits.is_sorted());
    let mut open = vec![0u8; count];
    for &(_, i) in waits {
        open[i as usize] += 1;
    }
    let mut ready: BinaryHeap<Reverse<u32>> = (0..count as u32)
        .filter(|&i| open[i as usize] == 0)
        .map(Reverse)
        .collect();
    let mut handled = 0;
    while let Some(Reverse(i)) = ready.pop() {
        handled += 1;
        if handled % STOP_INTERVAL == 0 && stop() {
            return Err(Unknown::Stopped);
        }
        if let Some(broken) = handle(i) {
            return Ok(Walk::Broken(broken));
        }
        let from = waits.partition_point(|&(before, _)| before < i);
        for &(_, j) in waits[from..].iter().take_while(|&&(before, _)| before == i) {
            open[j as usize] -= 1;
            if open[j as usize] == 0 {
                ready.push(Reverse(j));
            }
        }
    }
    let left = (0..).zip(&open).find(|&(_, &open)| open > 0);
    Ok(match left {
        Some((first, _)) => Walk::Stuck { open, first },
        None => Walk::Done,
    })
}
