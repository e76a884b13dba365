//! What is kept on disk: a snapshot, and a log of changes to the state that must survive.

use std::sync::Arc;

use super::log::{Entry, Log, Operation, Position, entries, put_entries};
use super::view::{Group, View};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_optional, put_unsigned};
use crate::protocol::{OnDisk, RecoverError};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// The node is in this view.
    View(View),
    /// The last view in which its status was normal is this, and the log ends before this op-number and goes
    /// on with these entries. One record, since the log counts for that view in a view change.
    Log {
        normal_view: View,
        first: u64,
        entries: Vec<Entry>,
    },
    /// The same, where a snapshot takes the place of what came before.
    ///
    /// If the snapshot did not survive but this did, it comes after the old log: and either says again what
    /// is there, or does not fit and means nothing.
    Tail {
        normal_view: View,
        previous: Position,
        entries: Vec<Entry>,
    },
    /// The node knows that the cluster is new, and that it has itself forgotten nothing.
    Founded,
    /// The node waits to be given a vote in the life of this nonce; or does so no more.
    Waits(Option<u64>),
}

/// The state that survived.
#[derive(Clone, Debug, Default)]
pub(super) struct Recovered {
    pub(super) view: View,
    pub(super) normal_view: View,
    pub(super) log: Log,
    /// The group, if any was found: else that of the configuration holds.
    pub(super) group: Option<Group>,
    /// The op-number of the reconfiguration that began its epoch, if that is in the log: all up to there is
    /// committed.
    pub(super) epoch_begun_by: u64,
    pub(super) snapshot: Option<(Snapshot, Arc<[u8]>)>,
    pub(super) founded: bool,
    /// Has it taken part in anything?
    pub(super) started: bool,
    pub(super) nonce: Option<u64>,
}

impl Recovered {
    /// Repeats the changes in order.
    pub(super) fn from_disk(disk: &mut OnDisk<'_>) -> Result<Recovered, RecoverError> {
        let mut recovered = Recovered::default();
        if let Some(bytes) = disk.snapshot {
            let snapshot = Snapshot::from_bytes(bytes).map_err(RecoverError::BadSnapshot)?;
            recovered.log = Log::after(snapshot.last);
            recovered.group = Some(snapshot.group.clone());
            recovered.snapshot = Some((snapshot, bytes.into()));
            recovered.started = true;
        }
        while let Some((number, record)) = disk.records.read()? {
            recovered.repeat(number, record)?;
        }
        recovered.find_group();
        // A snapshot may be of an epoch of which nothing else was written yet. It has all that was before the epoch,
        // and so this node has begun it.
        let epoch = recovered.group.as_ref().map_or(0, |group| group.epoch);
        recovered.normal_view = recovered.normal_view.max(View::first_of(epoch));
        recovered.view = recovered.view.max(recovered.normal_view);
        Ok(recovered)
    }

    fn repeat(&mut self, number: usize, record: Record) -> Result<(), RecoverError> {
        match record {
            Record::View(view) => {
                self.view = view;
                self.started = true;
            }
            Record::Log {
                normal_view,
                first,
                entries,
            } => {
                let last_index = self.log.last().op;
                if first <= self.log.base().op || first > last_index + 1 {
                    return Err(RecoverError::Gap {
                        number,
                        first_index: first,
                        last_index,
                    });
                }
                self.normal_view = normal_view;
                self.log.truncate_from(first);
                self.log.append(entries);
                self.started = true;
            }
            Record::Tail {
                normal_view,
                previous,
                entries,
            } => {
                let fresh = self.snapshot.is_some()
                    && self.log.base() == self.log.last()
                    && previous.op <= self.log.base().op
                    && self.log.base().op <= previous.op + entries.len() as u64;
                if fresh {
                    self.log = Log::after(previous);
                } else if !self.log.holds(previous) {
                    return Ok(());
                }
                self.normal_view = normal_view;
                self.log.truncate_from(previous.op + 1);
                self.log.append(entries);
            }
            Record::Founded => self.founded = true,
            Record::Waits(nonce) => self.nonce = nonce,
        }
        Ok(())
    }

    /// The group is that of the last reconfiguration known to be committed: one whose epoch has a log here.
    fn find_group(&mut self) {
        let known = self.group.as_ref().map_or(0, |group| group.epoch);
        if self.normal_view.epoch == known {
            return;
        }
        let ops = self.log.base().op + 1..=self.log.last().op;
        let mut groups = ops.rev().filter_map(|op| match &self.log.entry(op)?.operation {
            Operation::Reconfiguration(group) if group.epoch <= self.normal_view.epoch => Some((op, group)),
            _ => None,
        });
        if let Some((op, group)) = groups.next()
            && group.epoch > known
        {
            self.epoch_begun_by = op;
            self.group = Some(group.clone());
        }
    }
}

/// A snapshot: the state of the store after an op-number, and the group then (section 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) last: Position,
    pub(super) group: Group,
    pub(super) state: Arc<[u8]>,
}

impl Encode for Snapshot {
    fn encode(&self, out: &mut Vec<u8>) {
        self.last.encode(out);
        self.group.encode(out);
        put_bytes(out, &self.state);
    }
}

impl Decode for Snapshot {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Snapshot {
            last: Position::decode(input)?,
            group: Group::decode(input)?,
            state: input.bytes("a state", usize::MAX)?.into(),
        })
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Record::View(view) => {
                out.push(0);
                view.encode(out);
            }
            Record::Log {
                normal_view,
                first,
                entries,
            } => {
                out.push(1);
                normal_view.encode(out);
                put_unsigned(out, *first);
                put_entries(out, entries);
            }
            Record::Tail {
                normal_view,
                previous,
                entries,
            } => {
                out.push(2);
                normal_view.encode(out);
                previous.encode(out);
                put_entries(out, entries);
            }
            Record::Founded => out.push(3),
            Record::Waits(nonce) => {
                out.push(4);
                put_optional(out, *nonce, put_unsigned);
            }
        }
    }
}

impl Decode for Record {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.byte("a record")? {
            0 => Ok(Record::View(View::decode(input)?)),
            1 => Ok(Record::Log {
                normal_view: View::decode(input)?,
                first: input.unsigned("an op-number")?,
                entries: entries(input)?,
            }),
            2 => Ok(Record::Tail {
                normal_view: View::decode(input)?,
                previous: Position::decode(input)?,
                entries: entries(input)?,
            }),
            3 => Ok(Record::Founded),
            4 => Ok(Record::Waits(
                input.optional("a nonce", |input| input.word("a nonce"))?,
            )),
            tag => Err(DecodeError::UnknownTag {
                what: "a record",
                tag,
            }),
        }
    }
}
