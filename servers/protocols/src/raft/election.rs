//! Who becomes leader, and when one steps down.

use std::collections::BTreeSet;

use rand::RngExt;

use super::change::Change;
use super::defects;
use super::disk::Promise;
use super::handover::Handover;
use super::leader::Leadership;
use super::log::{Payload, Position};
use super::message::Body;
use super::node::{Effects, Raft, Role};
use crate::config::NodeId;
use crate::protocol::Effect;

impl Raft {
    /// Draws how long the next silence is borne: a random time, so that rarely two nodes lose patience at
    /// once (paper 5.2).
    pub(super) fn draw_patience(&mut self) {
        self.silence_ticks = 0;
        let shortest = self.config.election_ticks;
        self.patience_ticks = self.random.random_range(shortest..shortest.saturating_mul(2));
    }

    /// Does this node lead, or has it heard a leader within the shortest election timeout? It then will not
    /// help to replace that leader: a node that was cut off, or is being removed, can not disturb a cluster
    /// that works (thesis 4.2.3 and 9.6).
    pub(super) fn has_live_leader(&self) -> bool {
        match self.role {
            Role::Leader(_) => true,
            _ => {
                let heard = self.leader.is_some() && self.silence_ticks < self.config.election_ticks;
                heard || self.bound_ticks > 0
            }
        }
    }

    /// Binds this node, where reads rest on leases, not to help replace a leader for an election timeout: by
    /// whatever way it comes into another term meanwhile, and even if it can not know any more whether it
    /// heard one (`read.rs` says why).
    pub(super) fn bind(&mut self) {
        if self.config.lease_reads {
            self.bound_ticks = self.config.election_ticks;
        }
    }

    /// May this node be elected? If it has a vote; or if it had one before a membership that is not known to
    /// be committed: it may hold the one copy of that membership, without which nobody else could win (thesis
    /// 4.2.2).
    pub(super) fn may_stand(&self) -> bool {
        let me = self.config.me;
        let uncommitted = self.members.current_index() > self.commit;
        let had_vote = self
            .members
            .previous()
            .is_some_and(|previous| previous.is_voter(me));
        self.members.current().is_voter(me) || uncommitted && had_vote
    }

    /// All others that have a vote.
    pub(super) fn other_voters(&self) -> Vec<NodeId> {
        let mut voters = self.members.current().voters();
        voters.remove(&self.config.me);
        voters.into_iter().collect()
    }

    /// Asks whether it could win an election, before it moves anyone to a later term (thesis 9.6).
    pub(super) fn begin_pre_vote(&mut self, effects: &mut Effects) {
        self.become_follower(effects);
        self.draw_patience();
        self.role = Role::PreCandidate {
            supporters: BTreeSet::new(),
        };
        let last = self.log.last();
        for peer in self.other_voters() {
            self.send(peer, Body::PreVote { last }, effects);
        }
        self.count_pre_vote(self.config.me, true, effects);
    }

    pub(super) fn answer_pre_vote(&mut self, from: NodeId, last: Position, effects: &mut Effects) {
        let granted = self.is_up_to_date(last);
        self.promise_message(from, Body::PreVoteReply { granted }, effects);
    }

    pub(super) fn count_pre_vote(&mut self, from: NodeId, granted: bool, effects: &mut Effects) {
        let Role::PreCandidate { supporters } = &mut self.role else {
            return;
        };
        if granted {
            supporters.insert(from);
        }
        let members = self.members.deciding(&self.config);
        if members.is_majority(|node| supporters.contains(&node)) {
            self.begin_election(false, effects);
        }
    }

    /// Stands for election in the next term (paper 5.2). The requests wait for the disk, and so does its own
    /// vote: a candidate that crashed, and forgot this term or the end of the log it boasts of, could
    /// otherwise gather votes for what it is no more.
    pub(super) fn begin_election(&mut self, handover: bool, effects: &mut Effects) {
        self.enter_term(self.term + 1, effects);
        self.draw_patience();
        self.voted_for = Some(self.config.me);
        self.role = Role::Candidate {
            voters: BTreeSet::new(),
        };
        let last = self.log.last();
        for peer in self.other_voters() {
            self.promise_message(peer, Body::RequestVote { last, handover }, effects);
        }
        self.promise(Promise::OwnVote, effects);
    }

    /// One vote a term, to whoever asks first with a log that is up-to-date (paper 5.2 and 5.4.1).
    pub(super) fn answer_vote(&mut self, from: NodeId, last: Position, effects: &mut Effects) {
        let free = self.voted_for.is_none_or(|candidate| candidate == from);
        let granted = free && self.is_up_to_date(last);
        if granted && self.voted_for.is_none() {
            self.voted_for = Some(from);
            self.state_unsaved = true;
        }
        if granted {
            // Give the candidate time to win before standing against it.
            self.silence_ticks = 0;
        }
        self.promise_message(from, Body::Vote { granted }, effects);
    }

    pub(super) fn count_vote(&mut self, from: NodeId, granted: bool, effects: &mut Effects) {
        let Role::Candidate { voters } = &mut self.role else {
            return;
        };
        if granted {
            voters.insert(from);
        }
        let members = self.members.deciding(&self.config);
        if members.is_majority(|node| voters.contains(&node)) {
            self.become_leader(effects);
        }
    }

    /// Is a log that ends there at least as up-to-date as this one? A majority votes only for a log that is,
    /// and every committed entry is in some log of each majority: so a leader has them all (paper 5.4.1 and
    /// 5.4.3).
    fn is_up_to_date(&self, last: Position) -> bool {
        // A node that was never a member, nor sent anything, knows of no election that it could decide: it is
        // a voter of no membership before it has caught up with a log.
        let blank = self.log.last().index == 0 && !self.members.current().is_voter(self.config.me);
        self.config.has(&defects::BLIND_VOTES) || (last >= self.log.last() && !blank)
    }

    /// Says no, in its own term.
    pub(super) fn decline(&mut self, from: NodeId, asked: &Body, effects: &mut Effects) {
        let answer = match asked {
            Body::PreVote { .. } => Body::PreVoteReply { granted: false },
            _ => Body::Vote { granted: false },
        };
        self.promise_message(from, answer, effects);
    }

    fn become_leader(&mut self, effects: &mut Effects) {
        self.leader = Some(self.config.me);
        self.silence_ticks = 0;
        let leadership = Leadership::new(self.other_voters(), self.log.last().index);
        self.role = Role::Leader(Box::new(leadership));
        // An entry of its own term, since only by committing one does it learn what else is committed (paper
        // 5.4.2 and section 8; thesis 6.4).
        self.append_own(vec![Payload::Noop], effects);
    }

    /// Takes the sender for the leader of this term, as only the leader sends such messages.
    pub(super) fn follow(&mut self, leader: NodeId, effects: &mut Effects) {
        assert!(
            !matches!(self.role, Role::Leader(_)) || self.config.defect.is_some(),
            "{leader} and {} both lead term {}",
            self.config.me,
            self.term
        );
        if !matches!(self.role, Role::Follower) {
            self.become_follower(effects);
        }
        if self.leader != Some(leader) {
            self.leader = Some(leader);
            self.draw_patience();
        }
        self.silence_ticks = 0;
        self.bind();
    }

    /// Leads no more and stands no more. Clients of a leader learn it at once: what they proposed is in the
    /// log and may yet be committed by the next leader, so its fate is unknown; what they wanted to read had
    /// no effect.
    pub(super) fn become_follower(&mut self, effects: &mut Effects) {
        self.leader = None;
        if let Role::Leader(leadership) = std::mem::replace(&mut self.role, Role::Follower) {
            self.draw_patience();
            let Leadership {
                proposed,
                reads,
                change,
                handover,
                ..
            } = *leadership;
            effects.extend(change.map(Change::broken_off));
            effects.extend(handover.map(Handover::broken_off));
            effects.extend(proposed.into_iter().map(|(_, request)| Effect::Unknown(request)));
            effects.extend(reads.into_requests().map(|request| Effect::Refuse {
                request,
                leader: None,
            }));
        }
    }

    /// Once each election timeout, a leader that has not heard from a majority since the last time steps down
    /// (thesis 6.2): it can commit nothing, and its clients had better ask elsewhere. A leader that was cut
    /// off therefore still leads for between one and two election timeouts.
    pub(super) fn check_quorum(&mut self, effects: &mut Effects) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if self.silence_ticks < self.config.election_ticks {
            return;
        }
        self.silence_ticks = 0;
        let me = self.config.me;
        let heard: BTreeSet<_> = leadership
            .peers
            .iter_mut()
            .filter_map(|(&peer, progress)| std::mem::take(&mut progress.heard).then_some(peer))
            .collect();
        let members = self.members.deciding(&self.config);
        if !members.is_majority(|node| node == me || heard.contains(&node)) {
            self.become_follower(effects);
        }
    }
}
