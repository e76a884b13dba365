//! The leader's side of discovery and synchronization (phases 1 and 2), and its heartbeat.

use std::collections::{BTreeMap, VecDeque};

use super::defects;
use super::handover::HandOver;
use super::history::Payload;
use super::membership::Change;
use super::message::{Accepted, Body};
use super::node::{Effects, Promise, State, Zab};
use super::peer::{Peer, Source, Step};
use super::read::Reads;
use super::zxid::{Recency, Zxid};
use crate::config::NodeId;
use crate::protocol::{Effect, RequestId};

/// The phase that a leader is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Discovery,
    Synchronization,
    Broadcast,
}

/// What only a leader knows.
#[derive(Debug)]
pub(super) struct Leading {
    pub(super) stage: Stage,
    /// The epoch that it proposed; 0 until a quorum has come.
    pub(super) epoch: u64,
    /// Is its own promise of that epoch durable?
    promised: bool,
    /// How recent its history was when it began.
    recency: Recency,
    pub(super) peers: BTreeMap<NodeId, Peer>,
    /// The last index up to which its own copy counts; none before it went by its own history durably.
    pub(super) own: Option<u64>,
    /// How many transactions it has made.
    pub(super) counter: u64,
    /// Clients' requests by the index of their transaction, lowest first.
    pub(super) proposed: VecDeque<(u64, RequestId)>,
    pub(super) reads: Reads,
    pub(super) change: Option<Change>,
    pub(super) handover: Option<HandOver>,
    to_heartbeat: u32,
    to_quorum_check: u32,
}

impl Leading {
    /// The follower's own answer to all who wait, when the leadership ends.
    pub(super) fn dismiss(self, effects: &mut Effects) {
        let proposed = self.proposed.into_iter().map(|(_, request)| request);
        effects.extend(proposed.map(Effect::Unknown));
        self.reads.dismiss(effects);
        if let Some(change) = self.change {
            change.dismiss(effects);
        }
        if let Some(handover) = self.handover {
            handover.dismiss(effects);
        }
    }
}

impl Zab {
    /// It takes itself for elected. Followers will come.
    pub(super) fn lead(&mut self, effects: &mut Effects) {
        self.leave(effects);
        self.vote = self.own_vote();
        let me = self.config.me;
        let others = self.ensemble().voters().into_iter().filter(|&voter| voter != me);
        self.state = State::Leading(Box::new(Leading {
            stage: Stage::Discovery,
            epoch: 0,
            promised: false,
            recency: self.recency(),
            peers: others.map(|peer| (peer, Peer::new())).collect(),
            own: None,
            counter: 0,
            proposed: VecDeque::new(),
            reads: Reads::default(),
            change: None,
            handover: None,
            to_heartbeat: self.config.heartbeat_ticks,
            to_quorum_check: self.config.election_ticks,
        }));
        self.choose_epoch(effects);
    }

    /// The leadership, with what it is made of: for what changes a peer and sends from the history.
    pub(super) fn leading(&mut self) -> Option<(&mut Leading, Source<'_>)> {
        let State::Leading(leading) = &mut self.state else {
            return None;
        };
        let source = Source {
            epoch: leading.epoch,
            history: &self.history,
            snapshot: self.snapshots.latest(),
            commit: self.history.zxid_at(self.commit).unwrap_or(Zxid::ZERO),
        };
        Some((leading, source))
    }

    /// Have so many that they are a quorum, with the leader itself, come so far?
    fn quorum_has_come(&self, leading: &Leading, step: Step) -> bool {
        self.ensemble().is_quorum(|node| {
            let peer = leading.peers.get(&node);
            node == self.config.me || peer.is_some_and(|peer| peer.step >= step)
        })
    }

    /// A node wants to be led (CEPOCH, paper phase 1, step f.1.1).
    pub(super) fn follower_came(&mut self, from: NodeId, accepted: Accepted, effects: &mut Effects) {
        let voter = self.ensemble().contains(from);
        let me = self.config.me;
        let State::Leading(leading) = &mut self.state else {
            return;
        };
        let promised_another =
            accepted.epoch == leading.epoch && accepted.leader != Some(me) && leading.epoch > 0;
        if leading.epoch > 0 && (accepted.epoch > leading.epoch || promised_another) {
            // It has promised what can not be joined with this epoch. Only a later one can have them all.
            if voter {
                self.look(effects);
            }
            return;
        }
        if leading.stage == Stage::Broadcast {
            // One that was removed, and has not heard of it, is told like any other, for a while.
            leading.peers.entry(from).or_insert_with(Peer::new);
        }
        let Some((leading, source)) = self.leading() else {
            return;
        };
        let Some(peer) = leading.peers.get_mut(&from) else {
            return;
        };
        if voter && accepted.epoch < leading.epoch && peer.step >= Step::Promised {
            // It has promised this epoch since, durably: the message is a late one. (One that is no member may have
            // lost its disk, with what it promised; nothing rests on that.)
            return;
        }
        peer.inform(accepted.epoch);
        if leading.promised {
            peer.propose_epoch(from, &source, effects);
        } else {
            self.choose_epoch(effects);
        }
    }

    /// With a quorum of followers, proposes an epoch that is later than any that one of them has promised
    /// (paper phase 1, step l.1.1). Its own promise is made first, and is durable before the others hear of
    /// it: a leader that crashed must never propose the same epoch twice.
    fn choose_epoch(&mut self, effects: &mut Effects) {
        let State::Leading(leading) = &self.state else {
            return;
        };
        if leading.epoch > 0 || !self.quorum_has_come(leading, Step::Informed) {
            return;
        }
        let theirs = leading
            .peers
            .values()
            .map(|peer| peer.accepted)
            .max()
            .unwrap_or(0);
        let epoch = theirs.max(self.accepted.epoch) + 1;
        if let State::Leading(leading) = &mut self.state {
            leading.epoch = epoch;
        }
        self.accept_epoch(epoch, self.config.me, effects);
        self.promise(Promise::OwnEpoch(epoch), effects);
    }

    /// Promises to take part in this epoch, and in none before it.
    pub(super) fn accept_epoch(&mut self, epoch: u64, leader: NodeId, effects: &mut Effects) {
        self.accepted = Accepted {
            epoch,
            leader: Some(leader),
        };
        if !self.config.has(&defects::UNSAVED_ACCEPTED_EPOCH) {
            self.save_epochs(effects);
        }
    }

    pub(super) fn own_epoch_is_durable(&mut self, epoch: u64, effects: &mut Effects) {
        let Some((leading, source)) = self.leading() else {
            return;
        };
        if leading.epoch != epoch {
            return;
        }
        leading.promised = true;
        for (&to, peer) in &mut leading.peers {
            if peer.step == Step::Informed {
                peer.propose_epoch(to, &source, effects);
            }
        }
        self.begin_synchronization(effects);
    }

    /// A follower says something, in this leader's epoch.
    pub(super) fn hear_follower(&mut self, from: NodeId, body: Body, effects: &mut Effects) {
        let Some((leading, source)) = self.leading() else {
            return;
        };
        let Some(peer) = leading.peers.get_mut(&from) else {
            return;
        };
        peer.heard = true;
        match body {
            Body::AckEpoch { recency } => self.follower_promised(from, recency, effects),
            _ if peer.step < Step::Promised => {}
            Body::Lacks { last } => peer.align(from, last, &source, effects),
            Body::WantChunk { index, offset } => peer.want_chunk(from, index, offset, &source, effects),
            Body::AckNewLeader { last } => self.follower_synchronized(from, last, effects),
            Body::Ack { last } => {
                if let Some(index) = source.history.index_of(last) {
                    peer.acknowledged(index);
                    peer.pump(from, &source, effects);
                    self.advance_commit(effects);
                    self.pursue_change(effects);
                }
            }
            Body::Pong { round } => {
                peer.round = peer.round.max(round);
                self.answer_reads(effects);
            }
            Body::Sync { number } => self.synced_asked(from, number, effects),
            _ => {}
        }
    }

    /// A follower has promised the epoch, and says how recent its history is (ACK-E).
    ///
    /// Here practice departs from the paper. In the paper the leader takes over the most recent history of the
    /// quorum (step l.2.1); in ZooKeeper the election sees to it that the leader has it already, and so must
    /// we: a leader with a follower that is ahead of it gives up, and a new election will find that follower.
    /// So when a quorum has promised, none of them is ahead, and the leader's history *is* the one that the
    /// paper would pick.
    fn follower_promised(&mut self, from: NodeId, recency: Recency, effects: &mut Effects) {
        let voter = self.ensemble().contains(from);
        let blind = self.config.has(&defects::BLIND_ELECTIONS);
        let Some((leading, source)) = self.leading() else {
            return;
        };
        let discovering = leading.stage == Stage::Discovery;
        let Some(peer) = leading
            .peers
            .get_mut(&from)
            .filter(|peer| peer.step == Step::Informed)
        else {
            return;
        };
        if discovering && voter && recency > leading.recency && !blind {
            self.look(effects);
            return;
        }
        peer.step = Step::Promised;
        peer.last = recency.last;
        if discovering {
            self.begin_synchronization(effects);
        } else {
            peer.align(from, recency.last, &source, effects);
        }
    }

    /// With a quorum of promises, this leader's history is that of the epoch: it goes by it itself, and has
    /// the followers do so (NEWLEADER; paper phase 2, step l.2.1).
    fn begin_synchronization(&mut self, effects: &mut Effects) {
        let State::Leading(leading) = &self.state else {
            return;
        };
        let ready = leading.stage == Stage::Discovery && leading.promised;
        if !ready || !self.quorum_has_come(leading, Step::Promised) {
            return;
        }
        let epoch = leading.epoch;
        self.current = epoch;
        self.save_epochs(effects);
        if let Some((leading, source)) = self.leading() {
            leading.stage = Stage::Synchronization;
            for (&to, peer) in &mut leading.peers {
                if peer.step == Step::Promised {
                    peer.align(to, peer.last, &source, effects);
                }
            }
        }
        if self.config.has(&defects::EARLY_BROADCAST) {
            self.establish(effects);
        }
        self.promise(Promise::OwnNewLeader(epoch), effects);
    }

    pub(super) fn own_history_is_durable(&mut self, epoch: u64, effects: &mut Effects) {
        let last = self.history.last_index();
        if let State::Leading(leading) = &mut self.state
            && leading.epoch == epoch
        {
            leading.own = Some(last);
            self.count_synchronized(effects);
        }
    }

    /// A follower goes by this leader's history, durably (ACK-LD).
    fn follower_synchronized(&mut self, from: NodeId, last: Zxid, effects: &mut Effects) {
        let Some((leading, source)) = self.leading() else {
            return;
        };
        let (Some(peer), Some(index)) = (leading.peers.get_mut(&from), source.history.index_of(last)) else {
            return;
        };
        peer.step = Step::Synchronized;
        peer.acknowledged(index);
        peer.pump(from, &source, effects);
        if leading.stage == Stage::Broadcast {
            let commit = source.commit;
            source.send(from, Body::UpToDate { commit }, effects);
            self.advance_commit(effects);
            self.pursue_change(effects);
        } else {
            self.count_synchronized(effects);
        }
    }

    fn count_synchronized(&mut self, effects: &mut Effects) {
        let State::Leading(leading) = &self.state else {
            return;
        };
        if leading.stage == Stage::Synchronization
            && leading.own.is_some()
            && self.quorum_has_come(leading, Step::Synchronized)
        {
            self.establish(effects);
        }
    }

    /// A quorum goes by this leader's history: all of it is committed, and the broadcast begins (COMMIT-LD;
    /// paper phase 2, step l.2.2). Not before: a transaction that is proposed earlier would be broadcast by a
    /// primary that has not delivered what was committed before it (primary integrity, paper section 3.2).
    fn establish(&mut self, effects: &mut Effects) {
        let State::Leading(leading) = &mut self.state else {
            return;
        };
        leading.stage = Stage::Broadcast;
        leading.to_heartbeat = self.config.heartbeat_ticks;
        self.learn_commit(self.history.last_index(), effects);
        if let Some((leading, source)) = self.leading() {
            for (&to, _) in leading
                .peers
                .iter()
                .filter(|(_, peer)| peer.step == Step::Synchronized)
            {
                let commit = source.commit;
                source.send(to, Body::UpToDate { commit }, effects);
            }
        }
        if self.ensemble().pending.is_some() {
            // The leader before did not come to say that its reconfiguration is committed.
            self.broadcast(vec![Payload::Activate], effects);
        }
        self.begin_read_round(effects);
    }

    pub(super) fn tick_leading(&mut self, effects: &mut Effects) {
        if !self.tick_change(effects) || !self.check_quorum(effects) {
            return;
        }
        let heartbeat_ticks = self.config.heartbeat_ticks;
        let Some((leading, source)) = self.leading() else {
            return;
        };
        leading.to_heartbeat = leading.to_heartbeat.saturating_sub(1);
        if leading.to_heartbeat > 0 {
            return;
        }
        leading.to_heartbeat = heartbeat_ticks;
        for (&to, peer) in &mut leading.peers {
            peer.beat(to, &source, effects);
        }
        self.send_pings(effects);
    }

    /// Shows all that this node leads, in the current round of reads.
    pub(super) fn send_pings(&mut self, effects: &mut Effects) {
        let Some((leading, source)) = self.leading() else {
            return;
        };
        if leading.stage == Stage::Discovery {
            return;
        }
        for &to in leading.peers.keys() {
            let ping = Body::Ping {
                round: leading.reads.round(),
                commit: source.commit,
                established: leading.stage == Stage::Broadcast,
            };
            source.send(to, ping, effects);
        }
    }

    /// Gives up a leadership that a quorum does not answer to any more (Medeiros, section 3.3, phase 3). Says
    /// whether it goes on.
    fn check_quorum(&mut self, effects: &mut Effects) -> bool {
        let State::Leading(leading) = &mut self.state else {
            return false;
        };
        leading.to_quorum_check = leading.to_quorum_check.saturating_sub(1);
        if leading.to_quorum_check > 0 {
            return true;
        }
        leading.to_quorum_check = self.config.election_ticks;
        let peers = &leading.peers;
        let me = self.config.me;
        let ensemble = self.ensembles.current();
        let heard = |node| node == me || peers.get(&node).is_some_and(|peer| peer.heard);
        if !ensemble.is_quorum(heard) {
            self.look(effects);
            return false;
        }
        self.forget_strangers();
        if let State::Leading(leading) = &mut self.state {
            leading.peers.values_mut().for_each(|peer| peer.heard = false);
        }
        true
    }
}
