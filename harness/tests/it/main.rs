//! The command as a user meets it: the built binary, real processes, real faults.

mod checking;
mod defects;
mod disks;
mod house;
mod kills;
mod online;
mod runs;
mod simulate;
mod support;
mod trouble;
