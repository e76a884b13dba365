//! Moving this process into namespaces of its own, so that all it makes is invisible to the host and ends
//! with it (namespaces(7), pid_namespaces(7), user_namespaces(7)).

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Pid, Uid, fork, pipe2, setpgid};

use crate::procfs;

/// Which namespaces to make. A PID and a mount namespace are always among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Isolation {
    /// A user namespace, in which an ordinary user may make the others.
    pub(crate) user: bool,
    /// A network namespace.
    pub(crate) network: bool,
}

impl Isolation {
    /// The ways worth trying, best first: root needs no user namespace, unless it is root in name only.
    pub(crate) fn ways(network: bool) -> Vec<Isolation> {
        let ways = [
            Isolation { user: false, network },
            Isolation { user: true, network },
        ];
        ways[usize::from(!Uid::effective().is_root())..].to_vec()
    }
}

/// A step that the system refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) step: &'static str,
    pub(crate) error: Errno,
}

fn refused(step: &'static str) -> impl Fn(Errno) -> Refused {
    move |error| Refused { step, error }
}

/// Which of the two processes one finds oneself in after [`split`].
pub(crate) enum Side {
    /// The one that was there before; its child is the first process of the new PID namespace.
    Outer {
        /// The child.
        child: Pid,
        /// As long as this is open the child knows that its parent lives.
        life_line: OwnedFd,
    },
    /// The child, in its namespaces.
    Inner,
}

/// Forks into a new PID namespace. The child dies when this process does, and with it its namespaces.
///
/// The process must have one thread only; the caller sees to that. The child still has to
/// [settle](settle_in).
pub(crate) fn split(isolation: Isolation) -> Result<Side, Refused> {
    let (user, group) = (Uid::effective(), Gid::effective());
    let mut flags = CloneFlags::CLONE_NEWPID;
    flags.set(CloneFlags::CLONE_NEWUSER, isolation.user);
    unshare(flags).map_err(refused("unshare"))?;
    if isolation.user {
        map_to_root(user, group)?;
    }
    // What lies in these buffers would otherwise be written by both processes.
    let _ = (io::stdout().flush(), io::stderr().flush());
    let (pulse, life_line) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).map_err(refused("pipe"))?;
    #[expect(
        unsafe_code,
        reason = "the process has one thread, so no lock can be held across the fork"
    )]
    let forked = unsafe { fork() };
    match forked.map_err(refused("fork"))? {
        ForkResult::Parent { child } => Ok(Side::Outer { child, life_line }),
        ForkResult::Child => {
            drop(life_line);
            die_with_parent(pulse)?;
            // In a group of its own: a signal to the group, as the terminal or `timeout` sends it, comes once, by
            // way of the parent.
            setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(refused("setpgid"))?;
            Ok(Side::Inner)
        }
    }
}

/// user_namespaces(7): without "deny" an ordinary user may not write `gid_map`.
fn map_to_root(user: Uid, group: Gid) -> Result<(), Refused> {
    let write = |file, step, text: String| {
        let refused = |error: io::Error| Refused {
            step,
            error: Errno::from_raw(error.raw_os_error().unwrap_or(0)),
        };
        fs::write(file, text).map_err(refused)
    };
    write(
        "/proc/self/setgroups",
        "write /proc/self/setgroups",
        "deny".into(),
    )?;
    write(
        "/proc/self/uid_map",
        "write /proc/self/uid_map",
        format!("0 {user} 1"),
    )?;
    write(
        "/proc/self/gid_map",
        "write /proc/self/gid_map",
        format!("0 {group} 1"),
    )
}

fn die_with_parent(pulse: OwnedFd) -> Result<(), Refused> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(refused("prctl"))?;
    // The parent may have died before that took effect. `getppid` is 0 here either way; the pipe tells.
    match fs::File::from(pulse).read(&mut [0]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        _ => std::process::exit(128 + Signal::SIGKILL as i32),
    }
}

/// Completes the child's isolation: its own mounts, its own `/proc`, its own network.
pub(crate) fn settle_in(isolation: Isolation) -> Result<(), Refused> {
    let mut flags = CloneFlags::CLONE_NEWNS;
    flags.set(CloneFlags::CLONE_NEWNET, isolation.network);
    unshare(flags).map_err(refused("unshare"))?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(refused("make mounts private"))?;
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), plain, none).map_err(refused("mount /proc"))
}

/// Undoes a parent's choice to ignore SIGCHLD, which outlives exec: the system would then reap our children
/// itself, and nobody would learn how they ended.
pub(crate) fn hear_of_children() {
    #[expect(
        unsafe_code,
        reason = "sets the default disposition; no handler of ours is ever run"
    )]
    // It can only fail for a signal that there is not.
    let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
}

/// The signals that may reach the waiting parent.
fn awaited() -> SigSet {
    [
        Signal::SIGCHLD,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGHUP,
    ]
    .into_iter()
    .collect()
}

/// Holds back the signals that [`stand_by`] handles. Returns the mask of before, for the child.
pub(crate) fn hold_signals() -> Result<SigSet, Refused> {
    awaited()
        .thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK)
        .map_err(refused("sigprocmask"))
}

/// Lets the signals through again.
pub(crate) fn release_signals(before: &SigSet) -> Result<(), Refused> {
    before.thread_set_mask().map_err(refused("sigprocmask"))
}

/// The parent's whole remaining life: to pass signals on, and to end as the child ends.
pub(crate) fn stand_by(child: Pid, life_line: OwnedFd) -> ! {
    let signals = SignalFd::with_flags(&awaited(), SfdFlags::SFD_CLOEXEC);
    let code = loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => break code,
            Ok(WaitStatus::Signaled(_, signal, _)) => break 128 + signal as i32,
            Err(error) if error != Errno::EINTR => break 255,
            _ => {}
        }
        let Ok(signals) = &signals else {
            // No descriptor was to be had: wait, deaf to signals.
            let _ = nix::sys::wait::waitid(
                nix::sys::wait::Id::Pid(child),
                WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT,
            );
            continue;
        };
        if let Ok(Some(info)) = signals.read_signal()
            && let Ok(signal) = Signal::try_from(info.ssi_signo.cast_signed())
            && signal != Signal::SIGCHLD
        {
            pass_on(child, signal);
        }
    };
    drop(life_line);
    std::process::exit(code)
}

/// The first process of a PID namespace ignores every signal that it has no handler for, so before the child
/// has set up its own, only SIGKILL ends it.
fn pass_on(child: Pid, signal: Signal) {
    let handles = procfs::status_field(child.as_raw(), "SigCgt")
        .and_then(|mask| u64::from_str_radix(&mask, 16).ok())
        .is_some_and(|mask| mask & (1 << (signal as i32 - 1)) != 0);
    let _ = kill(child, if handles { signal } else { Signal::SIGKILL });
}
