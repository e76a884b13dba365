//! Handing over: the leader has another node begin a ballot at once, instead of letting all lose patience.

use super::ballot::Ballot;
use super::message::Message;
use super::node::{Effects, MultiPaxos, Role};
use crate::config::NodeId;
use crate::protocol::{Effect, RequestId};

/// A hand-over under way. Meanwhile the leader takes no proposals.
#[derive(Debug)]
pub(super) struct Handover {
    request: RequestId,
    to: NodeId,
    since: u64,
    /// Has the other been told? That can not be taken back.
    told: bool,
}

impl Handover {
    /// How it ends for the operator when this node leads no more, by reason of this ballot.
    pub(super) fn outcome<M>(self, by: Option<Ballot>) -> Effect<M> {
        let request = self.request;
        if by.is_some_and(|ballot| ballot.node == self.to) {
            Effect::Done(request)
        } else {
            Effect::Unknown(request)
        }
    }
}

impl MultiPaxos {
    pub(super) fn begin_handover(&mut self, request: RequestId, to: Option<NodeId>, effects: &mut Effects) {
        let reject = |why| Effect::Reject { request, why };
        if to == Some(self.config.me) {
            effects.push(Effect::Done(request));
            return;
        }
        let best = self.best_successor();
        let members = &self.configurations.current().members;
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if leadership.handover.is_some() || leadership.change.is_some() {
            effects.push(reject("another change is under way"));
            return;
        }
        let Some(to) = to.or(best).filter(|to| members.contains(to)) else {
            effects.push(reject("there is no such member"));
            return;
        };
        leadership.handover = Some(Handover {
            request,
            to,
            since: self.ticks,
            told: false,
        });
        self.continue_handover(effects);
    }

    /// The member that knows most.
    fn best_successor(&self) -> Option<NodeId> {
        let Role::Leader(leadership) = &self.role else {
            return None;
        };
        let members = &self.configurations.current().members;
        let peers = leadership.peers.iter().filter(|(peer, _)| members.contains(peer));
        peers
            .max_by_key(|(_, peer)| (peer.heard, peer.chosen))
            .map(|(&peer, _)| peer)
    }

    /// Once all that was proposed is chosen, tells the other to begin. From then on this node's lease is void:
    /// the acceptors will answer the other although they hear a live leader.
    pub(super) fn continue_handover(&mut self, effects: &mut Effects) {
        let (Role::Leader(leadership), Some(ballot)) = (&mut self.role, self.promised) else {
            return;
        };
        let settled = leadership.tallies.is_empty() && leadership.queue.is_empty();
        let Some(handover) = leadership.handover.as_mut().filter(|_| settled) else {
            return;
        };
        handover.told = true;
        leadership.reads.lease_waived = true;
        let to = handover.to;
        self.send_heartbeats(effects);
        Self::send(to, Message::HandOver { ballot }, effects);
    }

    /// Tells the best of those that remain to begin, as this node is no member any more.
    pub(super) fn hand_over_at_once(&self, effects: &mut Effects) {
        if let (Some(to), Some(ballot)) = (self.best_successor(), self.promised) {
            Self::send(to, Message::HandOver { ballot }, effects);
        }
    }

    /// Goes on leading if the other does not take over in time.
    pub(super) fn tick_handover(&mut self, effects: &mut Effects) {
        let patience = u64::from(self.config.election_ticks);
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let late = |handover: &mut Handover| self.ticks > handover.since + patience;
        let Some(Handover { request, told, .. }) = leadership.handover.take_if(late) else {
            return;
        };
        let why = "what was proposed before is not chosen yet";
        effects.push(if told {
            Effect::Unknown(request)
        } else {
            Effect::Reject { request, why }
        });
    }

    /// Begins a ballot, as the leader wants it: if that still leads.
    pub(super) fn take_over(&mut self, ballot: Ballot, effects: &mut Effects) {
        if self.promised == Some(ballot) && self.leader == Some(ballot.node) && self.is_member() {
            self.begin_ballot(Some(ballot), effects);
        }
    }
}
