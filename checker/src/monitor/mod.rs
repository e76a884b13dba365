//! Monitors: near-linear judges of special cases (ALGORITHMS.md 3).
//!
//! A monitor states its precondition and never guesses: where that does not hold it says so, and the search
//! decides. A pass comes with a linearization, a failure with a few operations that have none. The answer is
//! that of the search in every case (and is compared with it in tests).
//!
//! To add one: a file here that implements [`Monitor`], and a line in [`REGISTRY`].

mod collection;
mod register;

use crate::linearizability::entry::{Classes, Entry};
use crate::model::Specification;

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
    ("fifo-queue", collection::queue),
    ("stack", collection::stack),
    ("priority-queue", collection::priority_queue),
    ("bag", collection::bag),
];

/// The monitor of an object of `model`, if there is one.
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
    use super::REGISTRY;
    use crate::model::Model;

    #[test]
    fn every_monitor_is_of_a_known_model() {
        for (name, _) in REGISTRY {
            assert!(Model::by_name(name).is_some(), "{name}");
        }
    }
}
