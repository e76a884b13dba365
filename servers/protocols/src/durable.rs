//! What was written, how much of it is durable, and what waits for it.
//!
//! "Before responding to RPCs", says Raft of the persistent state (figure 2), and every other protocol says
//! it in its own words. Here that is one rule for every promise: it leaves when all writes issued before it
//! are durable. That is more than some promises need, but the writes are durable in order and a driver
//! commits them in groups, so the wait is for one fsync in any case; and it covers the promise that is easily
//! forgotten: the acknowledgement of something that came twice, which was written at the first and may not be
//! durable at the second.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::codec::Encode;
use crate::protocol::{Effect, OnDisk, WriteId};

/// The writes of this life of the process, and the promises (`T`: whatever a protocol may promise) that wait
/// for them.
#[derive(Debug)]
pub struct Writes<T> {
    issued: WriteId,
    durable: WriteId,
    waiting: VecDeque<(WriteId, T)>,
    log_bytes: u64,
    snapshot_bytes: u64,
}

impl<T> Default for Writes<T> {
    fn default() -> Self {
        Writes {
            issued: WriteId(0),
            durable: WriteId(0),
            waiting: VecDeque::new(),
            log_bytes: 0,
            snapshot_bytes: 0,
        }
    }
}

impl<T> Writes<T> {
    /// Goes on with what this disk held, all of whose records have been read.
    pub fn recovered(disk: &OnDisk<'_>) -> Writes<T> {
        Writes {
            log_bytes: disk.records.bytes(),
            snapshot_bytes: disk.snapshot.map_or(0, |snapshot| snapshot.len() as u64),
            ..Writes::default()
        }
    }

    /// How many bytes of records were written since the log was last cut.
    pub fn log_bytes(&self) -> u64 {
        self.log_bytes
    }

    /// How long the snapshot is that took the place of what was cut; 0 without one.
    pub fn snapshot_bytes(&self) -> u64 {
        self.snapshot_bytes
    }

    /// The last write that was issued.
    pub fn issued(&self) -> WriteId {
        self.issued
    }

    /// Would this write survive a crash?
    pub fn is_durable(&self, write: WriteId) -> bool {
        write <= self.durable
    }

    /// Starts a write.
    pub fn persist<M>(&mut self, record: &impl Encode, effects: &mut Vec<Effect<M>>) -> WriteId {
        self.issued.0 += 1;
        let record = record.to_bytes();
        self.log_bytes += record.len() as u64;
        effects.push(Effect::Persist {
            write: self.issued,
            record,
        });
        self.issued
    }

    /// Starts to replace the log by a snapshot.
    pub fn compact<M>(
        &mut self,
        snapshot: Arc<[u8]>,
        records: &[impl Encode],
        effects: &mut Vec<Effect<M>>,
    ) -> WriteId {
        self.issued.0 += 1;
        // What was not cut, because it is not applied yet, does not count again: else it would be written again
        // and again for as long as it waits.
        (self.log_bytes, self.snapshot_bytes) = (0, snapshot.len() as u64);
        effects.push(Effect::Compact {
            write: self.issued,
            snapshot,
            records: records.iter().map(Encode::to_bytes).collect(),
        });
        self.issued
    }

    /// Gives the promise back at once if all writes so far are durable; or else keeps it until they are.
    pub fn promise(&mut self, promise: T) -> Option<T> {
        if self.durable == self.issued {
            return Some(promise);
        }
        self.waiting.push_back((self.issued, promise));
        None
    }

    /// The same for a promise that stands on this write and those before it, but on none that came after.
    pub fn promise_after(&mut self, write: WriteId, promise: T) -> Option<T> {
        if self.is_durable(write) {
            return Some(promise);
        }
        let place = self.waiting.partition_point(|(wanted, _)| *wanted <= write);
        self.waiting.insert(place, (write, promise));
        None
    }

    /// The write and all before it are durable: what may be promised now, in the order it was to be?
    pub fn persisted(&mut self, write: WriteId) -> Vec<T> {
        self.durable = self.durable.max(write.min(self.issued));
        let due = self
            .waiting
            .partition_point(|(wanted, _)| *wanted <= self.durable);
        self.waiting.drain(..due).map(|(_, promise)| promise).collect()
    }

    /// What waits is of use to nobody any more.
    pub fn forget_promises(&mut self) {
        self.waiting.clear();
    }
}
