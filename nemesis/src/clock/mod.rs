//! The clocks that a node's processes see. The host's own clock is never touched, nor any other process's.
//!
//! A process reads the clock by calling a function of the vDSO. These functions are overwritten, in the memory of
//! the node's processes alone, by others that make the real system call and then bend what it says: the wall
//! clock and the monotonic one each in its own way. Undoing writes back the very bytes that were there.
//!
//! - [`course`]: how far a clock is off, and how it comes back.
//! - [`code`]: the functions that are put in.
//! - [`vdso`]: where they go.
//! - [`tracee`]: stopping a process for as long as that takes.
//! - [`reading`]: what a process's clock shows.
//! - [`boot`]: another time since boot, which takes a start.
//! - [`preload`]: another means, for the wall clock alone, where that is not allowed.
//! - [`trial`]: what this machine allows.
//!
//! What it does not reach: timers of the kernel (sleep, poll with a timeout, timerfd) run as they do, and so do
//! programs that make the system call themselves. A thread that was interrupted by a signal in the midst of one
//! of our functions, and is still in its handler when they are taken away, is not seen.

mod boot;
#[cfg(target_arch = "x86_64")]
mod code;
mod course;
#[cfg(target_arch = "x86_64")]
mod machine;
#[cfg(not(target_arch = "x86_64"))]
#[path = "elsewhere.rs"]
mod machine;
mod preload;
#[cfg(target_arch = "x86_64")]
mod reading;
#[cfg(target_arch = "x86_64")]
mod tracee;
mod trial;
#[cfg(target_arch = "x86_64")]
mod vdso;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};
use tokio::sync::oneshot;

pub(crate) use boot::{boot_ahead, boot_elsewhere, try_boot};
pub(crate) use course::{Change, UNIT};
pub(crate) use preload::own_shared_memory;
pub(crate) use trial::{Means, means};

use crate::procfs;
use course::{Bend, Course};
use preload::Preload;

/// Which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The time of day. It may be set, backwards too.
    Wall,
    /// The time that passes. It never goes back.
    Monotonic,
}

impl Kind {
    pub(crate) const ALL: [Kind; 2] = [Kind::Wall, Kind::Monotonic];

    /// The kind of the clock that the kernel numbers so (linux/time.h); none if it is not for us to bend.
    fn of(number: usize) -> Option<Kind> {
        match number {
            // REALTIME, REALTIME_COARSE, TAI
            0 | 5 | 11 => Some(Kind::Wall),
            // MONOTONIC, MONOTONIC_RAW, MONOTONIC_COARSE, BOOTTIME
            1 | 4 | 6 | 7 => Some(Kind::Monotonic),
            _ => None,
        }
    }

    /// The number of the clock that stands for all of its kind.
    fn number(self) -> usize {
        match self {
            Kind::Wall => 0,
            Kind::Monotonic => 1,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Wall => "wall",
            Kind::Monotonic => "monotonic",
        }
    }
}

/// Why the clock of a process can't be bent or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClockError {
    /// There is no such process any more.
    #[error("it has ended")]
    Gone,
    /// The kernel said no.
    #[error("tracing it: {0}")]
    Refused(#[from] Errno),
    /// Its memory can't be had.
    #[error("its memory: {0}")]
    Memory(#[from] io::Error),
    /// A thread does not stop.
    #[error("a thread did not stop within {} s", .0.as_secs())]
    Busy(Duration),
    /// Anything else about it.
    #[error("{0}")]
    Odd(String),
}

/// How many clocks have a number of their own (linux/time.h).
const CLOCKS: usize = 12;

/// A moment, by every clock there is. All that is reckoned counts from there.
#[derive(Clone, Copy, Debug)]
struct Epoch([i64; CLOCKS]);

impl Epoch {
    fn now() -> Epoch {
        Epoch(std::array::from_fn(|number| shows(number).unwrap_or(0)))
    }

    /// The same moment, by the clocks of who has its time since boot so far ahead of ours.
    fn seen_by(&self, ahead: i64) -> [i64; CLOCKS] {
        std::array::from_fn(|number| match Kind::of(number) {
            Some(Kind::Monotonic) => self.0[number].saturating_add(ahead),
            _ => self.0[number],
        })
    }

    /// The time since then.
    fn elapsed(&self) -> i64 {
        shows(Kind::Monotonic.number()).unwrap_or(0) - self.0[Kind::Monotonic.number()]
    }
}

/// What this process's own clock shows, in nanoseconds.
fn shows(number: usize) -> nix::Result<i64> {
    let time = clock_gettime(ClockId::from_raw(
        i32::try_from(number).map_err(|_| Errno::EINVAL)?,
    ))?;
    Ok(time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}

/// For how long processes stood still, and how many there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standstill {
    pub(crate) longest: Duration,
    pub(crate) processes: usize,
}

/// How far a process's clock is from ours, in nanoseconds, and how far it ought to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Ahead by this.
    pub(crate) ahead: i64,
    /// As far as can be told: it was read somewhere in a span of time this long.
    pub(crate) within: i64,
    /// The least and the most that it ought to be ahead.
    pub(crate) wanted: (i64, i64),
}

/// A reading may be off by this much, in nanoseconds, for the clocks of a kind tick differently.
const TOLERANCE: i64 = 1_000_000;

impl Reading {
    /// Is it certainly not ours?
    pub(crate) fn is_off(&self) -> bool {
        self.ahead.abs() > 2 * TOLERANCE + self.within
    }

    pub(crate) fn is_as_wanted(&self) -> bool {
        self.ahead >= self.wanted.0 - self.within - TOLERANCE
            && self.ahead <= self.wanted.1 + self.within + TOLERANCE
    }
}

/// The clocks of one node, whatever processes it consists of.
#[derive(Debug)]
pub(crate) struct NodeClock(Mutex<State>);

#[derive(Debug)]
struct State {
    epoch: Epoch,
    courses: BTreeMap<Kind, Course>,
    /// By how much the kernel gives the node's processes a time since boot that is ahead of ours, in nanoseconds.
    boot_ahead: i64,
    /// Was ever anything bent? If not, nobody need look.
    touched: bool,
    /// If it is not in the processes themselves that the clocks are bent.
    preload: Option<Preload>,
}

/// A node that starts processes all the time is never seen to as a whole; what they execute is its own anyway.
const ROUNDS_MAX: usize = 20;

impl State {
    fn bends(&self) -> (Bend, Bend) {
        (
            self.courses[&Kind::Wall].bend(),
            self.courses[&Kind::Monotonic].bend(),
        )
    }

    fn is_true(&self) -> bool {
        let now = self.epoch.elapsed();
        self.courses.values().all(|course| course.is_true(now))
    }

    /// Brings every process of the node to where its clocks ought to be.
    fn apply(&mut self, leader: Option<i32>) -> Result<Standstill, ClockError> {
        let wall = self.courses[&Kind::Wall].bend();
        if let Some(preload) = &mut self.preload {
            preload.follow(leader, wall)?;
            return Ok(Standstill {
                processes: leader.map(procfs::family).unwrap_or_default().len(),
                longest: Duration::ZERO,
            });
        }
        let bends = (!self.is_true()).then(|| self.bends());
        let mut standstill = Standstill::default();
        let mut seen = BTreeSet::new();
        for _ in 0..ROUNDS_MAX {
            // A process that was not yet seen to may have forked another.
            let family = leader.map(procfs::family).unwrap_or_default();
            let new: Vec<i32> = family.difference(&seen).copied().collect();
            if new.is_empty() {
                break;
            }
            for pid in new {
                seen.insert(pid);
                match machine::bend(pid, &self.epoch.seen_by(self.boot_ahead), bends) {
                    Ok(Some(time)) => {
                        standstill.processes += 1;
                        standstill.longest = standstill.longest.max(time);
                    }
                    Ok(None) | Err(ClockError::Gone) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(standstill)
    }
}

impl NodeClock {
    pub(crate) fn new() -> Arc<NodeClock> {
        Arc::new(NodeClock(Mutex::new(State {
            epoch: Epoch::now(),
            courses: Kind::ALL
                .into_iter()
                .map(|kind| (kind, Course::new(kind == Kind::Monotonic)))
                .collect(),
            boot_ahead: 0,
            touched: false,
            preload: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the node's programs be begun with a library that bends their wall clocks as a file of ours says.
    pub(crate) fn preload(&self, library: &Path, file: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.preload = Some(Preload::new(library, file, state.epoch)?);
        Ok(())
    }

    /// Sees to a program of the node that is about to be begun.
    pub(crate) fn put_into(&self, command: &mut Command) {
        if let Some(preload) = &self.lock().preload {
            preload.put_into(command);
        }
    }

    /// Does a library bend them?
    pub(crate) fn is_preloaded(&self) -> bool {
        self.lock().preload.is_some()
    }

    /// Why the clocks of the node that has this first process can't be bent, though others' may be. May take a while.
    pub(crate) fn out_of_reach(&self, leader: i32) -> Option<String> {
        self.lock().preload.as_mut()?.lacking(leader)
    }

    /// The clocks that can be bent.
    pub(crate) fn kinds(&self) -> &'static [Kind] {
        if self.is_preloaded() {
            &[Kind::Wall]
        } else {
            &Kind::ALL
        }
    }

    /// The node's processes, which have just been begun, have their time since boot so many seconds ahead of ours.
    pub(crate) fn booted(&self, ahead: i64) {
        self.lock().boot_ahead = ahead.saturating_mul(1_000_000_000);
    }

    /// Begins what a fault does. `leader` is the first process of the node, if it runs; what starts later gets
    /// it too. Nothing is left of it if it fails.
    pub(crate) fn begin(
        &self,
        leader: Option<i32>,
        fault: u64,
        changes: &BTreeMap<Kind, Change>,
    ) -> Result<Standstill, ClockError> {
        let mut state = self.lock();
        state.touched = true;
        let now = state.epoch.elapsed();
        for (kind, change) in changes {
            if let Some(course) = state.courses.get_mut(kind) {
                course.begin(fault, *change, now);
            }
        }
        let applied = state.apply(leader);
        if applied.is_err() {
            state
                .courses
                .values_mut()
                .for_each(|course| course.end(fault, now));
            // What can't be had can't be undone either, but some processes may already have it.
            let _ = state.apply(leader);
        }
        applied
    }

    /// Ends what a fault does. A monotonic clock that is ahead does not go back: it creeps until it is right.
    /// Returns how long that takes, if nothing else keeps it; then call [`settle`](NodeClock::settle).
    pub(crate) fn end(&self, leader: Option<i32>, fault: u64) -> Result<Duration, ClockError> {
        let mut state = self.lock();
        let now = state.epoch.elapsed();
        state
            .courses
            .values_mut()
            .for_each(|course| course.end(fault, now));
        let arrival = state
            .courses
            .values()
            .filter_map(|course| course.arrival(now))
            .max();
        state.apply(leader)?;
        let left = arrival.unwrap_or(now) - now;
        Ok(Duration::from_nanos(u64::try_from(left).unwrap_or(0)))
    }

    /// Brings a node's processes to where its clocks ought to be by now: back to what the kernel gave them, if
    /// no fault is left.
    pub(crate) fn settle(&self, leader: Option<i32>) -> Result<Standstill, ClockError> {
        let mut state = self.lock();
        if state.touched || state.preload.is_some() {
            state.apply(leader)
        } else {
            Ok(Standstill::default())
        }
    }

    /// Ends whatever faults do, at once, even if a clock has to go back for it. Returns whether there was
    /// anything to end.
    pub(crate) fn restore(&self, leader: Option<i32>) -> Result<bool, ClockError> {
        let mut state = self.lock();
        if !state.touched {
            return Ok(false);
        }
        let was_true = state.is_true();
        for (kind, course) in &mut state.courses {
            *course = Course::new(*kind == Kind::Monotonic);
        }
        state.apply(leader)?;
        Ok(!was_true)
    }

    /// Does no fault do anything to it, and has it come back?
    pub(crate) fn is_true(&self) -> bool {
        self.lock().is_true()
    }

    /// Those of a node's processes that do not read the clock as the kernel meant them to.
    pub(crate) fn bent(&self, leader: i32) -> Vec<i32> {
        let state = self.lock();
        let family = procfs::family(leader).into_iter();
        if let Some(preload) = &state.preload {
            return family.filter(|_| !preload.is_right()).collect();
        }
        // Who never bent a clock need not be allowed to look at memory.
        let family = family.filter(|_| state.touched);
        family
            .filter(|&pid| matches!(machine::is_bent(pid), Ok(true)))
            .collect()
    }

    /// Compares a process's clock with ours.
    pub(crate) fn compare(&self, pid: i32, kind: Kind) -> Result<Reading, ClockError> {
        let mut state = self.lock();
        let bend = state.courses[&kind].bend();
        let ours = || shows(kind.number());
        if let Some(preload) = &mut state.preload {
            if procfs::stat(pid).is_none_or(procfs::Stat::has_ended) {
                return Err(ClockError::Gone);
            }
            if let Some(lacking) = preload.lacking(pid) {
                return Err(ClockError::Odd(lacking));
            }
            let before = ours()?;
            let (theirs, since) = preload.read()?;
            let (until, after) = (state.epoch.elapsed(), ours()?);
            return Ok(Reading {
                ahead: theirs - after,
                within: after - before,
                wanted: bend.range(since, until),
            });
        }
        let (before, since) = (ours()?, state.epoch.elapsed());
        let theirs = machine::read(pid, kind.number())?;
        let (until, after) = (state.epoch.elapsed(), ours()?);
        let boot_ahead = match kind {
            Kind::Wall => 0,
            Kind::Monotonic => state.boot_ahead,
        };
        Ok(Reading {
            ahead: theirs - boot_ahead - after,
            within: after - before,
            wanted: bend.range(since, until),
        })
    }
}

/// Does work on a thread of its own while the caller waits. Whatever that thread may still hold when it fails goes
/// on when it ends.
pub(crate) fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> std::thread::Result<T> {
    std::thread::scope(|scope| scope.spawn(work).join())
}

/// Does work on a thread of its own, for tracees belong to a thread.
pub(crate) fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (done, answer) = oneshot::channel();
    // If there is no thread to be had, nobody answers, which is how the caller learns of it.
    let _ = std::thread::Builder::new().name("clocks".into()).spawn(move || {
        let _ = done.send(work());
    });
    answer
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command};
    use std::time::Instant;

    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;

    use super::*;

    /// A process with a child, in a group of their own.
    struct Family(Child);

    impl Drop for Family {
        fn drop(&mut self) {
            let _ = killpg(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGKILL);
            let _ = self.0.wait();
        }
    }

    #[expect(clippy::print_stdout, reason = "what a test skips belongs on its output")]
    #[test]
    fn every_process_of_a_node_is_hit_and_what_it_starts_later() {
        if let Some(trouble) = trial::obstacle() {
            println!("*** SKIPPED: {}: {} ***", trouble.why, trouble.remedy);
            return;
        }
        let script = "sleep 1000 & while :; do sleep 0.01; done";
        let family = Command::new("sh")
            .args(["-c", script])
            .process_group(0)
            .spawn()
            .unwrap();
        let family = Family(family);
        let leader = family.0.id().cast_signed();
        let begun = Instant::now();
        while procfs::family(leader).len() < 2 {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "the child does not start"
            );
            std::thread::yield_now();
        }
        let clock = NodeClock::new();
        assert!(clock.bent(leader).is_empty() && clock.is_true());
        let jump = BTreeMap::from([(Kind::Wall, Change::Jump(-UNIT * 1_000_000))]);
        let standstill = clock.begin(Some(leader), 1, &jump).unwrap();
        assert!(
            standstill.processes >= 2 && standstill.longest > Duration::ZERO,
            "{standstill:?}"
        );
        assert!(clock.bent(leader).len() >= 2 && !clock.is_true());
        let reading = clock.compare(leader, Kind::Wall).unwrap();
        assert!(reading.is_as_wanted() && reading.is_off(), "{reading:?}");
        let reading = clock.compare(leader, Kind::Monotonic).unwrap();
        assert!(reading.is_as_wanted() && reading.wanted == (0, 0), "{reading:?}");
        assert_eq!(clock.end(Some(leader), 1).unwrap(), Duration::ZERO);
        clock.settle(Some(leader)).unwrap();
        assert!(clock.bent(leader).is_empty() && clock.is_true());
    }
}
