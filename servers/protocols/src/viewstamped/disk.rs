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
    /// The new primary's own word for the view change counts.
    OwnDoViewChange,
    /// The new primary begins its view.
    Begin,
    /// The node has noted that the cluster is new.
    Founded,
    /// This node's own beginning of the epoch counts.
    OwnEpochStarted { epoch: u64 },
}

/// The writes of this life of the process.
#[derive(Debug, Default)]
pub(super) struct Disk {
    writes: Writes<Promise>,
    /// The last op-number of the log that is durable.
    durable_op: u64,
    /// Writes of entries under way, each with the last op-number that the log still has of it.
    appends: VecDeque<(WriteId, u64)>,
    /// The last write that changed for which view the log counts.
    installed: WriteId,
}

impl Disk {
    /// All that was recovered is durable.
    pub(super) fn recovered(disk: &OnDisk<'_>, last_op: u64) -> Disk {
        Disk {
            writes: Writes::recovered(disk),
            durable_op: last_op,
            ..Disk::default()
        }
    }

    /// The last op-number that is durable in the log of the last normal view.
    pub(super) fn durable_op(&self) -> u64 {
        if self.writes.is_durable(self.installed) {
            self.durable_op
        } else {
            0
        }
    }

    /// What was written.
    pub(super) fn writes(&self) -> &Writes<Promise> {
        &self.writes
    }

    /// Starts a write.
    pub(super) fn persist(&mut self, record: &Record, effects: &mut Vec<Effect<Message>>) {
        let write = self.writes.persist(record, effects);
        if let Record::Log { first, entries, .. } = record {
            self.note_log(write, first - 1, first - 1 + entries.len() as u64);
        }
    }

    /// The log that is being written counts for another view than what was written before.
    pub(super) fn note_installed(&mut self) {
        self.installed = self.writes.issued();
    }

    /// Starts to replace all by a snapshot and what comes after it. Up to `kept` the log is as it was.
    pub(super) fn compact(
        &mut self,
        snapshot: Arc<[u8]>,
        records: &[Record],
        kept: u64,
        last: u64,
        effects: &mut Vec<Effect<Message>>,
    ) {
        let write = self.writes.compact(snapshot, records, effects);
        self.note_log(write, kept, last);
    }

    /// What the log no longer has can not be durable in it any more, even when its write completes.
    fn note_log(&mut self, write: WriteId, kept: u64, last: u64) {
        self.durable_op = self.durable_op.min(kept);
        for (_, last) in &mut self.appends {
            *last = (*last).min(kept);
        }
        self.appends.push_back((write, last));
    }

    /// Gives the promise back at once if all writes so far are durable, or else when they are.
    pub(super) fn promise(&mut self, promise: Promise) -> Option<Promise> {
        self.writes.promise(promise)
    }

    /// The write and all before it are durable: what may be promised now?
    pub(super) fn persisted(&mut self, write: WriteId) -> Vec<Promise> {
        while let Some(&(_, last)) = self.appends.front().filter(|(append, _)| *append <= write) {
            self.durable_op = self.durable_op.max(last);
            self.appends.pop_front();
        }
        self.writes.persisted(write)
    }

    /// Promises of an earlier view are of use to nobody, and must not be given after a later one's.
    pub(super) fn forget_promises(&mut self) {
        self.writes.forget_promises();
    }
}
