//! Monitors: near-linear judges of special cases (ALGORITHMS.md 3).
//!
//! A monitor states its precondition and never guesses: where that does not hold it says so, and the search
//! decides. A pass comes with a linearization, a failure with a few operations that have none. The answer is
//! that of the search in every case (and is compared with it in tests).
//!
//! To add one: a file here that implements [`Monitor`], and a line in [`REGISTRY`].

mod collection;
mod counter;
mod level;
mod lock;
mod numbered;
pub(crate) mod register;
mod set;
pub(crate) mod stream;
pub(crate) mod sweep;
mod switch;
mod whole;

use crate::linearizability::entry::{Classes, Entry};
use crate::model::Specification;
use stream::Stream;

/// What a monitor says of some operations; they are named by their indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// A linearization: all completed operations, and the pending ones that must have happened.
    Pass(Vec<u32>),
    /// In the order of their invocations, a few that have no linearization even by themselves, for a reason that
    /// holds for the whole as well.
    Fail(Vec<u32>),
    /// The precondition does not hold; why not, as the end of a sentence that begins with "because".
    NotApplicable(&'static str),
}

/// Judges operations on one object.
pub(crate) trait Monitor: Send + Sync {
    /// Judges some of the object's operations, in the order of their invocations. If it applies to them, it
    /// applies to every part of them, whichever of them are pending; except that collections
    /// (`collection::removals`) may have to leave to the search what is pending at the end of a part.
    fn judge(&self, entries: &[Entry]) -> Finding;
}

/// Makes the monitor of an object whose operations are of these classes.
type Make = fn(&Classes, &dyn Specification) -> Option<Box<dyn Monitor>>;

/// For each model that has one, by name, its monitor.
const REGISTRY: &[(&str, Make)] = &[
    ("register", register::make),
    ("cas-register", register::make),
    ("versioned-register", numbered::versioned_register),
    ("counter", |classes, specification| {
        Some(counter::make(classes, specification))
    }),
    ("set", |classes, specification| {
        Some(set::make(classes, specification))
    }),
    ("grow-only-set", |classes, specification| {
        Some(whole::grow_only_set(classes, specification))
    }),
    ("list", |classes, specification| {
        Some(whole::list(classes, specification))
    }),
    ("append-log", numbered::append_log),
    ("mutex", |classes, specification| {
        Some(lock::mutex(specification).into_monitor(classes))
    }),
    ("owned-mutex", |classes, specification| {
        Some(lock::owned_mutex(specification).into_monitor(classes))
    }),
    ("semaphore", |classes, specification| {
        Some(lock::semaphore_monitor(classes, specification))
    }),
    ("fifo-queue", collection::queue),
    ("stack", collection::stack),
    ("priority-queue", collection::priority_queue),
    ("bag", collection::bag),
];

/// Makes the sweep of an object during a run.
type MakeStream = fn(&dyn Specification) -> Box<dyn Stream>;

/// For each model that has one, by name, its sweep.
const STREAMS: &[(&str, MakeStream)] = &[
    ("counter", |specification| Box::new(counter::sweep(specification))),
    ("set", |specification| Box::new(set::Streamed::new(specification))),
    ("mutex", |specification| Box::new(lock::mutex(specification))),
    ("owned-mutex", |specification| {
        Box::new(lock::owned_mutex(specification))
    }),
    ("semaphore", lock::semaphore_stream),
];

/// The sweep of an object of `model` during a run, if there is one; as [`of`].
pub(crate) fn stream_of(model: &str, specification: &dyn Specification) -> Option<Box<dyn Stream>> {
    let (_, make) = STREAMS.iter().find(|(name, _)| *name == model)?;
    Some(make(specification))
}

/// The monitor of an object of `model`, if there is one; `model` is one of ours, see [`crate::model::registered_name`]:
/// a user's own has none, even if it is named like one of ours.
pub(crate) fn of(
    model: &str,
    classes: &Classes,
    specification: &dyn Specification,
) -> Option<Box<dyn Monitor>> {
    let (_, make) = REGISTRY.iter().find(|(name, _)| *name == model)?;
    make(classes, specification)
}

#[cfg(test)]
mod tests {
    use super::{REGISTRY, STREAMS};
    use crate::model::Model;

    #[test]
    fn every_monitor_is_of_a_known_model() {
        for (name, _) in REGISTRY {
            assert!(Model::by_name(name).is_some(), "{name}");
        }
        for (name, _) in STREAMS {
            assert!(REGISTRY.iter().any(|(other, _)| other == name), "{name}");
        }
    }
}
