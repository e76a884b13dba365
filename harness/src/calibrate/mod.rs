//! How well do we find bugs that are known to be there?
//!
//! Every deliberate bug is tried many times, in virtual time and, if asked, in real processes; and beside it
//! the same without any bug, where nothing may be found.
//!
//! - [`interval`]: what so many hits of so many trials say of the chance of a hit.
//! - [`trial`]: one trial, and rows of them.
//! - [`processes`]: trials in real processes, each a `partita run` of its own.
//! - [`render`]: the table, the heat map.

pub(crate) mod interval;
pub(crate) mod processes;
pub(crate) mod render;
pub(crate) mod trial;
