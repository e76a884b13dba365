//! What a disk can be told to do badly, and how often it did.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::gate::Gate;
use super::pattern::Pattern;

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    /// Of data.
    Write,
    /// Of a file or directory.
    Sync,
    /// Of anything else that needs room: a new name, blocks in advance.
    Allocate,
}

/// Kinds of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) sync: bool,
    pub(crate) allocate: bool,
}

impl Calls {
    fn has(self, call: Call) -> bool {
        match call {
            Call::Read => self.read,
            Call::Write => self.write,
            Call::Sync => self.sync,
            Call::Allocate => self.allocate,
        }
    }
}

/// What a disk does badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Each fsync takes so much longer; for ever if `None`.
    Slow(Option<Duration>),
    /// These calls fail.
    Refuse(Calls, Errno),
}

impl Trouble {
    /// Is what the kernel has read before to be read anew, so that reads come to the disk at all? Where writes fail as
    /// well, pages that wait to be written would be lost by that.
    pub(super) fn wants_fresh_reads(self) -> bool {
        matches!(self, Trouble::Refuse(calls, _) if calls.read && !calls.write)
    }
}

/// How often a trouble was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hits {
    /// Calls refused, or held up.
    pub(crate) calls: u64,
    /// Calls that were held up and went on.
    pub(crate) over: u64,
    /// The longest that one of these took, with its delay.
    pub(crate) longest: Duration,
}

/// The path of a file below the folder of the data; `None` for one that has no name there any more. Asked only where
/// it matters, as it takes system calls.
pub(super) type Path<'a> = &'a dyn Fn() -> Option<PathBuf>;

/// A trouble, and how often it was met.
#[derive(Debug)]
struct Met {
    trouble: Trouble,
    /// Of these files only.
    files: Option<Pattern>,
    hits: Hits,
}

impl Met {
    fn concerns(&self, path: Path<'_>) -> bool {
        let Some(files) = &self.files else { return true };
        path().is_some_and(|path| files.matches(&path))
    }
}

/// The troubles of one disk, by the faults that make them.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// Spares a healthy disk the lock.
    any: AtomicBool,
    by_fault: Mutex<BTreeMap<u64, Met>>,
}

impl Troubles {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Met>> {
        self.by_fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a trouble, of these files only if there is a pattern.
    pub(super) fn begin(&self, fault: u64, trouble: Trouble, files: Option<Pattern>) {
        let met = Met {
            trouble,
            files,
            hits: Hits::default(),
        };
        self.lock().insert(fault, met);
        self.any.store(true, Relaxed);
    }

    /// Ends a trouble; gives back how often it was met. `None` if there is none of this fault.
    pub(super) fn end(&self, fault: u64) -> Option<Hits> {
        let mut by_fault = self.lock();
        let ended = by_fault.remove(&fault);
        self.any.store(!by_fault.is_empty(), Relaxed);
        ended.map(|met| met.hits)
    }

    pub(super) fn hits(&self, fault: u64) -> Option<Hits> {
        self.lock().get(&fault).map(|met| met.hits)
    }

    pub(super) fn faults(&self) -> Vec<u64> {
        self.lock().keys().copied().collect()
    }

    /// The error to answer this call with, of this file, if it is refused.
    pub(super) fn refusal(&self, call: Call, path: Path<'_>) -> Option<Errno> {
        if !self.any.load(Relaxed) {
            return None;
        }
        let mut by_fault = self.lock();
        let refusal = |met: &mut Met| match met.trouble {
            Trouble::Refuse(calls, errno) if calls.has(call) && met.concerns(path) => {
                met.hits.calls += 1;
                Some(errno)
            }
            Trouble::Refuse(..) | Trouble::Slow(_) => None,
        };
        by_fault.values_mut().find_map(refusal)
    }

    /// Whether some fault holds up fsyncs.
    pub(super) fn is_slow(&self) -> bool {
        let is_slow = |met: &Met| matches!(met.trouble, Trouble::Slow(_));
        self.any.load(Relaxed) && self.lock().values().any(is_slow)
    }

    /// Holds up an fsync of this file, if some fault does; says whether one did.
    pub(super) fn hold_up(&self, gate: &Gate, path: Path<'_>) -> bool {
        let Some((fault, delay)) = self.delay(path) else {
            return false;
        };
        let since = Instant::now();
        gate.hold(delay, || self.hits(fault).is_none());
        self.went_on(fault, since.elapsed());
        true
    }

    /// The fault that holds up an fsync, the slowest if there are several, and for how long.
    fn delay(&self, path: Path<'_>) -> Option<(u64, Option<Duration>)> {
        if !self.any.load(Relaxed) {
            return None;
        }
        let mut by_fault = self.lock();
        let slow = |(&fault, met): (&u64, &mut Met)| match met.trouble {
            Trouble::Slow(delay) if met.concerns(path) => {
                met.hits.calls += 1;
                Some((fault, delay))
            }
            Trouble::Slow(_) | Trouble::Refuse(..) => None,
        };
        let all = by_fault.iter_mut().filter_map(slow);
        all.max_by_key(|(_, delay)| delay.unwrap_or(Duration::MAX))
    }

    /// A call that this fault held up went on.
    fn went_on(&self, fault: u64, took: Duration) {
        if let Some(met) = self.lock().get_mut(&fault) {
            met.hits.over += 1;
            met.hits.longest = met.hits.longest.max(took);
        }
    }
}
