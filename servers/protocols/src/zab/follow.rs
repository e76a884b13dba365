//! The follower's side of all phases.

use super::defects;
use super::history::Transaction;
use super::lead::Stage;
use super::message::{Body, Message};
use super::node::{Effects, State, Zab};
use super::read::FollowerReads;
use super::zxid::Zxid;
use crate::config::NodeId;
use crate::protocol::{Effect, RequestId};
use crate::transfer::Arriving;

/// What only a follower knows.
#[derive(Debug)]
pub(super) struct Following {
    pub(super) leader: NodeId,
    pub(super) stage: Stage,
    /// Has the leader said that a quorum goes by its history?
    pub(super) established: bool,
    pub(super) arriving: Arriving,
    pub(super) reads: FollowerReads,
    /// The operator who waits for the new leader that was handed over to.
    pub(super) handed_over: Option<RequestId>,
    /// The last transaction here when it last asked for what it lacks; nothing since a heartbeat.
    asked_after: Option<Zxid>,
    /// Ticks since the leader was last heard.
    silence_ticks: u32,
    to_heartbeat: u32,
}

impl Following {
    pub(super) fn dismiss(self, effects: &mut Effects) {
        self.reads.dismiss(effects);
        effects.extend(self.handed_over.map(Effect::Unknown));
    }
}

impl Zab {
    /// Asks this node to be its leader.
    pub(super) fn follow(&mut self, leader: NodeId, effects: &mut Effects) {
        self.leave(effects);
        self.vote.leader = leader;
        self.state = State::Following(Box::new(Following {
            leader,
            stage: Stage::Discovery,
            established: false,
            arriving: Arriving::default(),
            reads: FollowerReads::default(),
            handed_over: None,
            asked_after: None,
            silence_ticks: 0,
            to_heartbeat: self.config.heartbeat_ticks,
        }));
        self.introduce(leader, effects);
    }

    /// Says what it last promised (CEPOCH; paper phase 1, step f.1.1).
    pub(super) fn introduce(&self, to: NodeId, effects: &mut Effects) {
        let message = Message::CurrentEpoch {
            accepted: self.accepted,
        };
        effects.push(Effect::Send { to, message });
    }

    pub(super) fn tick_following(&mut self, effects: &mut Effects) {
        let State::Following(following) = &mut self.state else {
            return;
        };
        following.silence_ticks += 1;
        if following.silence_ticks >= self.config.election_ticks {
            self.look(effects);
            return;
        }
        following.to_heartbeat = following.to_heartbeat.saturating_sub(1);
        if following.to_heartbeat > 0 {
            return;
        }
        following.to_heartbeat = self.config.heartbeat_ticks;
        following.asked_after = None;
        let leader = following.leader;
        if following.stage == Stage::Discovery {
            self.introduce(leader, effects);
        } else if let Some(number) = following.reads.unanswered() {
            self.send(leader, Body::Sync { number }, effects);
        }
    }

    /// The leader says something.
    pub(super) fn hear_leader(&mut self, epoch: u64, body: Body, effects: &mut Effects) {
        let State::Following(following) = &mut self.state else {
            return;
        };
        let leader = following.leader;
        if body == Body::NewEpoch {
            self.hear_new_epoch(leader, epoch, effects);
            return;
        }
        if self.accepted.epoch != epoch || self.accepted.leader != Some(leader) {
            return;
        }
        if following.stage == Stage::Discovery {
            // It has promised this epoch to this leader in an earlier life, and waits for NEWEPOCH.
            return;
        }
        following.silence_ticks = 0;
        let synchronizing = following.stage == Stage::Synchronization;
        match body {
            Body::Truncate { to } => self.truncate(leader, to, effects),
            Body::Snapshot(chunk) => self.snapshot_arrives(leader, chunk, effects),
            Body::Propose {
                previous,
                transactions,
                commit,
            } => {
                self.accept_proposals(leader, previous, transactions, effects);
                self.hear_commit(commit, effects);
            }
            Body::NewLeader { last } => self.hear_new_leader(leader, last, effects),
            Body::UpToDate { commit } => {
                self.hear_established(effects);
                self.hear_commit(commit, effects);
            }
            Body::Commit { last } => self.hear_commit(last, effects),
            Body::Ping {
                round,
                commit,
                established,
            } => {
                if established {
                    self.hear_established(effects);
                }
                self.send(leader, Body::Pong { round }, effects);
                self.hear_commit(commit, effects);
            }
            Body::Synced { number, commit } => self.hear_synced(number, commit, effects),
            Body::HandOver { to, round } if !synchronizing => self.hear_hand_over(to, round, effects),
            _ => {}
        }
    }

    /// Promises the epoch if none so late was promised, and says how recent its history is (ACK-E; paper
    /// phase 1, step f.1.1). To the same leader it can be promised again: the promise names it, on disk too,
    /// and no leader proposes an epoch twice. (ZooKeeper, which does not keep to whom it promised, answers the
    /// second time in a way that does not count.)
    fn hear_new_epoch(&mut self, leader: NodeId, epoch: u64, effects: &mut Effects) {
        let again = self.accepted.epoch == epoch && self.accepted.leader == Some(leader);
        if epoch < self.accepted.epoch || (epoch == self.accepted.epoch && !again) {
            self.look(effects);
            return;
        }
        let State::Following(following) = &mut self.state else {
            return;
        };
        following.silence_ticks = 0;
        if following.stage == Stage::Discovery {
            following.stage = Stage::Synchronization;
        }
        let recency = self.recency();
        if !again {
            self.accept_epoch(epoch, leader, effects);
        }
        self.promise_message(leader, Body::AckEpoch { recency }, effects);
    }

    /// Cuts what the leader does not have (TRUNC). What this leader does not have was never committed, or a
    /// quorum could not have promised it its epoch. Where the history is the leader's already, the message is
    /// a late one, or answers one: what would be cut may count as acknowledged. The leader is told how far the
    /// history goes, and goes on from there.
    fn truncate(&mut self, leader: NodeId, to: Zxid, effects: &mut Effects) {
        let Some(index) = self.history.floor(to) else {
            return;
        };
        if self.goes_by_this_leader() {
            let last = self.history.last();
            self.send(leader, Body::Lacks { last }, effects);
            return;
        }
        if index < self.history.last_index() && !self.config.has(&defects::SYNC_WITHOUT_TRUNCATION) {
            assert!(
                index >= self.commit || self.config.defect.is_some(),
                "{} would lose what is committed after {index}",
                self.config.me
            );
            self.commit = self.commit.min(index);
            self.applied = self.applied.min(index);
            self.history.truncate_after(index);
            self.ensembles.truncate_after(index);
            self.append(Vec::new(), effects);
        }
        // Where this node's history ends now, the leader's may have gone on in another way, too.
        let last = self.history.zxid_at(index).unwrap_or(Zxid::ZERO);
        self.send(leader, Body::Lacks { last }, effects);
    }

    /// Is its history, to its end, one that the leader of this epoch has? So it is from NEWLEADER on, and
    /// before that once it ends in a transaction of this epoch, which follows but what this leader has.
    fn goes_by_this_leader(&self) -> bool {
        let epoch = self.accepted.epoch;
        self.current == epoch || self.history.last().epoch == epoch
    }

    /// Accepts proposals that follow what it has (paper step f.3.1), skips what it has already, and asks for
    /// what is missing between. Acknowledges when they are durable.
    fn accept_proposals(
        &mut self,
        leader: NodeId,
        previous: Zxid,
        mut transactions: Vec<Transaction>,
        effects: &mut Effects,
    ) {
        let last = self.history.last();
        let known = transactions.partition_point(|transaction| transaction.zxid <= last);
        let fresh = transactions.split_off(known);
        let joint = transactions
            .last()
            .map_or(previous, |transaction| transaction.zxid);
        let follows = if fresh.is_empty() {
            self.history.index_of(joint).is_some()
        } else {
            joint == last
                || (joint > last && self.config.has(&defects::GAPS_IN_PROPOSALS))
                || (joint < last && self.config.has(&defects::SYNC_WITHOUT_TRUNCATION))
        };
        if !follows {
            self.ask_for_missing(leader, effects);
            return;
        }
        let acknowledged = fresh.last().map_or(joint, |transaction| transaction.zxid);
        if !fresh.is_empty() {
            self.append(fresh, effects);
        }
        self.acknowledge(leader, Body::Ack { last: acknowledged }, effects);
    }

    /// Says what its last transaction is, so that the leader goes on from there: once, until that changes or
    /// a heartbeat has passed, for all that was under way when something was lost comes too early now.
    fn ask_for_missing(&mut self, leader: NodeId, effects: &mut Effects) {
        let last = self.history.last();
        let State::Following(following) = &mut self.state else {
            return;
        };
        if following.asked_after != Some(last) {
            following.asked_after = Some(last);
            self.send(leader, Body::Lacks { last }, effects);
        }
    }

    /// Goes by the leader's history from here on, if that is what it has (NEWLEADER; paper phase 2, step
    /// f.2.1). The epoch becomes the current one *after* the history is written, and the acknowledgement
    /// leaves when both are durable: ZooKeeper has lost committed transactions by each of these the other way
    /// round (ZOOKEEPER-4643 and ZOOKEEPER-4646).
    fn hear_new_leader(&mut self, leader: NodeId, last: Zxid, effects: &mut Effects) {
        // A history that ends in this epoch is this leader's, up to its end; one that ends elsewhere may hold
        // what this leader never had.
        let end = self.history.last();
        let holds = self.history.index_of(last).is_some();
        let whole = holds && (end == last || end.epoch == self.accepted.epoch);
        if !whole {
            self.ask_for_missing(leader, effects);
            return;
        }
        let State::Following(following) = &mut self.state else {
            return;
        };
        following.stage = Stage::Broadcast;
        if self.current != self.accepted.epoch {
            self.current = self.accepted.epoch;
            self.save_epochs(effects);
        }
        self.acknowledge(leader, Body::AckNewLeader { last }, effects);
    }

    /// Acknowledges what was written, when it is durable.
    fn acknowledge(&mut self, leader: NodeId, ack: Body, effects: &mut Effects) {
        if self.config.has(&defects::ACKS_BEFORE_FSYNC) {
            self.send(leader, ack, effects);
        } else {
            self.promise_message(leader, ack, effects);
        }
    }

    /// A quorum goes by the leader's history.
    fn hear_established(&mut self, effects: &mut Effects) {
        let State::Following(following) = &mut self.state else {
            return;
        };
        if following.stage == Stage::Broadcast {
            following.established = true;
            effects.extend(following.handed_over.take().map(Effect::Done));
        }
    }

    /// What is committed is applied as far as it is here. Only by who goes by this leader's history: what
    /// another has may be something else.
    pub(super) fn hear_commit(&mut self, commit: Zxid, effects: &mut Effects) {
        let State::Following(following) = &self.state else {
            return;
        };
        if following.stage == Stage::Broadcast || self.config.has(&defects::COMMIT_BEFORE_SYNC) {
            let index = self.history.floor(commit).unwrap_or(0);
            self.learn_commit(index, effects);
            self.answer_synced(effects);
        }
    }
}
