//! The learner: what is chosen, applying it in order, and catching up.

use super::configuration::Configuration;
use super::defects;
use super::log::Vote;
use super::message::Message;
use super::node::{Effects, MultiPaxos, Role};
use super::record::Record;
use super::value::Value;
use crate::config::NodeId;
use crate::protocol::{Effect, RequestId};
use crate::transfer::Arriving;

/// The most slots in one message.
pub(super) const BATCH_SLOTS_MAX: usize = 1024;
/// The most bytes of values in one message, unless a single one is larger.
pub(super) const BATCH_BYTES_MAX: usize = 256 * 1024;

/// What this node has asked for, as it lacks it.
#[derive(Debug, Default)]
pub(super) struct CatchUp {
    /// Not before this tick is anything asked for again.
    pub(super) again_at: u64,
    /// A snapshot on its way here.
    pub(super) arriving: Arriving,
    /// From whom it comes, its last slot, and the first byte that is missing.
    pub(super) wanted: Option<(NodeId, u64, u64)>,
}

impl MultiPaxos {
    /// The leader knows the slots up to here to be chosen.
    pub(super) fn hear_chosen(&mut self, chosen: u64, effects: &mut Effects) {
        self.told = self.told.max(chosen);
        self.advance(effects);
    }

    /// Applies what is known to be chosen, in order, up to the first slot that is not (Lamport 2001, section 3:
    /// "a server cannot execute command 140 until it has executed 139").
    pub(super) fn advance(&mut self, effects: &mut Effects) {
        let before = self.chosen;
        while let Some(value) = self.next_known() {
            self.apply(value, effects);
        }
        if self.chosen == before {
            return;
        }
        let other_members = self.configurations.forget_before(self.chosen + 1);
        if other_members {
            self.note_in_force(effects);
        }
        self.snapshot_if_due(effects);
        match self.role {
            Role::Candidate(_) => self.try_to_lead(effects),
            Role::Leader(_) => {
                self.leader_advanced(effects);
                if other_members {
                    // So that the others know it, too: only then is the change done.
                    self.send_heartbeats(effects);
                }
            }
            // It is no member any more, and has learned so from the answers.
            Role::Canvassing { .. } if !self.is_member() => self.role = Role::Follower,
            _ => {}
        }
    }

    /// What the next slot holds, if that is known to be chosen. What the leader says to be chosen is what he
    /// proposed: if something was accepted here in another ballot, it may be something else.
    fn next_known(&self) -> Option<Value> {
        let told = self.told > self.chosen;
        let Some(slot) = self.log.get(self.chosen + 1) else {
            let skips = told && self.config.has(&defects::GAPS_SKIPPED);
            return skips.then_some(Value::Noop);
        };
        let in_his_ballot = Some(slot.vote.ballot) == self.promised;
        let trusts = self.config.has(&defects::CHOSEN_MARK_TRUSTED);
        let known = slot.chosen || (told && (in_his_ballot || trusts));
        known.then(|| slot.vote.value.clone())
    }

    fn apply(&mut self, value: Value, effects: &mut Effects) {
        self.chosen += 1;
        let index = self.chosen;
        self.log.mark_chosen(index);
        let command = value.command();
        if let Value::Members(members) = value {
            let from = index + self.config.window;
            self.configurations.add(Configuration { from, members });
        }
        effects.push(Effect::Apply {
            index,
            command,
            request: self.take_request(),
        });
    }

    /// The request of the client whose command the slot holds that was applied just now.
    fn take_request(&mut self) -> Option<RequestId> {
        let Role::Leader(leadership) = &mut self.role else {
            return None;
        };
        leadership.tallies.pop_front()?.request
    }

    /// Asks a node that knows more for what is missing here, unless that was done just now.
    pub(super) fn ask(&mut self, whom: NodeId, effects: &mut Effects) {
        if self.ticks < self.catch_up.again_at {
            return;
        }
        self.catch_up.again_at = self.ticks + u64::from(self.config.heartbeat_ticks);
        let from = self.chosen + 1;
        let question = match self.catch_up.wanted {
            Some((who, index, offset)) if who == whom && index >= from => {
                Message::WantChunk { index, offset }
            }
            _ => Message::Learn { from },
        };
        Self::send(whom, question, effects);
    }

    /// Tells a node what is chosen from this slot on, as much as fits; or sends the snapshot, if that is gone.
    pub(super) fn teach(&mut self, to: NodeId, from: u64, effects: &mut Effects) {
        if from <= self.log.base() {
            self.send_chunk(to, 0, 0, effects);
            return;
        }
        let known = self.chosen;
        let votes = self
            .log
            .run_from(from, BATCH_SLOTS_MAX, BATCH_BYTES_MAX, |slot, _| slot <= known);
        if !votes.is_empty() {
            let first = from;
            let through = self.chosen;
            Self::send(
                to,
                Message::Chosen {
                    first,
                    votes,
                    through,
                },
                effects,
            );
        }
    }

    /// Takes in what another node knows to be chosen, and asks for the rest.
    ///
    /// Not a leader: it proposes for these slots itself, and gets the same chosen.
    pub(super) fn learn(
        &mut self,
        from: NodeId,
        first: u64,
        votes: Vec<Vote>,
        through: u64,
        effects: &mut Effects,
    ) {
        if matches!(self.role, Role::Leader(_)) || first == 0 {
            return;
        }
        let mut news = false;
        for (slot, vote) in (first..).zip(&votes) {
            news |= self.log.learn(slot, vote.clone());
        }
        if !news {
            return;
        }
        self.persist(&Record::Learned { first, votes }, effects);
        self.advance(effects);
        if through > self.chosen {
            self.catch_up.again_at = 0;
            self.ask(from, effects);
        }
    }
}
