//! The log, in memory.

use crate::codec::{self, Decode, DecodeError, Encode, Reader, put_bytes, put_optional, put_unsigned};
use crate::protocol::Command;

/// A place in a log. Ordered by term, then index: which of two logs is more up-to-date is decided by their
/// last positions (paper 5.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The term in which the entry was made by its leader; 0 before the first entry.
    pub term: u64,
    /// The index, from 1; 0 before the first entry.
    pub index: u64,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The term in which its leader made it.
    pub term: u64,
    /// A client's command, or nothing: the entry with which a leader begins its term.
    pub command: Option<Command>,
}

impl Entry {
    /// Roughly how many bytes it takes in a message.
    fn size(&self) -> usize {
        16 + self.command.as_ref().map_or(0, |command| command.len())
    }
}

/// Every entry so far, durable or not.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The entry of index i is at i - 1.
    entries: Vec<Entry>,
}

impl Log {
    /// The last entry's place; zeros if there is none.
    pub fn last(&self) -> Position {
        Position {
            term: self.entries.last().map_or(0, |entry| entry.term),
            index: self.entries.len() as u64,
        }
    }

    /// The entry at this index.
    pub fn entry(&self, index: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(index.checked_sub(1)?).ok()?)
    }

    /// The term of the entry at this index; 0 at index 0, before the first entry.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        if index == 0 {
            Some(0)
        } else {
            self.entry(index).map(|entry| entry.term)
        }
    }

    /// Does the log hold this entry? It then holds the same ones before it, too (log matching, paper 5.3).
    pub(super) fn holds(&self, position: Position) -> bool {
        self.term_at(position.index) == Some(position.term)
    }

    pub(super) fn append(&mut self, entries: impl IntoIterator<Item = Entry>) {
        self.entries.extend(entries);
    }

    /// Removes the entry at this index and all after it.
    pub(super) fn truncate_from(&mut self, index: u64) {
        self.entries.truncate(index.saturating_sub(1) as usize);
    }

    /// Entries from this index on: at least one if there is any, and then while they fit.
    pub(super) fn batch_from(&self, index: u64, entries_max: usize, bytes_max: usize) -> Vec<Entry> {
        let start = (index.saturating_sub(1) as usize).min(self.entries.len());
        let mut bytes = 0;
        self.entries[start..]
            .iter()
            .take(entries_max)
            .take_while(|entry| {
                let first = bytes == 0;
                bytes += entry.size();
                first || bytes <= bytes_max
            })
            .cloned()
            .collect()
    }

    /// The first index of the run of entries that have the same term as the one at this index.
    pub(super) fn first_of_term_at(&self, index: u64) -> u64 {
        let term = self.term_at(index);
        // Terms never fall along a log, so the entries before those of the term are a prefix.
        let before = self.entries.partition_point(|entry| Some(entry.term) < term);
        before as u64 + 1
    }

    /// The last index of an entry of this term, if there is one.
    pub(super) fn last_of_term(&self, term: u64) -> Option<u64> {
        let upto = self.entries.partition_point(|entry| entry.term <= term) as u64;
        (upto > 0 && self.term_at(upto) == Some(term)).then_some(upto)
    }
}

impl Encode for Position {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.term);
        put_unsigned(out, self.index);
    }
}

impl Decode for Position {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Position {
            term: input.unsigned("a term")?,
            index: input.unsigned("an index")?,
        })
    }
}

impl Encode for Entry {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.term);
        put_optional(out, self.command.as_ref(), |out, command| put_bytes(out, command));
    }
}

impl Decode for Entry {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Entry {
            term: input.unsigned("a term")?,
            command: input.optional("a command", codec::command)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(terms: &[u64]) -> Log {
        Log {
            entries: terms.iter().map(|&term| Entry { term, command: None }).collect(),
        }
    }

    #[test]
    fn terms_are_found_by_their_ends() {
        let log = log(&[1, 1, 4, 4, 4, 6]);
        assert_eq!(
            [1, 2, 3, 5, 6].map(|index| log.first_of_term_at(index)),
            [1, 1, 3, 3, 6]
        );
        assert_eq!(
            [1, 4, 6].map(|term| log.last_of_term(term)),
            [Some(2), Some(5), Some(6)]
        );
        assert_eq!([0, 2, 5, 7].map(|term| log.last_of_term(term)), [None; 4]);
        assert_eq!(
            (log.term_at(0), log.term_at(6), log.term_at(7)),
            (Some(0), Some(6), None)
        );
    }

    #[test]
    fn a_batch_has_at_least_one_entry_and_is_bounded() {
        let log = log(&[1; 10]);
        assert_eq!(log.batch_from(3, 4, usize::MAX).len(), 4);
        assert_eq!(log.batch_from(3, 100, 33).len(), 2);
        assert_eq!(log.batch_from(3, 100, 0).len(), 1);
        assert_eq!(log.batch_from(11, 100, 100).len(), 0);
    }
}
