//! Who leads: patience, the question before the ballot, and phase 1.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;

use super::ballot::Ballot;
use super::defects;
use super::leader::Leadership;
use super::log::Vote;
use super::message::Message;
use super::node::{Effects, MultiPaxos, Promise, Role};
use super::record::Record;
use crate::config::NodeId;
use crate::protocol::Effect;

/// Phase 1 of a ballot, of all slots at once (Lamport 2001, section 3: "a newly chosen leader executes phase 1
/// for infinitely many instances").
#[derive(Debug, Default)]
pub(super) struct PhaseOne {
    /// Who has promised.
    pub(super) promised_by: BTreeSet<NodeId>,
    /// For each slot the accepted value with the highest ballot among those that were told of.
    pub(super) votes: BTreeMap<u64, Vote>,
    /// The slots up to here are chosen and were left out of the promise of this node.
    behind: Option<(u64, NodeId)>,
}

impl PhaseOne {
    /// Takes a promise in. Of what was accepted for a slot, the value of the highest ballot is the one that
    /// may have been chosen (Lamport 2001, P2c).
    pub(super) fn take(&mut self, from: NodeId, votes: Vec<(u64, Vote)>) {
        self.promised_by.insert(from);
        for (slot, vote) in votes {
            let highest = self.votes.entry(slot).or_insert_with(|| vote.clone());
            if vote.ballot > highest.ballot {
                *highest = vote;
            }
        }
    }
}

impl MultiPaxos {
    /// Draws how long the next silence is borne: a random time, so that rarely two nodes begin ballots at once
    /// and preempt each other (Lamport 2001, 2.4: "randomness or real time").
    pub(super) fn draw_patience(&mut self) {
        self.silence_ticks = 0;
        let shortest = self.config.election_ticks;
        self.patience_ticks = self.random.random_range(shortest..shortest.saturating_mul(2));
    }

    /// Does this node lead, or has it heard a leader within the shortest patience? With leases, it can not
    /// know what it had heard before it started.
    pub(super) fn has_live_leader(&self) -> bool {
        let shortest = self.config.election_ticks;
        match self.role {
            Role::Leader(_) => true,
            _ if self.config.lease_reads && self.ticks < u64::from(shortest) => true,
            _ => self.leader.is_some() && self.silence_ticks < shortest,
        }
    }

    /// Notes that there is this ballot: the next one here shall be later.
    pub(super) fn hear_of(&mut self, ballot: Ballot) {
        let own_forgotten = self.config.has(&defects::BALLOT_LED_TWICE) && ballot.node == self.config.me;
        if !own_forgotten {
            self.round_seen = self.round_seen.max(ballot.round);
        }
    }

    /// Asks whether it would be answered, before it makes anyone promise anything: a ballot that nobody
    /// answers would still preempt the leader at the one node that began it.
    pub(super) fn lose_patience(&mut self, effects: &mut Effects) {
        self.step_down(None, effects);
        self.draw_patience();
        if !self.is_member() {
            return;
        }
        self.role = Role::Canvassing {
            willing: BTreeSet::new(),
        };
        let chosen = self.chosen;
        for peer in self.others() {
            Self::send(peer, Message::Canvass { chosen }, effects);
        }
        self.count_willing(self.config.me, true, None, chosen, effects);
    }

    /// Every member but this node, of any configuration that may be in force for slots to come.
    pub(super) fn others(&self) -> BTreeSet<NodeId> {
        let mut everyone = self.configurations.everyone();
        everyone.remove(&self.config.me);
        everyone
    }

    /// Whoever is no member, as far as is known here, shall not lead; but if it knows more, it may be one.
    pub(super) fn answer_canvass(&mut self, from: NodeId, chosen: u64, effects: &mut Effects) {
        let willing = !self.has_live_leader() && self.configurations.everyone().contains(&from);
        let answer = Message::Willing {
            willing,
            promised: self.promised,
            chosen: self.chosen,
        };
        Self::send(from, answer, effects);
        if chosen > self.chosen {
            self.ask(from, effects);
        }
    }

    pub(super) fn count_willing(
        &mut self,
        from: NodeId,
        is_willing: bool,
        promised: Option<Ballot>,
        chosen: u64,
        effects: &mut Effects,
    ) {
        if let Some(ballot) = promised {
            self.hear_of(ballot);
        }
        // Who is willing will tell in phase 1. Who is not may know that this node is no member any more.
        if !is_willing && chosen > self.chosen {
            self.ask(from, effects);
        }
        let Role::Canvassing { willing } = &mut self.role else {
            return;
        };
        if is_willing {
            willing.insert(from);
        }
        if self
            .configurations
            .have_quorum(|member| willing.contains(&member))
        {
            self.begin_ballot(None, effects);
        }
    }

    /// Phase 1a. The requests wait for the disk, and so does its own promise: a candidate that crashed and
    /// forgot this ballot could begin it a second time, and propose something else in it.
    pub(super) fn begin_ballot(&mut self, after: Option<Ballot>, effects: &mut Effects) {
        self.step_down(None, effects);
        self.draw_patience();
        let ballot = Ballot {
            round: self.round_seen + 1,
            node: self.config.me,
        };
        self.set_promised(ballot);
        self.role = Role::Candidate(PhaseOne::default());
        let chosen = self.chosen;
        self.persist(&Record::Promised { ballot, chosen }, effects);
        let first = self.first_of_phase_one();
        for peer in self.others() {
            self.promise_message(peer, Message::Prepare { ballot, first, after }, effects);
        }
        self.promise(Promise::Own(ballot), effects);
    }

    /// Phase 1 is for all slots from the first that is not known to be chosen (Lamport 2001, section 3).
    pub(super) fn first_of_phase_one(&self) -> u64 {
        if self.config.has(&defects::PHASE_ONE_FROM_LAST) {
            return self.log.last() + 1;
        }
        self.chosen + 1
    }

    pub(super) fn count_own_promise(&mut self, ballot: Ballot, effects: &mut Effects) {
        let votes = self
            .log
            .from(self.chosen + 1)
            .map(|(slot, held)| (slot, held.vote.clone()))
            .collect();
        self.count_promise(self.config.me, ballot, self.chosen, votes, effects);
    }

    pub(super) fn count_promise(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        omitted: u64,
        votes: Vec<(u64, Vote)>,
        effects: &mut Effects,
    ) {
        if self.promised != Some(ballot) {
            return;
        }
        match &mut self.role {
            Role::Candidate(phase_one) => {
                phase_one.take(from, votes);
                if phase_one.behind.is_none_or(|(slot, _)| slot < omitted) {
                    phase_one.behind = Some((omitted, from));
                }
                self.try_to_lead(effects);
            }
            Role::Leader(_) => self.count_late_promise(from, omitted, votes, effects),
            _ => {}
        }
    }

    /// Leads once it has promises from a quorum of every configuration that is in force for a slot of phase 1,
    /// and knows all that they left out.
    pub(super) fn try_to_lead(&mut self, effects: &mut Effects) {
        let Role::Candidate(phase_one) = &mut self.role else {
            return;
        };
        let promised = |member| phase_one.promised_by.contains(&member);
        if !self.configurations.have_quorum(promised) {
            return;
        }
        if let Some((_, who)) = phase_one.behind.filter(|&(omitted, _)| omitted > self.chosen) {
            self.ask(who, effects);
            return;
        }
        let mut phase_one = std::mem::take(phase_one);
        phase_one.votes = phase_one.votes.split_off(&(self.chosen + 1));
        self.leader = Some(self.config.me);
        self.silence_ticks = 0;
        self.role = Role::Leader(Box::new(Leadership::new(phase_one, self.chosen)));
        self.begin_to_lead(effects);
    }

    /// Somebody has promised a later ballot: this one will get nowhere.
    pub(super) fn preempted(&mut self, promised: Ballot, effects: &mut Effects) {
        self.hear_of(promised);
        let mine = matches!(self.role, Role::Candidate(_) | Role::Leader(_));
        if mine && self.promised < Some(promised) {
            self.step_down(Some(promised), effects);
            self.draw_patience();
        }
    }

    /// Leads no more and stands no more. Clients of a leader learn it at once: what was proposed may yet be
    /// chosen by the next leader, so its fate is unknown; what was not, and reads, had no effect.
    pub(super) fn step_down(&mut self, by: Option<Ballot>, effects: &mut Effects) {
        self.leader = None;
        if let Role::Leader(leadership) = std::mem::replace(&mut self.role, Role::Follower) {
            self.draw_patience();
            let Leadership {
                tallies,
                queue,
                reads,
                change,
                handover,
                ..
            } = *leadership;
            let proposed = tallies.into_iter().filter_map(|tally| tally.request);
            effects.extend(proposed.map(Effect::Unknown));
            let queued = queue.into_iter().filter_map(|(_, request)| request);
            let unheard = queued.chain(reads.into_requests());
            effects.extend(unheard.map(|request| Effect::Refuse {
                request,
                leader: None,
            }));
            effects.extend(change.map(|change| change.outcome_without_leader()));
            effects.extend(handover.map(|handover| handover.outcome(by)));
        }
    }
}
