//! Snapshots: the paper's checkpoints (section 5.1).

use std::sync::Arc;

use super::log::{Log, Position};
use super::node::{Effects, Viewstamped};
use super::record::{Record, Snapshot};
use super::view::Group;
use crate::budget::RECORD_BYTES_MAX;
use crate::codec::{Decode as _, Encode as _};
use crate::protocol::{Effect, RequestId};

/// The newest snapshot, and the one that is being taken.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    newest: Option<(Position, Arc<[u8]>)>,
    /// The group when the copy was asked for.
    taking: Option<Group>,
    /// Operators that wait for it.
    requests: Vec<RequestId>,
}

impl Snapshots {
    /// What recovery found; the store begins with it.
    pub(super) fn recovered(snapshot: Option<(Snapshot, Arc<[u8]>)>, effects: &mut Effects) -> Snapshots {
        let newest = snapshot.map(|(snapshot, bytes)| {
            effects.push(Effect::Restore {
                index: snapshot.last.op,
                state: snapshot.state,
            });
            (snapshot.last, bytes)
        });
        Snapshots {
            newest,
            ..Snapshots::default()
        }
    }

    /// The last op-number that the newest covers.
    pub(super) fn index(&self) -> u64 {
        self.newest.as_ref().map_or(0, |(last, _)| last.op)
    }

    /// The newest, and the last op-number that it covers.
    pub(super) fn newest(&self) -> Option<(u64, &[u8])> {
        self.newest.as_ref().map(|(last, bytes)| (last.op, &bytes[..]))
    }
}

impl Viewstamped {
    pub(super) fn take_snapshot_if_due(&mut self, effects: &mut Effects) {
        let since = self.applied.saturating_sub(self.snapshots.index());
        if self.config.wants_snapshot(since, self.disk.writes()) {
            self.take_snapshot(effects);
        }
    }

    fn take_snapshot(&mut self, effects: &mut Effects) {
        if self.snapshots.taking.is_none() {
            self.snapshots.taking = Some(self.group.clone());
            effects.push(Effect::TakeSnapshot);
        }
    }

    pub(super) fn snapshot_now(&mut self, request: RequestId, effects: &mut Effects) {
        if self.applied == self.snapshots.index() {
            effects.push(Effect::Done(request));
            return;
        }
        self.snapshots.requests.push(request);
        self.take_snapshot(effects);
    }

    /// The snapshot takes the place of the log up to it, but for some entries.
    pub(super) fn snapshot_taken(&mut self, op: u64, state: Arc<[u8]>, effects: &mut Effects) {
        let Some(group) = self.snapshots.taking.take() else {
            return;
        };
        let requests = std::mem::take(&mut self.snapshots.requests);
        if op > self.snapshots.index()
            && let Some(view) = self.log.view_at(op)
        {
            let last = Position { view, op };
            let bytes = Snapshot { last, group, state }.to_bytes();
            self.snapshots.newest = Some((last, bytes.into()));
            let kept = self.config.tail_entries(self.log.sizes_upto(op));
            self.log.forget_upto(op.saturating_sub(kept));
            self.compact(self.log.last().op, effects);
        }
        effects.extend(requests.into_iter().map(Effect::Done));
    }

    /// Another's snapshot takes the place of what is here, if it covers more.
    pub(super) fn install_snapshot(&mut self, bytes: Arc<[u8]>, effects: &mut Effects) {
        let Ok(snapshot) = Snapshot::from_bytes(&bytes) else {
            return;
        };
        let Snapshot { last, group, state } = snapshot;
        if last.op <= self.commit {
            return;
        }
        // What follows here is of use only if it follows the same.
        let kept = if self.log.holds(last) {
            self.log.forget_upto(last.op);
            self.log.last().op
        } else {
            self.log = Log::after(last);
            0
        };
        self.snapshots.newest = Some((last, bytes));
        self.commit = last.op;
        self.applied = last.op;
        effects.push(Effect::Restore {
            index: last.op,
            state,
        });
        // First what is on the disk becomes the snapshot: what an epoch writes of the log goes on from there.
        self.compact(kept, effects);
        if group.epoch > self.group.epoch {
            self.enter_epoch(group, effects);
        }
    }

    /// Has the newest snapshot and the log after it replace what the disk holds.
    fn compact(&mut self, kept: u64, effects: &mut Effects) {
        let Some((covered, bytes)) = &self.snapshots.newest else {
            return;
        };
        let mut records = vec![Record::View(self.view), Record::Waits(self.nonce)];
        // The first goes up to the end of the snapshot at least: by this recovery knows that it goes with it.
        let mut previous = self.log.base();
        let mut count = covered.op.saturating_sub(previous.op) as usize;
        let mut bytes_max = usize::MAX;
        loop {
            let entries = self.log.batch_after(previous.op, count, bytes_max);
            let op = previous.op + entries.len() as u64;
            records.push(Record::Tail {
                normal_view: self.normal_view,
                previous,
                entries,
            });
            let Some(view) = self.log.view_at(op).filter(|_| op < self.log.last().op) else {
                break;
            };
            previous = Position { view, op };
            (count, bytes_max) = (usize::MAX, RECORD_BYTES_MAX);
        }
        self.view_unsaved = false;
        let bytes = Arc::clone(bytes);
        let last = self.log.last().op;
        self.disk.compact(bytes, &records, kept, last, effects);
    }
}
