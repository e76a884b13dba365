//! What is not yet durable, in order: pure, so that it can be tested against a model.

use std::collections::VecDeque;

/// One change, with the way back.
#[derive(Debug)]
pub(super) struct Entry<D, N> {
    number: u64,
    /// When it was made, in milliseconds.
    at_ms: u64,
    /// What its way back takes, in bytes.
    bytes: usize,
    pub(super) change: Change<D, N>,
}

/// A change, of data or of names.
#[derive(Debug)]
pub(super) enum Change<D, N> {
    /// Of the data or size of this file.
    Data(FileKey, D),
    /// Of names.
    Name(N),
}

/// Device and number of a file. While an entry holds the file open the number can't go to another.
pub(super) type FileKey = (u64, u64);

/// The changes that are not yet durable.
#[derive(Debug)]
pub(super) struct UndoLog<D, N> {
    entries: VecDeque<Entry<D, N>>,
    next: u64,
    bytes: usize,
    age_ms: u64,
    memory: usize,
    /// How many entries became durable only for want of memory.
    pub(super) spilled: u64,
}

/// Marks a moment: what was pushed before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(u64);

impl<D, N> UndoLog<D, N> {
    pub(super) fn new(age_ms: u64, memory: usize) -> Self {
        UndoLog {
            entries: VecDeque::new(),
            next: 0,
            bytes: 0,
            age_ms,
            memory,
            spilled: 0,
        }
    }

    /// Takes note of a change. Gives back what became durable thereby.
    pub(super) fn push(&mut self, now_ms: u64, bytes: usize, change: Change<D, N>) -> Vec<Change<D, N>> {
        let mut settled = self.write_back(now_ms);
        self.entries.push_back(Entry {
            number: self.next,
            at_ms: now_ms,
            bytes,
            change,
        });
        self.next += 1;
        self.bytes += bytes;
        while self.bytes > self.memory {
            let Some(entry) = self.pop_front() else { break };
            self.spilled += 1;
            settled.push(entry);
        }
        settled
    }

    fn pop_front(&mut self) -> Option<Change<D, N>> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.bytes;
        Some(entry.change)
    }

    /// What is too old is durable.
    pub(super) fn write_back(&mut self, now_ms: u64) -> Vec<Change<D, N>> {
        let mut settled = Vec::new();
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.at_ms + self.age_ms < now_ms)
        {
            settled.extend(self.pop_front());
        }
        settled
    }

    /// The present moment, to be asked for before an fsync begins: what comes while it goes on it may miss.
    pub(super) fn now(&self) -> Moment {
        Moment(self.next)
    }

    /// An fsync of this file, begun at that moment, is done: its data and all names are durable.
    pub(super) fn synced_file(&mut self, file: FileKey, begun: Moment) -> Vec<Change<D, N>> {
        self.settle(begun, |change| match change {
            Change::Data(of, _) => *of == file,
            Change::Name(_) => true,
        })
    }

    /// An fsync of a directory, begun at that moment, is done: all names are durable.
    pub(super) fn synced_names(&mut self, begun: Moment) -> Vec<Change<D, N>> {
        self.settle(begun, |change| matches!(change, Change::Name(_)))
    }

    fn settle(&mut self, begun: Moment, durable: impl Fn(&Change<D, N>) -> bool) -> Vec<Change<D, N>> {
        let is_durable = |entry: &Entry<D, N>| entry.number < begun.0 && durable(&entry.change);
        if !self.entries.iter().any(is_durable) {
            return Vec::new();
        }
        let (settled, kept): (Vec<_>, Vec<_>) = self.entries.drain(..).partition(is_durable);
        self.entries = kept.into();
        self.bytes -= settled.iter().map(|entry| entry.bytes).sum::<usize>();
        settled.into_iter().map(|entry| entry.change).collect()
    }

    /// Takes all that there is, in the order in which it happened; it is to be undone in reverse.
    pub(super) fn take(&mut self) -> Vec<Change<D, N>> {
        self.bytes = 0;
        self.entries.drain(..).map(|entry| entry.change).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Log = UndoLog<&'static str, &'static str>;
    const A: FileKey = (1, 1);
    const B: FileKey = (1, 2);

    fn names(changes: &[Change<&'static str, &'static str>]) -> Vec<&'static str> {
        let name = |change: &Change<_, _>| match change {
            Change::Data(_, name) | Change::Name(name) => *name,
        };
        changes.iter().map(name).collect()
    }

    #[test]
    fn fsync_settles_what_was_before_it_began() {
        let mut log = Log::new(5_000, 100);
        log.push(0, 1, Change::Name("create a"));
        log.push(0, 1, Change::Data(A, "a1"));
        log.push(0, 1, Change::Data(B, "b1"));
        let begun = log.now();
        log.push(0, 1, Change::Data(A, "a2"));
        log.push(0, 1, Change::Name("rename a"));
        assert_eq!(names(&log.synced_file(A, begun)), ["create a", "a1"]);
        assert_eq!(names(&log.synced_names(log.now())), ["rename a"]);
        assert_eq!(names(&log.take()), ["b1", "a2"]);
        assert!(log.take().is_empty() && log.bytes == 0);
    }

    #[test]
    fn what_is_old_or_too_much_is_durable() {
        let mut log = Log::new(5_000, 10);
        log.push(0, 4, Change::Data(A, "old"));
        log.push(4_000, 4, Change::Data(A, "young"));
        assert!(log.write_back(5_000).is_empty());
        assert_eq!(names(&log.write_back(5_001)), ["old"]);
        assert_eq!(names(&log.push(5_001, 7, Change::Name("big"))), ["young"]);
        assert_eq!((log.spilled, log.bytes), (1, 7));
        assert_eq!(
            names(&log.push(5_001, 11, Change::Name("too big"))),
            ["big", "too big"]
        );
        assert_eq!((log.spilled, log.bytes), (3, 0));
    }
}
