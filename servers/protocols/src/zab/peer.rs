//! What a leader knows of one follower, and what it sends it.
//!
//! Zab assumes channels that deliver in order what they deliver (paper section 2); ours lose, double and
//! reorder. So proposals name the transaction before them, and a follower takes only what follows its last
//! one; it says what it lacks where there is a gap, and acknowledgements name the last transaction that they
//! cover. What is not answered for some heartbeats is sent again, NEWEPOCH too: on a channel in order either it
//! and its answer arrive or the channel breaks, and both sides look for a leader; here pings go on arriving, so
//! neither would, and the follower would never come to count. Within an epoch, a follower that is
//! synchronized therefore always holds a prefix of its leader's history, which is all that the channels were
//! needed for.

use std::collections::VecDeque;
use std::sync::Arc;

use super::history::History;
use super::message::{Body, Message};
use super::node::Effects;
use super::zxid::Zxid;
use crate::config::NodeId;
use crate::protocol::Effect;
use crate::transfer;

/// The most proposals under way to one follower.
const PROPOSALS_MAX: usize = 64;
/// The most transactions in one proposal.
const BATCH_COUNT_MAX: usize = 1024;
/// The most bytes of transactions in one proposal, unless a single one is larger.
const BATCH_BYTES_MAX: usize = 256 * 1024;
/// After how many heartbeats without an answer what is under way is taken for lost.
const LOST_AFTER_HEARTBEATS: u32 = 2;

/// How far a follower has come in this epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Nothing was heard of it.
    Absent,
    /// It wants to be led (CEPOCH).
    Informed,
    /// It has promised the epoch (ACK-E), and is being synchronized.
    Promised,
    /// It goes by the leader's history (ACK-LD).
    Synchronized,
}

/// A follower, as its leader sees it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) step: Step,
    /// The last index up to which it holds the leader's history durably.
    pub(super) held: u64,
    /// The epoch that it had accepted when it came.
    pub(super) accepted: u64,
    /// The last transaction that it had when it promised the epoch.
    pub(super) last: Zxid,
    /// Has it been heard from since the last check for a quorum?
    pub(super) heard: bool,
    /// The last round of pings that it has answered.
    pub(super) round: u64,
    link: Link,
    /// The last index up to which it is known to agree, durably or not.
    agreed: u64,
    /// The next index to send.
    next: u64,
    /// The last indexes of the proposals under way.
    under_way: VecDeque<u64>,
    /// Heartbeats since something that is under way was last answered.
    unanswered: u32,
}

/// What it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// Nothing yet.
    Idle,
    /// The epoch that it shall promise.
    Epoch,
    /// That it must cut its history.
    Truncating(Zxid),
    /// The snapshot, now from this byte on.
    Snapshot { offset: u64 },
    /// Proposals; and has it been told NEWLEADER after them?
    Proposing { told: bool },
}

/// What there is to send.
pub(super) struct Source<'a> {
    pub(super) epoch: u64,
    pub(super) history: &'a History,
    /// The index and the bytes of the leader's newest snapshot.
    pub(super) snapshot: Option<&'a (u64, Arc<[u8]>)>,
    pub(super) commit: Zxid,
}

impl Source<'_> {
    pub(super) fn send(&self, to: NodeId, body: Body, effects: &mut Effects) {
        let epoch = self.epoch;
        effects.push(Effect::Send {
            to,
            message: Message::Epoch { epoch, body },
        });
    }
}

impl Peer {
    pub(super) fn new() -> Peer {
        Peer {
            step: Step::Absent,
            held: 0,
            accepted: 0,
            last: Zxid::ZERO,
            heard: false,
            round: 0,
            link: Link::Idle,
            agreed: 0,
            next: 0,
            under_way: VecDeque::new(),
            unanswered: 0,
        }
    }

    /// It asks to be led, for the first time or again: all that was known of its history is forgotten.
    pub(super) fn inform(&mut self, accepted: u64) {
        *self = Peer {
            step: Step::Informed,
            accepted,
            heard: true,
            round: self.round,
            ..Peer::new()
        };
    }

    /// Proposes the epoch to it (NEWEPOCH). It can promise the epoch any number of times.
    pub(super) fn propose_epoch(&mut self, to: NodeId, source: &Source<'_>, effects: &mut Effects) {
        self.link = Link::Epoch;
        self.unanswered = 0;
        source.send(to, Body::NewEpoch, effects);
    }

    /// The last index up to which its history counts: none before it goes by the leader's (it would not win
    /// an election by what it holds until this epoch is its current one).
    pub(super) fn counted(&self) -> u64 {
        if self.step == Step::Synchronized {
            self.held
        } else {
            0
        }
    }

    /// Begins to make its history, which ends there, the leader's (paper section 4.2; Medeiros, section 3.3):
    /// by what it lacks (DIFF) if its end is in the leader's history; by having it cut what the leader does
    /// not have (TRUNC), and looking again at what then is its end; or else by a snapshot (SNAP).
    pub(super) fn align(&mut self, to: NodeId, last: Zxid, source: &Source<'_>, effects: &mut Effects) {
        self.under_way.clear();
        self.unanswered = 0;
        let floor = source.history.floor(last);
        let common = floor.and_then(|index| Some((index, source.history.zxid_at(index)?)));
        match common {
            Some((index, zxid)) if zxid == last => {
                self.link = Link::Proposing { told: false };
                self.agreed = index;
                self.next = index + 1;
                self.pump(to, source, effects);
            }
            Some((_, zxid)) => {
                self.link = Link::Truncating(zxid);
                source.send(to, Body::Truncate { to: zxid }, effects);
            }
            None => self.send_chunk(to, 0, source, effects),
        }
    }

    /// Sends what there is to send and may be sent now; and NEWLEADER, once it has been sent all there is.
    pub(super) fn pump(&mut self, to: NodeId, source: &Source<'_>, effects: &mut Effects) {
        let Link::Proposing { told } = self.link else {
            return;
        };
        let history = source.history;
        while self.next <= history.last_index() && self.under_way.len() < PROPOSALS_MAX {
            let Some(previous) = history.zxid_at(self.next - 1) else {
                // It was so slow that what it lacks is gone.
                self.send_chunk(to, 0, source, effects);
                return;
            };
            let transactions = history.batch_from(self.next, BATCH_COUNT_MAX, BATCH_BYTES_MAX);
            self.next += transactions.len() as u64;
            if self.under_way.is_empty() {
                self.unanswered = 0;
            }
            self.under_way.push_back(self.next - 1);
            let body = Body::Propose {
                previous,
                transactions,
                commit: source.commit,
            };
            source.send(to, body, effects);
        }
        if self.step < Step::Synchronized && !told && self.next > history.last_index() {
            self.link = Link::Proposing { told: true };
            source.send(to, Body::NewLeader { last: history.last() }, effects);
        }
    }

    /// Sends the snapshot, from this byte on.
    pub(super) fn send_chunk(&mut self, to: NodeId, offset: u64, source: &Source<'_>, effects: &mut Effects) {
        let Some((index, bytes)) = source.snapshot else {
            return;
        };
        self.link = Link::Snapshot { offset };
        self.under_way.clear();
        self.unanswered = 0;
        let chunk = transfer::chunk(bytes, *index, offset);
        source.send(to, Body::Snapshot(chunk), effects);
    }

    /// It wants more of a snapshot.
    pub(super) fn want_chunk(
        &mut self,
        to: NodeId,
        index: u64,
        offset: u64,
        source: &Source<'_>,
        effects: &mut Effects,
    ) {
        if matches!(self.link, Link::Snapshot { .. }) {
            // Of one that has been replaced meanwhile, the new one is sent from its start.
            let same = source.snapshot.is_some_and(|(mine, _)| *mine == index);
            self.send_chunk(to, if same { offset } else { 0 }, source, effects);
        }
    }

    /// It holds the leader's history up to this index, durably.
    pub(super) fn acknowledged(&mut self, index: u64) {
        self.held = self.held.max(index);
        self.agreed = self.agreed.max(index);
        self.next = self.next.max(index + 1);
        self.unanswered = 0;
        while self.under_way.front().is_some_and(|&last| last <= index) {
            self.under_way.pop_front();
        }
    }

    /// A heartbeat is due: sends again what was not answered for too long.
    pub(super) fn beat(&mut self, to: NodeId, source: &Source<'_>, effects: &mut Effects) {
        let waits = match self.link {
            Link::Idle => false,
            Link::Epoch => self.step == Step::Informed,
            Link::Truncating(_) | Link::Snapshot { .. } => true,
            Link::Proposing { .. } => !self.under_way.is_empty() || self.step < Step::Synchronized,
        };
        if !waits {
            self.unanswered = 0;
            return;
        }
        self.unanswered += 1;
        if self.unanswered <= LOST_AFTER_HEARTBEATS {
            return;
        }
        self.unanswered = 0;
        match self.link {
            Link::Idle => {}
            Link::Epoch => self.propose_epoch(to, source, effects),
            Link::Truncating(zxid) => source.send(to, Body::Truncate { to: zxid }, effects),
            Link::Snapshot { offset } => self.send_chunk(to, offset, source, effects),
            Link::Proposing { .. } => {
                self.link = Link::Proposing { told: false };
                self.under_way.clear();
                self.next = self.agreed + 1;
                self.pump(to, source, effects);
            }
        }
    }
}
