//! The command as a user meets it: the built binary, real processes, real faults.

mod checking;
mod defects;
mod disks;
mod findings;
#[path = "../../src/formats.rs"]
mod formats;
mod house;
mod kills;
mod nightly;
mod online;
mod runs;
mod serving;
mod shrinking;
mod simulate;
mod support;
mod trouble;
