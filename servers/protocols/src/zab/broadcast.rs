//! Phase 3: the leader makes transactions, and commits them (paper section 4.3).

use super::defects;
use super::history::{Payload, Transaction};
use super::lead::Stage;
use super::message::Body;
use super::node::{Effects, Promise, State, Zab};
use super::peer::Step;
use super::zxid::Zxid;
use crate::protocol::{Effect, Proposal};

impl Zab {
    /// Clients want something applied. Only an established leader that is not about to hand over takes it.
    pub(super) fn propose(&mut self, proposals: Vec<Proposal>, effects: &mut Effects) {
        let leader = self.leader();
        let first = self.history.last_index() + 1;
        let State::Leading(leading) = &mut self.state else {
            refuse(proposals, leader, effects);
            return;
        };
        if leader != Some(self.config.me) {
            refuse(proposals, leader, effects);
            return;
        }
        let requests = proposals.iter().map(|proposal| proposal.request);
        leading.proposed.extend((first..).zip(requests));
        let payloads = proposals
            .into_iter()
            .map(|proposal| Payload::Command(proposal.command));
        self.broadcast(payloads.collect(), effects);
    }

    /// Makes transactions, with the zxids that come next (paper step l.3.1). They go to the leader's own disk
    /// and to the followers at the same time: it is the quorum of durable copies that commits them.
    pub(super) fn broadcast(&mut self, payloads: Vec<Payload>, effects: &mut Effects) {
        let State::Leading(leading) = &mut self.state else {
            return;
        };
        if payloads.is_empty() {
            return;
        }
        let epoch = leading.epoch;
        let number = |payload| {
            leading.counter += 1;
            let zxid = Zxid {
                epoch,
                counter: leading.counter,
            };
            Transaction { zxid, payload }
        };
        let transactions = payloads.into_iter().map(number).collect();
        self.append(transactions, effects);
        if let Some((leading, source)) = self.leading() {
            for (&to, peer) in &mut leading.peers {
                peer.pump(to, &source, effects);
            }
        }
        let index = self.history.last_index();
        self.promise(Promise::OwnAck { epoch, index }, effects);
    }

    pub(super) fn own_copy_is_durable(&mut self, epoch: u64, index: u64, effects: &mut Effects) {
        if let State::Leading(leading) = &mut self.state
            && leading.epoch == epoch
            && let Some(own) = &mut leading.own
        {
            *own = (*own).max(index);
            self.advance_commit(effects);
        }
    }

    /// Commits what a quorum holds durably, and says so (paper step l.3.2). Acknowledgements cover all that is
    /// before, so what is committed is so in the order of zxids.
    pub(super) fn advance_commit(&mut self, effects: &mut Effects) {
        let State::Leading(leading) = &self.state else {
            return;
        };
        let Some(own) = leading.own.filter(|_| leading.stage == Stage::Broadcast) else {
            return;
        };
        let held = |node| {
            let peer = leading.peers.get(&node);
            if node == self.config.me {
                own
            } else {
                peer.map_or(0, |peer| peer.counted())
            }
        };
        let by_quorum = if self.config.has(&defects::COMMIT_WITHOUT_QUORUM) {
            own
        } else {
            self.ensemble().held_by_quorum(held)
        };
        if by_quorum <= self.commit {
            return;
        }
        self.learn_commit(by_quorum, effects);
        if let Some((leading, source)) = self.leading() {
            let last = source.commit;
            for (&to, _) in leading
                .peers
                .iter()
                .filter(|(_, peer)| peer.step == Step::Synchronized)
            {
                source.send(to, Body::Commit { last }, effects);
            }
        }
        self.pursue_change(effects);
    }
}

fn refuse(proposals: Vec<Proposal>, leader: Option<crate::config::NodeId>, effects: &mut Effects) {
    effects.extend(proposals.into_iter().map(|proposal| Effect::Refuse {
        request: proposal.request,
        leader,
    }));
}
