//! What is kept on disk: a log of changes to what must survive.

use super::acceptor::Acceptor;
use super::ballots::{Ballot, Numbered};
use super::message::{decision, key, put_key};
use super::node::Key;
use super::snapshot::Snapshot;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_unsigned};
use crate::protocol::{Command, OnDisk, RecoverError, WriteId};

use std::collections::BTreeMap;

/// The most changes in one record that is decoded.
const CHANGES_MAX: usize = 1 << 20;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Rounds up to this one may have been used.
    Reserved(u64),
    /// The acceptor promised.
    Promised { key: Key, ballot: Ballot },
    /// The acceptor accepted.
    Accepted { key: Key, proposal: Numbered },
    /// A decision was learned.
    Decided { key: Key, value: Command },
}

/// The changes of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record(pub(super) Vec<Change>);

/// What survived.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    pub(super) reserved: u64,
    pub(super) acceptor: Acceptor,
    pub(super) decisions: BTreeMap<Key, Command>,
    /// How many changes the log holds.
    pub(super) changes: u64,
    /// How many decisions the snapshot holds.
    pub(super) in_snapshot: u64,
}

impl Recovered {
    /// Begins with the snapshot, and repeats the changes in order.
    pub(super) fn from_disk(disk: &mut OnDisk<'_>) -> Result<Recovered, RecoverError> {
        let snapshot = disk.snapshot.map(Snapshot::from_bytes).transpose();
        let snapshot = snapshot.map_err(RecoverError::BadSnapshot)?.unwrap_or_default();
        let mut recovered = Recovered {
            reserved: snapshot.reserved,
            in_snapshot: snapshot.decisions.len() as u64,
            decisions: snapshot.decisions,
            acceptor: snapshot.acceptor,
            changes: 0,
        };
        while let Some((_, Record(changes))) = disk.records.read()? {
            recovered.changes += changes.len() as u64;
            changes.into_iter().for_each(|change| recovered.repeat(change));
        }
        Ok(recovered)
    }

    fn repeat(&mut self, change: Change) {
        match change {
            Change::Reserved(round) => self.reserved = self.reserved.max(round),
            Change::Promised { key, ballot } => {
                self.acceptor.make_room(&key);
                self.acceptor.promise(&key, ballot);
            }
            Change::Accepted { key, proposal } => {
                self.acceptor.make_room(&key);
                self.acceptor.accept(&key, proposal, WriteId(0));
            }
            Change::Decided { key, value } => {
                self.acceptor.instances.remove(&key);
                self.decisions.insert(key, value);
            }
        }
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.0.len() as u64);
        for change in &self.0 {
            change.encode(out);
        }
    }
}

impl Decode for Record {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.list("a record", CHANGES_MAX, Change::decode).map(Record)
    }
}

impl Encode for Change {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Change::Reserved(round) => {
                out.push(0);
                put_unsigned(out, *round);
            }
            Change::Promised { key, ballot } => {
                out.push(1);
                put_key(out, key);
                ballot.encode(out);
            }
            Change::Accepted { key, proposal } => {
                out.push(2);
                put_key(out, key);
                proposal.encode(out);
            }
            Change::Decided { key, value } => {
                out.push(3);
                put_key(out, key);
                put_bytes(out, value);
            }
        }
    }
}

impl Decode for Change {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match input.byte("a change")? {
            0 => Change::Reserved(input.unsigned("a round")?),
            1 => Change::Promised {
                key: key(input)?,
                ballot: Ballot::decode(input)?,
            },
            2 => Change::Accepted {
                key: key(input)?,
                proposal: Numbered::decode(input)?,
            },
            3 => {
                let (key, value) = decision(input)?;
                Change::Decided { key, value }
            }
            tag => {
                return Err(DecodeError::UnknownTag {
                    what: "a change",
                    tag,
                });
            }
        })
    }
}
