//! Snapshots: the log is cut behind them, and those who are too far behind are sent one (paper section 7;
//! thesis chapter 5).
//!
//! Each node takes its own, whenever enough has been applied since the last. Behind it a tail of the log
//! stays in memory, so that a follower that is slightly behind is sent entries still.

use std::sync::Arc;

use rand::RngExt;

use super::defects;
use super::log::{Log, Position};
use super::membership::{Membership, Memberships};
use super::message::Body;
use super::node::{Effects, Raft};
use super::record::Record;
use crate::budget::RECORD_BYTES_MAX;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes};
use crate::config::NodeId;
use crate::protocol::{Effect, RequestId, WriteId};
use crate::transfer::{Arrived, Arriving, Chunk};

/// The longest that a node may put off a snapshot beyond its time, as part of what is between two.
const PUT_OFF_PART: u64 = 4;

/// A snapshot.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    /// The last entry that was applied to it.
    pub(super) last: Position,
    /// The latest membership as of that entry.
    pub(super) members: Arc<Membership>,
    /// The whole of it, with the state of the store, as it is on disk and on the wire.
    pub(super) bytes: Arc<[u8]>,
}

impl Snapshot {
    pub(super) fn new(last: Position, members: Arc<Membership>, state: &[u8]) -> Snapshot {
        let mut bytes = Vec::with_capacity(state.len() + 64);
        last.encode(&mut bytes);
        members.encode(&mut bytes);
        put_bytes(&mut bytes, state);
        Snapshot {
            last,
            members,
            bytes: bytes.into(),
        }
    }

    /// Reads a snapshot, and the state of the store in it.
    pub(super) fn open(bytes: Arc<[u8]>) -> Result<(Snapshot, Arc<[u8]>), DecodeError> {
        struct Parts(Position, Membership, Arc<[u8]>);
        impl Decode for Parts {
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Parts(
                    Position::decode(input)?,
                    Membership::decode(input)?,
                    input.bytes("a state", usize::MAX)?.into(),
                ))
            }
        }
        let Parts(last, members, state) = Parts::from_bytes(&bytes)?;
        let members = Arc::new(members);
        Ok((Snapshot { last, members, bytes }, state))
    }
}

/// The snapshots of a node: the newest, the next, and one that is on its way.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    pub(super) newest: Option<Snapshot>,
    /// The store is being copied.
    taking: bool,
    /// By how many entries the next is put off: by another number at each node, so that not all disks are
    /// busy at once.
    put_off: u64,
    /// Who asked for the one that is being taken.
    asked: Vec<RequestId>,
    /// Who asked for one that is being written.
    written: Vec<(WriteId, RequestId)>,
    /// What a leader of this term is sending.
    arriving: Arriving,
}

impl Snapshots {
    pub(super) fn recovered(newest: Option<Snapshot>) -> Snapshots {
        Snapshots {
            newest,
            ..Snapshots::default()
        }
    }

    /// The last index of the newest; 0 if there is none.
    pub(super) fn index(&self) -> u64 {
        self.newest.as_ref().map_or(0, |snapshot| snapshot.last.index)
    }

    /// Another leader may send another snapshot of the same index.
    pub(super) fn forget_arriving(&mut self) {
        self.arriving = Arriving::default();
    }
}

impl Raft {
    /// Asks for a copy of the store once enough has been applied since the last (thesis 5.1.3).
    pub(super) fn consider_snapshot(&mut self, effects: &mut Effects) {
        let since = self.applied.saturating_sub(self.snapshots.index());
        let many = since.saturating_sub(self.snapshots.put_off);
        let long = since > 0 && self.config.is_long(self.disk.writes());
        if many >= self.config.snapshot_entries || long {
            self.take_snapshot(effects);
        }
    }

    fn take_snapshot(&mut self, effects: &mut Effects) {
        if !self.snapshots.taking {
            self.snapshots.taking = true;
            effects.push(Effect::TakeSnapshot);
        }
    }

    /// An operator wants a snapshot.
    pub(super) fn snapshot_now(&mut self, request: RequestId, effects: &mut Effects) {
        if self.applied == self.snapshots.index() {
            effects.push(Effect::Done(request));
            return;
        }
        self.snapshots.asked.push(request);
        self.take_snapshot(effects);
    }

    /// The copy is there: it takes the place of the log up to it.
    pub(super) fn snapshot_taken(&mut self, index: u64, state: &[u8], effects: &mut Effects) {
        self.snapshots.taking = false;
        // A leader's snapshot may have come meanwhile, and be newer.
        if index > self.snapshots.index()
            && let Some(term) = self.log.term_at(index)
        {
            let members = if self.config.has(&defects::MEMBERLESS_SNAPSHOTS) {
                Arc::new(Membership::new(self.config.members().iter().copied()))
            } else {
                self.members.at(index).clone()
            };
            let snapshot = Snapshot::new(Position { term, index }, members, state);
            let tail = self.config.tail_entries(self.log.sizes_upto(index));
            self.log.compact_to(index.saturating_sub(tail));
            self.members.compact_to(index);
            self.replace_log(snapshot, u64::MAX, effects);
            let put_off_max = self.config.snapshot_entries / PUT_OFF_PART;
            self.snapshots.put_off = self.random.random_range(0..=put_off_max);
        }
        let write = self.disk.issued();
        let asked = std::mem::take(&mut self.snapshots.asked);
        self.snapshots
            .written
            .extend(asked.into_iter().map(|request| (write, request)));
        self.snapshots_written(effects);
    }

    /// Tells those who asked for a snapshot that it would survive a crash.
    pub(super) fn snapshots_written(&mut self, effects: &mut Effects) {
        let disk = &self.disk;
        let done = self
            .snapshots
            .written
            .extract_if(.., |(write, _)| disk.is_durable(*write));
        effects.extend(done.map(|(_, request)| Effect::Done(request)));
    }

    /// Has the snapshot, and the log after it, take the place of what is on disk. Of what the log had there,
    /// it still has what comes up to `kept`.
    ///
    /// If the write is lost, the term, the vote and the entries are appended to what was there before: which
    /// has them already, so that nothing changes. Not so after a log that was given up for a leader's
    /// snapshot; but then there are no entries.
    fn replace_log(&mut self, snapshot: Snapshot, kept: u64, effects: &mut Effects) {
        let state = self.state_record();
        let mut records = vec![state];
        let mut first_index = snapshot.last.index + 1;
        loop {
            let entries = self.log.batch_from(first_index, usize::MAX, RECORD_BYTES_MAX);
            if entries.is_empty() {
                break;
            }
            let count = entries.len() as u64;
            records.push(Record::Entries { first_index, entries });
            first_index += count;
        }
        self.save_state(effects);
        let bytes = snapshot.bytes.clone();
        self.disk
            .compact(bytes, &records, kept, self.log.last().index, effects);
        self.snapshots.newest = Some(snapshot);
    }

    /// Part of a leader's snapshot has come (paper figure 13).
    pub(super) fn accept_chunk(&mut self, leader: NodeId, chunk: Chunk, effects: &mut Effects) {
        if chunk.index <= self.commit && !self.config.has(&defects::OLD_SNAPSHOTS) {
            // It would only take back what has been applied since. The log agrees with the leader's as far
            // as it is committed, so that much it can say.
            let matched = self.commit;
            self.promise_message(leader, Body::Appended { matched }, effects);
            return;
        }
        match self.snapshots.arriving.take(chunk) {
            Arrived::Wanted { index, offset } => {
                self.send(leader, Body::ChunkWanted { index, offset }, effects);
            }
            Arrived::Whole(bytes) => {
                if let Ok((snapshot, state)) = Snapshot::open(bytes) {
                    let matched = snapshot.last.index;
                    self.install(snapshot, state, effects);
                    self.promise_message(leader, Body::Appended { matched }, effects);
                }
            }
        }
    }

    fn install(&mut self, snapshot: Snapshot, state: Arc<[u8]>, effects: &mut Effects) {
        let last = snapshot.last;
        let agreed = self.commit;
        let retains = self.log.holds(last) && !self.config.has(&defects::OLD_SNAPSHOTS);
        let kept = if retains {
            // What follows it in the log may be the leader's, too, and stays (figure 13, step 6).
            self.log.compact_to(last.index);
            self.members.compact_to(last.index);
            u64::MAX
        } else {
            self.log = Log::after(last);
            self.members = Memberships::new(last.index, snapshot.members.clone());
            agreed
        };
        self.commit = last.index;
        self.applied = last.index;
        effects.push(Effect::Restore {
            index: last.index,
            state,
        });
        self.replace_log(snapshot, kept, effects);
    }
}
