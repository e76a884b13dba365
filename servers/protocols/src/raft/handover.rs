//! Leadership transfer (thesis 3.10).
//!
//! The leader takes no more proposals, brings the other's log up to its own, and tells it to stand for
//! election at once; the others then do not stick to the leader, as it is the leader that wants it. If the
//! other has not taken over within an election timeout, the leader goes on leading.

use super::message::{Body, Message};
use super::node::{Effects, Raft, Role};
use crate::config::NodeId;
use crate::protocol::{Effect, RequestId};

/// A handover that an operator asked for.
#[derive(Debug)]
pub(super) struct Handover {
    to: NodeId,
    request: RequestId,
    ticks: u32,
    /// The other was told to stand for election.
    told: bool,
}

impl Handover {
    pub(super) fn to(&self) -> NodeId {
        self.to
    }

    /// What its request is told by a leader that leads no more, for another reason than the other's candidacy.
    pub(super) fn broken_off(self) -> Effect<Message> {
        let request = self.request;
        if self.told {
            Effect::Unknown(request)
        } else {
            Effect::Refuse {
                request,
                leader: None,
            }
        }
    }
}

impl Raft {
    /// An operator wants another node to lead.
    pub(super) fn begin_handover(&mut self, to: Option<NodeId>, request: RequestId, effects: &mut Effects) {
        let best = self.best_successor();
        let me = self.config.me;
        let members = self.members.current().clone();
        let Role::Leader(leadership) = &mut self.role else {
            let leader = self.leader;
            return effects.push(Effect::Refuse { request, leader });
        };
        let why = if leadership.handover.is_some() {
            "another handover is under way"
        } else if to == Some(me) {
            "it leads already"
        } else {
            match to.or(best) {
                Some(to) if members.is_voter(to) => {
                    leadership.handover = Some(Handover {
                        to,
                        request,
                        ticks: 0,
                        told: false,
                    });
                    return self.hand_over_if_ready(effects);
                }
                Some(_) => "it is no member",
                None => "there is nobody to hand over to",
            }
        };
        effects.push(Effect::Reject { request, why });
    }

    /// Tells the other to stand for election once its log has all that this one has (thesis 3.10, step 3).
    pub(super) fn hand_over_if_ready(&mut self, effects: &mut Effects) {
        let last_index = self.log.last().index;
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let Some(handover) = &mut leadership.handover else {
            return;
        };
        let to = handover.to;
        if !handover.told
            && leadership
                .peers
                .get(&to)
                .is_some_and(|peer| peer.matched == last_index)
        {
            handover.told = true;
            self.tell_to_stand(to, effects);
        }
    }

    fn tell_to_stand(&mut self, to: NodeId, effects: &mut Effects) {
        if let Role::Leader(leadership) = &mut self.role {
            // The message may be delivered at any time, and what it leads to breaks the promise on which
            // leases rest.
            leadership.reads.give_up_lease();
        }
        self.send(to, Body::TimeoutNow, effects);
    }

    pub(super) fn tick_handover(&mut self, effects: &mut Effects) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let Some(handover) = &mut leadership.handover else {
            return;
        };
        handover.ticks += 1;
        if handover.ticks < self.config.election_ticks {
            return;
        }
        let Handover { request, told, .. } = *handover;
        leadership.handover = None;
        effects.push(if told {
            // The message may yet arrive.
            Effect::Unknown(request)
        } else {
            let why = "the other node did not catch up in time";
            Effect::Reject { request, why }
        });
    }

    /// The other stands for election: the handover is done, as far as it lies with this node.
    pub(super) fn conclude_handover(&mut self, candidate: NodeId, effects: &mut Effects) {
        if let Role::Leader(leadership) = &mut self.role
            && let Some(handover) = leadership.handover.take_if(|handover| handover.to == candidate)
        {
            effects.push(Effect::Done(handover.request));
        }
    }

    /// A leader that steps down for good names its successor, so that nobody has to wait for an election
    /// timeout.
    pub(super) fn ask_best_to_stand(&mut self, effects: &mut Effects) {
        if let Some(successor) = self.best_successor() {
            self.tell_to_stand(successor, effects);
        }
    }

    /// The voter whose log is known to have most of this leader's.
    fn best_successor(&self) -> Option<NodeId> {
        let Role::Leader(leadership) = &self.role else {
            return None;
        };
        let peers = leadership.peers.iter();
        let voters = peers.filter(|&(&peer, _)| self.members.current().remains(peer));
        voters
            .max_by_key(|(_, progress)| progress.matched)
            .map(|(&peer, _)| peer)
    }

    /// The leader wants this node to take over: it stands at once, without asking whether it would win.
    pub(super) fn stand_now(&mut self, leader: NodeId, effects: &mut Effects) {
        if self.leader == Some(leader) && self.may_stand() {
            self.begin_election(true, effects);
        }
    }
}
