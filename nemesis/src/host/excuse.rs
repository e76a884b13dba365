//! Why a process may end by itself without being to blame: what faults did to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::disk::Disk;

/// What was done to a process that it may well end of by itself: an answer of its disk, or what it reads there.
#[derive(Debug)]
pub(crate) enum Excuse {
    /// It was met by the fault's trouble of its disk, if it was.
    Trouble(Arc<Disk>, String),
    /// It was met by something, but a process that is started later will not be.
    OfThisProcess(String),
    /// It was met by something that is over, and may yet stumble over it until then.
    UntilThen(String, Instant),
    /// Whatever process is started meets it, until the excuse is taken back.
    Lasting(String),
}

impl Excuse {
    /// What to say of an end at this moment, if it holds.
    fn words(&self, fault: u64, now: Instant) -> Option<&str> {
        let (words, holds) = match self {
            Excuse::Trouble(disk, words) => (words, disk.hits(fault).is_some_and(|hits| hits.calls > 0)),
            Excuse::UntilThen(words, end) => (words, now <= *end),
            Excuse::OfThisProcess(words) | Excuse::Lasting(words) => (words, true),
        };
        holds.then_some(words)
    }

    fn outlives_process(&self) -> bool {
        matches!(self, Excuse::Trouble(..) | Excuse::Lasting(_))
    }
}

/// The excuses that a process has, by fault: faults overlap, and each gives and takes back its own.
#[derive(Debug, Default)]
pub(super) struct Excuses(BTreeMap<u64, Excuse>);

impl Excuses {
    /// Gives the fault's excuse, instead of the one that it gave before, or takes it back.
    pub(super) fn set(&mut self, fault: u64, excuse: Option<Excuse>) {
        match excuse {
            Some(excuse) => drop(self.0.insert(fault, excuse)),
            None => drop(self.0.remove(&fault)),
        }
    }

    /// What is only for the process that it was given for, and that process is still there, holds until then.
    pub(super) fn end(&mut self, fault: u64, end: Instant) {
        if let Some(excuse) = self.0.get_mut(&fault)
            && let Excuse::OfThisProcess(words) = excuse
        {
            *excuse = Excuse::UntilThen(std::mem::take(words), end);
        }
    }

    /// Another process is started.
    pub(super) fn start_anew(&mut self) {
        self.0.retain(|_, excuse| excuse.outlives_process());
    }

    /// What to say of an end at this moment, if there is an excuse for it.
    pub(super) fn words(&self, now: Instant) -> Option<&str> {
        self.0
            .iter()
            .find_map(|(&fault, excuse)| excuse.words(fault, now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_fault_takes_back_its_own_excuse_and_no_other() {
        let now = Instant::now();
        let mut excuses = Excuses::default();
        excuses.set(1, Some(Excuse::Lasting("a bit was flipped".into())));
        excuses.set(2, Some(Excuse::OfThisProcess("no memory".into())));
        excuses.set(2, None);
        assert_eq!(excuses.words(now), Some("a bit was flipped"));
        excuses.start_anew();
        assert_eq!(excuses.words(now), Some("a bit was flipped"));
        excuses.set(1, None);
        assert_eq!(excuses.words(now), None);
    }

    #[test]
    fn an_excuse_of_one_process_ends_with_it_or_when_it_is_told() {
        let now = Instant::now();
        let mut excuses = Excuses::default();
        excuses.set(1, Some(Excuse::OfThisProcess("no memory".into())));
        excuses.end(1, now + Duration::from_secs(5));
        assert_eq!(excuses.words(now + Duration::from_secs(5)), Some("no memory"));
        assert_eq!(excuses.words(now + Duration::from_secs(6)), None);
        excuses.start_anew();
        excuses.end(1, now + Duration::from_secs(5));
        assert_eq!(excuses.words(now), None, "the next process never met it");
    }
}
