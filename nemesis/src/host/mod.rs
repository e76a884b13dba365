//! Where nodes run: one room, one process and one folder each.

mod cgroup;
mod excuse;
mod log;
mod process;
mod room;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use cgroup::{Freezer, abandoned, is_in_one as is_in_a_freezer};
pub(crate) use excuse::Excuse;
pub(crate) use process::Process;
pub use process::{CommandSpec, Exit, ProcessState, UnexpectedExit};
pub(crate) use room::Room;

use crate::clock::{self, NodeClock};
use crate::disk::{self, Disk};
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
    disk: OnceLock<Arc<Disk>>,
    spec: Mutex<Option<CommandSpec>>,
    /// Is it started with its other program?
    on_other: AtomicBool,
    /// By how many seconds its time since boot is to be ahead of ours, by the faults that want it so.
    boots: Mutex<BTreeMap<u64, i64>>,
}

/// How often to look whether a process is gone.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Where a node keeps its data, in its folder.
const DATA: &str = "data";
/// Where the library that bends its clock looks how far, in its folder.
const CLOCK: &str = "clock";
/// Where its disk keeps what has lost its name and may get it back.
const ATTIC: &str = "attic";

impl Host {
    pub(crate) fn new(name: &str, room: Arc<Room>, run_dir: &Path) -> Host {
        Host {
            name: name.to_owned(),
            room,
            process: Process::new(),
            clock: NodeClock::new(),
            folder: run_dir.join("nodes").join(name),
            disk: OnceLock::new(),
            spec: Mutex::new(None),
            on_other: AtomicBool::new(false),
            boots: Mutex::default(),
        }
    }

    pub(crate) fn start(&self, spec: CommandSpec, mark: &Mark) -> io::Result<Option<i32>> {
        let other = self.other(&spec);
        let is_other = other.is_some();
        let mut command = process::command(other.unwrap_or(&spec), &self.folder, mark)?;
        self.set_command(spec);
        let watch = self.disk.get().map(|disk| disk.watch(&mut command));
        let watch = watch.transpose()?.flatten();
        if self.process.state().pid().is_none()
            && let Some(disk) = self.disk.get()
        {
            disk.power_on();
        }
        self.clock.put_into(&mut command);
        let ahead = self.boot();
        if ahead != 0 {
            clock::boot_elsewhere(&mut command, ahead);
        }
        let started = self.process.spawn(&self.room, command, is_other)?;
        if started.is_some() {
            self.clock.booted(ahead);
            // First: whoever waits in a sync does not stop to have its clock seen to.
            watch.map_or(Ok(()), disk::Watch::begin)?;
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

    /// Sends SIGKILL to it with all its children. Returns its pid, if it ran.
    pub(crate) fn kill(&self) -> Option<i32> {
        let pid = self.process.kill();
        if let Some(pid) = pid {
            cgroup::release(pid);
        }
        if let Some(disk) = self.disk.get() {
            disk.release();
        }
        pid
    }

    /// Has it keep its data on a disk that can be made to fail.
    pub(crate) fn mount_disk(&self, reach: disk::Reach, options: disk::Options) -> io::Result<()> {
        let [data, attic] = [DATA, ATTIC].map(|name| self.folder.join(name));
        let disk = Disk::make(reach, &data, &attic, options)?;
        self.disk
            .set(Arc::new(disk))
            .map_err(|_| io::ErrorKind::AlreadyExists.into())
    }

    /// Has its programs be begun with the library that bends clocks.
    pub(crate) fn preload_clock(&self, library: &Path) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        self.clock.preload(library, &self.folder.join(CLOCK))
    }

    /// Its disk, if it has one that can be made to fail.
    pub(crate) fn disk(&self) -> Option<&Arc<Disk>> {
        self.disk.get()
    }

    /// The path by which we get at its data, whatever is done to its disk.
    pub(crate) fn data(&self) -> PathBuf {
        let plain = || self.folder.join(DATA);
        self.disk.get().map_or_else(plain, |disk| disk.beneath())
    }

    /// Sets how it is started from now on.
    pub(crate) fn set_command(&self, spec: CommandSpec) {
        *self.spec.lock().unwrap_or_else(PoisonError::into_inner) = Some(spec);
    }

    /// The command for its other program, if that is in use.
    fn other<'a>(&self, spec: &'a CommandSpec) -> Option<&'a CommandSpec> {
        spec.other.as_deref().filter(|_| self.on_other.load(Relaxed))
    }

    /// Has it be started with its other program from now on, or with its own. False if it has no other.
    pub(crate) fn use_other_program(&self, other: bool) -> bool {
        let spec = self.spec.lock().unwrap_or_else(PoisonError::into_inner);
        let has_other = spec.as_ref().is_some_and(|spec| spec.other.is_some());
        self.on_other.store(other && has_other, Relaxed);
        has_other
    }

    /// Is it started with its other program?
    pub(crate) fn is_on_other_program(&self) -> bool {
        self.on_other.load(Relaxed)
    }

    fn boots(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, i64>> {
        self.boots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has it be started with a time since boot that is so many seconds ahead of ours, or no longer because of this
    /// fault.
    pub(crate) fn set_boot(&self, fault: u64, ahead: Option<i64>) {
        match ahead {
            Some(ahead) => drop(self.boots().insert(fault, ahead)),
            None => drop(self.boots().remove(&fault)),
        }
    }

    /// By how many seconds its time since boot is ahead of ours when it is started next: as the last fault wants it.
    pub(crate) fn boot(&self) -> i64 {
        self.boots().last_key_value().map_or(0, |(_, &ahead)| ahead)
    }

    /// Whatever faults want, it is started with our own time since boot. Says whether one wanted something else.
    pub(crate) fn forget_boots(&self) -> bool {
        !std::mem::take(&mut *self.boots()).is_empty()
    }

    /// How it is started just now; `None` if it never was.
    pub(crate) fn command(&self) -> Option<CommandSpec> {
        let spec = self.spec.lock().unwrap_or_else(PoisonError::into_inner);
        spec.as_ref().map(|spec| self.other(spec).unwrap_or(spec).clone())
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

    /// Kills it and waits until nothing is left of it, blocking the calling thread.
    pub(crate) fn end(&self, patience: Duration) -> io::Result<()> {
        let Some(pid) = self.kill() else {
            return Ok(());
        };
        let deadline = Instant::now() + patience;
        while self.process.state().pid() == Some(pid) || !Self::threads(pid).is_empty() {
            if self.process.state().pid() != Some(pid) {
                process::reap_group(pid);
            }
            if Instant::now() > deadline {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("pid {pid} was killed and is not gone"),
                ));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
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
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Some(state)
    }
}
