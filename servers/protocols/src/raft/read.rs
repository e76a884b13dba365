//! Linearizable reads without a log write (thesis 6.4).
//!
//! A leader may have been replaced without knowing it. So, before it answers a read from its own state, it
//! makes sure that it still led after the read came: it sends a round of heartbeats, and waits until a
//! majority has answered that very round. All reads that have come by then share the round; those that come
//! during one share the next.
//!
//! # Leases
//!
//! With [`Config::lease_reads`] a leader answers at once while it holds a *lease* (thesis 6.4.1): a majority
//! has answered a round of heartbeats, and none of these nodes helps to elect another leader within an
//! election timeout of having heard this one. What that rests on:
//!
//! - **When the lease begins.** The others count from when the heartbeat *came*, which the leader does not
//!   know. It was sent before that: the leader counts from then, and never from when the answer came.
//! - **Clocks.** The others count by their own clocks. A lease is therefore shorter than the election timeout
//!   by as much as a clock may outrun another ([`CLOCK_DRIFT_PERCENT_MAX`]), and by the ticks that were partly
//!   over at its begin and at its end.
//! - **The driver's ticks.** A leader's clock is its ticks. Ticks that come late make a node more patient,
//!   which is safe everywhere but here: a process that was stopped, and then answers reads before it is given
//!   the ticks that it missed, takes an old lease for a new one. Where leases are on, a driver gives all ticks
//!   that are due before any other input.
//! - **All ways into another term.** A node that has heard the leader may come into a later term by a late
//!   answer to a question that it asked before. It is bound nevertheless: `bound_ticks` runs on over terms,
//!   where the stickiness of thesis 4.2.3 ends with the term.
//! - **Restarts.** A node that restarts does not know what it has heard. It is bound from its start.
//! - **Handover.** A node that stands because the leader told it to is voted for by those that are bound. From
//!   when it was told on there are no leases in that term, not even after the leader has given up waiting: the
//!   message may still be on its way.
//! - **Members.** While a change is under way, a majority of the old and one of the new must be bound, as a
//!   candidate may need only one of the two.

use std::collections::VecDeque;

use super::defects;
use super::leader::Leadership;
use super::node::{Effects, Raft, Role};
use crate::config::{CLOCK_DRIFT_PERCENT_MAX, Config};
use crate::protocol::{Effect, RequestId};

/// The reads that a leader has not answered, and the rounds of heartbeats that answer them.
#[derive(Debug)]
pub(super) struct Reads {
    /// The last round that was begun.
    round: u64,
    /// The ticks of this leadership, from 1.
    ticks: u64,
    /// The first round of each tick in which one was begun, for an election timeout back.
    sent: VecDeque<(u64, u64)>,
    /// No leases from here on.
    lease_given_up: bool,
    /// The reads that wait for the answers to a round, and that round.
    in_round: Vec<RequestId>,
    awaited: u64,
    /// The reads that came since.
    waiting: Vec<RequestId>,
}

impl Default for Reads {
    fn default() -> Self {
        Reads {
            round: 0,
            ticks: 1,
            sent: VecDeque::new(),
            lease_given_up: false,
            in_round: Vec::new(),
            awaited: 0,
            waiting: Vec::new(),
        }
    }
}

impl Reads {
    pub(super) fn tick(&mut self) {
        self.ticks += 1;
    }

    /// Begins a round: gives its number.
    pub(super) fn begin_round(&mut self) -> u64 {
        self.round += 1;
        if self.sent.back().is_none_or(|&(_, tick)| tick < self.ticks) {
            self.sent.push_back((self.round, self.ticks));
        }
        self.round
    }

    /// When a round was sent; 0 if that is longer ago than a lease can be.
    pub(super) fn sent_at(&mut self, round: u64, config: &Config) -> u64 {
        let oldest = self.ticks.saturating_sub(u64::from(config.election_ticks));
        while self.sent.front().is_some_and(|&(_, tick)| tick < oldest) {
            self.sent.pop_front();
        }
        let begun = self.sent.partition_point(|&(first, _)| first <= round);
        let index = begun.checked_sub(1);
        index
            .and_then(|index| self.sent.get(index))
            .map_or(0, |&(_, tick)| tick)
    }

    pub(super) fn give_up_lease(&mut self) {
        self.lease_given_up = true;
    }

    pub(super) fn into_requests(self) -> impl Iterator<Item = RequestId> {
        self.in_round.into_iter().chain(self.waiting)
    }
}

/// For how many ticks after a round was sent a lease holds.
///
/// The others are bound for an election timeout, of which the first tick may come at once, by a clock that may
/// be fast; the leader's last tick may be almost over, by a clock that may be slow.
fn lease_ticks(config: &Config) -> u64 {
    let bound = u64::from(config.election_ticks.saturating_sub(1));
    let shortened = bound * 100 / (100 + u64::from(CLOCK_DRIFT_PERCENT_MAX));
    shortened.saturating_sub(1)
}

impl Raft {
    pub(super) fn read(&mut self, requests: Vec<RequestId>, effects: &mut Effects) {
        let by_lease = self.holds_lease();
        let Role::Leader(leadership) = &mut self.role else {
            let leader = self.leader;
            effects.extend(
                requests
                    .into_iter()
                    .map(|request| Effect::Refuse { request, leader }),
            );
            return;
        };
        if by_lease || self.config.has(&defects::STALE_READS) {
            effects.extend(requests.into_iter().map(Effect::ReadReady));
            return;
        }
        leadership.reads.waiting.extend(requests);
        self.begin_read_round(effects);
    }

    /// Is an entry of this term committed? Until then a leader does not know how much of its log is, and its
    /// state may lack what the leader before it acknowledged (thesis 6.4, step 1).
    fn knows_what_is_committed(&self) -> bool {
        self.log.term_at(self.commit) == Some(self.term) || self.config.has(&defects::HASTY_READS)
    }

    /// Can no other leader have been elected yet, as far as this one knows? Never so without
    /// [`Config::lease_reads`].
    pub fn holds_lease(&self) -> bool {
        let Role::Leader(leadership) = &self.role else {
            return false;
        };
        if !self.config.lease_reads || leadership.reads.lease_given_up || !self.knows_what_is_committed() {
            return false;
        }
        let now = leadership.reads.ticks;
        let vouched_at = |node| {
            if node == self.config.me || self.config.has(&defects::UNANSWERED_LEASES) {
                now
            } else {
                leadership.peers.get(&node).map_or(0, |peer| peer.vouched_at)
            }
        };
        let since = self
            .members
            .deciding(&self.config)
            .reached_by_majority(vouched_at);
        let lease_ticks = if self.config.has(&defects::LEASE_BY_OWN_PATIENCE) {
            u64::from(self.patience_ticks)
        } else {
            lease_ticks(&self.config)
        };
        since > 0 && now - since <= lease_ticks
    }

    /// Begins a round for the reads that wait, unless one is under way.
    ///
    /// The read index of a round is the commit index when it begins, which is at least what it was when its
    /// reads came; and what is committed is applied in the same step, so the state is there already (thesis
    /// 6.4, steps 2 and 4).
    pub(super) fn begin_read_round(&mut self, effects: &mut Effects) {
        let ready = self.knows_what_is_committed();
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let reads = &mut leadership.reads;
        if !ready || reads.waiting.is_empty() || !reads.in_round.is_empty() {
            return;
        }
        reads.in_round = std::mem::take(&mut reads.waiting);
        reads.awaited = reads.round + 1;
        self.send_heartbeats(effects);
        self.answer_reads(effects);
    }

    /// Answers the reads whose round a majority has answered (thesis 6.4, step 3).
    pub(super) fn answer_reads(&mut self, effects: &mut Effects) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let Leadership { peers, reads, .. } = &mut **leadership;
        if reads.in_round.is_empty() {
            return;
        }
        let me = self.config.me;
        let answered = |node| node == me || peers.get(&node).is_some_and(|peer| peer.round >= reads.awaited);
        if self.members.deciding(&self.config).is_majority(answered) {
            effects.extend(reads.in_round.drain(..).map(Effect::ReadReady));
            self.begin_read_round(effects);
        }
    }
}
