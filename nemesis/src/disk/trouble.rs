//! What a disk can be told to do badly, and how often it did.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::gate::Gate;

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

/// The troubles of one disk, by the faults that make them.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// Spares a healthy disk the lock.
    any: AtomicBool,
    by_fault: Mutex<BTreeMap<u64, (Trouble, Hits)>>,
}

impl Troubles {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, (Trouble, Hits)>> {
        self.by_fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, fault: u64, trouble: Trouble) {
        self.lock().insert(fault, (trouble, Hits::default()));
        self.any.store(true, Relaxed);
    }

    /// Ends a trouble; gives back how often it was met. `None` if there is none of this fault.
    pub(super) fn end(&self, fault: u64) -> Option<Hits> {
        let mut by_fault = self.lock();
        let ended = by_fault.remove(&fault);
        self.any.store(!by_fault.is_empty(), Relaxed);
        ended.map(|(_, hits)| hits)
    }

    pub(super) fn hits(&self, fault: u64) -> Option<Hits> {
        self.lock().get(&fault).map(|(_, hits)| *hits)
    }

    pub(super) fn faults(&self) -> Vec<u64> {
        self.lock().keys().copied().collect()
    }

    /// The error to answer this call with, if it is refused.
    pub(super) fn refusal(&self, call: Call) -> Option<Errno> {
        if !self.any.load(Relaxed) {
            return None;
        }
        let mut by_fault = self.lock();
        let (trouble, hits) = by_fault
            .values_mut()
            .find(|(trouble, _)| matches!(trouble, Trouble::Refuse(calls, _) if calls.has(call)))?;
        hits.calls += 1;
        match trouble {
            Trouble::Refuse(_, errno) => Some(*errno),
            Trouble::Slow(_) => None,
        }
    }

    /// Whether some fault holds up every fsync.
    pub(super) fn is_slow(&self) -> bool {
        let is_slow = |(trouble, _): &(Trouble, Hits)| matches!(trouble, Trouble::Slow(_));
        self.any.load(Relaxed) && self.lock().values().any(is_slow)
    }

    /// Holds up an fsync, if some fault does; says whether one did.
    pub(super) fn hold_up(&self, gate: &Gate) -> bool {
        let Some((fault, delay)) = self.delay() else {
            return false;
        };
        let since = Instant::now();
        gate.hold(delay, || self.hits(fault).is_none());
        self.went_on(fault, since.elapsed());
        true
    }

    /// The fault that holds up an fsync, the slowest if there are several, and for how long.
    fn delay(&self) -> Option<(u64, Option<Duration>)> {
        if !self.any.load(Relaxed) {
            return None;
        }
        let mut by_fault = self.lock();
        let slow = |(&fault, (trouble, hits)): (&u64, &mut (Trouble, Hits))| match trouble {
            Trouble::Slow(delay) => {
                hits.calls += 1;
                Some((fault, *delay))
            }
            Trouble::Refuse(..) => None,
        };
        let all = by_fault.iter_mut().filter_map(slow);
        all.max_by_key(|(_, delay)| delay.unwrap_or(Duration::MAX))
    }

    /// A call that this fault held up went on.
    fn went_on(&self, fault: u64, took: Duration) {
        if let Some((_, hits)) = self.lock().get_mut(&fault) {
            hits.over += 1;
            hits.longest = hits.longest.max(took);
        }
    }
}
