//! A change of members, as the leader carries it out (paper section 6; thesis 4.2 and 4.3).
//!
//! A node that is to be added is first sent the log as a *learner*, without a vote: a node that has yet to
//! catch up could not help to commit anything for a while (thesis 4.2.1). Then the leader puts the joint
//! membership into the log; once that is committed, the new one; once that is committed, the change is done,
//! and a leader that is no member any more steps down (paper section 6).
//!
//! Whoever leads when the joint membership is committed goes on from there, whether or not it began.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::leader::Leadership;
use super::log::Payload;
use super::membership::Membership;
use super::message::{Body, Message};
use super::node::{Effects, Raft, Role};
use super::progress::Progress;
use crate::config::NodeId;
use crate::protocol::{Effect, RequestId};

/// In at most so many rounds, each of which copies what was appended during the one before, a learner must
/// catch up (thesis 4.2.1).
const CATCH_UP_ROUNDS_MAX: u32 = 10;
/// For so many election timeouts a learner may make no progress.
const CATCH_UP_SILENCE_MAX: u32 = 4;

/// A change of members that an operator asked this leader for.
#[derive(Debug)]
pub(super) enum Change {
    /// The node is sent the log, and has no vote yet.
    CatchingUp(CatchingUp),
    /// The joint membership is in the log.
    InLog {
        /// Who asked for it.
        request: RequestId,
    },
}

#[derive(Debug)]
pub(super) struct CatchingUp {
    node: NodeId,
    request: RequestId,
    round: u32,
    /// The end of the log when the round began.
    target: u64,
    round_ticks: u32,
    /// How far it had come when it was last seen to make progress, and the ticks since.
    matched: u64,
    silent_ticks: u32,
}

impl Change {
    /// What its request is told by a leader that leads no more.
    pub(super) fn broken_off(self) -> Effect<Message> {
        match self {
            // Nothing was put into the log.
            Change::CatchingUp(CatchingUp { request, .. }) => Effect::Refuse {
                request,
                leader: None,
            },
            Change::InLog { request } => Effect::Unknown(request),
        }
    }
}

impl Raft {
    /// An operator wants a node to be a member.
    pub(super) fn add_member(&mut self, node: NodeId, request: RequestId, effects: &mut Effects) {
        let target = self.log.last().index;
        let is_voter = self.members.current().is_voter(node);
        let Some(leadership) = self.free_for_change(request, effects) else {
            return;
        };
        if is_voter {
            let why = "it is a member already";
            return effects.push(Effect::Reject { request, why });
        }
        leadership.change = Some(Change::CatchingUp(CatchingUp {
            node,
            request,
            round: 1,
            target,
            round_ticks: 0,
            matched: 0,
            silent_ticks: 0,
        }));
        // It is probed with the last entry at once, and not only when the next is made.
        leadership
            .peers
            .insert(node, Progress::new(target.saturating_sub(1)));
        self.replicate(effects);
    }

    /// An operator wants a node to be a member no more.
    pub(super) fn remove_member(&mut self, node: NodeId, request: RequestId, effects: &mut Effects) {
        let current = self.members.current().clone();
        let Some(leadership) = self.free_for_change(request, effects) else {
            return;
        };
        let mut voters = current.voters();
        let why = if !voters.remove(&node) {
            "it is no member"
        } else if voters.is_empty() {
            "it is the last member"
        } else {
            leadership.change = Some(Change::InLog { request });
            return self.begin_joint(&current, voters, effects);
        };
        effects.push(Effect::Reject { request, why });
    }

    /// What this leader knows, if it may begin a change now; otherwise the request is answered. One change at
    /// a time: the next begins when the last is committed.
    fn free_for_change(&mut self, request: RequestId, effects: &mut Effects) -> Option<&mut Leadership> {
        let under_way = self.members.current().is_joint() || self.members.current_index() > self.commit;
        let Role::Leader(leadership) = &mut self.role else {
            let leader = self.leader;
            effects.push(Effect::Refuse { request, leader });
            return None;
        };
        let why = if under_way || leadership.change.is_some() {
            "another change of members is under way"
        } else if leadership.handover.is_some() {
            "the leader is handing over"
        } else {
            return Some(leadership);
        };
        effects.push(Effect::Reject { request, why });
        None
    }

    /// Moves to the joint membership (`C_old,new`), which holds from this moment on.
    fn begin_joint(&mut self, current: &Membership, voters: BTreeSet<NodeId>, effects: &mut Effects) {
        let joint = Arc::new(current.joint(voters));
        self.append_own(vec![Payload::Members(joint)], effects);
    }

    /// A peer's log has come to agree with this one further: was that what a change waits for?
    pub(super) fn peer_caught_up(&mut self, from: NodeId, effects: &mut Effects) {
        let last_index = self.log.last().index;
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let matched = leadership.matched(from);
        let Some(Change::CatchingUp(learner)) = &mut leadership.change else {
            return;
        };
        if learner.node != from {
            return;
        }
        if matched > learner.matched {
            learner.matched = matched;
            learner.silent_ticks = 0;
        }
        if matched < learner.target {
            return;
        }
        let request = learner.request;
        if learner.round_ticks < self.config.election_ticks {
            // What is left takes less than an election timeout: it can be waited for.
            leadership.change = Some(Change::InLog { request });
            let current = self.members.current().clone();
            let mut voters = current.voters();
            voters.insert(from);
            self.begin_joint(&current, voters, effects);
        } else if learner.round < CATCH_UP_ROUNDS_MAX {
            learner.round += 1;
            learner.target = last_index;
            learner.round_ticks = 0;
        } else {
            self.give_up_learner(effects);
        }
    }

    pub(super) fn tick_change(&mut self, effects: &mut Effects) {
        let silence_max = self.config.election_ticks.saturating_mul(CATCH_UP_SILENCE_MAX);
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let Some(Change::CatchingUp(learner)) = &mut leadership.change else {
            return;
        };
        learner.round_ticks = learner.round_ticks.saturating_add(1);
        learner.silent_ticks = learner.silent_ticks.saturating_add(1);
        if learner.silent_ticks > silence_max {
            self.give_up_learner(effects);
        }
    }

    fn give_up_learner(&mut self, effects: &mut Effects) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if let Some(Change::CatchingUp(learner)) = leadership.change.take() {
            leadership.peers.remove(&learner.node);
            effects.push(Effect::Reject {
                request: learner.request,
                why: "the new node does not catch up",
            });
        }
    }

    /// More is committed: goes on with the change that may be in it.
    pub(super) fn go_on_with_change(&mut self, effects: &mut Effects) {
        let current = self.members.current().clone();
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if self.members.current_index() > self.commit {
            return;
        }
        if current.is_joint() {
            let settled = Arc::new(current.settled());
            return self.append_own(vec![Payload::Members(settled)], effects);
        }
        if let Some(Change::InLog { request }) = leadership.change {
            leadership.change = None;
            effects.push(Effect::Done(request));
        }
        self.let_removed_go(&current, effects);
        if !current.is_voter(self.config.me) {
            // It has led only for the change to be committed, without counting itself (paper section 6).
            // Those who stay need not wait for an election timeout.
            self.ask_best_to_stand(effects);
            self.become_follower(effects);
        }
    }

    /// Copies the log no longer to nodes that have no vote, having told them of the commit that says so. One
    /// that does not hear it asks for pre-votes in vain (thesis 4.2.3).
    fn let_removed_go(&mut self, current: &Membership, effects: &mut Effects) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let learner = match &leadership.change {
            Some(Change::CatchingUp(learner)) => Some(learner.node),
            _ => None,
        };
        let goes = |peer: NodeId| !current.is_voter(peer) && Some(peer) != learner;
        let removed = leadership.peers.extract_if(.., |&peer, _| goes(peer));
        for (to, progress) in removed {
            let message = Message {
                term: self.term,
                body: Body::Heartbeat {
                    round: 0,
                    commit: self.commit.min(progress.matched),
                },
            };
            effects.push(Effect::Send { to, message });
        }
    }

    /// Copies the log to everybody who has a vote from now on.
    pub(super) fn welcome_voters(&mut self) {
        let last_index = self.log.last().index;
        let me = self.config.me;
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        for voter in self.members.current().voters() {
            if voter != me {
                leadership
                    .peers
                    .entry(voter)
                    .or_insert_with(|| Progress::new(last_index));
            }
        }
    }
}
