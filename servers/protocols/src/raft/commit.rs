//! When an entry is committed, and that it is applied.

use super::defects;
use super::message::Message;
use super::node::{Raft, Role};
use crate::protocol::{Effect, RequestId};

impl Raft {
    /// The leader's rule: an entry is committed once a majority holds it durably and it is of the leader's
    /// own term. Counting copies of an earlier term's entry proves nothing, as a leader with other entries
    /// may still be elected (paper 5.4.2 and figure 8); such entries are committed by the first of this term
    /// that follows them.
    pub(super) fn advance_commit(&mut self, effects: &mut Vec<Effect<Message>>) {
        let Role::Leader(leadership) = &self.role else {
            return;
        };
        let own = self.disk.durable_index();
        let me = self.config.me;
        let held_by = |node| if node == me { own } else { leadership.matched(node) };
        let held_by_majority = if self.config.has(&defects::EARLY_ACKS) {
            own
        } else if self.config.has(&defects::VOTING_LEARNERS) {
            let mut held: Vec<_> = leadership.peers.values().map(|peer| peer.matched).collect();
            held.push(own);
            held.sort_unstable_by(|one, other| other.cmp(one));
            held[self.members.current().voters().len() / 2]
        } else {
            self.members.deciding(&self.config).reached_by_majority(held_by)
        };
        let of_this_term = self.log.term_at(held_by_majority) == Some(self.term)
            || self.config.has(&defects::OLD_TERM_COMMITS);
        if held_by_majority > self.commit && of_this_term {
            self.learn_commit(held_by_majority, effects);
            self.go_on_with_change(effects);
            // The first commit of a term lets waiting reads begin.
            self.begin_read_round(effects);
        }
    }

    /// Entries up to here are committed: they are applied, in order, once.
    pub(super) fn learn_commit(&mut self, commit: u64, effects: &mut Vec<Effect<Message>>) {
        self.commit = self.commit.max(commit);
        while self.applied < self.commit {
            let index = self.applied + 1;
            let Some(entry) = self.log.entry(index) else {
                return;
            };
            self.applied = index;
            let command = entry.command().cloned();
            effects.push(Effect::Apply {
                index,
                command,
                request: self.take_request(index),
            });
        }
        self.consider_snapshot(effects);
    }

    /// The request of the client that proposed the entry here, in this term.
    fn take_request(&mut self, index: u64) -> Option<RequestId> {
        let Role::Leader(leadership) = &mut self.role else {
            return None;
        };
        let (_, request) = leadership
            .proposed
            .pop_front_if(|(proposed, _)| *proposed == index)?;
        Some(request)
    }
}
