//! What is kept on disk: a log of changes to the state that must survive (paper figure 2, "persistent
//! state").

use super::log::{Entry, Log};
use super::message::{entries, put_entries};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_optional, put_unsigned};
use crate::config::NodeId;
use crate::protocol::RecoverError;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// The term and the vote in it are these from here on.
    State { term: u64, voted_for: Option<NodeId> },
    /// The log ends before this index, and goes on with these entries.
    Entries { first_index: u64, entries: Vec<Entry> },
}

/// The state that survived.
#[derive(Clone, Debug, Default)]
pub(super) struct Recovered {
    pub(super) term: u64,
    pub(super) voted_for: Option<NodeId>,
    pub(super) log: Log,
}

impl Recovered {
    /// Repeats the changes in order.
    pub(super) fn from_records(records: &[Vec<u8>]) -> Result<Recovered, RecoverError> {
        let mut recovered = Recovered::default();
        for (number, bytes) in (1..).zip(records) {
            let record =
                Record::from_bytes(bytes).map_err(|source| RecoverError::BadRecord { number, source })?;
            match record {
                Record::State { term, voted_for } => {
                    (recovered.term, recovered.voted_for) = (term, voted_for)
                }
                Record::Entries { first_index, entries } => {
                    let last_index = recovered.log.last().index;
                    if first_index == 0 || first_index > last_index + 1 {
                        return Err(RecoverError::Gap {
                            number,
                            first_index,
                            last_index,
                        });
                    }
                    recovered.log.truncate_from(first_index);
                    recovered.log.append(entries);
                }
            }
        }
        Ok(recovered)
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Record::State { term, voted_for } => {
                out.push(0);
                put_unsigned(out, *term);
                put_optional(out, voted_for.as_ref(), |out, node| node.encode(out));
            }
            Record::Entries { first_index, entries } => {
                out.push(1);
                put_unsigned(out, *first_index);
                put_entries(out, entries);
            }
        }
    }
}

impl Decode for Record {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.byte("a record")? {
            0 => Ok(Record::State {
                term: input.unsigned("a term")?,
                voted_for: input.optional("a vote", NodeId::decode)?,
            }),
            1 => Ok(Record::Entries {
                first_index: input.unsigned("an index")?,
                entries: entries(input)?,
            }),
            tag => Err(DecodeError::UnknownTag {
                what: "a record",
                tag,
            }),
        }
    }
}
