//! The primary in normal operation (section 4.1): op-numbers, Prepare, Commit, and when it gives way.

use std::collections::{BTreeMap, VecDeque};

use super::defects;
use super::log::{Entry, Operation};
use super::message::{Body, Message};
use super::node::{Effects, Standing, Viewstamped};
use super::read::Reads;
use super::reconfiguration::Change;
use super::record::Record;
use crate::config::NodeId;
use crate::protocol::{Effect, Proposal, RequestId};

/// How many operations may be under way: more are refused, so that a primary that can not commit does not
/// fill its memory.
const UNCOMMITTED_MAX: u64 = 65_536;

/// What only a primary knows.
#[derive(Debug)]
pub(super) struct Primary {
    /// The op-number with which the view began.
    pub(super) start: u64,
    /// The other members.
    pub(super) peers: BTreeMap<NodeId, Peer>,
    /// Clients' requests by their op-number, lowest first.
    pub(super) proposed: VecDeque<(u64, RequestId)>,
    pub(super) reads: Reads,
    pub(super) change: Option<Change>,
    ticks_to_commit_message: u32,
    ticks_to_quorum_check: u32,
}

/// What the primary knows of a backup.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// Up to which op-number it has acknowledged.
    pub(super) prepared: u64,
    /// The last round that it has answered.
    pub(super) round: u64,
    /// Has it been heard since the last check for a quorum?
    heard: bool,
}

impl Viewstamped {
    /// The view begins, with this node as its primary, and with its log as it is.
    pub(super) fn begin_as_primary(&mut self, effects: &mut Effects) {
        let mine = self.normal_view == self.view && self.group.primary(self.view) == Some(self.config.me);
        if !mine || !matches!(self.standing, Standing::ViewChange(_)) {
            return;
        }
        self.leader = Some(self.config.me);
        self.wanted = None;
        self.silence_ticks = 0;
        self.standing = Standing::Primary(Box::new(Primary {
            start: self.log.last().op,
            peers: self
                .others()
                .into_iter()
                .map(|peer| (peer, Peer::default()))
                .collect(),
            proposed: VecDeque::new(),
            reads: Reads::default(),
            change: None,
            ticks_to_commit_message: self.config.heartbeat_ticks,
            ticks_to_quorum_check: self.config.election_ticks,
        }));
        self.send_start_view(effects);
        self.advance_commit(effects);
    }

    pub(super) fn propose(&mut self, proposals: Vec<Proposal>, effects: &mut Effects) {
        let first = self.log.last().op + 1;
        let room = self.last_is_reconfiguration().is_none() && first <= self.commit + UNCOMMITTED_MAX;
        let Standing::Primary(primary) = &mut self.standing else {
            let leader = self.leader;
            return refuse(proposals, leader, effects);
        };
        if !room {
            // Nothing follows a reconfiguration in its epoch (section 7.1).
            return refuse(proposals, self.leader, effects);
        }
        primary.proposed.extend(
            (first..)
                .zip(&proposals)
                .map(|(op, proposal)| (op, proposal.request)),
        );
        let operations = proposals
            .into_iter()
            .map(|proposal| Operation::Command(proposal.command));
        self.prepare(operations.collect(), effects);
    }

    /// Gives the operations their op-numbers, and sends them to all (section 4.1, step 3). They go to the
    /// primary's own disk and to the backups at the same time: it is f + 1 durable copies that commit them,
    /// whether or not the primary's is among them.
    pub(super) fn prepare(&mut self, operations: Vec<Operation>, effects: &mut Effects) {
        if operations.is_empty() {
            return;
        }
        let first = self.log.last().op + 1;
        let view = self.view;
        let entries: Vec<_> = operations
            .into_iter()
            .map(|operation| Entry { view, operation })
            .collect();
        self.log.append(entries.iter().cloned());
        let commit = self.commit;
        for peer in self.followers() {
            let entries = entries.clone();
            let body = Body::Prepare {
                first,
                entries,
                commit,
            };
            self.send(peer, body, effects);
        }
        self.save_view(effects);
        let normal_view = self.normal_view;
        self.disk.persist(
            &Record::Log {
                normal_view,
                first,
                entries,
            },
            effects,
        );
    }

    /// Whom the primary keeps up to date: the other members, and the node that is about to be one.
    fn followers(&self) -> Vec<NodeId> {
        let Standing::Primary(primary) = &self.standing else {
            return Vec::new();
        };
        let newcomer = primary.change.as_ref().and_then(Change::newcomer);
        primary.peers.keys().copied().chain(newcomer).collect()
    }

    /// The backup holds all up to here, durably (section 4.1, step 4).
    pub(super) fn peer_prepared(&mut self, from: NodeId, op: u64, effects: &mut Effects) {
        let last = self.log.last().op;
        let Standing::Primary(primary) = &mut self.standing else {
            return;
        };
        let Some(peer) = primary.peers.get_mut(&from) else {
            return;
        };
        peer.heard = true;
        // Never more than there is, unless a deliberate bug lies.
        peer.prepared = peer.prepared.max(op.min(last));
        self.advance_commit(effects);
    }

    /// The node was in this view when it answered.
    pub(super) fn peer_answered(
        &mut self,
        from: NodeId,
        round: u64,
        op: u64,
        nonce: Option<u64>,
        effects: &mut Effects,
    ) {
        let Standing::Primary(primary) = &mut self.standing else {
            return;
        };
        if let Some(peer) = primary.peers.get_mut(&from)
            && nonce.is_none()
        {
            peer.heard = true;
            peer.round = peer.round.max(round);
        }
        self.note_newcomer(from, op, nonce, effects);
        if nonce.is_none() {
            self.peer_prepared(from, op, effects);
        }
        self.answer_reads(effects);
    }

    /// An operation is committed once f + 1 replicas hold it in this view, and then all before it are
    /// (section 4.1, step 5). Since a replica that acknowledges in this view has this view's log, operations
    /// of earlier views count like any other.
    pub(super) fn advance_commit(&mut self, effects: &mut Effects) {
        let Standing::Primary(primary) = &self.standing else {
            return;
        };
        let mut copies: Vec<u64> = primary.peers.values().map(|peer| peer.prepared).collect();
        copies.push(self.disk.durable_op());
        copies.sort_unstable_by(|one, other| other.cmp(one));
        // In falling order, the q-th is the last op-number that q nodes hold.
        if let Some(&held) = copies.get(self.group.quorum() - 1) {
            self.learn_commit(held, effects);
        }
        // Once all that the view began with is committed, waiting reads begin.
        self.begin_read_round(effects);
    }

    /// Operations up to here are committed: they are executed, in order, once (section 4.1, step 7).
    pub(super) fn learn_commit(&mut self, commit: u64, effects: &mut Effects) {
        self.commit = self.commit.max(commit.min(self.log.last().op));
        while self.applied < self.commit {
            let op = self.applied + 1;
            let Some(entry) = self.log.entry(op) else {
                return;
            };
            self.applied = op;
            let command = entry.command().cloned();
            let reconfiguration = match &entry.operation {
                Operation::Reconfiguration(group) => Some(group.clone()),
                Operation::Command(_) => None,
            };
            let request = self.take_request(op);
            effects.push(Effect::Apply {
                index: op,
                command,
                request,
            });
            if let Some(group) = reconfiguration {
                self.begin_epoch(group, effects);
            }
        }
        // Not in between: what recovery repeats here may come before the epoch that the group is of by now.
        self.take_snapshot_if_due(effects);
    }

    /// The request of the client that proposed the operation here, in this view.
    fn take_request(&mut self, op: u64) -> Option<RequestId> {
        let Standing::Primary(primary) = &mut self.standing else {
            return None;
        };
        let (_, request) = primary.proposed.pop_front_if(|(proposed, _)| *proposed == op)?;
        Some(request)
    }

    pub(super) fn tick_primary(&mut self, effects: &mut Effects) {
        self.tick_change(effects);
        let quorum = self.group.quorum();
        let Standing::Primary(primary) = &mut self.standing else {
            return;
        };
        primary.ticks_to_quorum_check = primary.ticks_to_quorum_check.saturating_sub(1);
        if primary.ticks_to_quorum_check == 0 {
            // Whoever hears from no quorum can commit nothing; its clients had better ask elsewhere.
            primary.ticks_to_quorum_check = self.config.election_ticks;
            let heard = primary.peers.values_mut();
            let heard = heard
                .filter_map(|peer| std::mem::take(&mut peer.heard).then_some(()))
                .count();
            if heard + 1 < quorum {
                self.enter_view(self.view.next(), effects);
                return;
            }
        }
        primary.ticks_to_commit_message = primary.ticks_to_commit_message.saturating_sub(1);
        if primary.ticks_to_commit_message == 0 {
            primary.ticks_to_commit_message = self.config.heartbeat_ticks;
            if self.config.lease_reads {
                primary.reads.begin_round(self.now);
            }
            self.send_commit(effects);
        }
    }

    /// Tells all what is committed, and that this node is still the primary, in the current round.
    pub(super) fn send_commit(&mut self, effects: &mut Effects) {
        let Standing::Primary(primary) = &self.standing else {
            return;
        };
        let round = primary.reads.round();
        let (op, commit) = (self.log.last().op, self.commit);
        for to in self.followers() {
            let message = Message {
                view: self.view,
                body: Body::Commit { round, op, commit },
            };
            effects.push(Effect::Send { to, message });
        }
    }

    /// Leads no more. Clients learn it at once: what they proposed is in the log, and may yet be committed;
    /// what they wanted to read had no effect.
    pub(super) fn abandon_clients(&mut self, primary: Primary, effects: &mut Effects) {
        let Primary {
            proposed,
            reads,
            change,
            ..
        } = primary;
        effects.extend(proposed.into_iter().map(|(_, request)| Effect::Unknown(request)));
        refuse_reads(reads.into_requests(), effects);
        if let Some(change) = change {
            change.abandon(effects);
        }
    }

    /// The deliberate bug to execute what is not committed.
    pub(super) fn commit_on_prepare(&mut self, effects: &mut Effects) {
        if self.config.has(&defects::COMMIT_ON_PREPARE) {
            self.learn_commit(self.log.last().op, effects);
        }
    }
}

fn refuse(proposals: Vec<Proposal>, leader: Option<NodeId>, effects: &mut Effects) {
    effects.extend(proposals.into_iter().map(|proposal| Effect::Refuse {
        request: proposal.request,
        leader,
    }));
}

pub(super) fn refuse_reads(requests: impl Iterator<Item = RequestId>, effects: &mut Effects) {
    effects.extend(requests.map(|request| Effect::Refuse {
        request,
        leader: None,
    }));
}
