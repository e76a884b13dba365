//! Γ of any object that has a monitor: by how much everything would have to be widened (ALGORITHMS.md 4).
//!
//! Widening never breaks a linearization (ALGORITHMS.md 7), so the least amount is found by bisection.

use super::result::{Extent, Unit};
use super::scene::{Moment, NEVER, length, span};
use crate::linearizability::entry::{Entry, Object};
use crate::monitor::{Finding, Monitor};

/// The most operations that are judged again and again.
const OPERATIONS_MAX: usize = 100_000;

/// The least amount by which all ends must be moved on.
pub(super) fn clock_error(object: &Object<'_>, unit: Unit, stop: &dyn Fn() -> bool) -> Extent {
    let Some(monitor) = &object.monitor else {
        return Extent::NotKnown("no near-linear monitor judges this object".to_owned());
    };
    if object.entries.len() > OPERATIONS_MAX {
        return Extent::NotKnown("there are too many operations".to_owned());
    }
    let spans: Vec<(Moment, Moment)> = object
        .entries
        .iter()
        .map(|entry| span(object, entry, unit))
        .collect();
    let fits = |slack| passes(&**monitor, &widened(&object.entries, &spans, slack));
    let last = spans.iter().map(|&(began, _)| began).max();
    let first = spans.iter().map(|&(_, ended)| ended).min();
    let (Some(last), Some(first)) = (last, first) else {
        return Extent::Exactly(0);
    };
    let (mut low, mut high) = (0, (last - first).max(0));
    match fits(high) {
        Some(true) => {}
        Some(false) => {
            return Extent::Boundless("even if everything overlapped it would be wrong".to_owned());
        }
        None => return Extent::NotKnown("its monitor cannot judge these operations".to_owned()),
    }
    while low < high {
        if stop() {
            return Extent::AtLeast(length(low));
        }
        let middle = low + (high - low) / 2;
        match fits(middle) {
            Some(true) => high = middle,
            Some(false) => low = middle + 1,
            None => return Extent::AtLeast(length(low)),
        }
    }
    Extent::Exactly(length(low))
}

fn passes(monitor: &dyn Monitor, entries: &[Entry]) -> Option<bool> {
    match monitor.judge(entries) {
        Finding::Pass(_) => Some(true),
        Finding::Fail(_) => Some(false),
        Finding::NotApplicable(_) => None,
    }
}

/// The entries with their ends moved on, in the order of their invocations; moments become positions. Intervals
/// are closed: at one moment, invocations come before returns.
fn widened(entries: &[Entry], spans: &[(Moment, Moment)], slack: Moment) -> Vec<Entry> {
    let mut events: Vec<(Moment, bool, u32)> = Vec::with_capacity(2 * entries.len());
    for (i, (entry, &(began, ended))) in (0..).zip(entries.iter().zip(spans)) {
        events.push((began, false, i));
        if entry.deadline.is_some() {
            events.push(((ended + slack).min(NEVER), true, i));
        }
    }
    events.sort_unstable();
    let mut widened = entries.to_vec();
    for (position, (_, returns, i)) in (0..).zip(events) {
        let entry = &mut widened[i as usize];
        match returns {
            true => entry.deadline = Some(position),
            false => entry.invoked = position,
        }
    }
    widened.sort_unstable_by_key(|entry| entry.invoked);
    widened
}
