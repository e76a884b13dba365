//! Leaves out items that a violation does not need: deleting all operations on an item keeps a linearizable history
//! linearizable (ALGORITHMS.md 7).

use super::{Finding, Kind, Operation, judge, renumbered};

/// Violations of more items are left as they are.
const ITEMS_MAX: usize = 48;

/// Indices of some of the `core` operations, still a violation. Items that were there from the beginning stay.
pub(super) fn shrink(kind: &Kind, operations: &[Operation], initial: &[u32], core: Vec<u32>) -> Vec<u32> {
    let item = |i: &u32| operations[*i as usize].step.item();
    let mut items: Vec<u32> = core.iter().filter_map(item).collect();
    items.sort_unstable();
    items.dedup();
    items.retain(|item| !initial.contains(item));
    if !(2..=ITEMS_MAX).contains(&items.len()) {
        return core;
    }
    let mut core = core;
    for deleted in items {
        let rest: Vec<u32> = core
            .iter()
            .copied()
            .filter(|i| item(i) != Some(deleted))
            .collect();
        if rest.len() == core.len() {
            continue;
        }
        let picked: Vec<Operation> = rest.iter().map(|&i| operations[i as usize]).collect();
        let (picked, items, initial) = renumbered(&picked, initial);
        if let Finding::Fail(smaller) = judge(kind, &picked, items, &initial) {
            core = smaller.into_iter().map(|i| rest[i as usize]).collect();
        }
    }
    core
}
