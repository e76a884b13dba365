//! The log, in memory.

use std::sync::Arc;

use super::membership::Membership;
use crate::codec::{self, Decode, DecodeError, Encode, Reader, put_bytes, put_unsigned};
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
    /// What it says.
    pub payload: Payload,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Nothing: the entry with which a leader begins its term.
    Noop,
    /// A client's command.
    Command(Command),
    /// Who has a vote, from this entry on.
    Members(Arc<Membership>),
}

impl Entry {
    /// What is applied to the store, if anything is.
    pub fn command(&self) -> Option<&Command> {
        match &self.payload {
            Payload::Command(command) => Some(command),
            Payload::Noop | Payload::Members(_) => None,
        }
    }

    /// Roughly how many bytes it takes in a message.
    fn size(&self) -> usize {
        16 + match &self.payload {
            Payload::Noop => 0,
            Payload::Command(command) => command.len(),
            Payload::Members(members) => members.size(),
        }
    }
}

/// Every entry that is not gone, durable or not. What was applied and is in a snapshot goes, from the front
/// (paper section 7).
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The last entry that is gone; zeros if none is.
    base: Position,
    /// The entry of index i is at i - 1 - `base.index`.
    entries: Vec<Entry>,
}

impl Log {
    /// A log of which nothing is left after this entry.
    pub(super) fn after(base: Position) -> Log {
        Log {
            base,
            entries: Vec::new(),
        }
    }

    /// The place of the last entry that is gone; zeros if none is. The log knows its term, and no more.
    pub fn base(&self) -> Position {
        self.base
    }

    /// The last entry's place; zeros if there never was one.
    pub fn last(&self) -> Position {
        Position {
            term: self.entries.last().map_or(self.base.term, |entry| entry.term),
            index: self.base.index + self.entries.len() as u64,
        }
    }

    /// The entry at this index.
    pub fn entry(&self, index: u64) -> Option<&Entry> {
        let offset = index.checked_sub(self.base.index + 1)?;
        self.entries.get(usize::try_from(offset).ok()?)
    }

    /// The term of the entry at this index, if the log still knows it; 0 at index 0, before the first entry.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.base.index {
            Some(self.base.term)
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
        self.entries.truncate(self.offset(index));
    }

    /// Lets go of the entry at this index and all before it.
    pub(super) fn compact_to(&mut self, index: u64) {
        let Some(term) = self.term_at(index) else { return };
        self.entries.drain(..self.offset(index + 1));
        self.base = Position { term, index };
    }

    /// All entries from this index on.
    pub(super) fn from(&self, index: u64) -> &[Entry] {
        &self.entries[self.offset(index)..]
    }

    /// Entries from this index on: at least one if there is any, and then while they fit.
    pub(super) fn batch_from(&self, index: u64, entries_max: usize, bytes_max: usize) -> Vec<Entry> {
        let mut bytes = 0;
        self.from(index)
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

    /// The sizes of the entries up to this index, the last first.
    pub(super) fn sizes_upto(&self, index: u64) -> impl Iterator<Item = usize> {
        self.entries[..self.offset(index + 1)]
            .iter()
            .rev()
            .map(Entry::size)
    }

    /// The first index that is still known of the run of entries that have the same term as the one at this
    /// index.
    pub(super) fn first_of_term_at(&self, index: u64) -> u64 {
        if index <= self.base.index {
            return index;
        }
        let term = self.term_at(index);
        // Terms never fall along a log, so the entries before those of the term are a prefix.
        let before = self.entries.partition_point(|entry| Some(entry.term) < term);
        self.base.index + before as u64 + 1
    }

    /// The last index of an entry of this term, if one is known.
    pub(super) fn last_of_term(&self, term: u64) -> Option<u64> {
        let upto = self.entries.partition_point(|entry| entry.term <= term) as u64;
        let index = self.base.index + upto;
        (index > 0 && self.term_at(index) == Some(term)).then_some(index)
    }

    /// Where the entry at this index stands among those that are left, or would stand.
    fn offset(&self, index: u64) -> usize {
        let offset = index.saturating_sub(self.base.index + 1);
        usize::try_from(offset).map_or(self.entries.len(), |offset| offset.min(self.entries.len()))
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
        match &self.payload {
            Payload::Noop => out.push(0),
            Payload::Command(command) => {
                out.push(1);
                put_bytes(out, command);
            }
            Payload::Members(members) => {
                out.push(2);
                members.encode(out);
            }
        }
    }
}

impl Decode for Entry {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let term = input.unsigned("a term")?;
        let payload = match input.byte("an entry")? {
            0 => Payload::Noop,
            1 => Payload::Command(codec::command(input)?),
            2 => Payload::Members(Arc::new(Membership::decode(input)?)),
            tag => {
                return Err(DecodeError::UnknownTag {
                    what: "an entry",
                    tag,
                });
            }
        };
        Ok(Entry { term, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(base: Position, terms: &[u64]) -> Log {
        let noop = |&term| Entry {
            term,
            payload: Payload::Noop,
        };
        Log {
            base,
            entries: terms.iter().map(noop).collect(),
        }
    }

    #[test]
    fn terms_are_found_by_their_ends() {
        let log = log(Position::default(), &[1, 1, 4, 4, 4, 6]);
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
    fn what_is_gone_is_not_known_but_for_the_term_of_its_last() {
        let mut log = log(Position::default(), &[1, 1, 4, 4, 4, 6]);
        log.compact_to(4);
        assert_eq!(
            (log.base(), log.last()),
            (Position { term: 4, index: 4 }, Position { term: 6, index: 6 })
        );
        assert_eq!(
            [3, 4, 5, 7].map(|index| log.term_at(index)),
            [None, Some(4), Some(4), None]
        );
        assert_eq!(
            [4, 5, 6].map(|index| log.entry(index).map(|entry| entry.term)),
            [None, Some(4), Some(6)]
        );
        assert_eq!([4, 5, 6].map(|index| log.first_of_term_at(index)), [4, 5, 6]);
        assert_eq!(
            [1, 4, 6].map(|term| log.last_of_term(term)),
            [None, Some(5), Some(6)]
        );
        assert_eq!(log.batch_from(5, 9, usize::MAX).len(), 2);
        log.compact_to(2);
        assert_eq!(log.base().index, 4, "what is gone does not come back");
        log.truncate_from(5);
        assert_eq!(
            (log.last(), log.last_of_term(4)),
            (Position { term: 4, index: 4 }, Some(4))
        );
    }

    #[test]
    fn a_batch_has_at_least_one_entry_and_is_bounded() {
        let log = log(Position::default(), &[1; 10]);
        assert_eq!(log.batch_from(3, 4, usize::MAX).len(), 4);
        assert_eq!(log.batch_from(3, 100, 33).len(), 2);
        assert_eq!(log.batch_from(3, 100, 0).len(), 1);
        assert_eq!(log.batch_from(11, 100, 100).len(), 0);
    }
}
