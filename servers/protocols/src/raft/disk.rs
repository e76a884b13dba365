//! Promises that wait for the disk, and how much of the log is durable.

use std::collections::VecDeque;
use std::sync::Arc;

use super::message::Message;
use super::record::Record;
use crate::config::NodeId;
use crate::durable::Writes;
use crate::protocol::{Effect, OnDisk, WriteId};

/// What may not happen before some write is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// The message leaves.
    Send { to: NodeId, message: Message },
    /// The candidate's vote for itself counts.
    OwnVote,
}

/// The writes of this life of the process.
#[derive(Debug, Default)]
pub(super) struct Disk {
    writes: Writes<Promise>,
    /// The last write of the term and the vote.
    state_write: WriteId,
    /// The last index of the log that is durable.
    durable_index: u64,
    /// Writes of entries under way, each with the last index that the log still has of it.
    appends: VecDeque<(WriteId, u64)>,
}

impl Disk {
    /// All that was recovered is durable.
    pub(super) fn recovered(disk: &OnDisk<'_>, last_index: u64) -> Disk {
        Disk {
            writes: Writes::recovered(disk),
            durable_index: last_index,
            ..Disk::default()
        }
    }

    /// The last index of the log that is durable.
    pub(super) fn durable_index(&self) -> u64 {
        self.durable_index
    }

    /// Starts a write.
    pub(super) fn persist(&mut self, record: &Record, effects: &mut Vec<Effect<Message>>) {
        let write = self.writes.persist(record, effects);
        match record {
            Record::State { .. } => self.state_write = write,
            Record::Entries { first_index, entries } => {
                let kept = first_index - 1;
                self.cut(kept);
                self.appends.push_back((write, kept + entries.len() as u64));
            }
        }
    }

    /// Starts to replace all that the disk holds by a snapshot and these records, after which the log ends at
    /// `last_index`. Of what the log had before, it still has what comes up to `kept`.
    pub(super) fn compact(
        &mut self,
        snapshot: Arc<[u8]>,
        records: &[Record],
        kept: u64,
        last_index: u64,
        effects: &mut Vec<Effect<Message>>,
    ) {
        let write = self.writes.compact(snapshot, records, effects);
        self.cut(kept);
        self.appends.push_back((write, last_index));
    }

    /// What the log no longer has can not be durable in it any more, even when its write completes.
    fn cut(&mut self, kept: u64) {
        self.durable_index = self.durable_index.min(kept);
        for (_, last_index) in &mut self.appends {
            *last_index = (*last_index).min(kept);
        }
    }

    /// What was written.
    pub(super) fn writes(&self) -> &Writes<Promise> {
        &self.writes
    }

    /// The last write that was started.
    pub(super) fn issued(&self) -> WriteId {
        self.writes.issued()
    }

    /// Would this write survive a crash?
    pub(super) fn is_durable(&self, write: WriteId) -> bool {
        self.writes.is_durable(write)
    }

    /// Are the term and the vote as they were last written durable?
    pub(super) fn state_is_durable(&self) -> bool {
        self.writes.is_durable(self.state_write)
    }

    /// Gives the promise back at once if all writes so far are durable, or else when they are.
    pub(super) fn promise(&mut self, promise: Promise) -> Option<Promise> {
        self.writes.promise(promise)
    }

    /// The write and all before it are durable: what may be promised now?
    pub(super) fn persisted(&mut self, write: WriteId) -> Vec<Promise> {
        while let Some(&(_, last_index)) = self.appends.front().filter(|(append, _)| *append <= write) {
            self.durable_index = self.durable_index.max(last_index);
            self.appends.pop_front();
        }
        self.writes.persisted(write)
    }

    /// Promises of an earlier term are of use to nobody.
    pub(super) fn forget_promises(&mut self) {
        self.writes.forget_promises();
    }
}
