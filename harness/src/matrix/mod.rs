//! A night: many runs, of targets, workloads, faults and seeds, and one verdict.
//!
//! - [`mod@file`]: the TOML that says what to run. `source`: names in it, and where they stand.
//! - [`cell`]: one run of the matrix, as data: what to start, and what must come of it.
//! - [`canary`]: runs that must fail, drawn from the catalogue of defects.
//! - [`night`]: the directory of a night, from which it can be taken up again.
//! - [`perform`]: carries a cell out, as a process of its own.
//! - [`work`]: the order of the cells, how many at a time, and until when.
//! - [`tally`]: the verdict of the night.
//! - [`page`], [`junit`], [`markdown`]: the same night for a browser, a CI system, and the summary of its job.

pub(crate) mod canary;
pub(crate) mod cell;
pub(crate) mod file;
pub(crate) mod junit;
pub(crate) mod markdown;
pub(crate) mod night;
pub(crate) mod page;
pub(crate) mod perform;
mod source;
pub(crate) mod tally;
pub(crate) mod work;
