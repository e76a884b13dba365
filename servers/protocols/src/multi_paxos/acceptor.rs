//! The acceptor: what it promises, and what it accepts.

use super::ballot::Ballot;
use super::defects;
use super::message::Message;
use super::node::{Effects, MultiPaxos, Role};
use super::record::Record;
use super::value::Value;
use crate::config::NodeId;

/// The most chosen slots of which a promise tells. A candidate that lacks more had better ask for them in
/// batches.
const CHOSEN_IN_PROMISE_MAX: u64 = 1024;

impl MultiPaxos {
    /// Phase 1b (Lamport 2001, 2.2), for all slots at once (section 3).
    ///
    /// While it hears a live leader a node does not answer, unless that leader itself hands over: a node that
    /// was cut off, or was removed and does not know it, can not preempt a leader that works. Not to answer
    /// is always safe, since a message may be lost, too; and it lasts only as long as the leader lives. It is
    /// also what a leader's lease rests on (Chandra et al. 2007, 5.2).
    pub(super) fn answer_prepare(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        first: u64,
        after: Option<Ballot>,
        effects: &mut Effects,
    ) {
        if self.is_preempted(from, ballot, effects) {
            return;
        }
        if self.promised != Some(ballot) {
            let handed_over = after.is_some() && after == self.promised;
            let unheld = self.config.has(&defects::LEASE_NOT_HONOURED);
            if self.has_live_leader() && !handed_over && !unheld {
                return;
            }
            self.step_down(Some(ballot), effects);
            self.set_promised(ballot);
            // Give the candidate time to win before standing against it.
            self.silence_ticks = 0;
            if !self.config.has(&defects::PROMISES_FORGOTTEN) {
                let chosen = self.chosen;
                self.persist(&Record::Promised { ballot, chosen }, effects);
            }
        }
        let known = first.saturating_sub(1);
        let few = known >= self.log.base() && self.chosen <= known.saturating_add(CHOSEN_IN_PROMISE_MAX);
        let unsaid = self.config.has(&defects::CHOSEN_LEFT_OUT);
        let told_from = if few && !unsaid { first } else { self.chosen + 1 };
        let omitted = if few || unsaid { 0 } else { self.chosen };
        let votes = self
            .log
            .from(told_from)
            .map(|(slot, held)| (slot, held.vote.clone()))
            .collect();
        self.promise_message(
            from,
            Message::Promise {
                ballot,
                omitted,
                votes,
            },
            effects,
        );
    }

    /// Phase 2b (Lamport 2001, 2.2), for a run of slots. They may come in any order, and leave gaps.
    pub(super) fn answer_accept(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        first: u64,
        values: Vec<Value>,
        chosen: u64,
        effects: &mut Effects,
    ) {
        if first == 0 || values.is_empty() {
            return;
        }
        if !self.config.has(&defects::PROMISES_IGNORED) || self.promised <= Some(ballot) {
            if self.is_preempted(from, ballot, effects) {
                return;
            }
            self.follow(ballot, effects);
        }
        let last = first + values.len() as u64 - 1;
        self.accept(ballot, first, values, effects);
        self.promise_message(from, Message::Accepted { ballot, first, last }, effects);
        self.hear_chosen(chosen, effects);
    }

    /// Accepts, in one write, what was not accepted before.
    pub(super) fn accept(&mut self, ballot: Ballot, first: u64, values: Vec<Value>, effects: &mut Effects) {
        let mut news = false;
        for (slot, value) in (first..).zip(&values) {
            news |= self.log.accept(slot, ballot, value);
        }
        if news && !self.config.has(&defects::ACCEPTS_FORGOTTEN) {
            let chosen = self.chosen;
            let record = Record::Accepted {
                ballot,
                first,
                values,
                chosen,
            };
            self.persist(&record, effects);
        }
    }

    /// Says that no later ballot was promised here when the heartbeat came. That needs no disk: a promise that
    /// a crash would take back has not been given. But that a configuration is in force, which follows from
    /// what is chosen, is said when the disk has it: others may be switched off on the strength of that.
    pub(super) fn answer_heartbeat(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        round: u64,
        chosen: u64,
        effects: &mut Effects,
    ) {
        if self.is_preempted(from, ballot, effects) {
            return;
        }
        self.follow(ballot, effects);
        self.hear_chosen(chosen, effects);
        let chosen = self.chosen;
        let reply = Message::HeartbeatReply {
            ballot,
            round,
            chosen,
        };
        self.promise_in_force(from, reply, effects);
        if self.told > self.chosen {
            self.ask(from, effects);
        }
    }

    /// Has a later ballot been promised? Whose ballot it was is then told so: a hint, on which only his
    /// progress depends (Lamport 2001, 2.5: "it is probably a good idea").
    fn is_preempted(&mut self, from: NodeId, ballot: Ballot, effects: &mut Effects) -> bool {
        self.hear_of(ballot);
        let Some(promised) = self.promised.filter(|&promised| promised > ballot) else {
            return false;
        };
        Self::send(from, Message::Preempted { promised }, effects);
        true
    }

    /// Takes the node whose ballot this is for the leader, as only a leader sends such messages.
    ///
    /// That the ballot is the latest seen is not written down here: nothing was promised by that.
    fn follow(&mut self, ballot: Ballot, effects: &mut Effects) {
        if self.promised != Some(ballot) {
            self.step_down(Some(ballot), effects);
            self.set_promised(ballot);
        }
        if !matches!(self.role, Role::Follower) {
            self.step_down(None, effects);
        }
        if self.leader != Some(ballot.node) {
            self.leader = Some(ballot.node);
            self.draw_patience();
        }
        self.silence_ticks = 0;
    }
}
