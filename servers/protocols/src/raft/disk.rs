//! What has been written, what of it is durable, and the promises that wait for it.
//!
//! "Before responding to RPCs", says the paper of the persistent state (figure 2). Here that is one rule for
//! every promise: it leaves when all writes issued before it are durable. That is more than some promises
//! need, but the writes are durable in order and a driver commits them in groups, so the wait is for one
//! fsync in any case; and it covers the promise that is easily forgotten: the acknowledgement of an append
//! that came twice, whose entries were written by the first and may not be durable at the second.

use std::collections::VecDeque;

use super::message::Message;
use super::record::Record;
use crate::codec::Encode;
use crate::config::NodeId;
use crate::protocol::{Effect, WriteId};

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
    issued: WriteId,
    durable: WriteId,
    /// The last write of the term and the vote.
    state_write: WriteId,
    /// The last index of the log that is durable.
    durable_index: u64,
    /// Writes of entries under way, each with the last index that the log still has of it.
    appends: VecDeque<(WriteId, u64)>,
    waiting: VecDeque<(WriteId, Promise)>,
}

impl Disk {
    /// All that was recovered is durable.
    pub(super) fn recovered(last_index: u64) -> Disk {
        Disk {
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
        self.issued.0 += 1;
        if let Record::State { .. } = record {
            self.state_write = self.issued;
        }
        if let Record::Entries { first_index, entries } = record {
            // What the log no longer has can not be durable in it any more, even when its write completes.
            let kept = first_index - 1;
            self.durable_index = self.durable_index.min(kept);
            for (_, last_index) in &mut self.appends {
                *last_index = (*last_index).min(kept);
            }
            self.appends.push_back((self.issued, kept + entries.len() as u64));
        }
        effects.push(Effect::Persist {
            write: self.issued,
            record: record.to_bytes(),
        });
    }

    /// Are the term and the vote as they were last written durable?
    pub(super) fn state_is_durable(&self) -> bool {
        self.state_write <= self.durable
    }

    /// Gives the promise back at once if all writes so far are durable, or else when they are.
    pub(super) fn promise(&mut self, promise: Promise) -> Option<Promise> {
        if self.durable == self.issued {
            return Some(promise);
        }
        self.waiting.push_back((self.issued, promise));
        None
    }

    /// The write and all before it are durable: what may be promised now?
    pub(super) fn persisted(&mut self, write: WriteId) -> Vec<Promise> {
        self.durable = self.durable.max(write.min(self.issued));
        while let Some(&(_, last_index)) = self.appends.front().filter(|(append, _)| *append <= write) {
            self.durable_index = self.durable_index.max(last_index);
            self.appends.pop_front();
        }
        let due = self
            .waiting
            .partition_point(|(wanted, _)| *wanted <= self.durable);
        self.waiting.drain(..due).map(|(_, promise)| promise).collect()
    }

    /// Promises of an earlier term are of use to nobody.
    pub(super) fn forget_promises(&mut self) {
        self.waiting.clear();
    }
}
