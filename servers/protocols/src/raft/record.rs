//! What is kept on disk: a log of changes to the state that must survive (paper figure 2, "persistent
//! state").

use std::sync::Arc;

use super::log::{Entry, Log, Payload, Position};
use super::membership::{Membership, Memberships};
use super::message::{entries, put_entries};
use super::snapshot::Snapshot;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_optional, put_unsigned};
use crate::config::{Config, NodeId};
use crate::protocol::{OnDisk, RecoverError};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// The term and the vote in it are these from here on.
    State { term: u64, voted_for: Option<NodeId> },
    /// The log ends before this index, and goes on with these entries.
    Entries { first_index: u64, entries: Vec<Entry> },
}

/// The state that survived.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) term: u64,
    pub(super) voted_for: Option<NodeId>,
    pub(super) log: Log,
    pub(super) members: Memberships,
    /// The snapshot that the log goes on from, and the state of the store in it.
    pub(super) snapshot: Option<(Snapshot, Arc<[u8]>)>,
}

impl Recovered {
    /// Repeats the changes since the snapshot in order.
    pub(super) fn from_disk(disk: &mut OnDisk<'_>, config: &Config) -> Result<Recovered, RecoverError> {
        let snapshot = disk.snapshot.map(|bytes| Snapshot::open(bytes.into()));
        let snapshot = snapshot.transpose().map_err(RecoverError::BadSnapshot)?;
        let (base, members) = match &snapshot {
            Some((snapshot, _)) => (snapshot.last, snapshot.members.clone()),
            None => {
                let members = Membership::new(config.members().iter().copied());
                (Position::default(), Arc::new(members))
            }
        };
        let mut recovered = Recovered {
            term: 0,
            voted_for: None,
            log: Log::after(base),
            members: Memberships::new(base.index, members),
            snapshot,
        };
        while let Some((number, record)) = disk.records.read()? {
            recovered.repeat(number, record)?;
        }
        Ok(recovered)
    }

    fn repeat(&mut self, number: usize, record: Record) -> Result<(), RecoverError> {
        match record {
            Record::State { term, voted_for } => (self.term, self.voted_for) = (term, voted_for),
            Record::Entries { first_index, entries } => {
                let last_index = self.log.last().index;
                if first_index == 0 || first_index > last_index + 1 {
                    return Err(RecoverError::Gap {
                        number,
                        first_index,
                        last_index,
                    });
                }
                // What the snapshot has is not needed again.
                let known = (self.log.base().index + 1).saturating_sub(first_index);
                let entries = (first_index..).zip(entries).skip(known as usize);
                self.log.truncate_from(first_index);
                self.members.truncate_from(first_index);
                for (index, entry) in entries {
                    if let Payload::Members(members) = &entry.payload {
                        self.members.append(index, members.clone());
                    }
                    self.log.append([entry]);
                }
            }
        }
        Ok(())
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
