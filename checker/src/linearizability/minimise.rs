//! Makes a violation small (ALGORITHMS.md 7): only by steps that keep a linearizable history linearizable, so
//! that what is left proves the whole to be a violation.
//!
//! The steps:
//! - cut to a prefix;
//! - delete an observer;
//! - make a completed mutator pending;
//! - delete a pending mutator that nothing can make use of;
//! - of operations on a single value: delete a set of values with everything that writes or reads them, closed
//!   under compare-and-set (what is swapped in for a deleted value is deleted too);
//! - of such operations: delete a *superseded* mutator m that leaves v, if some completed mutator m' began after m
//!   had ended, and all that requires v began after m' had ended. (In any order, nothing between m and the next
//!   mutator requires v, so nothing misses m.) The last mutator that leaves a required value is kept all the
//!   same: without it a stale value would seem to come from nowhere;
//! - of such operations, if a single one found "not v": delete a pending mutator that leaves w, if there is a pending
//!   write of w' that was invoked before it, and nothing requires w or w' (and neither is v). (All that such a
//!   mutator can do for others is to end v, once, and the write can do it in its place.)
//!
//! No further single step keeps the result a violation, unless the budget was spent before.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use partita_history::Value;

use super::entry::{Entry, Object};
use super::judge::{self, Violation};
use super::orphan;
use super::problem::Problem;
use super::search::{self, Budget, Finding, Order};
use crate::model::Access;
use crate::monitor;

/// How many configurations all probes of one violation may visit together.
const CONFIGURATIONS_MAX: u64 = 20_000_000;

/// Answers whether a set of entries is still a violation.
struct Probe<'a> {
    object: &'a Object<'a>,
    budget: Budget<'a>,
    left: Cell<u64>,
}

impl Probe<'_> {
    /// False also when the budget is spent: what can't be shown to be a violation is not taken for one.
    fn fails(&self, entries: &[Entry]) -> bool {
        let Object {
            classes,
            specification,
            ..
        } = self.object;
        if (self.budget.stop)() {
            return false;
        }
        match self.object.monitor.as_ref().map(|monitor| monitor.judge(entries)) {
            Some(monitor::Finding::Pass(_)) => return false,
            Some(monitor::Finding::Fail(_)) => return true,
            Some(monitor::Finding::NotApplicable(_)) if !self.object.may_search => return false,
            Some(monitor::Finding::NotApplicable(_)) | None => {}
        }
        if orphan::find(entries, classes, *specification).is_some() {
            return true;
        }
        let budget = Budget {
            configurations: self.left.get(),
            ..self.budget
        };
        let (finding, visited) = search::search(
            Order::DepthFirst { foresight: true },
            entries,
            classes,
            *specification,
            budget,
        );
        self.left.set(self.left.get().saturating_sub(visited));
        matches!(finding, Finding::Violation { .. })
    }

    fn access(&self, entry: &Entry) -> Option<Access<'_>> {
        self.object
            .specification
            .access(self.object.classes.get(entry.class))
    }

    fn is_observer(&self, entry: &Entry) -> bool {
        self.object.classes.is_observer(entry.class)
    }
}

/// The entries of a small violation, in the order of their invocations; what became pending has no deadline.
pub(crate) fn minimise(object: &Object<'_>, violation: &Violation, budget: Budget<'_>) -> Vec<Entry> {
    let probe = Probe {
        object,
        budget,
        left: Cell::new(CONFIGURATIONS_MAX.min(budget.configurations)),
    };
    let mut core = judge::prefix(object, violation.position);
    if let Some(orphan) = plain_orphan(&probe, &core) {
        core = orphan;
    } else if let Some(found) = monitored(object, &core) {
        core = found;
    } else if !probe.fails(&core) {
        return core;
    }
    loop {
        let before = core.clone();
        core = without_redundant(&probe, core);
        core = without_values(&probe, core);
        core = without_observers(&probe, core);
        core = without_superseded(&probe, core);
        core = with_fewer_completed(&probe, core);
        core = without_useless(object, core);
        if core == before {
            return core;
        }
    }
}

/// An orphan whose value was written and overwritten by plain writes only: a violation by itself.
fn plain_orphan(probe: &Probe<'_>, entries: &[Entry]) -> Option<Vec<Entry>> {
    let orphan = orphan::find(entries, &probe.object.classes, probe.object.specification)?;
    let is_write = |&i: &usize| matches!(probe.access(&entries[i]), Some(Access::Write(_)));
    let plain = orphan.writers.iter().all(is_write) && orphan.overwriter.iter().all(is_write);
    plain.then(|| orphan.core().into_iter().map(|i| entries[i]).collect())
}

/// What a monitor finds to be a violation by itself.
fn monitored(object: &Object<'_>, entries: &[Entry]) -> Option<Vec<Entry>> {
    match object.monitor.as_ref()?.judge(entries) {
        monitor::Finding::Fail(core) => Some(core.into_iter().map(|i| entries[i as usize]).collect()),
        monitor::Finding::Pass(_) | monitor::Finding::NotApplicable(_) => None,
    }
}

/// Deletes whole values. Operations that found "not v" would be satisfied by a deleted value, so they go first,
/// and if they can't, no value is deleted.
fn without_values(probe: &Probe<'_>, core: Vec<Entry>) -> Vec<Entry> {
    let differs = |entry: &Entry| matches!(probe.access(entry), Some(Access::Differs(_)));
    let mut core = core;
    if core.iter().any(|entry| probe.access(entry).is_none()) {
        return core;
    }
    if core.iter().any(differs) {
        let positive: Vec<Entry> = core.iter().filter(|entry| !differs(entry)).copied().collect();
        if !probe.fails(&positive) {
            return core;
        }
        core = positive;
    }
    let mut values: BTreeSet<&Value> = BTreeSet::new();
    // Newest last: a window at the end is tried first.
    let mut units: Vec<&Value> = Vec::new();
    for entry in core.iter().rev() {
        let access = probe.access(entry);
        let touched = access
            .into_iter()
            .flat_map(|a| [a.requires(), a.produces()])
            .flatten();
        units.extend(touched.filter(|value| values.insert(value)));
    }
    let with = |kept: &[&Value]| with_values(probe, &core, kept);
    let mut window = 2;
    while window < units.len() {
        if probe.fails(&with(&units[..window])) {
            units.truncate(window);
            break;
        }
        window *= 4;
    }
    let kept = reduce(units, |kept| probe.fails(&with(kept)));
    with(&kept)
}

/// The entries that touch no other values than `kept`, and those that these were swapped in for.
fn with_values(probe: &Probe<'_>, core: &[Entry], kept: &[&Value]) -> Vec<Entry> {
    let mut kept: BTreeSet<&Value> = kept.iter().copied().collect();
    loop {
        let before = kept.len();
        // Backwards: what was swapped in comes later than what it was swapped in for.
        for entry in core.iter().rev() {
            if let Some(Access::Swap { from, to }) = probe.access(entry)
                && kept.contains(to)
            {
                kept.insert(from);
            }
        }
        if kept.len() == before {
            break;
        }
    }
    let is_kept = |entry: &&Entry| {
        probe.access(entry).is_none_or(|access| {
            [access.requires(), access.produces()]
                .into_iter()
                .flatten()
                .all(|value| kept.contains(value))
        })
    };
    core.iter().filter(is_kept).copied().collect()
}

fn without_observers(probe: &Probe<'_>, core: Vec<Entry>) -> Vec<Entry> {
    let observers: Vec<usize> = (0..core.len()).filter(|&i| probe.is_observer(&core[i])).collect();
    let with = |kept: &[usize]| -> Vec<Entry> {
        let kept = |i: &usize| kept.binary_search(i).is_ok() || !probe.is_observer(&core[*i]);
        (0..core.len()).filter(kept).map(|i| core[i]).collect()
    };
    let kept = reduce(observers, |kept| probe.fails(&with(kept)));
    with(&kept)
}

fn with_fewer_completed(probe: &Probe<'_>, core: Vec<Entry>) -> Vec<Entry> {
    let is_unit = |i: &usize| core[*i].deadline.is_some() && !probe.is_observer(&core[*i]);
    let completed: Vec<usize> = (0..core.len()).filter(is_unit).collect();
    let with = |kept: &[usize]| -> Vec<Entry> {
        let mut entries = core.clone();
        for &i in completed.iter().filter(|i| kept.binary_search(i).is_err()) {
            entries[i].deadline = None;
        }
        entries
    };
    let kept = reduce(completed.clone(), |kept| probe.fails(&with(kept)));
    with(&kept)
}

/// Deletes mutators that were overwritten before anything could need them.
fn without_superseded(probe: &Probe<'_>, core: Vec<Entry>) -> Vec<Entry> {
    let positive = |entry: &Entry| !matches!(probe.access(entry), None | Some(Access::Differs(_)));
    if !core.iter().all(positive) {
        return core;
    }
    let mut core = core;
    let mut successions = Successions::new(probe, &core);
    let mut at = 0;
    while at < core.len() {
        if successions.is_superseded(probe, &core[at]) {
            let mut rest = core.clone();
            rest.remove(at);
            if probe.fails(&rest) {
                core = rest;
                successions = Successions::new(probe, &core);
                continue;
            }
        }
        at += 1;
    }
    core
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

/// Deletes pending mutators that could only do what an earlier pending write can do as well.
fn without_redundant(probe: &Probe<'_>, core: Vec<Entry>) -> Vec<Entry> {
    let accesses: Option<Vec<Access<'_>>> = core.iter().map(|entry| probe.access(entry)).collect();
    let Some(accesses) = accesses else { return core };
    let mut refused = accesses.iter().filter_map(|access| match access {
        Access::Differs(value) => Some(*value),
        _ => None,
    });
    let (Some(refused), None) = (refused.next(), refused.next()) else {
        return core;
    };
    let mut needed: BTreeSet<&Value> = accesses.iter().filter_map(|access| access.requires()).collect();
    needed.insert(refused);
    let mut has_write = false;
    let mut kept = Vec::with_capacity(core.len());
    for (entry, access) in core.iter().zip(&accesses) {
        let is_idle =
            entry.deadline.is_none() && access.produces().is_some_and(|value| !needed.contains(value));
        if !(is_idle && has_write) {
            kept.push(*entry);
        }
        has_write |= is_idle && matches!(access, Access::Write(_));
    }
    kept
}

/// Without the pending operations that no completed one can make use of.
fn without_useless(object: &Object<'_>, core: Vec<Entry>) -> Vec<Entry> {
    let problem = Problem::new(&core, &object.classes, object.specification);
    let useful: BTreeSet<u32> = problem.useful().collect();
    let is_useful = |(i, entry): &(usize, Entry)| entry.deadline.is_some() || useful.contains(&(*i as u32));
    core.into_iter()
        .enumerate()
        .filter(is_useful)
        .map(|(_, entry)| entry)
        .collect()
}

/// Leaves out units as long as `fails` says that what is kept is still a violation (a form of delta debugging:
/// Zeller and Hildebrandt, TSE 2002): halves first, single ones last.
fn reduce<U: Copy>(units: Vec<U>, mut fails: impl FnMut(&[U]) -> bool) -> Vec<U> {
    let mut kept = units;
    let mut chunk = kept.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut removed = false;
        while at < kept.len() {
            let end = (at + chunk).min(kept.len());
            let rest = [&kept[..at], &kept[end..]].concat();
            if fails(&rest) {
                kept = rest;
                removed = true;
            } else {
                at = end;
            }
        }
        match chunk {
            1 if !removed => return kept,
            1 => {}
            _ => chunk = chunk.div_ceil(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::reduce;

    #[test]
    fn what_is_left_is_needed() {
        for needed in [&[3][..], &[0, 17, 39], &[], &[20, 21, 22]] {
            let kept = reduce((0..40).collect(), |kept| needed.iter().all(|n| kept.contains(n)));
            assert_eq!(kept, needed);
        }
    }
}
