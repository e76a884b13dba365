//! The level check: every operation has its level, or a range of levels, and levels only rise (ALGORITHMS.md 3.1).

use super::sweep::NEVER;

/// An operation that may take effect on some levels only.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leveled {
    /// Its name.
    pub(super) index: u32,
    pub(super) invoked: u32,
    /// [`NEVER`] if it is pending; it is then taken to have happened.
    pub(super) deadline: u32,
    /// The lowest of its levels, and the highest.
    pub(super) levels: (u64, u64),
    /// An observer that has a range; observers have odd levels, and what changes something has even ones.
    pub(super) observes: bool,
    /// A level that is none of its own, though in the range.
    pub(super) except: Option<u64>,
}

/// Two operations, named: the first ended before the second began, and all its levels are higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inversion(pub(super) u32, pub(super) u32);

/// Operations, which are in the order of their invocations, in an order of rising levels. Each takes effect on the
/// lowest level that is possible; without exceptions, an inversion is then one whatever the levels.
pub(super) fn check(operations: &[Leveled]) -> Result<Vec<u32>, Inversion> {
    let mut ends: Vec<u64> = operations
        .iter()
        .enumerate()
        .filter(|(_, operation)| operation.deadline != NEVER)
        .map(|(at, operation)| u64::from(operation.deadline) << 32 | at as u64)
        .collect();
    ends.sort_unstable();
    let mut ends = ends.into_iter().peekable();
    // The level that is reached for certain, and who shows it.
    let mut reached = (0, 0);
    let mut placed: Vec<(u64, u32)> = Vec::with_capacity(operations.len());
    for operation in operations {
        while let Some(end) = ends.next_if(|end| ((end >> 32) as u32) < operation.invoked) {
            let at = end as u32 as usize;
            let shown = match operations[at].except {
                None => operations[at].levels.0,
                Some(_) => placed[at].0,
            };
            if shown > reached.0 {
                reached = (shown, operations[at].index);
            }
        }
        let mut level = operation.levels.0.max(reached.0);
        if operation.observes {
            level |= 1;
        }
        if operation.except == Some(level) {
            level += 2;
        }
        if level > operation.levels.1 {
            return Err(Inversion(reached.1, operation.index));
        }
        placed.push((level, operation.index));
    }
    placed.sort_unstable();
    Ok(placed.into_iter().map(|(_, index)| index).collect())
}
