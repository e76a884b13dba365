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
//!   mutator can do for others is to end v, once, and the write can do it in its place);
//! - make a mutator *blind*: forget what it needed to find (a compare-and-set becomes a write). That cuts the chains
//!   that compare-and-sets form, and is tried only on counterexamples that are large without it.
//!
//! No further single step keeps the result a violation, unless the budget was spent before.

mod probe;
mod reduce;
mod superseded;

use std::collections::BTreeSet;

use partita_history::{OpId, Value};

use super::entry::{Entry, Object};
use super::judge::{self, Violation};
use super::orphan;
use super::problem::Problem;
use super::search::Budget;
use crate::model::Access;
use crate::monitor;
use probe::Probe;
use reduce::reduce;
use superseded::without_superseded;

/// A counterexample of no more operations is left as the history has it.
const BLIND_FROM: usize = 6;
/// A larger one is made blind before all else: every other step would look at all of a chain many times.
const BLIND_FIRST_FROM: usize = 100;

/// A small violation.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    /// In the order of their invocations; what became pending has no deadline, and what became blind another class.
    pub(crate) entries: Vec<Entry>,
    /// The operations that became blind.
    pub(crate) blind: Vec<OpId>,
    /// Whether no further single step keeps it a violation.
    pub(crate) is_minimal: bool,
}

/// Makes a violation small. What is to become blind needs [`super::entry::Classes::add_blind`] before.
pub(crate) fn minimise(object: &Object<'_>, violation: &Violation, budget: Budget<'_>) -> Core {
    let mut core = judge::prefix(object, violation.position);
    let probe = Probe::new(object, core.len(), budget);
    let mut is_minimal = true;
    if let Some(orphan) = plain_orphan(&probe, &core) {
        core = orphan;
    } else if let Some(found) = monitored(object, &core) {
        core = found;
    } else {
        is_minimal = probe.fails(&core);
    }
    if is_minimal {
        if core.len() > BLIND_FIRST_FROM {
            core = blinded(&probe, core);
        }
        core = reduced(&probe, core);
        if core.len() > BLIND_FROM {
            let before = core.clone();
            core = blinded(&probe, core);
            if core != before {
                core = reduced(&probe, core);
            }
        }
    }
    let is_blind = |entry: &&Entry| {
        let at = object
            .entries
            .partition_point(|other| other.invoked < entry.invoked);
        object.entries[at].class != entry.class
    };
    Core {
        blind: core.iter().filter(is_blind).map(|entry| entry.id).collect(),
        is_minimal: is_minimal && probe.answered_all(),
        entries: core,
    }
}

/// All steps but blindness, for as long as they find something.
fn reduced(probe: &Probe<'_>, mut core: Vec<Entry>) -> Vec<Entry> {
    let steps = [
        without_redundant,
        without_values,
        without_observers,
        without_superseded,
        with_fewer_completed,
        without_useless,
    ];
    loop {
        let before = core.clone();
        for step in steps {
            if probe.is_spent() {
                return core;
            }
            core = step(probe, core);
        }
        if core == before {
            return core;
        }
    }
}

/// Forgets what mutators needed to find, where that was not needed for the violation.
fn blinded(probe: &Probe<'_>, core: Vec<Entry>) -> Vec<Entry> {
    let classes = &probe.object.classes;
    let seeing: Vec<usize> = (0..core.len())
        .filter(|&i| classes.blind(core[i].class).is_some())
        .collect();
    let with = |kept: &[usize]| -> Vec<Entry> {
        let mut entries = core.clone();
        for &i in seeing.iter().filter(|i| kept.binary_search(i).is_err()) {
            entries[i].class = classes.blind(core[i].class).unwrap_or(core[i].class);
        }
        entries
    };
    let kept = reduce(
        seeing.clone(),
        || probe.is_spent(),
        |kept| probe.fails(&with(kept)),
    );
    with(&kept)
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
    let kept = reduce(units, || probe.is_spent(), |kept| probe.fails(&with(kept)));
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
    let kept = reduce(observers, || probe.is_spent(), |kept| probe.fails(&with(kept)));
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
    let kept = reduce(
        completed.clone(),
        || probe.is_spent(),
        |kept| probe.fails(&with(kept)),
    );
    with(&kept)
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
fn without_useless(probe: &Probe<'_>, core: Vec<Entry>) -> Vec<Entry> {
    let object = probe.object;
    let problem = Problem::new(&core, &object.classes, object.specification);
    let useful: BTreeSet<u32> = problem.useful().collect();
    let is_useful = |(i, entry): &(usize, Entry)| entry.deadline.is_some() || useful.contains(&(*i as u32));
    core.into_iter()
        .enumerate()
        .filter(is_useful)
        .map(|(_, entry)| entry)
        .collect()
}
