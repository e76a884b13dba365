//! Snapshots: taken here, which cut the log, and taken over from a leader.

use std::sync::Arc;

use super::defects;
use super::ensemble::Ensembles;
use super::history::History;
use super::message::{Accepted, Body};
use super::node::{Effects, State, Zab};
use super::record::{Record, Snapshot};
use crate::budget::RECORD_BYTES_MAX;
use crate::codec::{Decode, Encode};
use crate::config::NodeId;
use crate::protocol::{Effect, RequestId};
use crate::transfer::{Arrived, Chunk};

/// The most transactions in one record of a log that was cut.
const RECORD_COUNT_MAX: usize = 1024;

/// The newest snapshot, and the one that is being taken.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    /// Its index and its bytes.
    latest: Option<(u64, Arc<[u8]>)>,
    taking: bool,
    /// Operators who wait for the one that is being taken.
    asked: Vec<RequestId>,
}

impl Snapshots {
    pub(super) fn recovered(latest: Option<(u64, Arc<[u8]>)>) -> Snapshots {
        Snapshots {
            latest,
            ..Snapshots::default()
        }
    }

    pub(super) fn latest(&self) -> Option<&(u64, Arc<[u8]>)> {
        self.latest.as_ref()
    }

    /// The last index of the newest; 0 without one.
    pub(super) fn index(&self) -> u64 {
        self.latest.as_ref().map_or(0, |(index, _)| *index)
    }
}

impl Zab {
    /// Takes a snapshot if enough was applied since the last.
    pub(super) fn consider_snapshot(&mut self, effects: &mut Effects) {
        let since = self.applied.saturating_sub(self.snapshots.index());
        if self.config.wants_snapshot(since, &self.writes) {
            self.take_snapshot(effects);
        }
    }

    fn take_snapshot(&mut self, effects: &mut Effects) {
        if !self.snapshots.taking {
            self.snapshots.taking = true;
            effects.push(Effect::TakeSnapshot);
        }
    }

    /// An operator wants a snapshot now.
    pub(super) fn snapshot_asked(&mut self, request: RequestId, effects: &mut Effects) {
        if self.applied == self.snapshots.index() {
            effects.push(Effect::Done(request));
            return;
        }
        self.snapshots.asked.push(request);
        self.take_snapshot(effects);
    }

    /// The copy of the state is here: it takes the place of the transactions before it, but for some that are
    /// kept for followers that lack but a few.
    pub(super) fn snapshot_taken(&mut self, index: u64, state: Arc<[u8]>, effects: &mut Effects) {
        self.snapshots.taking = false;
        let index = if self.config.has(&defects::SNAPSHOT_AHEAD_OF_STATE) {
            self.applied
        } else {
            index
        };
        if let Some(zxid) = self.history.zxid_at(index)
            && index > self.snapshots.index()
        {
            let snapshot = Snapshot {
                index,
                zxid,
                ensemble: self.ensembles.at(index).clone(),
                state,
            };
            let kept = self.config.tail_entries(self.history.sizes_upto(index));
            self.history.forget_upto(index.saturating_sub(kept));
            self.ensembles.forget_before(index);
            self.replace_log(index, snapshot.to_bytes().into(), effects);
        }
        effects.extend(self.snapshots.asked.drain(..).map(Effect::Done));
    }

    /// Replaces what is on disk by the snapshot, and the log by what is in memory. The records say what the
    /// old log says, as far as it goes: they may come to stand behind it, without the snapshot.
    fn replace_log(&mut self, index: u64, bytes: Arc<[u8]>, effects: &mut Effects) {
        let mut records = vec![Record::Epochs {
            accepted: self.saved_accepted(),
            current: self.current,
        }];
        let mut at = self.history.base_index();
        while let Some(previous) = self
            .history
            .zxid_at(at)
            .filter(|_| at < self.history.last_index())
        {
            let transactions = self
                .history
                .batch_from(at + 1, RECORD_COUNT_MAX, RECORD_BYTES_MAX);
            let count = transactions.len() as u64;
            records.push(Record::History {
                index: at,
                previous,
                transactions,
            });
            at += count;
        }
        self.snapshots.latest = Some((index, bytes.clone()));
        self.writes.compact(bytes, &records, effects);
    }

    fn saved_accepted(&self) -> Accepted {
        if self.config.has(&defects::UNSAVED_ACCEPTED_EPOCH) {
            Accepted::default()
        } else {
            self.accepted
        }
    }

    /// Part of the leader's snapshot has come (SNAP).
    pub(super) fn snapshot_arrives(&mut self, leader: NodeId, chunk: Chunk, effects: &mut Effects) {
        let State::Following(following) = &mut self.state else {
            return;
        };
        match following.arriving.take(chunk) {
            Arrived::Wanted { index, offset } => {
                self.send(leader, Body::WantChunk { index, offset }, effects);
            }
            Arrived::Whole(bytes) => {
                if let Ok(snapshot) = Snapshot::from_bytes(&bytes) {
                    self.install(snapshot, bytes, effects);
                }
                let last = self.history.last();
                self.send(leader, Body::Lacks { last }, effects);
            }
        }
    }

    /// Begins anew from the leader's snapshot, unless it is as far already. A follower that was synchronized
    /// can be sent one, too, when it was so slow that what it lacks is gone. All of a snapshot is committed, so
    /// the current epoch can wait until the rest of the leader's history is here: should this node be asked
    /// before, it has lost nothing that was committed, and says no more of itself than it has.
    fn install(&mut self, snapshot: Snapshot, bytes: Arc<[u8]>, effects: &mut Effects) {
        if snapshot.index <= self.commit || self.history.index_of(snapshot.zxid).is_some() {
            return;
        }
        self.history = History::after(snapshot.index, snapshot.zxid);
        self.ensembles = Ensembles::new(snapshot.index, snapshot.ensemble);
        (self.commit, self.applied) = (snapshot.index, snapshot.index);
        self.replace_log(snapshot.index, bytes, effects);
        effects.push(Effect::Restore {
            index: snapshot.index,
            state: snapshot.state,
        });
    }
}
