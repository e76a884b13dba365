//! A node's history: the transactions that it has accepted, in order.

use std::collections::VecDeque;

use super::zxid::Zxid;
use crate::codec::{self, Decode, DecodeError, Encode, Reader, put_bytes, put_unsigned};
use crate::config::NodeId;
use crate::protocol::Command;

/// The most transactions in one message or record that is decoded.
pub(super) const TRANSACTIONS_MAX: usize = 1 << 20;
/// The most members of an ensemble.
pub(super) const MEMBERS_MAX: usize = 1024;

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its name.
    pub zxid: Zxid,
    /// What it does.
    pub payload: Payload,
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A client's command.
    Command(Command),
    /// These shall be the members (Shraer et al., section 3).
    Reconfigure(Vec<NodeId>),
    /// The reconfiguration before it is committed: from here on the new members decide alone.
    Activate,
}

impl Payload {
    /// The client's command, if it is one.
    pub fn command(&self) -> Option<&Command> {
        match self {
            Payload::Command(command) => Some(command),
            Payload::Reconfigure(_) | Payload::Activate => None,
        }
    }
}

impl Transaction {
    /// Roughly how many bytes it takes in a message.
    fn size(&self) -> usize {
        16 + self.payload.command().map_or(0, |command| command.len())
    }
}

/// The transactions accepted so far, durable or not, but for those at the start that snapshots took the
/// place of.
///
/// Zxids have gaps where the epoch changes, so each transaction also has an *index*: its place in the
/// history, from 1. A zxid names all that is before it, so its index is the same wherever it is held.
#[derive(Clone, Debug, Default)]
pub struct History {
    base_index: u64,
    base: Zxid,
    transactions: VecDeque<Transaction>,
}

impl History {
    /// Nothing after this place.
    pub(super) fn after(base_index: u64, base: Zxid) -> History {
        History {
            base_index,
            base,
            transactions: VecDeque::new(),
        }
    }

    /// Does it hold no transaction?
    pub(super) fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// The index before the first transaction that it still holds.
    pub fn base_index(&self) -> u64 {
        self.base_index
    }

    /// The last transaction's name.
    pub fn last(&self) -> Zxid {
        self.transactions.back().map_or(self.base, |last| last.zxid)
    }

    /// The last transaction's index.
    pub fn last_index(&self) -> u64 {
        self.base_index + self.transactions.len() as u64
    }

    /// The transaction at this index.
    pub fn get(&self, index: u64) -> Option<&Transaction> {
        let place = index.checked_sub(self.base_index + 1)?;
        self.transactions.get(usize::try_from(place).ok()?)
    }

    /// The name of the transaction at this index, or of the place before the first.
    pub fn zxid_at(&self, index: u64) -> Option<Zxid> {
        if index == self.base_index {
            Some(self.base)
        } else {
            self.get(index).map(|transaction| transaction.zxid)
        }
    }

    /// The last index at which the name is this one or a smaller; none if that is before all that it holds.
    pub fn floor(&self, zxid: Zxid) -> Option<u64> {
        let upto = self.transactions.partition_point(|held| held.zxid <= zxid);
        (zxid >= self.base).then_some(self.base_index + upto as u64)
    }

    /// Where the transaction of this name is, if it is held.
    pub fn index_of(&self, zxid: Zxid) -> Option<u64> {
        self.floor(zxid)
            .filter(|&index| self.zxid_at(index) == Some(zxid))
    }

    pub(super) fn append(&mut self, transactions: impl IntoIterator<Item = Transaction>) {
        self.transactions.extend(transactions);
    }

    /// Removes all after this index.
    pub(super) fn truncate_after(&mut self, index: u64) {
        let kept = index.saturating_sub(self.base_index);
        self.transactions
            .truncate(usize::try_from(kept).unwrap_or(usize::MAX));
    }

    /// Forgets what is at this index and before.
    pub(super) fn forget_upto(&mut self, index: u64) {
        let Some(base) = self.zxid_at(index) else { return };
        self.transactions.drain(..(index - self.base_index) as usize);
        (self.base_index, self.base) = (index, base);
    }

    /// The sizes of the transactions up to this index, the last first.
    pub(super) fn sizes_upto(&self, index: u64) -> impl Iterator<Item = usize> {
        let count = index.saturating_sub(self.base_index) as usize;
        let count = count.min(self.transactions.len());
        self.transactions.range(..count).rev().map(Transaction::size)
    }

    /// Transactions from this index on: at least one if there is any, and then while they fit.
    pub(super) fn batch_from(&self, index: u64, count_max: usize, bytes_max: usize) -> Vec<Transaction> {
        let start = index
            .saturating_sub(self.base_index + 1)
            .min(self.transactions.len() as u64);
        let mut bytes = 0;
        self.transactions
            .range(start as usize..)
            .take(count_max)
            .take_while(|transaction| {
                let first = bytes == 0;
                bytes += transaction.size();
                first || bytes <= bytes_max
            })
            .cloned()
            .collect()
    }
}

impl Encode for Transaction {
    fn encode(&self, out: &mut Vec<u8>) {
        self.zxid.encode(out);
        match &self.payload {
            Payload::Command(command) => {
                out.push(0);
                put_bytes(out, command);
            }
            Payload::Reconfigure(members) => {
                out.push(1);
                put_members(out, members);
            }
            Payload::Activate => out.push(2),
        }
    }
}

impl Decode for Transaction {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let zxid = Zxid::decode(input)?;
        let payload = match input.byte("a transaction")? {
            0 => Payload::Command(codec::command(input)?),
            1 => Payload::Reconfigure(members(input)?),
            2 => Payload::Activate,
            tag => {
                return Err(DecodeError::UnknownTag {
                    what: "a transaction",
                    tag,
                });
            }
        };
        Ok(Transaction { zxid, payload })
    }
}

/// Appends a list of transactions.
pub(super) fn put_transactions(out: &mut Vec<u8>, transactions: &[Transaction]) {
    put_unsigned(out, transactions.len() as u64);
    for transaction in transactions {
        transaction.encode(out);
    }
}

/// Reads a list of transactions.
pub(super) fn transactions(input: &mut Reader<'_>) -> Result<Vec<Transaction>, DecodeError> {
    input.list("a list of transactions", TRANSACTIONS_MAX, Transaction::decode)
}

/// Appends a list of members.
pub(super) fn put_members(out: &mut Vec<u8>, members: &[NodeId]) {
    put_unsigned(out, members.len() as u64);
    for member in members {
        member.encode(out);
    }
}

/// Reads a list of members.
pub(super) fn members(input: &mut Reader<'_>) -> Result<Vec<NodeId>, DecodeError> {
    input.list("a list of members", MEMBERS_MAX, NodeId::decode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(zxids: &[(u64, u64)]) -> History {
        let mut history = History::default();
        history.append(zxids.iter().map(|&(epoch, counter)| Transaction {
            zxid: Zxid { epoch, counter },
            payload: Payload::Activate,
        }));
        history
    }

    fn z(epoch: u64, counter: u64) -> Zxid {
        Zxid { epoch, counter }
    }

    #[test]
    fn zxids_have_gaps_and_indexes_have_none() {
        let mut history = history(&[(1, 1), (1, 2), (4, 1), (4, 2)]);
        assert_eq!(history.index_of(z(4, 1)), Some(3));
        assert_eq!(history.index_of(z(2, 1)), None);
        assert_eq!(history.floor(z(2, 1)), Some(2));
        assert_eq!(history.floor(Zxid::ZERO), Some(0));
        history.forget_upto(2);
        assert_eq!((history.zxid_at(2), history.zxid_at(1)), (Some(z(1, 2)), None));
        assert_eq!((history.floor(z(1, 1)), history.floor(z(3, 9))), (None, Some(2)));
        assert_eq!((history.last(), history.last_index()), (z(4, 2), 4));
        history.truncate_after(2);
        assert_eq!((history.last(), history.last_index()), (z(1, 2), 2));
    }

    #[test]
    fn a_batch_has_at_least_one_transaction_and_is_bounded() {
        let mut history = history(&[(1, 1), (1, 2), (1, 3), (1, 4)]);
        history.forget_upto(1);
        assert_eq!(history.batch_from(3, 1, usize::MAX).len(), 1);
        assert_eq!(history.batch_from(2, 100, 33).len(), 2);
        assert_eq!(history.batch_from(2, 100, 0).len(), 1);
        assert_eq!(history.batch_from(5, 100, 100).len(), 0);
    }
}
