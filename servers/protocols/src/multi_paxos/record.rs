//! What is kept on disk: a log of what the acceptor must not forget (Lamport 2001, 2.5: "an acceptor must
//! remember the highest-numbered proposal that it has ever accepted and the number of the highest-numbered
//! prepare request to which it has responded").

use super::ballot::Ballot;
use super::log::{Log, Vote};
use super::message::{put_values, put_votes, values, votes};
use super::value::Value;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_unsigned};
use crate::protocol::{Records, RecoverError};

/// One change.
///
/// That a slot is chosen need not be remembered, as it can be learned again. But it costs nothing to say so
/// along with the rest, and spares a cluster that was stopped whole from choosing its whole log anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// Nothing is accepted any more in a ballot before this one.
    Promised {
        ballot: Ballot,
        /// The slots up to here are known to be chosen.
        chosen: u64,
    },
    /// These values are accepted for the slots from the first on; nothing is any more in an earlier ballot.
    Accepted {
        ballot: Ballot,
        first: u64,
        values: Vec<Value>,
        /// The slots up to here are known to be chosen.
        chosen: u64,
    },
    /// These are chosen for the slots from the first on, as another node told.
    Learned { first: u64, votes: Vec<Vote> },
}

/// The state that survived.
#[derive(Clone, Debug, Default)]
pub(super) struct Recovered {
    pub(super) promised: Option<Ballot>,
    pub(super) log: Log,
    /// The slots up to here were known to be chosen.
    pub(super) chosen: u64,
}

impl Recovered {
    /// Repeats the changes in order.
    pub(super) fn from_records(records: &mut Records<'_>) -> Result<Recovered, RecoverError> {
        let mut recovered = Recovered::default();
        while let Some((_, record)) = records.read()? {
            recovered.repeat(record);
        }
        Ok(recovered)
    }

    fn repeat(&mut self, record: Record) {
        match record {
            Record::Promised { ballot, chosen } => {
                self.promised = self.promised.max(Some(ballot));
                self.chosen = self.chosen.max(chosen);
            }
            Record::Accepted {
                ballot,
                first,
                values,
                chosen,
            } => {
                self.promised = self.promised.max(Some(ballot));
                self.chosen = self.chosen.max(chosen);
                for (slot, value) in (first..).zip(&values) {
                    self.log.accept(slot, ballot, value);
                }
            }
            Record::Learned { first, votes } => {
                for (slot, vote) in (first..).zip(votes) {
                    self.log.learn(slot, vote);
                }
            }
        }
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Record::Promised { ballot, chosen } => {
                out.push(0);
                ballot.encode(out);
                put_unsigned(out, *chosen);
            }
            Record::Accepted {
                ballot,
                first,
                values,
                chosen,
            } => {
                out.push(1);
                ballot.encode(out);
                put_unsigned(out, *first);
                put_unsigned(out, *chosen);
                put_values(out, values);
            }
            Record::Learned { first, votes } => {
                out.push(2);
                put_unsigned(out, *first);
                put_votes(out, votes);
            }
        }
    }
}

impl Decode for Record {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.byte("a record")? {
            0 => Ok(Record::Promised {
                ballot: Ballot::decode(input)?,
                chosen: input.unsigned("a slot")?,
            }),
            1 => Ok(Record::Accepted {
                ballot: Ballot::decode(input)?,
                first: input.unsigned("a slot")?,
                chosen: input.unsigned("a slot")?,
                values: values(input)?,
            }),
            2 => Ok(Record::Learned {
                first: input.unsigned("a slot")?,
                votes: votes(input)?,
            }),
            tag => Err(DecodeError::UnknownTag {
                what: "a record",
                tag,
            }),
        }
    }
}
