//! Reads at the primary, without a place in the log (section 6.3).
//!
//! A primary may have been replaced without knowing it. So, before it answers a read from its own state, it
//! makes sure that it was still the primary after the read came: it sends Commit messages, and waits until a
//! quorum has answered that very round from this view. For a later view to begin, one of them would have had
//! to leave this one before.
//!
//! With leases (section 6.3) a quorum's answers also hold for a while to come, as a backup helps to begin
//! another view only when it has not heard its primary for the shortest patience, or when the primary itself
//! gives way, and has then no lease. The lease runs from when the round was *sent*, and is shorter by what
//! clocks may differ. A node that was stopped and goes on must feel the time that has passed: where leases are on,
//! a driver gives all ticks that are due before anything else.

use super::defects;
use super::node::{Effects, Standing, Viewstamped};
use crate::config::CLOCK_DRIFT_PERCENT_MAX;
use crate::protocol::{Effect, RequestId};

use std::collections::VecDeque;

/// How many rounds are remembered for their leases.
const ROUNDS_MAX: usize = 64;

/// The reads that a primary has not answered.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The last round that was begun.
    round: u64,
    /// The reads that wait for its answers, or for those of a later one.
    in_round: Vec<RequestId>,
    in_round_number: u64,
    /// The reads that came since.
    waiting: Vec<RequestId>,
    /// When the last rounds were begun.
    begun: VecDeque<(u64, u64)>,
    /// Until when the lease runs.
    lease_until: u64,
}

impl Reads {
    /// The last round that was begun.
    pub(super) fn round(&self) -> u64 {
        self.round
    }

    pub(super) fn begin_round(&mut self, now: u64) {
        self.round += 1;
        self.begun.push_back((self.round, now));
        if self.begun.len() > ROUNDS_MAX {
            self.begun.pop_front();
        }
    }

    pub(super) fn into_requests(self) -> impl Iterator<Item = RequestId> {
        self.in_round.into_iter().chain(self.waiting)
    }
}

impl Viewstamped {
    pub(super) fn read(&mut self, requests: Vec<RequestId>, effects: &mut Effects) {
        let Standing::Primary(primary) = &mut self.standing else {
            let leader = self.leader;
            effects.extend(
                requests
                    .into_iter()
                    .map(|request| Effect::Refuse { request, leader }),
            );
            return;
        };
        let leased = self.config.lease_reads && self.now < primary.reads.lease_until;
        let complete = self.commit >= primary.start;
        if self.config.has(&defects::DEPOSED_READS) || (leased && complete) {
            effects.extend(requests.into_iter().map(Effect::ReadReady));
            return;
        }
        primary.reads.waiting.extend(requests);
        self.begin_read_round(effects);
    }

    /// Begins a round for the reads that wait, unless one is under way. Not before all that the view began
    /// with is committed: until then this node's state may lack what the primary before it has acknowledged.
    pub(super) fn begin_read_round(&mut self, effects: &mut Effects) {
        let Standing::Primary(primary) = &mut self.standing else {
            return;
        };
        let reads = &mut primary.reads;
        if self.commit < primary.start || reads.waiting.is_empty() || !reads.in_round.is_empty() {
            return;
        }
        reads.begin_round(self.now);
        reads.in_round = std::mem::take(&mut reads.waiting);
        reads.in_round_number = reads.round;
        self.send_commit(effects);
        self.answer_reads(effects);
    }

    /// Answers the reads whose round a quorum has answered.
    pub(super) fn answer_reads(&mut self, effects: &mut Effects) {
        let Standing::Primary(primary) = &mut self.standing else {
            return;
        };
        let mut rounds: Vec<u64> = primary.peers.values().map(|peer| peer.round).collect();
        rounds.push(primary.reads.round);
        rounds.sort_unstable_by(|one, other| other.cmp(one));
        let Some(&answered) = rounds.get(self.group.quorum() - 1) else {
            return;
        };
        let reads = &mut primary.reads;
        while let Some(&(_, begun)) = reads.begun.front().filter(|(round, _)| *round <= answered) {
            // The first tick of a silence may come at once.
            let ticks = u64::from(self.config.election_ticks - 1);
            reads.lease_until = begun + ticks * u64::from(100 - CLOCK_DRIFT_PERCENT_MAX) / 100;
            reads.begun.pop_front();
        }
        if reads.in_round.is_empty() || answered < reads.in_round_number {
            return;
        }
        effects.extend(reads.in_round.drain(..).map(Effect::ReadReady));
        self.begin_read_round(effects);
    }
}
