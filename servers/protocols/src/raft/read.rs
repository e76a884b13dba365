//! Linearizable reads without a log write (thesis 6.4).
//!
//! A leader may have been replaced without knowing it. So, before it answers a read from its own state, it
//! makes sure that it still led after the read came: it sends a round of heartbeats, and waits until a
//! majority has answered that very round. All reads that have come by then share the round; those that come
//! during one share the next.

use super::defects;
use super::node::{Effects, Raft, Role};
use crate::protocol::{Effect, RequestId};

/// The reads that a leader has not answered.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The last round that was begun.
    round: u64,
    /// The reads that wait for its answers.
    in_round: Vec<RequestId>,
    /// The reads that came since.
    waiting: Vec<RequestId>,
}

impl Reads {
    /// The last round that was begun.
    pub(super) fn round(&self) -> u64 {
        self.round
    }

    pub(super) fn into_requests(self) -> impl Iterator<Item = RequestId> {
        self.in_round.into_iter().chain(self.waiting)
    }
}

impl Raft {
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
        if self.config.has(&defects::STALE_READS) {
            effects.extend(requests.into_iter().map(Effect::ReadReady));
            return;
        }
        leadership.reads.waiting.extend(requests);
        self.begin_read_round(effects);
    }

    /// Begins a round for the reads that wait, unless one is under way. Not before an entry of this term is
    /// committed: until then the leader does not know how much of its log is, and its state may lack what the
    /// leader before it acknowledged (thesis 6.4, step 1).
    ///
    /// The read index of a round is the commit index when it begins, which is at least what it was when its
    /// reads came; and what is committed is applied in the same step, so the state is there already (steps 2
    /// and 4).
    pub(super) fn begin_read_round(&mut self, effects: &mut Effects) {
        let own_term_committed = self.log.term_at(self.commit) == Some(self.term);
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let reads = &mut leadership.reads;
        if !own_term_committed || reads.waiting.is_empty() || !reads.in_round.is_empty() {
            return;
        }
        reads.round += 1;
        reads.in_round = std::mem::take(&mut reads.waiting);
        self.send_heartbeats(effects);
        self.answer_reads(effects);
    }

    /// Answers the reads whose round a majority has answered (thesis 6.4, step 3).
    pub(super) fn answer_reads(&mut self, effects: &mut Effects) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let round = leadership.reads.round;
        let answered = leadership
            .peers
            .values()
            .filter(|peer| peer.round >= round)
            .count();
        if leadership.reads.in_round.is_empty() || answered + 1 < self.config.quorum() {
            return;
        }
        effects.extend(leadership.reads.in_round.drain(..).map(Effect::ReadReady));
        self.begin_read_round(effects);
    }
}
