//! Deletes mutators of a single value that were overwritten before anything could need them.

use std::collections::BTreeMap;

use partita_history::Value;

use super::probe::Probe;
use super::reduce::reduce;
use crate::linearizability::entry::Entry;
use crate::model::Access;

/// Deletes as many superseded mutators as can be. Whether one is superseded depends on later mutators alone, so
/// any set of them may go, the earliest first.
pub(super) fn without_superseded(probe: &Probe<'_>, core: Vec<Entry>) -> Vec<Entry> {
    let positive = |entry: &Entry| !matches!(probe.access(entry), None | Some(Access::Differs(_)));
    if !core.iter().all(positive) {
        return core;
    }
    let mut core = core;
    loop {
        let successions = Successions::new(probe, &core);
        let superseded: Vec<usize> = (0..core.len())
            .filter(|&i| successions.is_superseded(probe, &core[i]))
            .collect();
        let with = |kept: &[usize]| -> Vec<Entry> {
            let is_kept = |i: &usize| kept.binary_search(i).is_ok() || superseded.binary_search(i).is_err();
            (0..core.len()).filter(is_kept).map(|i| core[i]).collect()
        };
        let kept = reduce(
            superseded.clone(),
            || probe.is_spent(),
            |kept| probe.fails(&with(kept)),
        );
        if kept.len() == superseded.len() {
            return core;
        }
        // What is gone may have needed a value that nothing else needs.
        core = with(&kept);
    }
}

/// What is needed when, and what ends when.
struct Successions<'a> {
    /// For each value that is required, when the first operation that requires it begins.
    first_need: BTreeMap<&'a Value, u32>,
    /// For each value that is produced, when the last operation that produces it ends.
    last_end: BTreeMap<&'a Value, u32>,
    /// For each mutator, by invocation: when the first of it and all later ones ends.
    ends: Vec<(u32, u32)>,
}

impl<'a> Successions<'a> {
    fn new(probe: &'a Probe<'_>, core: &[Entry]) -> Self {
        let (mut first_need, mut last_end) = (BTreeMap::new(), BTreeMap::new());
        let mut ends = Vec::new();
        let mut first_end = u32::MAX;
        for entry in core.iter().rev() {
            let end = entry.deadline.unwrap_or(u32::MAX);
            let access = probe.access(entry);
            if let Some(value) = access.and_then(Access::requires) {
                // The first is seen last.
                first_need.insert(value, entry.invoked);
            }
            if let Some(value) = access.and_then(Access::produces) {
                let last = last_end.entry(value).or_insert(end);
                *last = end.max(*last);
            }
            if !probe.is_observer(entry) {
                first_end = first_end.min(end);
                ends.push((entry.invoked, first_end));
            }
        }
        ends.reverse();
        Successions {
            first_need,
            last_end,
            ends,
        }
    }

    /// Whether `entry` left a value that nothing can have needed before another operation replaced it.
    fn is_superseded(&self, probe: &Probe<'_>, entry: &Entry) -> bool {
        let (Some(value), Some(deadline)) = (probe.access(entry).and_then(Access::produces), entry.deadline)
        else {
            return false;
        };
        let need = self.first_need.get(value);
        if need.is_some() && self.last_end.get(value).is_none_or(|&end| end <= deadline) {
            return false;
        }
        let later = self.ends.partition_point(|&(invoked, _)| invoked <= deadline);
        let overwritten = self.ends.get(later).map_or(u32::MAX, |&(_, end)| end);
        overwritten < need.copied().unwrap_or(u32::MAX)
    }
}
