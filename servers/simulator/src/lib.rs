//! Runs protocol cores in virtual time: network, disk and clock from one seed.
//!
//! [`simulate`] runs a cluster, its clients and the faults that befall it, until the time is over or
//! something is violated. Everything that happens is drawn from the seed, so the same seed is the same run:
//! [`Report::trace`] says so.
//!
//! - [`Options`], [`Report`]: what to run, what came of it.
//! - `simulation`: the loop: takes the next event, whatever its kind. `ahead`: what lies ahead. `requests`: what
//!   clients and the operator ask for, under way. `mishaps`: what goes wrong, carried out. `settings`: what nodes
//!   are told.
//! - `world`: the nodes, and what befalls them. `step`: what their effects do to disk, network and store.
//! - [`TraceEvent`]: what happened, for a reader. `fingerprint`: the same, for a comparison.
//! - [`Simulator`]: the protocols by name.
//! - `network`: delays, losses, doubles, cuts. `disk`: what a crash leaves. `node`: one node and its clock.
//! - [`minimize`]: a smaller [`Scenario`] that still fails.
//! - [`schedule`]: faults as data. `faults`: draws them. `operator`: changes members, moves leaders.
//! - [`invariants`]: what must hold after every step, one property a file.
//! - [`Load`]: what clients do, and who judges it. [`Lists`]: single-writer lists, of which every read must be
//!   a prefix, no shorter than what was acknowledged or read before it. [`Registers`]: registers that are
//!   written once. `clients`: whom they ask.
//!
//! When the faults are over the cluster must work again: that is a property like any other, "progress".
//!
//! **Invariant.** A crash drops the core and keeps what the disk had synced, and then some prefix of the
//! rest. What belongs to an earlier incarnation of a node, a tick or the completion of a write, never reaches
//! a later one.

mod ahead;
mod clients;
mod disk;
mod faults;
mod fingerprint;
mod frame;
pub mod invariants;
mod lists;
mod load;
mod minimize;
mod mishaps;
mod names;
mod network;
mod node;
mod operator;
mod queue;
mod registers;
mod registry;
mod report;
mod requests;
pub mod schedule;
mod settings;
mod simulation;
mod step;
mod trace;
mod world;

pub use invariants::{Invariant, Observed, Simulated};
pub use lists::Lists;
pub use load::{Ask, Ended, Load};
pub use minimize::{Run, Scenario, minimize};
pub use registers::Registers;
pub use registry::Simulator;
pub use report::{Counts, Options, Report, Violation};
pub use simulation::{Extras, Recorded, simulate, simulate_with};
pub use trace::{Happened, TraceEvent};
