//! Who is a member, and how that changes (Shraer et al., *Dynamic Reconfiguration of Primary/Backup Clusters*,
//! USENIX ATC 2012).
//!
//! A reconfiguration is a transaction among the others. It is committed, and all that follows it, by quorums
//! of both the old and the new members (their section 3.2); and so is every election while it is pending, as a
//! new leader that has it can not know which of the two had committed it. Once it is committed the leader says
//! so by a second transaction, the activation, from which on the new members decide alone; whoever holds that
//! one knows that the reconfiguration is committed, even if the activation is not. One change at a time. A new
//! member is first synchronized as an observer, so that it counts from the moment it is one.

use std::collections::btree_map::Entry;

use super::defects;
use super::history::Payload;
use super::lead::Stage;
use super::node::{Effects, State, Zab};
use super::peer::{Peer, Step};
use crate::config::NodeId;
use crate::protocol::{Administration, Effect, RequestId};

/// How many of the shortest election timeouts a new member may take to catch up.
const CATCH_UP_ELECTIONS: u32 = 20;

/// A change of members under way.
#[derive(Debug)]
pub(super) enum Change {
    /// The new member is being synchronized.
    CatchingUp {
        request: RequestId,
        node: NodeId,
        ticks_left: u32,
    },
    /// The reconfiguration is proposed.
    Proposed { request: RequestId },
}

impl Change {
    pub(super) fn dismiss(self, effects: &mut Effects) {
        effects.push(match self {
            Change::CatchingUp { request, .. } => Effect::Reject {
                request,
                why: "the node that was asked leads no more",
            },
            Change::Proposed { request } => Effect::Unknown(request),
        });
    }
}

impl Zab {
    pub(super) fn administer(&mut self, request: RequestId, what: Administration, effects: &mut Effects) {
        if what == Administration::Snapshot {
            self.snapshot_asked(request, effects);
            return;
        }
        let leader = self.leader();
        if leader != Some(self.config.me) {
            effects.push(Effect::Refuse { request, leader });
            return;
        }
        if let Some(why) = self.objection(what) {
            effects.push(Effect::Reject { request, why });
            return;
        }
        match what {
            Administration::AddMember(node) => self.begin_adding(request, node, effects),
            Administration::RemoveMember(node) => {
                let mut members = self.ensemble().members.clone();
                members.retain(|&member| member != node);
                self.reconfigure(request, members, effects);
            }
            Administration::Transfer { to } => self.begin_hand_over(request, to, effects),
            Administration::Snapshot => {}
        }
    }

    /// Why it can not be done, if it can not.
    fn objection(&self, what: Administration) -> Option<&'static str> {
        let members = &self.ensemble().members;
        let changing = self.ensemble().pending.is_some()
            || matches!(&self.state, State::Leading(leading) if leading.change.is_some());
        match what {
            _ if changing => Some("another change of members is under way"),
            Administration::AddMember(node) if members.contains(&node) => Some("it is a member already"),
            Administration::RemoveMember(node) if !members.contains(&node) => Some("it is no member"),
            Administration::RemoveMember(_) if members.len() == 1 => Some("it is the last member"),
            _ => None,
        }
    }

    fn begin_adding(&mut self, request: RequestId, node: NodeId, effects: &mut Effects) {
        let ticks_left = self.config.election_ticks.saturating_mul(CATCH_UP_ELECTIONS);
        let Some((leading, source)) = self.leading() else {
            return;
        };
        match leading.peers.entry(node) {
            Entry::Vacant(vacant) => {
                vacant.insert(Peer::new());
            }
            // It was a member a moment ago, and may have lost its disk since: what is known of it counts for nothing.
            Entry::Occupied(mut known) => {
                let peer = known.get_mut();
                peer.inform(source.epoch);
                peer.propose_epoch(node, &source, effects);
            }
        }
        leading.change = Some(Change::CatchingUp {
            request,
            node,
            ticks_left,
        });
    }

    fn reconfigure(&mut self, request: RequestId, members: Vec<NodeId>, effects: &mut Effects) {
        if self.config.has(&defects::CONFIGURATION_AT_ONCE) {
            self.broadcast(vec![Payload::Reconfigure(members), Payload::Activate], effects);
            effects.push(Effect::Done(request));
            return;
        }
        if let State::Leading(leading) = &mut self.state {
            leading.change = Some(Change::Proposed { request });
        }
        self.broadcast(vec![Payload::Reconfigure(members)], effects);
    }

    /// Goes on with the change of members or the handing over that is under way, as far as the followers have
    /// come.
    pub(super) fn pursue_change(&mut self, effects: &mut Effects) {
        let State::Leading(leading) = &mut self.state else {
            return;
        };
        if leading.stage != Stage::Broadcast {
            return;
        }
        if let Some(Change::CatchingUp { request, node, .. }) = leading.change {
            let peer = leading.peers.get(&node);
            // It is sent what is new like any other: what is under way will not be much.
            if peer.is_some_and(|peer| peer.step == Step::Synchronized && peer.held >= self.commit) {
                let mut members = self.ensemble().members.clone();
                members.push(node);
                members.sort_unstable();
                self.reconfigure(request, members, effects);
            }
        } else if let Some(pending) = &self.ensembles.current().pending {
            if self.commit >= pending.since {
                self.broadcast(vec![Payload::Activate], effects);
            }
        } else if self.commit >= self.ensembles.changed_at() {
            if let Some(Change::Proposed { request }) = leading.change.take_if(|change| change.is_proposed())
            {
                effects.push(Effect::Done(request));
            }
            if !self.ensemble().contains(self.config.me) {
                self.retire(effects);
                return;
            }
        }
        self.pursue_hand_over(effects);
    }

    /// Counts the ticks of what is under way. Says whether this node goes on to lead.
    pub(super) fn tick_change(&mut self, effects: &mut Effects) -> bool {
        let State::Leading(leading) = &mut self.state else {
            return false;
        };
        if let Some(Change::CatchingUp {
            request, ticks_left, ..
        }) = &mut leading.change
        {
            *ticks_left = ticks_left.saturating_sub(1);
            if *ticks_left == 0 {
                let request = *request;
                leading.change = None;
                effects.push(Effect::Reject {
                    request,
                    why: "the new member did not catch up in time",
                });
            }
        }
        self.tick_hand_over(effects);
        matches!(&self.state, State::Leading(_))
    }

    /// Feeds no more who is neither a member nor about to be one: it has had its time to hear that it was
    /// removed.
    pub(super) fn forget_strangers(&mut self) {
        let ensemble = self.ensembles.current();
        if let State::Leading(leading) = &mut self.state {
            let joining = match leading.change {
                Some(Change::CatchingUp { node, .. }) => Some(node),
                _ => None,
            };
            leading
                .peers
                .retain(|&node, _| ensemble.contains(node) || joining == Some(node));
            for voter in ensemble.voters() {
                if voter != self.config.me {
                    leading.peers.entry(voter).or_insert_with(Peer::new);
                }
            }
        }
    }
}

impl Change {
    fn is_proposed(&self) -> bool {
        matches!(self, Change::Proposed { .. })
    }
}
