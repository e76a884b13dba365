//! Holding threads of another process still, as a debugger does (ptrace(2)).
//!
//! The kernel ties a tracee to the *thread* that traces it: all that is done to one happens on one thread. When
//! that ends, whatever it still held goes on.

use std::collections::BTreeSet;
use std::ops::Range;
use std::ptr;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::ClockError;
use crate::procfs;

/// How long threads may take to stop. One that waits for a disk does not stop before it has what it waits for.
const PATIENCE: Duration = Duration::from_secs(2);
/// For so long a stop is waited for without sleeping: every other thread of the process stands still meanwhile.
const SPIN: Duration = Duration::from_millis(2);
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// How a thread that was stopped goes on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Onward {
    Freely,
    /// Until it makes a system call or comes out of one.
    ToSystemCall,
}

/// Why a tracee has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// We interrupted it. Here, and only here, the kernel has yet to decide whether to begin the system call again
    /// that it was in.
    Interrupted,
    /// At the door of a system call.
    SystemCall,
    /// This signal is about to be delivered.
    Signal(i32),
    /// It has ended.
    Ended,
}

/// Threads of a process that stand still until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    threads: BTreeSet<i32>,
    since: Instant,
    patient_until: Instant,
}

impl Held {
    fn none() -> Held {
        let now = Instant::now();
        Held {
            threads: BTreeSet::new(),
            since: now,
            patient_until: now + PATIENCE,
        }
    }

    /// Holds every thread of a process, none of them within the vDSO.
    pub(super) fn all(pid: i32) -> Result<Held, ClockError> {
        let mut held = Held::none();
        let mut vdso = None;
        loop {
            // A thread that was not yet held may have made another.
            let new: Vec<i32> = procfs::threads(pid).difference(&held.threads).copied().collect();
            if new.is_empty() {
                return if held.threads.is_empty() {
                    Err(ClockError::Gone)
                } else {
                    Ok(held)
                };
            }
            for &thread in &new {
                held.seize(thread)?;
            }
            for thread in new {
                while held.settle(thread)? {
                    // Known only now: a process that begins a program has none for a moment.
                    if vdso.is_none() {
                        vdso = procfs::vdso(pid).ok().flatten();
                    }
                    let inside = |at| {
                        vdso.as_ref()
                            .is_some_and(|range: &Range<u64>| range.contains(&at))
                    };
                    if !ended_is(at(thread).map(inside), false)? {
                        break;
                    }
                    held.go_on(thread, Onward::Freely, 0)?;
                    let _ = ptrace::interrupt(Pid::from_raw(thread));
                }
            }
        }
    }

    /// Holds one thread of a process, the first that lives.
    pub(super) fn one(pid: i32) -> Result<(Held, i32), ClockError> {
        let mut held = Held::none();
        let threads = procfs::threads(pid);
        let first = threads.get(&pid).or(threads.first());
        let thread = *first.ok_or(ClockError::Gone)?;
        held.seize(thread)?;
        if held.settle(thread)? {
            Ok((held, thread))
        } else {
            Err(ClockError::Gone)
        }
    }

    /// Begins to be patient anew.
    pub(super) fn wait_longer(&mut self) {
        self.patient_until = Instant::now() + PATIENCE;
    }

    /// For how long they have been held.
    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    fn seize(&mut self, thread: i32) -> Result<(), ClockError> {
        let pid = Pid::from_raw(thread);
        match ptrace::seize(pid, Options::PTRACE_O_TRACESYSGOOD) {
            Ok(()) => {
                self.threads.insert(thread);
                // It fails only if the thread has ended, which the wait that follows will tell.
                let _ = ptrace::interrupt(pid);
                Ok(())
            }
            // What is refused to a thread that has ended means nothing.
            Err(_) if procfs::stat(thread).is_none_or(procfs::Stat::has_ended) => Ok(()),
            Err(error) => Err(ClockError::Refused(error)),
        }
    }

    /// Waits until a thread stands. False if it has ended.
    fn settle(&mut self, thread: i32) -> Result<bool, ClockError> {
        while self.threads.contains(&thread) {
            match self.next_stop(thread)? {
                Stop::Ended => {
                    self.threads.remove(&thread);
                }
                Stop::Interrupted => return Ok(true),
                // It gets its signal; the interruption comes after that.
                Stop::Signal(signal) => self.go_on(thread, Onward::Freely, signal)?,
                Stop::SystemCall => self.go_on(thread, Onward::Freely, 0)?,
            }
        }
        Ok(false)
    }

    /// Lets a thread that stands go on, with a signal if it is not 0. That it has ended is told by the next stop.
    pub(super) fn go_on(&self, thread: i32, onward: Onward, signal: i32) -> Result<(), ClockError> {
        let request = match onward {
            Onward::Freely => libc::PTRACE_CONT,
            Onward::ToSystemCall => libc::PTRACE_SYSCALL,
        };
        let signal = ptr::without_provenance_mut::<libc::c_void>(signal.unsigned_abs() as usize);
        #[expect(
            unsafe_code,
            reason = "it touches no memory of ours; nix's own function knows no real-time signals"
        )]
        let result = unsafe { libc::ptrace(request, thread, ptr::null_mut::<libc::c_void>(), signal) };
        ended_is(Errno::result(result).map(drop), ())
    }

    /// Waits for the thread's next stop.
    pub(super) fn next_stop(&self, thread: i32) -> Result<Stop, ClockError> {
        let begun = Instant::now();
        loop {
            if let Some(stop) = stop_of(thread) {
                return Ok(stop);
            }
            let now = Instant::now();
            if now > self.patient_until {
                return Err(ClockError::Busy(PATIENCE));
            }
            if now - begun < SPIN {
                std::thread::yield_now();
            } else {
                std::thread::sleep(LOOK_EVERY);
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for &thread in &self.threads {
            // What has ended needs no letting go; what does not stand yet is let go when this thread ends.
            let _ = ptrace::detach(Pid::from_raw(thread), None);
        }
    }
}

/// A thread that has ended meanwhile is no failure.
fn ended_is<T>(result: nix::Result<T>, instead: T) -> Result<T, ClockError> {
    match result {
        Err(Errno::ESRCH) => Ok(instead),
        other => other.map_err(ClockError::Refused),
    }
}

/// Where a thread that stands is about to go on.
fn at(thread: i32) -> nix::Result<u64> {
    ptrace::getregs(Pid::from_raw(thread)).map(|registers| registers.rip)
}

/// Why a thread stands; `None` if it does not. Nothing is taken away by looking: that a node has ended is for
/// those to learn who started it.
fn stop_of(thread: i32) -> Option<Stop> {
    let pid = Pid::from_raw(thread);
    let flags = WaitPidFlag::WEXITED
        | WaitPidFlag::WSTOPPED
        | WaitPidFlag::WNOHANG
        | WaitPidFlag::WNOWAIT
        | WaitPidFlag::__WALL;
    match waitid(Id::Pid(pid), flags) {
        Ok(WaitStatus::PtraceEvent(_, _, event)) if event == Event::PTRACE_EVENT_STOP as i32 => {
            Some(Stop::Interrupted)
        }
        Ok(WaitStatus::PtraceEvent(_, signal, _)) => Some(Stop::Signal(signal as i32)),
        Ok(WaitStatus::PtraceSyscall(_)) => Some(Stop::SystemCall),
        Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(Errno::ECHILD) => Some(Stop::Ended),
        // A real-time signal, for which there is no name.
        Err(Errno::EINVAL) => ptrace::getsiginfo(pid)
            .ok()
            .map(|info| Stop::Signal(info.si_signo)),
        Ok(_) | Err(_) => None,
    }
}
