//! The leader: phase 2 of slot after slot, without a phase 1 of its own (Lamport 2001, section 3).

use std::collections::{BTreeMap, VecDeque};

use super::ballot::Ballot;
use super::candidate::PhaseOne;
use super::change::Change;
use super::defects;
use super::handover::Handover;
use super::learner::{BATCH_BYTES_MAX, BATCH_SLOTS_MAX};
use super::log::Vote;
use super::message::Message;
use super::node::{Effects, MultiPaxos, Promise, Role};
use super::read::Reads;
use super::value::Value;
use crate::config::NodeId;
use crate::protocol::{Effect, Proposal, RequestId};

/// The most proposals that wait for the window.
const QUEUE_MAX: usize = 8192;
/// The most slots that are sent again to one node at a time.
const RESEND_SLOTS_MAX: usize = 256;
/// After how many heartbeats what was not accepted is sent again.
const RESEND_AFTER_HEARTBEATS: u64 = 2;

/// What only a leader knows.
#[derive(Debug)]
pub(super) struct Leadership {
    pub(super) phase_one: PhaseOne,
    /// Up to here phase 1 told of values: they must be chosen before the state is known to have all that
    /// leaders before this one acknowledged.
    pub(super) settled_at: u64,
    /// The slots that were proposed, from the first that is not applied on.
    pub(super) tallies: VecDeque<Tally>,
    /// What waits for the window.
    pub(super) queue: VecDeque<(Value, Option<RequestId>)>,
    pub(super) peers: BTreeMap<NodeId, Peer>,
    pub(super) reads: Reads,
    pub(super) change: Option<Change>,
    pub(super) handover: Option<Handover>,
    ticks_to_heartbeat: u32,
}

/// A slot that was proposed.
#[derive(Debug)]
pub(super) struct Tally {
    accepted_by: Vec<NodeId>,
    pub(super) request: Option<RequestId>,
    /// The tick at which it was.
    proposed_at: u64,
}

/// What the leader knows of another node.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// Has it been heard from since the last check for a quorum?
    pub(super) heard: bool,
    /// The last round of heartbeats that it has answered.
    pub(super) round: u64,
    /// The slots up to here it knows to be chosen.
    pub(super) chosen: u64,
}

impl Leadership {
    pub(super) fn new(phase_one: PhaseOne, chosen: u64) -> Leadership {
        Leadership {
            settled_at: phase_one.votes.last_key_value().map_or(chosen, |(&slot, _)| slot),
            phase_one,
            tallies: VecDeque::new(),
            queue: VecDeque::new(),
            peers: BTreeMap::new(),
            reads: Reads::default(),
            change: None,
            handover: None,
            ticks_to_heartbeat: 0,
        }
    }
}

impl MultiPaxos {
    pub(super) fn begin_to_lead(&mut self, effects: &mut Effects) {
        self.refresh_peers();
        if let Role::Leader(leadership) = &mut self.role {
            if self.config.has(&defects::VOTES_IGNORED) {
                leadership.phase_one.votes.clear();
                leadership.settled_at = self.chosen;
            }
            leadership.ticks_to_heartbeat = self.config.heartbeat_ticks;
        }
        self.send_heartbeats(effects);
        self.fill(effects);
        self.advance(effects);
    }

    /// Keeps in touch with the members, and with whoever is to become one.
    pub(super) fn refresh_peers(&mut self) {
        let mut wanted = self.others();
        if let Role::Leader(leadership) = &mut self.role {
            wanted.extend(leadership.change.as_ref().and_then(|change| change.learner()));
            leadership.peers.retain(|peer, _| wanted.contains(peer));
            for peer in wanted {
                leadership.peers.entry(peer).or_default();
            }
        }
    }

    pub(super) fn propose(&mut self, proposals: Vec<Proposal>, effects: &mut Effects) {
        let leader = self.leader;
        let refuse = |request| Effect::Refuse { request, leader };
        let requests = proposals.iter().map(|proposal| proposal.request);
        let Role::Leader(leadership) = &mut self.role else {
            effects.extend(requests.map(refuse));
            return;
        };
        if leadership.handover.is_some() {
            let leader = None;
            effects.extend(requests.map(|request| Effect::Refuse { request, leader }));
            return;
        }
        for Proposal { request, command } in proposals {
            if leadership.queue.len() < QUEUE_MAX {
                leadership
                    .queue
                    .push_back((Value::Command(command), Some(request)));
            } else {
                effects.push(refuse(request));
            }
        }
        self.fill(effects);
    }

    /// Proposes for slot after slot, as far as the window goes.
    pub(super) fn fill(&mut self, effects: &mut Effects) {
        while self.propose_batch(effects) {}
    }

    /// Proposes what fits into one message, and says whether that was anything. Its own disk and the acceptors
    /// get it at the same time.
    fn propose_batch(&mut self, effects: &mut Effects) -> bool {
        let Role::Leader(leadership) = &mut self.role else {
            return false;
        };
        let Some(ballot) = self.promised else {
            return false;
        };
        let first = self.chosen + 1 + leadership.tallies.len() as u64;
        // Alpha: what is chosen further back may change the members (Lamport 2001, end of section 3).
        let limit = self.chosen.saturating_add(self.config.window);
        let mut values = Vec::new();
        let mut bytes = 0;
        for slot in first..=limit {
            if values.len() >= BATCH_SLOTS_MAX || bytes >= BATCH_BYTES_MAX {
                break;
            }
            let configuration = self.configurations.of(slot);
            if !configuration.has_quorum(|member| leadership.phase_one.promised_by.contains(&member)) {
                break;
            }
            let Some((value, request)) = leadership.next_value(slot, self.configurations.pending()) else {
                break;
            };
            bytes += value.size();
            values.push(value);
            leadership.tallies.push_back(Tally {
                accepted_by: Vec::new(),
                request,
                proposed_at: self.ticks,
            });
        }
        if values.is_empty() {
            return false;
        }
        let (chosen, last) = (self.chosen, first + values.len() as u64 - 1);
        for &to in leadership.peers.keys() {
            let values = values.clone();
            let message = Message::Accept {
                ballot,
                first,
                values,
                chosen,
            };
            effects.push(Effect::Send { to, message });
        }
        self.accept(ballot, first, values, effects);
        self.promise(Promise::OwnAccepted { ballot, first, last }, effects);
        true
    }

    /// Phase 2b, counted: a value is chosen once a majority of its slot's members has accepted it in one and
    /// the same ballot (Lamport 2001, 2.2).
    pub(super) fn count_accepted(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        first: u64,
        last: u64,
        effects: &mut Effects,
    ) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if self.promised != Some(ballot) {
            return;
        }
        if let Some(peer) = leadership.peers.get_mut(&from) {
            peer.heard = true;
        }
        for slot in first.max(self.chosen + 1)..=last {
            let index = (slot - self.chosen - 1) as usize;
            let Some(tally) = leadership.tallies.get_mut(index) else {
                break;
            };
            if !tally.accepted_by.contains(&from) {
                tally.accepted_by.push(from);
            }
            let configuration = self.configurations.of(slot);
            let minority = self.config.has(&defects::MINORITY_CHOSEN)
                && tally.accepted_by.len() >= configuration.members.len() / 2;
            if minority || configuration.has_quorum(|member| tally.accepted_by.contains(&member)) {
                self.log.mark_chosen(slot);
            }
        }
        self.advance(effects);
    }

    /// More is chosen: the window has moved, and the members may have changed.
    pub(super) fn leader_advanced(&mut self, effects: &mut Effects) {
        self.refresh_peers();
        self.seek_promises(effects);
        self.fill(effects);
        self.begin_read_round(effects);
        self.conclude_change(effects);
        self.continue_handover(effects);
    }

    /// Asks the members of a configuration that has become known for their promises, if there is none from a
    /// majority of it: for its slots, phase 1 is not done yet.
    fn seek_promises(&self, effects: &mut Effects) {
        let (Role::Leader(leadership), Some(ballot)) = (&self.role, self.promised) else {
            return;
        };
        let promised_by = &leadership.phase_one.promised_by;
        if self
            .configurations
            .have_quorum(|member| promised_by.contains(&member))
        {
            return;
        }
        let first = self.chosen + 1;
        for to in self
            .others()
            .into_iter()
            .filter(|peer| !promised_by.contains(peer))
        {
            let after = None;
            Self::send(to, Message::Prepare { ballot, first, after }, effects);
        }
    }

    /// A promise that came after a quorum had promised. If it leaves out what this node has not learned, it
    /// says too little, and is asked for again later.
    pub(super) fn count_late_promise(
        &mut self,
        from: NodeId,
        omitted: u64,
        votes: Vec<(u64, Vote)>,
        effects: &mut Effects,
    ) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if omitted > self.chosen {
            // What was chosen there without this node will become known here, too, by its own proposals. If there are
            // none, then because these slots have other members, of which no majority has promised yet, and who all
            // leave out the same: only who stands again learns it from them first.
            if leadership.tallies.is_empty() {
                self.step_down(None, effects);
            }
            return;
        }
        let next = self.chosen + 1 + leadership.tallies.len() as u64;
        let votes: Vec<_> = votes.into_iter().filter(|(slot, _)| *slot >= next).collect();
        let last = votes.last().map_or(0, |(slot, _)| *slot);
        leadership.settled_at = leadership.settled_at.max(last);
        leadership.phase_one.take(from, votes);
        self.fill(effects);
        self.begin_read_round(effects);
    }

    pub(super) fn tick_leader(&mut self, effects: &mut Effects) {
        self.check_quorum(effects);
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        leadership.ticks_to_heartbeat = leadership.ticks_to_heartbeat.saturating_sub(1);
        if leadership.ticks_to_heartbeat == 0 {
            leadership.ticks_to_heartbeat = self.config.heartbeat_ticks;
            self.send_heartbeats(effects);
            self.resend(effects);
            self.seek_promises(effects);
        }
        self.tick_change(effects);
        self.tick_handover(effects);
        self.conclude_change(effects);
    }

    /// Sends again what is not chosen and was not accepted for long. What is chosen, a node that missed it
    /// asks for itself.
    fn resend(&self, effects: &mut Effects) {
        let (Role::Leader(leadership), Some(ballot)) = (&self.role, self.promised) else {
            return;
        };
        let patience = RESEND_AFTER_HEARTBEATS * u64::from(self.config.heartbeat_ticks);
        let chosen = self.chosen;
        for &to in leadership.peers.keys() {
            let missing = |tally: &Tally| !tally.accepted_by.contains(&to);
            let Some(index) = leadership.tallies.iter().position(missing) else {
                continue;
            };
            if leadership.tallies[index].proposed_at + patience > self.ticks {
                continue;
            }
            let first = chosen + 1 + index as u64;
            let end = chosen + leadership.tallies.len() as u64;
            let votes = self
                .log
                .run_from(first, RESEND_SLOTS_MAX, BATCH_BYTES_MAX, |slot, _| slot <= end);
            let values: Vec<_> = votes.into_iter().map(|vote| vote.value).collect();
            if !values.is_empty() {
                let message = Message::Accept {
                    ballot,
                    first,
                    values,
                    chosen,
                };
                Self::send(to, message, effects);
            }
        }
    }

    /// Shows every peer that this node leads, in a new round.
    pub(super) fn send_heartbeats(&mut self, effects: &mut Effects) {
        let (Role::Leader(leadership), Some(ballot)) = (&mut self.role, self.promised) else {
            return;
        };
        let round = leadership.reads.next_round(self.ticks);
        let chosen = self.chosen;
        for &to in leadership.peers.keys() {
            Self::send(
                to,
                Message::Heartbeat {
                    ballot,
                    round,
                    chosen,
                },
                effects,
            );
        }
    }

    pub(super) fn count_heartbeat(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        round: u64,
        chosen: u64,
        effects: &mut Effects,
    ) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let Some(peer) = leadership
            .peers
            .get_mut(&from)
            .filter(|_| self.promised == Some(ballot))
        else {
            return;
        };
        peer.heard = true;
        peer.round = peer.round.max(round);
        peer.chosen = peer.chosen.max(chosen);
        self.extend_lease();
        self.answer_reads(effects);
        self.conclude_change(effects);
    }

    /// Once in each shortest patience, a leader that has not heard from a majority since the last time steps
    /// down: it can get nothing chosen, and its clients had better ask elsewhere.
    fn check_quorum(&mut self, effects: &mut Effects) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if self.silence_ticks < self.config.election_ticks {
            return;
        }
        self.silence_ticks = 0;
        let me = self.config.me;
        let heard = |member| member == me || leadership.peers.get(&member).is_some_and(|peer| peer.heard);
        let connected = self.configurations.current().has_quorum(heard);
        leadership.peers.values_mut().for_each(|peer| peer.heard = false);
        if !connected {
            self.step_down(None, effects);
        }
    }
}

impl Leadership {
    /// What is to be proposed for the next slot, and whose request that is: the value that phase 1 told of; a
    /// no-op, for a gap before the last such value (Lamport 2001, section 3) or to let a change of members take
    /// effect; or what waits.
    fn next_value(&mut self, slot: u64, pending: Option<u64>) -> Option<(Value, Option<RequestId>)> {
        if let Some(vote) = self.phase_one.votes.remove(&slot) {
            return Some((vote.value, None));
        }
        if slot <= self.settled_at {
            return Some((Value::Noop, None));
        }
        let takes_effect_later = pending.is_some_and(|from| slot < from);
        self.queue
            .pop_front()
            .or_else(|| takes_effect_later.then_some((Value::Noop, None)))
    }
}
