//! Linearizable reads without a slot of their own.
//!
//! A leader may have been preempted without knowing it. So, before it answers a read from its own state, it
//! makes sure that it was not when the read came: it sends a round of heartbeats, and waits until a majority
//! has answered that very round. Had a later leader got the first slot chosen that is unknown here, before the
//! read came, then a majority had promised him by then; one of them is in this majority, and would not have
//! answered.
//!
//! With leases (`Config::lease_reads`; Chandra et al. 2007, 5.2; van Renesse & Altinbuken 2015, 4.5) the
//! leader need not ask each time. A node that has heard a heartbeat promises no other ballot within the
//! shortest patience, by its own clock; so for nearly as long after it *sent* a heartbeat that a majority
//! answered, the leader knows that there is no other. Nearly: clocks may run apart by
//! [`CLOCK_DRIFT_PERCENT_MAX`], and each may have counted a tick that had hardly begun. A process that was
//! stopped must be told of its ticks before it serves anyone: its clock may not stand still.

use std::collections::VecDeque;

use super::defects;
use super::node::{Effects, MultiPaxos, Role};
use crate::config::CLOCK_DRIFT_PERCENT_MAX;
use crate::protocol::{Effect, RequestId};

/// The most rounds whose time of sending is remembered.
const ROUNDS_MAX: usize = 64;

/// The reads that a leader has not answered, and its lease.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The last round that was begun.
    round: u64,
    /// The reads that wait for answers to a round, and which.
    in_round: Vec<RequestId>,
    awaited: u64,
    /// The reads that came since.
    waiting: Vec<RequestId>,
    /// Rounds that no majority has answered, and when they were sent.
    sent: VecDeque<(u64, u64)>,
    /// When the last round was sent that a majority has answered.
    leased_at: Option<u64>,
    /// Has the leader allowed somebody to begin a ballot?
    pub(super) lease_waived: bool,
}

impl Reads {
    /// Begins a round.
    pub(super) fn next_round(&mut self, now: u64) -> u64 {
        self.round += 1;
        if self.sent.len() == ROUNDS_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back((self.round, now));
        self.round
    }

    pub(super) fn into_requests(self) -> impl Iterator<Item = RequestId> {
        self.in_round.into_iter().chain(self.waiting)
    }
}

impl MultiPaxos {
    pub(super) fn read(&mut self, requests: Vec<RequestId>, effects: &mut Effects) {
        let Role::Leader(leadership) = &mut self.role else {
            let leader = self.leader;
            effects.extend(
                requests
                    .into_iter()
                    .map(|request| Effect::Refuse { request, leader }),
            );
            return;
        };
        if self.config.has(&defects::READS_UNASKED) {
            effects.extend(requests.into_iter().map(Effect::ReadReady));
            return;
        }
        leadership.reads.waiting.extend(requests);
        if self.is_settled() && self.has_lease() {
            self.answer_waiting(effects);
        } else {
            self.begin_read_round(effects);
        }
    }

    /// Does the state have all that leaders before this one may have acknowledged? Only once phase 1 is done
    /// for every configuration that may be in force, and all of which it told is chosen.
    pub(super) fn is_settled(&self) -> bool {
        let Role::Leader(leadership) = &self.role else {
            return false;
        };
        let promised = |member| leadership.phase_one.promised_by.contains(&member);
        if self.config.has(&defects::READS_UNSETTLED) {
            return true;
        }
        self.chosen >= leadership.settled_at && self.configurations.have_quorum(promised)
    }

    /// Begins a round for the reads that wait, unless one is under way.
    pub(super) fn begin_read_round(&mut self, effects: &mut Effects) {
        let settled = self.is_settled();
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let reads = &mut leadership.reads;
        if !settled || reads.waiting.is_empty() || !reads.in_round.is_empty() {
            return;
        }
        reads.in_round = std::mem::take(&mut reads.waiting);
        reads.awaited = reads.round + 1;
        self.send_heartbeats(effects);
        self.answer_reads(effects);
    }

    /// Answers the reads whose round a majority has answered.
    pub(super) fn answer_reads(&mut self, effects: &mut Effects) {
        let Role::Leader(leadership) = &self.role else {
            return;
        };
        if leadership.reads.in_round.is_empty() || !self.is_answered(leadership.reads.awaited) {
            return;
        }
        if let Role::Leader(leadership) = &mut self.role {
            effects.extend(leadership.reads.in_round.drain(..).map(Effect::ReadReady));
        }
        self.begin_read_round(effects);
    }

    /// Has a majority of each configuration answered this round or a later one?
    fn is_answered(&self, round: u64) -> bool {
        let Role::Leader(leadership) = &self.role else {
            return false;
        };
        let (me, peers) = (self.config.me, &leadership.peers);
        let answered = |member| member == me || peers.get(&member).is_some_and(|peer| peer.round >= round);
        self.configurations.have_quorum(answered)
    }

    /// Notes the last round that a majority has answered.
    pub(super) fn extend_lease(&mut self) {
        loop {
            let Role::Leader(leadership) = &self.role else {
                return;
            };
            let oldest = leadership.reads.sent.front().copied();
            let Some((_, sent_at)) = oldest.filter(|&(round, _)| self.is_answered(round)) else {
                return;
            };
            if let Role::Leader(leadership) = &mut self.role {
                leadership.reads.sent.pop_front();
                leadership.reads.leased_at = Some(sent_at);
            }
        }
    }

    /// Is it certain that nobody else leads?
    fn has_lease(&self) -> bool {
        let Role::Leader(leadership) = &self.role else {
            return false;
        };
        let unasked = self.config.has(&defects::LEASE_NOT_HONOURED);
        if leadership.reads.lease_waived || !(self.config.lease_reads || unasked) {
            return false;
        }
        // Both ends may have counted a tick that had hardly begun.
        let whole = u64::from(self.config.election_ticks).saturating_sub(1);
        let sure = whole * u64::from(100 - CLOCK_DRIFT_PERCENT_MAX) / 100;
        leadership
            .reads
            .leased_at
            .is_some_and(|sent_at| self.ticks + 1 < sent_at + sure)
    }

    fn answer_waiting(&mut self, effects: &mut Effects) {
        if let Role::Leader(leadership) = &mut self.role {
            effects.extend(leadership.reads.waiting.drain(..).map(Effect::ReadReady));
        }
    }
}
