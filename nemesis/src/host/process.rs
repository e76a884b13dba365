//! One node's process: started, signalled, and watched by a thread that learns how it ends.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, getpid, getppid};
use tokio::sync::watch;

use super::excuse::{Excuse, Excuses};
use super::room::Room;
use crate::mark::{Mark, VARIABLE};
use crate::procfs;

/// How to start a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandSpec {
    /// The program's path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to the controller's own environment.
    pub env: BTreeMap<String, String>,
    /// Where it runs; the node's folder in the run directory if `None`.
    pub directory: Option<PathBuf>,
    /// How to start it with another program, where there is one: an older release, or a newer one.
    pub other: Option<Box<CommandSpec>>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(ExitStatus);

impl Exit {
    /// The number of the signal that ended it, if one did.
    pub fn signal(self) -> Option<i32> {
        std::os::unix::process::ExitStatusExt::signal(&self.0)
    }

    /// Its exit code, if it ended by itself.
    pub fn code(self) -> Option<i32> {
        self.0.code()
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a node's process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// It has not been started yet.
    NotStarted,
    /// It runs.
    Running {
        /// Its pid, as the controller sees it.
        pid: i32,
    },
    /// We stopped it, and have not continued it.
    Paused {
        /// Its pid, as the controller sees it.
        pid: i32,
    },
    /// We killed it, or it ended because we asked it to.
    Killed(Exit),
    /// It ended, and we had no part in that.
    Exited(Exit),
}

impl ProcessState {
    /// The pid of a process that exists, be it paused.
    pub fn pid(self) -> Option<i32> {
        match self {
            ProcessState::Running { pid } | ProcessState::Paused { pid } => Some(pid),
            _ => None,
        }
    }
}

/// A process that ended without our doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnexpectedExit {
    /// The node.
    pub node: String,
    /// The pid that it had.
    pub pid: i32,
    /// How it ended.
    pub exit: Exit,
    /// Was it the node's [other program](CommandSpec::other)?
    pub is_other: bool,
    /// When this was noticed.
    pub at: Instant,
}

/// What is known of a node's process. Shared with the thread that waits for its end.
#[derive(Debug)]
pub(crate) struct Process {
    inner: Mutex<Inner>,
    state: watch::Sender<ProcessState>,
}

/// How we have a process end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doom {
    /// It was asked to (SIGTERM), which it may answer with any exit code.
    Asked,
    /// It was killed.
    Killed,
}

impl Doom {
    /// Is it what the process ended of? What ended by itself just before our signal was not killed by it, and what
    /// crashes when it is asked to end has crashed.
    fn explains(self, exit: Exit) -> bool {
        let killed = exit.signal() == Some(Signal::SIGKILL as i32);
        match self {
            Doom::Killed => killed,
            Doom::Asked => killed || exit.code().is_some() || exit.signal() == Some(Signal::SIGTERM as i32),
        }
    }
}

#[derive(Debug)]
struct Inner {
    /// The end that comes next is our doing.
    doom: Option<Doom>,
    /// Does it run the node's other program?
    is_other: bool,
    exits: Vec<UnexpectedExit>,
    /// What was done to it that it may well end of.
    excuses: Excuses,
    /// The ends that had an excuse, in words.
    excused: Vec<String>,
}

impl Process {
    pub(crate) fn new() -> Arc<Process> {
        Arc::new(Process {
            inner: Mutex::new(Inner {
                doom: None,
                is_other: false,
                exits: Vec::new(),
                excuses: Excuses::default(),
                excused: Vec::new(),
            }),
            state: watch::Sender::new(ProcessState::NotStarted),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> ProcessState {
        *self.state.borrow()
    }

    /// The state when no signal of ours is under way that changes it.
    pub(crate) fn settled_state(&self) -> ProcessState {
        let _inner = self.lock();
        self.state()
    }

    /// The ends that we had no part in, told of this node.
    pub(crate) fn unexpected_exits(&self, node: &str) -> Vec<UnexpectedExit> {
        let mut exits = self.lock().exits.clone();
        exits.iter_mut().for_each(|exit| node.clone_into(&mut exit.node));
        exits
    }

    /// From now on the process may end by itself, if the fault did this to it.
    pub(crate) fn excuse(&self, fault: u64, excuse: Option<Excuse>) {
        self.lock().excuses.set(fault, excuse);
    }

    /// The fault is over, and a process that was met by it is excused only until then.
    pub(crate) fn end_excuse(&self, fault: u64, end: Instant) {
        self.lock().excuses.end(fault, end);
    }

    /// The ends that we had a part in though we did not kill, in words.
    pub(crate) fn excused(&self) -> Vec<String> {
        self.lock().excused.clone()
    }

    /// Starts the process in the room, with the node's other program or its own. `None` if it runs already.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        room: &Room,
        command: Command,
        is_other: bool,
    ) -> io::Result<Option<i32>> {
        let mut inner = self.lock();
        if self.state().pid().is_some() {
            return Ok(None);
        }
        let mut child = room.run(move || tied_to_thread(command).spawn())?;
        let pid = child.id().cast_signed();
        inner.doom = None;
        inner.is_other = is_other;
        inner.excuses.start_anew();
        self.state.send_replace(ProcessState::Running { pid });
        let process = Arc::clone(self);
        let watcher = std::thread::Builder::new().name(format!("watch {pid}"));
        watcher.spawn(move || process.watch(&mut child))?;
        Ok(Some(pid))
    }

    /// Waits for the end, then takes note of it. While the dead process is not yet reaped its pid can't be
    /// given to another, and it is reaped under the lock: so a signal sent under the lock never hits a stranger.
    fn watch(&self, child: &mut Child) {
        let pid = child.id().cast_signed();
        wait_for_end(pid);
        let mut inner = self.lock();
        let Ok(status) = child.wait() else { return };
        reap_group(pid);
        let exit = Exit(status);
        if inner.doom.is_some_and(|doom| doom.explains(exit)) {
            self.state.send_replace(ProcessState::Killed(exit));
        } else if let Some(excuse) = inner.excuses.words(Instant::now()) {
            let text = format!("pid {pid}, {exit}: {excuse}");
            inner.excused.push(text);
            self.state.send_replace(ProcessState::Exited(exit));
        } else {
            let ended = UnexpectedExit {
                node: String::new(),
                pid,
                exit,
                is_other: inner.is_other,
                at: Instant::now(),
            };
            inner.exits.push(ended);
            self.state.send_replace(ProcessState::Exited(exit));
        }
    }

    /// Sends SIGKILL to the process and its group. Returns its pid, if there was one.
    pub(crate) fn kill(&self) -> Option<i32> {
        let mut inner = self.lock();
        let pid = self.state().pid()?;
        // One that had been asked to end may be doing so just now.
        inner.doom.get_or_insert(Doom::Killed);
        signal_family(pid, Signal::SIGKILL);
        Some(pid)
    }

    /// Asks the process and its group to end. Returns its pid, if there was one.
    pub(crate) fn terminate(&self) -> Option<i32> {
        let mut inner = self.lock();
        let pid = self.state().pid()?;
        inner.doom.get_or_insert(Doom::Asked);
        signal_family(pid, Signal::SIGTERM);
        Some(pid)
    }

    /// Has a running process stand still, or go on, for a moment: it counts as running all the while, and one that
    /// is paused stays so. Only its group is signalled, as this is done many times a second.
    pub(crate) fn hold(&self, pid: i32, still: bool) {
        let _inner = self.lock();
        if self.state() == (ProcessState::Running { pid }) {
            let signal = if still { Signal::SIGSTOP } else { Signal::SIGCONT };
            let _ = killpg(Pid::from_raw(pid), signal);
        }
    }

    /// Does something to a process that must not be killed in the middle of it. `None` if it is not there, or is
    /// already meant to end.
    pub(crate) fn unless_doomed<T>(&self, pid: i32, work: impl FnOnce() -> T) -> Option<T> {
        let inner = self.lock();
        let is_doomed = inner.doom.is_some() || self.state().pid() != Some(pid);
        (!is_doomed).then(work)
    }

    /// Stops the process and its group. Returns its pid if it was running.
    pub(crate) fn pause(&self) -> Option<i32> {
        let _inner = self.lock();
        let ProcessState::Running { pid } = self.state() else {
            return None;
        };
        signal_family(pid, Signal::SIGSTOP);
        self.state.send_replace(ProcessState::Paused { pid });
        Some(pid)
    }

    /// Continues the process and its group. Returns its pid if it was paused.
    pub(crate) fn resume(&self) -> Option<i32> {
        let _inner = self.lock();
        let ProcessState::Paused { pid } = self.state() else {
            return None;
        };
        signal_family(pid, Signal::SIGCONT);
        self.state.send_replace(ProcessState::Running { pid });
        Some(pid)
    }

    /// Waits until the process `pid` has ended and been reaped. `None` if that takes too long.
    pub(crate) async fn ended(&self, pid: i32, patience: Duration) -> Option<ProcessState> {
        let mut state = self.state.subscribe();
        let ended = state.wait_for(|state| state.pid() != Some(pid));
        Some(*tokio::time::timeout(patience, ended).await.ok()?.ok()?)
    }
}

/// How often to look again while someone traces the process.
const TRACED: Duration = Duration::from_millis(1);

/// Waits until a process of ours has ended, and leaves it to be reaped.
fn wait_for_end(pid: i32) {
    let end = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    loop {
        match waitid(Id::Pid(Pid::from_raw(pid)), end) {
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(Errno::ECHILD) => return,
            Err(Errno::EINTR) => {}
            // It stands still for a tracer, which is this very process when it bends clocks: wait(2) tells of that
            // whether it is asked to or not, and EINVAL is a signal that has no name.
            Ok(_) | Err(_) => std::thread::sleep(TRACED),
        }
    }
}

/// Signals the whole group at one stroke, then those that have left it but still descend from it.
fn signal_family(leader: i32, signal: Signal) {
    let family = procfs::family(leader);
    let _ = killpg(Pid::from_raw(leader), signal);
    let outside = |pid: &i32| procfs::stat(*pid).is_some_and(|stat| stat.group != leader);
    for pid in family.into_iter().filter(outside) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Reaps those of a node's children that outlived it and became ours, as the first process of a PID namespace is
/// given every orphan.
pub(super) fn reap_group(leader: i32) {
    while let Ok(status) = waitpid(Pid::from_raw(-leader), Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            return;
        }
    }
}

/// The command that starts a node, in words for the kernel: marked, logged, in a process group of its own.
pub(crate) fn command(spec: &CommandSpec, folder: &Path, mark: &Mark) -> io::Result<Command> {
    fs::create_dir_all(folder)?;
    let log = log_file(folder)?;
    let mut command = Command::new(&spec.program);
    command
        .args(&spec.args)
        .envs(&spec.env)
        .env(VARIABLE, mark.to_string())
        .current_dir(spec.directory.as_deref().unwrap_or(folder))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0);
    Ok(command)
}

fn log_file(folder: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("node.log"))
}

/// Has the kernel kill the child when the thread that starts it ends, for whatever reason.
fn tied_to_thread(mut command: Command) -> Command {
    let parent = getpid();
    let tie = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The parent may have died before that took effect.
        if getppid() == parent {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(Errno::ESRCH as i32))
        }
    };
    #[expect(
        unsafe_code,
        reason = "between fork and exec it makes two system calls and allocates nothing"
    )]
    unsafe {
        command.pre_exec(tie);
    }
    command
}
