//! Changes of members: one at a time.
//!
//! A configuration is chosen like any other value and is in force a window later ([`super::configuration`]).
//! The leader fills the slots between with no-ops, if nothing else waits, so that the change takes effect at
//! once (Lamport 2001, end of section 3). That changes come one at a time is no matter of safety here, as each
//! names all members: it is so that none undoes another.
//!
//! **When a change is done.** A node that was removed is needed as long as a slot of its time may have to be
//! chosen or learned by a majority of the members of that time. So the operator is not told that he may switch
//! it off before a majority of the new members have on disk that all those slots are chosen: whoever then
//! leads has promises from one of them, and learns those slots from it. A leader that is removed leads until
//! then.

use super::leader::Peer;
use super::node::{Effects, MultiPaxos, Role};
use super::record::Record;
use super::value::Value;
use crate::config::NodeId;
use crate::protocol::{Effect, RequestId};

/// After how many of the longest patiences without progress a node is given up that was to become a member.
const LEARNER_PATIENCE: u64 = 4;

/// A change of members under way.
#[derive(Debug)]
pub(super) struct Change {
    request: RequestId,
    members: Vec<NodeId>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The new member learns what is chosen, before it counts: until it has, it could accept but not lead,
    /// and a cluster that needs it would wait for it.
    Learning {
        node: NodeId,
        /// How far it has come, and since when.
        chosen: u64,
        since: u64,
    },
    /// The new configuration is proposed.
    Proposed,
}

impl Change {
    /// Who is to become a member, and is not proposed as one yet.
    pub(super) fn learner(&self) -> Option<NodeId> {
        match self.stage {
            Stage::Learning { node, .. } => Some(node),
            Stage::Proposed => None,
        }
    }

    /// How it ends for the operator if this node leads no more.
    pub(super) fn outcome_without_leader<M>(self) -> Effect<M> {
        let request = self.request;
        match self.stage {
            Stage::Learning { .. } => Effect::Refuse {
                request,
                leader: None,
            },
            Stage::Proposed => Effect::Unknown(request),
        }
    }
}

impl MultiPaxos {
    pub(super) fn add_member(&mut self, request: RequestId, node: NodeId, effects: &mut Effects) {
        let mut members = self.configurations.current().members.clone();
        if let Err(why) = self.may_change() {
            effects.push(Effect::Reject { request, why });
        } else if members.contains(&node) {
            effects.push(Effect::Done(request));
        } else if let Role::Leader(leadership) = &mut self.role {
            members.push(node);
            members.sort_unstable();
            let stage = Stage::Learning {
                node,
                chosen: 0,
                since: self.ticks,
            };
            leadership.change = Some(Change {
                request,
                members,
                stage,
            });
            self.refresh_peers();
        }
    }

    pub(super) fn remove_member(&mut self, request: RequestId, node: NodeId, effects: &mut Effects) {
        let mut members = self.configurations.current().members.clone();
        members.retain(|&member| member != node);
        if let Err(why) = self.may_change() {
            effects.push(Effect::Reject { request, why });
        } else if members.len() == self.configurations.current().members.len() {
            effects.push(Effect::Done(request));
        } else if members.is_empty() {
            let why = "it is the last member";
            effects.push(Effect::Reject { request, why });
        } else if let Role::Leader(leadership) = &mut self.role {
            leadership.change = Some(Change {
                request,
                members: members.clone(),
                stage: Stage::Proposed,
            });
            leadership.queue.push_back((Value::Members(members), None));
            self.fill(effects);
        }
    }

    fn may_change(&self) -> Result<(), &'static str> {
        let Role::Leader(leadership) = &self.role else {
            return Err("this node does not lead");
        };
        // A change that a former leader proposed is among what phase 1 told of, if it may be chosen.
        let pending = self.configurations.pending().is_some() || !self.is_known_in_force();
        if leadership.change.is_some() || pending || !self.is_settled() {
            return Err("another change of members may be under way");
        }
        if leadership.handover.is_some() {
            return Err("the leader is handing over");
        }
        Ok(())
    }

    /// Proposes a new member once it knows nearly all that is chosen; gives it up if it learns nothing.
    pub(super) fn tick_change(&mut self, effects: &mut Effects) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let Some(change) = &mut leadership.change else {
            return;
        };
        let Stage::Learning { node, chosen, since } = &mut change.stage else {
            return;
        };
        let known = leadership.peers.get(node).map_or(0, |peer| peer.chosen);
        if known > *chosen {
            (*chosen, *since) = (known, self.ticks);
        }
        if known > 0 && known + self.config.window >= self.chosen {
            change.stage = Stage::Proposed;
            leadership
                .queue
                .push_back((Value::Members(change.members.clone()), None));
            self.fill(effects);
            return;
        }
        let patience = LEARNER_PATIENCE * 2 * u64::from(self.config.election_ticks);
        if self.ticks > *since + patience {
            effects.push(Effect::Reject {
                request: change.request,
                why: "the new member does not learn what was chosen",
            });
            leadership.change = None;
            self.refresh_peers();
        }
    }

    /// Another configuration is in force: that is written down, unless the records of what was learned say it.
    pub(super) fn note_in_force(&mut self, effects: &mut Effects) {
        if let Some(ballot) = self.promised {
            let chosen = self.chosen;
            self.persist(&Record::Promised { ballot, chosen }, effects);
        }
        self.in_force_by = self.writes.issued();
    }

    /// Have a majority of the members on disk that all slots before their time are chosen?
    fn is_known_in_force(&self) -> bool {
        let Role::Leader(leadership) = &self.role else {
            return false;
        };
        let current = self.configurations.current();
        let knows = |peer: &Peer| peer.chosen + 1 >= current.from;
        current.has_quorum(|member| {
            if member == self.config.me {
                self.writes.is_durable(self.in_force_by)
            } else {
                leadership.peers.get(&member).is_some_and(knows)
            }
        })
    }

    /// A change is done once the new members know that it is in force. A leader that is then no member hands
    /// over to somebody who is, and leads no more.
    pub(super) fn conclude_change(&mut self, effects: &mut Effects) {
        let changing = match &self.role {
            Role::Leader(leadership) => leadership.change.is_some() || !self.is_member(),
            _ => false,
        };
        if !changing || !self.is_known_in_force() {
            return;
        }
        let in_force = &self.configurations.current().members;
        if let Role::Leader(leadership) = &mut self.role
            && let Some(change) = leadership.change.take_if(|change| change.members == *in_force)
        {
            effects.push(Effect::Done(change.request));
        }
        if !self.is_member() {
            self.send_heartbeats(effects);
            self.hand_over_at_once(effects);
            self.step_down(None, effects);
        }
    }
}
