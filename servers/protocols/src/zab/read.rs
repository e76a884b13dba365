//! Linearizable reads without a transaction (SYNC).
//!
//! A leader may have been replaced without knowing it. So, before it serves a read from its own state, it
//! makes sure that it led after the read came: it pings all, and waits until a quorum has answered that very
//! round. Whoever answers has promised no later epoch by then; so no later leader had a quorum of promises,
//! and none had committed anything. Reads that come during a round share the next.
//!
//! A follower serves reads, too: it asks its leader how far it must have applied (SYNC), the leader confirms
//! that it leads in the same way and names the last committed transaction, and the follower serves the read
//! when it has applied that one.
//!
//! That is more than ZooKeeper's `sync`, which the leader answers without asking anyone, so that one that has
//! been replaced may answer it (ZOOKEEPER-1675, "make sync a quorum operation").

use super::defects;
use super::lead::Stage;
use super::message::Body;
use super::node::{Effects, State, Zab};
use super::zxid::Zxid;
use crate::config::NodeId;
use crate::protocol::{Effect, Query, RequestId};

/// Who waits for a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// A client of the leader's own.
    Client(RequestId),
    /// A follower, with all that it has asked up to this number.
    Follower { node: NodeId, number: u64 },
}

/// The reads that a leader has not answered.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The last round that was begun.
    round: u64,
    in_round: Vec<Reader>,
    waiting: Vec<Reader>,
}

impl Reads {
    pub(super) fn round(&self) -> u64 {
        self.round
    }

    pub(super) fn dismiss(self, effects: &mut Effects) {
        for reader in self.in_round.into_iter().chain(self.waiting) {
            if let Reader::Client(request) = reader {
                effects.push(Effect::Refuse {
                    request,
                    leader: None,
                });
            }
        }
    }
}

/// The reads that a follower has not answered.
#[derive(Debug, Default)]
pub(super) struct FollowerReads {
    /// The last question to the leader.
    number: u64,
    /// Those that its answer will let go on.
    asked: Vec<(u64, RequestId)>,
    /// Those that wait until this transaction is applied.
    applying: Vec<(Zxid, RequestId)>,
}

impl FollowerReads {
    /// The last question, if there is one without an answer.
    pub(super) fn unanswered(&self) -> Option<u64> {
        self.asked.last().map(|(number, _)| *number)
    }

    pub(super) fn dismiss(self, effects: &mut Effects) {
        let asked = self.asked.into_iter().map(|(_, request)| request);
        let applying = self.applying.into_iter().map(|(_, request)| request);
        effects.extend(asked.chain(applying).map(|request| Effect::Refuse {
            request,
            leader: None,
        }));
    }
}

impl Zab {
    pub(super) fn read(&mut self, queries: Vec<Query>, effects: &mut Effects) {
        let requests = queries.into_iter().map(|query| query.request);
        let leader = self.leader();
        match &mut self.state {
            State::Leading(leading) if leading.stage == Stage::Broadcast => {
                leading.reads.waiting.extend(requests.map(Reader::Client));
                self.begin_read_round(effects);
            }
            State::Following(following) if following.established => {
                if self.config.has(&defects::LOCAL_READS) {
                    effects.extend(requests.map(Effect::ReadReady));
                    return;
                }
                following.reads.number += 1;
                let number = following.reads.number;
                following
                    .reads
                    .asked
                    .extend(requests.map(|request| (number, request)));
                let leader = following.leader;
                self.send(leader, Body::Sync { number }, effects);
            }
            _ => effects.extend(requests.map(|request| Effect::Refuse { request, leader })),
        }
    }

    /// A follower asks how far it must have applied.
    pub(super) fn synced_asked(&mut self, node: NodeId, number: u64, effects: &mut Effects) {
        if let State::Leading(leading) = &mut self.state
            && leading.stage == Stage::Broadcast
        {
            // One place a follower: its later questions cover its earlier ones.
            let same = |reader: &Reader| matches!(reader, Reader::Follower { node: of, .. } if *of == node);
            leading.reads.waiting.retain(|reader| !same(reader));
            leading.reads.waiting.push(Reader::Follower { node, number });
            self.begin_read_round(effects);
        }
    }

    /// Begins a round for the reads that wait, unless one is under way.
    pub(super) fn begin_read_round(&mut self, effects: &mut Effects) {
        let State::Leading(leading) = &mut self.state else {
            return;
        };
        let reads = &mut leading.reads;
        if leading.stage != Stage::Broadcast || reads.waiting.is_empty() || !reads.in_round.is_empty() {
            return;
        }
        reads.round += 1;
        reads.in_round = std::mem::take(&mut reads.waiting);
        self.send_pings(effects);
        self.answer_reads(effects);
    }

    /// Answers the reads whose round a quorum has answered. What was committed when they came was applied in
    /// the same step, so the state is there already.
    pub(super) fn answer_reads(&mut self, effects: &mut Effects) {
        let me = self.config.me;
        let State::Leading(leading) = &self.state else {
            return;
        };
        let round = leading.reads.round;
        let answered = |node| {
            let peer = leading.peers.get(&node);
            node == me || peer.is_some_and(|peer| peer.round >= round)
        };
        let confirmed = self.ensemble().is_quorum(answered) || self.config.has(&defects::LOCAL_SYNC);
        if leading.reads.in_round.is_empty() || !confirmed {
            return;
        }
        let Some((leading, source)) = self.leading() else {
            return;
        };
        let commit = source.commit;
        for reader in leading.reads.in_round.drain(..) {
            match reader {
                Reader::Client(request) => effects.push(Effect::ReadReady(request)),
                Reader::Follower { node, number } => {
                    source.send(node, Body::Synced { number, commit }, effects);
                }
            }
        }
        self.begin_read_round(effects);
    }

    /// The leader says how far this follower must have applied, for what it asked up to this number.
    pub(super) fn hear_synced(&mut self, number: u64, commit: Zxid, effects: &mut Effects) {
        let State::Following(following) = &mut self.state else {
            return;
        };
        let reads = &mut following.reads;
        let answered = reads.asked.partition_point(|(asked, _)| *asked <= number);
        let requests = reads
            .asked
            .drain(..answered)
            .map(|(_, request)| (commit, request));
        reads.applying.extend(requests);
        self.hear_commit(commit, effects);
    }

    /// Serves what waited for what is applied by now.
    pub(super) fn answer_synced(&mut self, effects: &mut Effects) {
        let Some(applied) = self.history.zxid_at(self.applied) else {
            return;
        };
        let State::Following(following) = &mut self.state else {
            return;
        };
        following.reads.applying.retain(|&(wanted, request)| {
            let ready = wanted <= applied;
            if ready {
                effects.push(Effect::ReadReady(request));
            }
            !ready
        });
    }
}
