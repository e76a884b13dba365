//! What a leader knows of a peer, and what it sends it.
//!
//! A peer is *probed*, one message at a time, until the leader knows where their logs agree; from then on
//! entries are *streamed* to it, without waiting for answers, up to a number of messages under way (thesis
//! 10.2.2). If answers fail to come, or a conflict is reported, it is probed again. If what it needs is gone
//! from the log, it is sent the snapshot (paper section 7).

use std::collections::VecDeque;
use std::sync::Arc;

use super::log::{Log, Position};
use super::message::{Body, Message};
use super::node::Effects;
use super::snapshot::Snapshot;
use crate::config::NodeId;
use crate::protocol::Effect;
use crate::transfer::{Chunk, chunk};

/// The most messages with entries under way to one peer.
const STREAM_MESSAGES_MAX: usize = 64;
/// The most entries in one message.
const APPEND_ENTRIES_MAX: usize = 1024;
/// The most bytes of entries in one message, unless a single one is larger.
const APPEND_BYTES_MAX: usize = 256 * 1024;
/// After how many heartbeats without an answer to any of the messages under way they are taken for lost.
const LOST_AFTER_HEARTBEATS: u32 = 2;

/// What the leader knows of a peer.
#[derive(Debug)]
pub(super) struct Progress {
    /// The last index up to which the logs are known to be the same.
    pub(super) matched: u64,
    /// The next index to send.
    next: u64,
    /// Streamed to, or still probed?
    streaming: bool,
    /// The last indexes of the messages under way.
    under_way: VecDeque<u64>,
    /// The snapshot that it is sent; no entries are sent meanwhile.
    sending: Option<Sending>,
    /// Heartbeats since a message under way was last answered.
    unanswered_heartbeats: u32,
    /// Has it been heard from since the last check for a quorum?
    pub(super) heard: bool,
    /// The last round of heartbeats that it has answered.
    pub(super) round: u64,
    /// When that round was sent, in ticks of this leadership from 1; 0 if it has answered none.
    pub(super) vouched_at: u64,
}

/// A snapshot that is being sent.
#[derive(Debug)]
struct Sending {
    index: u64,
    bytes: Arc<[u8]>,
    /// Where the last chunk began.
    offset: u64,
    /// Is a chunk to be sent?
    due: bool,
    /// Was the last one taken for lost? The peer is then asked what it wants by a chunk without bytes, and
    /// any answer goes; otherwise one that does not go on is a late one, and to answer it would send every
    /// chunk twice from then on.
    asking: bool,
}

/// What there is to send.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) term: u64,
    pub(super) log: &'a Log,
    pub(super) commit: u64,
    pub(super) snapshot: Option<&'a Snapshot>,
}

impl Progress {
    /// Of a peer of which nothing is known, when the log ends there.
    pub(super) fn new(last_index: u64) -> Progress {
        Progress {
            matched: 0,
            next: last_index + 1,
            streaming: false,
            under_way: VecDeque::new(),
            sending: None,
            unanswered_heartbeats: 0,
            heard: false,
            round: 0,
            vouched_at: 0,
        }
    }

    /// Sends what there is to send and may be sent now.
    pub(super) fn send(&mut self, to: NodeId, source: Source<'_>, effects: &mut Effects) {
        let Source {
            term, log, commit, ..
        } = source;
        let allowed = if self.streaming { STREAM_MESSAGES_MAX } else { 1 };
        while self.sending.is_none() && self.next <= log.last().index && self.under_way.len() < allowed {
            let index = self.next - 1;
            let Some(previous_term) = log.term_at(index) else {
                self.begin_sending(source);
                break;
            };
            let entries = log.batch_from(self.next, APPEND_ENTRIES_MAX, APPEND_BYTES_MAX);
            let last = index + entries.len() as u64;
            if self.under_way.is_empty() {
                self.unanswered_heartbeats = 0;
            }
            self.under_way.push_back(last);
            if self.streaming {
                self.next = last + 1;
            }
            let previous = Position {
                term: previous_term,
                index,
            };
            let body = Body::Append {
                previous,
                entries,
                commit,
            };
            effects.push(Effect::Send {
                to,
                message: Message { term, body },
            });
        }
        self.send_chunk(to, source, effects);
    }

    fn begin_sending(&mut self, source: Source<'_>) {
        self.under_way.clear();
        self.unanswered_heartbeats = 0;
        self.sending = source.snapshot.map(|snapshot| Sending {
            index: snapshot.last.index,
            bytes: snapshot.bytes.clone(),
            offset: 0,
            due: true,
            asking: false,
        });
    }

    fn send_chunk(&mut self, to: NodeId, source: Source<'_>, effects: &mut Effects) {
        let outdated = |sending: &Sending| sending.asking && source.log.term_at(sending.index).is_none();
        if self.sending.as_ref().is_some_and(outdated) {
            // It is no use to go on with one that the log no longer follows.
            self.begin_sending(source);
        }
        let Some(sending) = self.sending.as_mut().filter(|sending| sending.due) else {
            return;
        };
        sending.due = false;
        let mut chunk = chunk(&sending.bytes, sending.index, sending.offset);
        if sending.asking {
            chunk = Chunk {
                bytes: Vec::new(),
                ..chunk
            };
        }
        let message = Message {
            term: source.term,
            body: Body::Chunk(chunk),
        };
        effects.push(Effect::Send { to, message });
    }

    /// The peer wants more of a snapshot.
    pub(super) fn chunk_wanted(&mut self, index: u64, offset: u64) {
        let Some(sending) = self.sending.as_mut().filter(|sending| sending.index == index) else {
            return;
        };
        if offset > sending.offset || sending.asking {
            sending.offset = offset;
            sending.asking = false;
            sending.due = true;
            self.unanswered_heartbeats = 0;
        }
    }

    /// The logs are the same up to here.
    pub(super) fn appended(&mut self, matched: u64) {
        self.matched = self.matched.max(matched);
        self.next = self.next.max(matched + 1);
        self.streaming = true;
        self.unanswered_heartbeats = 0;
        while self.under_way.front().is_some_and(|&last| last <= matched) {
            self.under_way.pop_front();
        }
        if self
            .sending
            .as_ref()
            .is_some_and(|sending| sending.index <= matched)
        {
            self.sending = None;
            self.next = matched + 1;
        }
    }

    /// The peer does not have the entry before those it was sent. With its hint, a whole term of entries is
    /// stepped over at a time: if this log has entries of the conflicting term, their last is where the two
    /// may agree; if not, none of the peer's entries of that term is (paper 5.3, end).
    pub(super) fn conflicts(&mut self, previous: u64, hint: Position, log: &Log) {
        // Of a stream, all that follows the lost message conflicts too, but is answered by one probe.
        let answers_probe = previous == self.next - 1;
        if self.sending.is_none() && (self.streaming || answers_probe) {
            let next = match log.last_of_term(hint.term) {
                Some(last) if hint.term > 0 => last.min(previous.saturating_sub(1)) + 1,
                _ => hint.index.min(previous),
            };
            self.probe(next);
        }
    }

    /// Looks again for where the logs agree, from this index on.
    fn probe(&mut self, next: u64) {
        self.next = next.max(1);
        self.streaming = false;
        self.under_way.clear();
        self.unanswered_heartbeats = 0;
    }

    /// Takes messages that were not answered for long for lost.
    pub(super) fn note_heartbeat(&mut self) {
        if self.under_way.is_empty() && self.sending.is_none() {
            return;
        }
        self.unanswered_heartbeats += 1;
        if self.unanswered_heartbeats <= LOST_AFTER_HEARTBEATS {
            return;
        }
        if let Some(sending) = &mut self.sending {
            sending.asking = true;
            sending.due = true;
            self.unanswered_heartbeats = 0;
        } else {
            // A probe that was lost is repeated as it was: it may have gone below what is known to match only
            // because the peer reported a conflict there.
            self.probe(if self.streaming {
                self.matched + 1
            } else {
                self.next
            });
        }
    }
}
