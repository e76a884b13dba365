//! Removes what a dead run left behind.
//!
//! Hardly anything that a run makes has a name on the host: its namespaces, bridge and rules vanish with its last
//! process, and the kernel kills that with the controller. What can be left are control groups, which bear the
//! run's mark in their names, with what stands still in those of version 1, and, where no PID namespace was to be had,
//! processes. They are known by their [mark](crate::mark), never by their name, and they are touched
//! only if the controller that started them is dead: runs side by side don't disturb each other.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::host;
use crate::mark::{Mark, VARIABLE};
use crate::procfs::{self, Stat};

/// A process that was killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its pid.
    pub pid: i32,
    /// Its command line.
    pub command: String,
    /// The run that had started it.
    pub run: String,
}

/// Kills every process of this user that a run started whose controller is dead.
pub fn clean() -> Vec<Removed> {
    let Some(own_namespace) = procfs::pid_namespace(std::process::id().cast_signed()) else {
        return Vec::new();
    };
    let mut doomed = BTreeMap::new();
    for pid in procfs::processes() {
        // Who it is comes before what it bears: if the pid changes hands in between, the stranger is not taken for it.
        let Some(stat) = procfs::stat(pid).filter(|stat| !stat.has_ended()) else {
            continue;
        };
        let Some(mark) = abandoned(pid, own_namespace) else {
            continue;
        };
        doomed.insert(pid, (stat, mark.run().to_owned()));
        if let Some((inner, stat)) = inner_controller(pid) {
            doomed.insert(inner, (stat, mark.run().to_owned()));
        }
    }
    doomed.remove(&std::process::id().cast_signed());
    // Told before the first is killed: with the first process of a namespace all others in it end.
    let removed: Vec<Removed> = doomed
        .iter()
        .map(|(&pid, (_, run))| Removed {
            pid,
            command: procfs::command(pid),
            run: run.clone(),
        })
        .collect();
    for (pid, (stat, _)) in doomed {
        destroy(pid, stat);
    }
    removed
}

/// Removes every control group that a run made whose controller is dead. Returns their paths.
pub fn clean_groups() -> Vec<PathBuf> {
    match procfs::pid_namespace(std::process::id().cast_signed()) {
        None => Vec::new(),
        Some(own) => host::abandoned(|mark| mark.is_from(own) && !mark.controller_is_alive()),
    }
}

fn abandoned(pid: i32, own_namespace: u64) -> Option<Mark> {
    let mark: Mark = procfs::variable(pid, VARIABLE)?.parse().ok()?;
    (mark.is_from(own_namespace) && !mark.controller_is_alive()).then_some(mark)
}

/// The first process of the PID namespace that a marked process lives in, if that is not ours. It ought to
/// have died with its parent; it bears no mark itself, for it was forked and not executed.
fn inner_controller(marked: i32) -> Option<(i32, Stat)> {
    let namespace = procfs::pid_namespace(marked)?;
    let mut pid = marked;
    loop {
        let stat = procfs::stat(pid)?;
        let inner_pids = procfs::status_field(pid, "NSpid")?;
        let mut inner_pids = inner_pids.split_whitespace();
        inner_pids.next()?;
        if procfs::pid_namespace(pid)? != namespace {
            return None;
        }
        if inner_pids.next_back()? == "1" {
            return Some((pid, stat));
        }
        pid = stat.parent;
    }
}

/// Asks once more who it is, for the pid may have been reused since.
fn destroy(pid: i32, expected: Stat) {
    if procfs::stat(pid).is_some_and(|stat| stat.started == expected.started) {
        // It may have ended just now, which is as well.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}
