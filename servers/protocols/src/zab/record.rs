//! What is kept on disk: a log of changes to the state that must survive (paper section 4.1: f.p, f.a, and
//! the history), and the snapshots that take the place of its beginning.

use std::sync::Arc;

use super::ensemble::{Ensemble, Ensembles};
use super::history::{History, Transaction, put_transactions, transactions};
use super::message::Accepted;
use super::zxid::Zxid;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_unsigned};
use crate::protocol::{OnDisk, RecoverError};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// The accepted epoch (f.p) and the current one (f.a) are these from here on. Two numbers, because a node
    /// that has promised an epoch has not yet the history of its leader: of the two, only the current epoch
    /// says how recent the history is.
    Epochs { accepted: Accepted, current: u64 },
    /// The history ends at this place, and goes on with these transactions.
    History {
        index: u64,
        previous: Zxid,
        transactions: Vec<Transaction>,
    },
}

/// A snapshot, and the place in the history that it was taken at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) index: u64,
    pub(super) zxid: Zxid,
    pub(super) ensemble: Ensemble,
    pub(super) state: Arc<[u8]>,
}

/// The state that survived.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) accepted: Accepted,
    pub(super) current: u64,
    pub(super) history: History,
    pub(super) ensembles: Ensembles,
    pub(super) snapshot: Option<Snapshot>,
}

impl Recovered {
    /// Repeats the changes in order, from the snapshot on. Without one the cluster began with `first`.
    pub(super) fn from_disk(disk: &mut OnDisk<'_>, first: Ensemble) -> Result<Recovered, RecoverError> {
        let snapshot = disk.snapshot.map(Snapshot::from_bytes).transpose();
        let snapshot = snapshot.map_err(RecoverError::BadSnapshot)?;
        let (index, zxid, ensemble) = match &snapshot {
            Some(snapshot) => (snapshot.index, snapshot.zxid, snapshot.ensemble.clone()),
            None => (0, Zxid::ZERO, first),
        };
        let mut recovered = Recovered {
            accepted: Accepted::default(),
            current: 0,
            history: History::after(index, zxid),
            ensembles: Ensembles::new(index, ensemble),
            snapshot,
        };
        while let Some((number, record)) = disk.records.read()? {
            recovered.repeat(number, record)?;
        }
        Ok(recovered)
    }

    fn repeat(&mut self, number: usize, record: Record) -> Result<(), RecoverError> {
        let (index, previous, transactions) = match record {
            Record::Epochs { accepted, current } => {
                (self.accepted, self.current) = (accepted, current);
                return Ok(());
            }
            Record::History {
                index,
                previous,
                transactions,
            } => (index, previous, transactions),
        };
        let covered = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.index);
        if self.history.is_empty() && index < self.history.base_index() {
            // Transactions that the snapshot covers were kept, for followers that lack but a few.
            self.history = History::after(index, previous);
        }
        if index < self.history.base_index() || index > self.history.last_index() {
            return Err(RecoverError::Gap {
                number,
                first_index: index + 1,
                last_index: self.history.last_index(),
            });
        }
        self.history.truncate_after(index);
        self.ensembles.truncate_after(index);
        for (index, transaction) in (index + 1..).zip(&transactions) {
            if index > covered {
                self.ensembles.note(index, &transaction.payload);
            }
        }
        self.history.append(transactions);
        Ok(())
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Record::Epochs { accepted, current } => {
                out.push(0);
                accepted.encode(out);
                put_unsigned(out, *current);
            }
            Record::History {
                index,
                previous,
                transactions,
            } => {
                out.push(1);
                put_unsigned(out, *index);
                previous.encode(out);
                put_transactions(out, transactions);
            }
        }
    }
}

impl Decode for Record {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.byte("a record")? {
            0 => Ok(Record::Epochs {
                accepted: Accepted::decode(input)?,
                current: input.unsigned("an epoch")?,
            }),
            1 => Ok(Record::History {
                index: input.unsigned("an index")?,
                previous: Zxid::decode(input)?,
                transactions: transactions(input)?,
            }),
            tag => Err(DecodeError::UnknownTag {
                what: "a record",
                tag,
            }),
        }
    }
}

impl Encode for Snapshot {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.index);
        self.zxid.encode(out);
        self.ensemble.encode(out);
        put_bytes(out, &self.state);
    }
}

impl Decode for Snapshot {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Snapshot {
            index: input.unsigned("an index")?,
            zxid: Zxid::decode(input)?,
            ensemble: Ensemble::decode(input)?,
            state: input.bytes("a state", usize::MAX)?.into(),
        })
    }
}
