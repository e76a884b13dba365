//! Snapshots: taken here, sent to whoever lacks slots that are gone, and taken from others (Chandra et al.
//! 2007, 5.5).

use std::sync::Arc;

use super::ballot::Ballot;
use super::configuration::Configurations;
use super::defects;
use super::message::Message;
use super::node::{Effects, MultiPaxos, Role};
use super::record::Record;
use crate::budget::RECORD_BYTES_MAX;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_unsigned};
use crate::config::NodeId;
use crate::protocol::{Effect, RequestId, WriteId};
use crate::transfer::{Arrived, Chunk, chunk};

/// The most slots in one record of a log that was cut.
const RECORD_SLOTS_MAX: usize = 1024;

/// The newest snapshot, and the making of the next.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    newest: Option<Snapshot>,
    /// Who the members were when the driver was asked for a copy of the store, if it was.
    under_way: Option<Configurations>,
    /// The operators' requests that the next snapshot answers.
    wanted_by: Vec<RequestId>,
    /// Those that it answers once it is durable.
    saved_for: Vec<(WriteId, RequestId)>,
}

impl Snapshots {
    /// The last slot of the newest; 0 without one.
    pub(super) fn index(&self) -> u64 {
        self.newest.as_ref().map_or(0, |snapshot| snapshot.index)
    }
}

/// A snapshot: the state of the store, and who the members are from there on.
#[derive(Debug)]
struct Snapshot {
    index: u64,
    /// [`Contents`], as they are on disk and on the wire.
    bytes: Arc<[u8]>,
}

/// What a snapshot holds.
#[derive(Debug, PartialEq, Eq)]
struct Contents {
    /// The last slot that was applied.
    index: u64,
    /// Of the slots after it, also those that are not in force yet: they come from slots that are gone.
    configurations: Configurations,
    /// The state of the store.
    state: Arc<[u8]>,
}

impl Encode for Contents {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.index);
        self.configurations.encode(out);
        put_bytes(out, &self.state);
    }
}

impl Decode for Contents {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Contents {
            index: input.unsigned("a slot")?,
            configurations: Configurations::decode(input)?,
            state: input.bytes("a state", usize::MAX)?.into(),
        })
    }
}

impl MultiPaxos {
    /// Begins with the snapshot that the disk held. The slots before its end that the log still has, without a
    /// gap, are kept for others.
    pub(super) fn begin_with_snapshot(
        &mut self,
        bytes: &[u8],
        effects: &mut Effects,
    ) -> Result<(), DecodeError> {
        let index = self.restore(bytes.into(), effects)?;
        let chosen = |slot: &u64| self.log.get(*slot).is_some_and(|held| held.chosen);
        let kept = (1..=index).rev().take_while(chosen).count() as u64;
        self.log.forget_through(index - kept);
        Ok(())
    }

    fn restore(&mut self, bytes: Arc<[u8]>, effects: &mut Effects) -> Result<u64, DecodeError> {
        let Contents {
            index,
            configurations,
            state,
        } = Contents::from_bytes(&bytes)?;
        effects.push(Effect::Restore { index, state });
        self.chosen = index;
        self.configurations = configurations;
        self.snapshots.newest = Some(Snapshot { index, bytes });
        Ok(index)
    }

    /// Asks for a snapshot when enough has been applied since the last.
    pub(super) fn snapshot_if_due(&mut self, effects: &mut Effects) {
        let applied = self.chosen - self.snapshots.index().min(self.chosen);
        if self.config.wants_snapshot(applied, &self.writes) {
            self.take_snapshot(effects);
        }
    }

    fn take_snapshot(&mut self, effects: &mut Effects) {
        if self.snapshots.under_way.is_none() {
            self.snapshots.under_way = Some(self.configurations.clone());
            effects.push(Effect::TakeSnapshot);
        }
    }

    /// An operator wants one.
    pub(super) fn snapshot_wanted(&mut self, request: RequestId, effects: &mut Effects) {
        if self.snapshots.index() == self.chosen {
            effects.push(Effect::Done(request));
            return;
        }
        self.snapshots.wanted_by.push(request);
        self.take_snapshot(effects);
    }

    /// The copy of the store is there. The log is cut, but for some slots before, so that a node slightly
    /// behind needs no snapshot.
    pub(super) fn snapshot_taken(&mut self, index: u64, state: Arc<[u8]>, effects: &mut Effects) {
        let Some(configurations) = self.snapshots.under_way.take() else {
            return;
        };
        let wanted_by = std::mem::take(&mut self.snapshots.wanted_by);
        // Another node's may have come meanwhile.
        if index > self.snapshots.index() && index <= self.chosen {
            let contents = Contents {
                index,
                configurations,
                state,
            };
            let bytes: Arc<[u8]> = contents.to_bytes().into();
            self.snapshots.newest = Some(Snapshot { index, bytes });
            let kept = self.config.tail_entries(self.log.sizes_upto(index));
            self.log.forget_through(index.saturating_sub(kept));
            self.compact(self.chosen, effects);
        }
        let write = self.writes.issued();
        let saved = wanted_by.into_iter().map(|request| (write, request));
        self.snapshots.saved_for.extend(saved);
        self.snapshot_persisted(effects);
    }

    /// Tells the operators whose snapshot is durable.
    pub(super) fn snapshot_persisted(&mut self, effects: &mut Effects) {
        let writes = &self.writes;
        let saved = &mut self.snapshots.saved_for;
        effects.extend(
            saved
                .extract_if(.., |(write, _)| writes.is_durable(*write))
                .map(|(_, request)| Effect::Done(request)),
        );
    }

    /// Replaces the log on disk by the newest snapshot and what must be remembered besides: the promise, what
    /// was accepted and is not known to be chosen, and the chosen slots that are kept.
    ///
    /// `chosen` is how far the slots are known to be chosen *by the log as it was*: should the crash come
    /// between, these records follow it.
    fn compact(&mut self, chosen: u64, effects: &mut Effects) {
        let Some(snapshot) = &self.snapshots.newest else {
            return;
        };
        let mut records: Vec<Record> = Vec::new();
        records.extend(self.promised.map(|ballot| Record::Promised { ballot, chosen }));
        let mut record_bytes = 0;
        for (slot, held) in self.log.from(0) {
            let vote = held.vote.clone();
            if slot > snapshot.index && self.config.has(&defects::ACCEPTS_CUT_OFF) {
                continue;
            }
            let value_bytes = vote.value.size();
            record_bytes += value_bytes;
            match records.last_mut() {
                Some(Record::Learned { first, votes })
                    if held.chosen
                        && record_bytes <= RECORD_BYTES_MAX
                        && votes.len() < RECORD_SLOTS_MAX
                        && *first + votes.len() as u64 == slot =>
                {
                    votes.push(vote);
                }
                _ => {
                    record_bytes = value_bytes;
                    records.push(record_of(slot, vote.ballot, held.chosen, chosen, vote));
                }
            }
        }
        let bytes = Arc::clone(&snapshot.bytes);
        self.writes.compact(bytes, &records, effects);
    }

    /// Sends the part of the newest snapshot that begins there; from its beginning, if another was meant.
    pub(super) fn send_chunk(&mut self, to: NodeId, index: u64, offset: u64, effects: &mut Effects) {
        if let Some(snapshot) = &self.snapshots.newest {
            let offset = if index == snapshot.index { offset } else { 0 };
            let chunk = chunk(&snapshot.bytes, snapshot.index, offset);
            Self::send(to, Message::Chunk(chunk), effects);
        }
    }

    /// Takes part of a snapshot in, and asks for the next. A snapshot that is no news here is not wanted: it
    /// must not overwrite newer state.
    pub(super) fn take_chunk(&mut self, from: NodeId, chunk: Chunk, effects: &mut Effects) {
        if chunk.index <= self.chosen || matches!(self.role, Role::Leader(_)) {
            return;
        }
        match self.catch_up.arriving.take(chunk) {
            Arrived::Wanted { index, offset } => {
                let wanted = Some((from, index, offset));
                if self.catch_up.wanted != wanted {
                    self.catch_up.wanted = wanted;
                    self.catch_up.again_at = 0;
                    self.ask(from, effects);
                }
            }
            Arrived::Whole(bytes) => {
                self.catch_up.wanted = None;
                self.install(bytes, effects);
                self.catch_up.again_at = 0;
                if self.told > self.chosen {
                    self.ask(from, effects);
                }
            }
        }
    }

    /// Takes another node's snapshot for its own. What was accepted here for later slots stays.
    fn install(&mut self, bytes: Arc<[u8]>, effects: &mut Effects) {
        let known_before = self.chosen;
        // One that can not be read is as good as lost.
        let Ok(index) = self.restore(bytes, effects) else {
            return;
        };
        self.log.forget_through(index);
        self.compact(known_before, effects);
        self.in_force_by = self.writes.issued();
        self.configurations.forget_before(index + 1);
        self.advance(effects);
        self.try_to_lead(effects);
    }
}

/// One slot, as a record.
fn record_of(slot: u64, ballot: Ballot, is_chosen: bool, chosen: u64, vote: super::log::Vote) -> Record {
    if is_chosen {
        return Record::Learned {
            first: slot,
            votes: vec![vote],
        };
    }
    Record::Accepted {
        ballot,
        first: slot,
        values: vec![vote.value],
        chosen,
    }
}
