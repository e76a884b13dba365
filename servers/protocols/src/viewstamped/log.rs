//! The log, in memory.

use super::view::{Group, View};
use crate::codec::{self, Decode, DecodeError, Encode, Reader, put_bytes, put_unsigned};
use crate::protocol::Command;

/// The most entries in one message or record that is decoded.
const ENTRIES_MAX: usize = 1 << 20;
/// The most runs of an outline: older ones are covered by the commit-number that goes with it.
const OUTLINE_RUNS_MAX: usize = 32;

/// A viewstamp: a place in a log, and the view whose primary put there what is there. It determines the
/// operation, and all before it: in a view only its primary assigns op-numbers, each once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The view; 0 of epoch 0 before the first operation.
    pub view: View,
    /// The op-number, from 1; 0 before the first operation.
    pub op: u64,
}

/// What is agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A client's request.
    Command(Command),
    /// The last operation of its epoch: the next has this group (section 7.1).
    Reconfiguration(Group),
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The view whose primary assigned its op-number. A later view keeps it as it is.
    pub view: View,
    /// What is to be done.
    pub operation: Operation,
}

impl Entry {
    /// The client's command, if it is one.
    pub fn command(&self) -> Option<&Command> {
        match &self.operation {
            Operation::Command(command) => Some(command),
            Operation::Reconfiguration(_) => None,
        }
    }

    /// Roughly how many bytes it takes in a message.
    fn size(&self) -> usize {
        16 + self.command().map_or(512, |command| command.len())
    }
}

/// The operations that are not covered by a snapshot, and some that are, durable or not.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// What comes before the first entry here.
    base: Position,
    /// The entry of op-number n is at n - base - 1.
    entries: Vec<Entry>,
}

impl Log {
    /// An empty log that goes on after this.
    pub(super) fn after(base: Position) -> Log {
        Log {
            base,
            entries: Vec::new(),
        }
    }

    /// What comes before the first entry that is here.
    pub fn base(&self) -> Position {
        self.base
    }

    /// The last op-number, and its view.
    pub fn last(&self) -> Position {
        match self.entries.last() {
            Some(entry) => Position {
                view: entry.view,
                op: self.base.op + self.entries.len() as u64,
            },
            None => self.base,
        }
    }

    /// The entry of this op-number.
    pub fn entry(&self, op: u64) -> Option<&Entry> {
        let at = op.checked_sub(self.base.op + 1)?;
        self.entries.get(usize::try_from(at).ok()?)
    }

    /// The view of the entry with this op-number.
    pub fn view_at(&self, op: u64) -> Option<View> {
        if op == self.base.op {
            Some(self.base.view)
        } else {
            self.entry(op).map(|entry| entry.view)
        }
    }

    /// Does the log hold what is at this position? It then holds all before it, too.
    pub(super) fn holds(&self, position: Position) -> bool {
        self.view_at(position.op) == Some(position.view)
    }

    pub(super) fn append(&mut self, entries: impl IntoIterator<Item = Entry>) {
        self.entries.extend(entries);
    }

    /// Removes the entry of this op-number and all after it.
    pub(super) fn truncate_from(&mut self, op: u64) {
        self.entries
            .truncate(op.saturating_sub(self.base.op + 1) as usize);
    }

    /// Forgets the entries up to this op-number.
    pub(super) fn forget_upto(&mut self, op: u64) {
        let Some(view) = self.view_at(op) else { return };
        self.entries.drain(..(op - self.base.op) as usize);
        self.base = Position { view, op };
    }

    /// Entries after this op-number: at least one if there is any, and then while they fit.
    pub(super) fn batch_after(&self, op: u64, entries_max: usize, bytes_max: usize) -> Vec<Entry> {
        let start = (op.saturating_sub(self.base.op) as usize).min(self.entries.len());
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

    /// The sizes of the entries up to this op-number, the last first.
    pub(super) fn sizes_upto(&self, op: u64) -> impl Iterator<Item = usize> {
        let count = (op.saturating_sub(self.base.op) as usize).min(self.entries.len());
        self.entries[..count].iter().rev().map(Entry::size)
    }

    /// The last entries, as many as fit, but none up to this op-number; and what comes before them.
    pub(super) fn suffix(&self, after: u64, entries_max: usize, bytes_max: usize) -> (Position, Vec<Entry>) {
        let mut bytes = 0;
        let wanted = (self.last().op.saturating_sub(after) as usize).min(entries_max);
        let count = self
            .entries
            .iter()
            .rev()
            .take(wanted)
            .take_while(|entry| {
                bytes += entry.size();
                bytes <= bytes_max
            })
            .count();
        let start = self.entries.len() - count;
        let previous = match start.checked_sub(1) {
            Some(before) => Position {
                view: self.entries[before].view,
                op: self.base.op + start as u64,
            },
            None => self.base,
        };
        (previous, self.entries[start..].to_vec())
    }

    /// Where each run of entries of one view ends, the newest first, up to this op-number: by which another
    /// can tell how far its own log is the same.
    pub(super) fn outline(&self, upto: u64) -> Vec<Position> {
        let mut outline = Vec::new();
        let mut op = upto.min(self.last().op);
        while outline.len() < OUTLINE_RUNS_MAX
            && let Some(view) = self.view_at(op)
        {
            outline.push(Position { view, op });
            if op == self.base.op {
                break;
            }
            // Views never fall along a log, so the entries of earlier views are a prefix.
            let earlier = self.entries.partition_point(|entry| entry.view < view);
            op = self.base.op + earlier as u64;
        }
        outline
    }

    /// The last op-number up to which a log with this outline is certainly the same as this one, if any is
    /// here still: a viewstamp determines all before it.
    pub(super) fn same_upto(&self, outline: &[Position]) -> Option<u64> {
        outline.iter().find_map(|run| {
            let upto = self.entries.partition_point(|entry| entry.view <= run.view) as u64;
            let last = self.base.op + upto;
            (self.view_at(last) == Some(run.view) && run.op >= self.base.op).then(|| last.min(run.op))
        })
    }
}

impl Encode for Position {
    fn encode(&self, out: &mut Vec<u8>) {
        self.view.encode(out);
        put_unsigned(out, self.op);
    }
}

impl Decode for Position {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Position {
            view: View::decode(input)?,
            op: input.unsigned("an op-number")?,
        })
    }
}

impl Encode for Entry {
    fn encode(&self, out: &mut Vec<u8>) {
        self.view.encode(out);
        match &self.operation {
            Operation::Command(command) => {
                out.push(0);
                put_bytes(out, command);
            }
            Operation::Reconfiguration(group) => {
                out.push(1);
                group.encode(out);
            }
        }
    }
}

impl Decode for Entry {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let view = View::decode(input)?;
        let operation = match input.byte("an operation")? {
            0 => Operation::Command(codec::command(input)?),
            1 => Operation::Reconfiguration(Group::decode(input)?),
            tag => {
                return Err(DecodeError::UnknownTag {
                    what: "an operation",
                    tag,
                });
            }
        };
        Ok(Entry { view, operation })
    }
}

pub(super) fn put_entries(out: &mut Vec<u8>, entries: &[Entry]) {
    put_unsigned(out, entries.len() as u64);
    entries.iter().for_each(|entry| entry.encode(out));
}

pub(super) fn entries(input: &mut Reader<'_>) -> Result<Vec<Entry>, DecodeError> {
    input.list("entries", ENTRIES_MAX, Entry::decode)
}

pub(super) fn put_outline(out: &mut Vec<u8>, outline: &[Position]) {
    put_unsigned(out, outline.len() as u64);
    outline.iter().for_each(|run| run.encode(out));
}

pub(super) fn outline(input: &mut Reader<'_>) -> Result<Vec<Position>, DecodeError> {
    input.list("an outline", OUTLINE_RUNS_MAX * 2, Position::decode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u64, op: u64) -> Position {
        let view = View { epoch: 0, number };
        Position { view, op }
    }

    fn log(base: Position, views: &[u64]) -> Log {
        let mut log = Log::after(base);
        log.append(views.iter().map(|&number| Entry {
            view: View { epoch: 0, number },
            operation: Operation::Command([7].into()),
        }));
        log
    }

    #[test]
    fn an_outline_says_where_two_logs_part() {
        let mine = log(at(0, 0), &[0, 0, 1, 1, 3, 3]);
        assert_eq!(mine.outline(6), [at(3, 6), at(1, 4), at(0, 2), at(0, 0)]);
        assert_eq!(mine.outline(3), [at(1, 3), at(0, 2), at(0, 0)]);
        for (other, same) in [
            (log(at(0, 0), &[0, 0, 1, 1, 3, 3, 3]), Some(6)),
            (log(at(0, 0), &[0, 0, 1, 1, 3]), Some(5)),
            (log(at(0, 0), &[0, 0, 1, 2, 2]), Some(3)),
            (log(at(0, 0), &[0]), Some(1)),
            (log(at(0, 0), &[4]), Some(0)),
            (log(at(1, 4), &[3]), Some(5)),
            (log(at(3, 7), &[3]), None),
        ] {
            assert_eq!(other.same_upto(&mine.outline(6)), same, "{other:?}");
        }
    }

    #[test]
    fn what_is_forgotten_leaves_its_position() {
        let mut log = log(at(0, 0), &[0, 0, 1, 1]);
        log.forget_upto(3);
        assert_eq!((log.base(), log.last()), (at(1, 3), at(1, 4)));
        assert!(log.holds(at(1, 3)) && !log.holds(at(0, 2)));
        assert_eq!(log.batch_after(3, 10, 100).len(), 1);
        assert_eq!(log.suffix(0, 10, 100).0, at(1, 3));
        assert_eq!(log.suffix(0, 10, 0), (at(1, 4), vec![]));
        log.truncate_from(4);
        assert_eq!(log.last(), at(1, 3));
    }
}
