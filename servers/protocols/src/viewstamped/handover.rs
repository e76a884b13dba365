//! The primary hands over: it begins a view change to a view whose primary is the one that shall lead.

use super::node::{Effects, Standing, Viewstamped};
use crate::config::NodeId;
use crate::protocol::{Effect, RequestId};

impl Viewstamped {
    /// Moves to the next view in which that member leads. The others follow, since it is their primary that
    /// asks. Views are numbers, and those in between never begin.
    pub(super) fn hand_over(&mut self, request: RequestId, to: Option<NodeId>, effects: &mut Effects) {
        let Standing::Primary(primary) = &self.standing else {
            let leader = self.leader;
            effects.push(Effect::Refuse { request, leader });
            return;
        };
        let furthest = primary.peers.iter().max_by_key(|(_, peer)| peer.prepared);
        let Some(to) = to.or(furthest.map(|(&node, _)| node)) else {
            let why = "there is nobody to hand over to";
            effects.push(Effect::Reject { request, why });
            return;
        };
        if to == self.config.me {
            effects.push(Effect::Done(request));
            return;
        }
        let Some(view) = self.group.next_led_by(to, self.view) else {
            let why = "the node is no member";
            effects.push(Effect::Reject { request, why });
            return;
        };
        self.enter_view(view, effects);
        if self.view == view {
            self.handing_over = Some((request, to));
        } else {
            effects.push(Effect::Unknown(request));
        }
    }

    /// Somebody leads now.
    pub(super) fn note_handed_over(&mut self, primary: NodeId, effects: &mut Effects) {
        if let Some((request, to)) = self.handing_over.take() {
            effects.push(if to == primary {
                Effect::Done(request)
            } else {
                Effect::Unknown(request)
            });
        }
    }
}
