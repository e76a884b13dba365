//! How well do we find bugs that are known to be there?
//!
//! Every deliberate bug is tried many times, in virtual time and, if asked, in real processes; and beside it
//! the same without any bug, where nothing may be found.
//!
//! - [`aimed`]: schedules that were thought out for one bug.
//! - [`interval`]: what so many hits of so many trials say of the chance of a hit.
//! - [`trial`]: one trial, and rows of them.
//! - [`processes`]: trials in real processes, each a `partita run` of its own.
//! - [`render`]: the table, the heat map.

pub(crate) mod aimed;
pub(crate) mod interval;
pub(crate) mod processes;
pub(crate) mod render;
pub(crate) mod trial;

use partita_protocols::Defect;

/// What a simulation may report that is not a property of safety: a defect is found by these only if it says so.
const NOT_SAFETY: [&str; 4] = ["progress", "assertion", "recovery", "decoding"];

/// Is this what the defect should lead to, in virtual time? The protocol's own properties see the cause before any
/// client sees the effect.
pub(crate) fn is_expected_in_simulation(defect: Option<&Defect>, found: &str) -> bool {
    defect.is_some_and(|defect| defect.invariant == Some(found) || !NOT_SAFETY.contains(&found))
}
