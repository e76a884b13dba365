//! Where nodes run: one room, one process and one folder each.

mod log;
mod process;
mod room;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(crate) use process::Process;
pub use process::{CommandSpec, Exit, ProcessState, UnexpectedExit};
pub(crate) use room::Room;

use crate::clock::{self, NodeClock};
use crate::mark::Mark;
use crate::procfs;

/// A node and the place it runs in.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) room: Arc<Room>,
    pub(crate) process: Arc<Process>,
    pub(crate) clock: Arc<NodeClock>,
    folder: PathBuf,
    spec: Mutex<Option<CommandSpec>>,
}

impl Host {
    pub(crate) fn new(name: &str, room: Arc<Room>, run_dir: &Path) -> Host {
        Host {
            name: name.to_owned(),
            room,
            process: Process::new(),
            clock: NodeClock::new(),
            folder: run_dir.join("nodes").join(name),
            spec: Mutex::new(None),
        }
    }

    pub(crate) fn start(&self, spec: CommandSpec, mark: &Mark) -> io::Result<Option<i32>> {
        let command = process::command(&spec, &self.folder, mark)?;
        *self.spec.lock().unwrap_or_else(PoisonError::into_inner) = Some(spec);
        let started = self.process.spawn(&self.room, command)?;
        if started.is_some() {
            self.take_up_clock(started);
        }
        Ok(started)
    }

    /// What faults do to the node's clocks holds for a process that starts while they are in force, from its
    /// first instructions on.
    fn take_up_clock(&self, leader: Option<i32>) {
        let clock = &self.clock;
        let settled = clock::apart(|| clock.settle(leader));
        if let Ok(Err(error)) = settled {
            // The probe that follows the healing will see it too.
            tracing::warn!("{}: its clocks are not as they should be: {error}", self.name);
        }
    }

    /// Starts it as it was last started. `None` if it runs, or never was started.
    pub(crate) fn restart(&self, mark: &Mark) -> io::Result<Option<i32>> {
        let spec = self.spec.lock().unwrap_or_else(PoisonError::into_inner).clone();
        spec.map_or(Ok(None), |spec| self.start(spec, mark))
    }

    pub(crate) fn log_tail(&self, lines: usize) -> io::Result<String> {
        log::tail(&self.folder.join("node.log"), lines)
    }

    /// What lies on disk for this node.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Those of the node's processes that have not ended, with the states of their threads.
    pub(crate) fn threads(leader: i32) -> BTreeMap<i32, Vec<procfs::Stat>> {
        procfs::family(leader)
            .into_iter()
            .filter(|&pid| procfs::stat(pid).is_some_and(|stat| !stat.has_ended()))
            .map(|pid| (pid, procfs::thread_stats(pid)))
            .collect()
    }

    /// Waits until nothing is left of a killed process: itself reaped, its group ended.
    pub(crate) async fn gone(&self, pid: i32, patience: Duration) -> Option<ProcessState> {
        let state = self.process.ended(pid, patience).await?;
        let deadline = tokio::time::Instant::now() + patience;
        while !Self::threads(pid).is_empty() {
            process::reap_group(pid);
            if tokio::time::Instant::now() > deadline {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Some(state)
    }
}
