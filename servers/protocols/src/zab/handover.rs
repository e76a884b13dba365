//! Handing over: the leader names its successor.
//!
//! Zab has no such message, but leaves open who elects: an election is a hint, and discovery makes sure. So a
//! leader that wants to hand over takes no more proposals, waits until its successor has everything, and tells
//! its followers the outcome of the next election, with a round of its own. If the successor does not come to
//! lead, they look for a leader as ever.

use super::lead::Stage;
use super::message::Body;
use super::node::{Effects, State, Zab};
use super::peer::Step;
use crate::config::NodeId;
use crate::protocol::{Effect, RequestId};

/// A leader that is about to hand over, and takes no proposals.
#[derive(Debug)]
pub(super) struct HandOver {
    /// To whom.
    to: NodeId,
    /// The operator who asked for it; none where the leader was removed.
    request: Option<RequestId>,
    ticks_left: u32,
}

const TOO_SLOW: &str = "the successor did not catch up in time";

impl HandOver {
    pub(super) fn dismiss(self, effects: &mut Effects) {
        effects.extend(self.request.map(Effect::Unknown));
    }
}

impl Zab {
    pub(super) fn begin_hand_over(&mut self, request: RequestId, to: Option<NodeId>, effects: &mut Effects) {
        if to == Some(self.config.me) {
            effects.push(Effect::Done(request));
            return;
        }
        let Some(to) = self.successor(to) else {
            effects.push(Effect::Reject {
                request,
                why: "there is no such follower that is synchronized",
            });
            return;
        };
        self.hand_over_to(to, Some(request), effects);
    }

    /// Leads no more, as it is no member any more.
    pub(super) fn retire(&mut self, effects: &mut Effects) {
        match self.successor(None) {
            Some(to) if !self.is_handing_over() => self.hand_over_to(to, None, effects),
            Some(_) => self.pursue_hand_over(effects),
            None => self.look(effects),
        }
    }

    fn is_handing_over(&self) -> bool {
        matches!(&self.state, State::Leading(leading) if leading.handover.is_some())
    }

    /// The one that was asked for, or whichever has most, of the members that are synchronized.
    fn successor(&self, wanted: Option<NodeId>) -> Option<NodeId> {
        let State::Leading(leading) = &self.state else {
            return None;
        };
        let able = leading.peers.iter().filter(|(node, peer)| {
            peer.step == Step::Synchronized
                && self.ensemble().members.contains(node)
                && wanted.is_none_or(|wanted| wanted == **node)
        });
        let best = able.max_by_key(|(_, peer)| peer.held);
        best.map(|(&node, _)| node)
    }

    fn hand_over_to(&mut self, to: NodeId, request: Option<RequestId>, effects: &mut Effects) {
        if let State::Leading(leading) = &mut self.state {
            leading.handover = Some(HandOver {
                to,
                request,
                ticks_left: self.config.election_ticks,
            });
        }
        self.pursue_hand_over(effects);
    }

    /// Hands over once all is committed, and the successor has it.
    pub(super) fn pursue_hand_over(&mut self, effects: &mut Effects) {
        let last = self.history.last_index();
        let State::Leading(leading) = &mut self.state else {
            return;
        };
        let Some(handover) = &leading.handover else {
            return;
        };
        let to = handover.to;
        if self.commit < last || leading.peers.get(&to).is_none_or(|peer| peer.counted() < last) {
            return;
        }
        let request = leading.handover.take().and_then(|handover| handover.request);
        let round = self.round + 1;
        let others: Vec<_> = leading.peers.keys().copied().collect();
        for other in others {
            self.send(other, Body::HandOver { to, round }, effects);
        }
        self.round = round;
        self.follow(to, effects);
        if let State::Following(following) = &mut self.state {
            following.handed_over = request;
        }
    }

    pub(super) fn tick_hand_over(&mut self, effects: &mut Effects) {
        let State::Leading(leading) = &mut self.state else {
            return;
        };
        let Some(handover) = &mut leading.handover else {
            return;
        };
        handover.ticks_left = handover.ticks_left.saturating_sub(1);
        if handover.ticks_left > 0 {
            return;
        }
        if let Some(request) = leading.handover.take().and_then(|handover| handover.request) {
            effects.push(Effect::Reject {
                request,
                why: TOO_SLOW,
            });
        } else {
            self.look(effects);
        }
    }

    /// The leader has named its successor.
    pub(super) fn hear_hand_over(&mut self, to: NodeId, round: u64, effects: &mut Effects) {
        let State::Following(following) = &self.state else {
            return;
        };
        if following.stage != Stage::Broadcast || round <= self.round {
            return;
        }
        self.round = round;
        if to == self.config.me {
            self.lead(effects);
        } else {
            self.follow(to, effects);
        }
    }
}
