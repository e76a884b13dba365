//! The leader's side of replication: what it puts into the log, and that every peer is sent it.

use std::collections::{BTreeMap, VecDeque};

use super::change::Change;
use super::defects;
use super::handover::Handover;
use super::log::{Entry, Log, Payload, Position};
use super::message::{Body, Message};
use super::node::{Effects, Raft, Role};
use super::progress::{Progress, Source};
use super::read::Reads;
use super::record::Record;
use crate::config::NodeId;
use crate::protocol::{Effect, Proposal, RequestId};

/// What only a leader knows.
#[derive(Debug)]
pub(super) struct Leadership {
    /// Everybody to whom the log is copied: all other voters, a node that is about to be one, and, until the
    /// change is committed, one that is being removed.
    pub(super) peers: BTreeMap<NodeId, Progress>,
    /// Clients' requests by the index of their entry, lowest first.
    pub(super) proposed: VecDeque<(u64, RequestId)>,
    pub(super) reads: Reads,
    /// The change of members that an operator asked for.
    pub(super) change: Option<Change>,
    /// The handover that an operator asked for.
    pub(super) handover: Option<Handover>,
    ticks_to_heartbeat: u32,
}

impl Leadership {
    pub(super) fn new(peers: impl IntoIterator<Item = NodeId>, last_index: u64) -> Leadership {
        Leadership {
            peers: peers
                .into_iter()
                .map(|peer| (peer, Progress::new(last_index)))
                .collect(),
            proposed: VecDeque::new(),
            reads: Reads::default(),
            change: None,
            handover: None,
            ticks_to_heartbeat: 0,
        }
    }

    /// Up to where the logs of a peer and the leader are known to be the same.
    pub(super) fn matched(&self, peer: NodeId) -> u64 {
        self.peers.get(&peer).map_or(0, |progress| progress.matched)
    }
}

impl Raft {
    pub(super) fn propose(&mut self, proposals: Vec<Proposal>, effects: &mut Effects) {
        let first = self.log.last().index + 1;
        let whom_to_ask = match &mut self.role {
            Role::Leader(leadership) => match &leadership.handover {
                // Nothing more is taken, so that the other can catch up (thesis 3.10, step 1).
                Some(handover) => Some(handover.to()),
                None => {
                    let requests = (first..).zip(&proposals);
                    let requests = requests.map(|(index, proposal)| (index, proposal.request));
                    leadership.proposed.extend(requests);
                    let commands = proposals
                        .into_iter()
                        .map(|proposal| Payload::Command(proposal.command));
                    return self.append_own(commands.collect(), effects);
                }
            },
            _ => self.leader,
        };
        effects.extend(proposals.into_iter().map(|proposal| Effect::Refuse {
            request: proposal.request,
            leader: whom_to_ask,
        }));
    }

    /// Makes entries of this term. They go to the leader's own disk and to the peers at the same time: it is
    /// the majority of durable copies that commits them, whether or not the leader's is among them (thesis
    /// 10.2.1).
    pub(super) fn append_own(&mut self, payloads: Vec<Payload>, effects: &mut Effects) {
        if payloads.is_empty() {
            return;
        }
        let first_index = self.log.last().index + 1;
        let term = self.term;
        let entries: Vec<_> = payloads
            .into_iter()
            .map(|payload| Entry { term, payload })
            .collect();
        self.append_to_log(&entries);
        self.save_state(effects);
        self.disk
            .persist(&Record::Entries { first_index, entries }, effects);
        self.replicate(effects);
    }

    /// Sends every peer what it may be sent.
    pub(super) fn replicate(&mut self, effects: &mut Effects) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let source = Source {
            term: self.term,
            log: &self.log,
            commit: self.commit,
            snapshot: self.snapshots.newest.as_ref(),
        };
        for (&peer, progress) in &mut leadership.peers {
            progress.send(peer, source, effects);
        }
    }

    pub(super) fn tick_leader(&mut self, effects: &mut Effects) {
        self.check_quorum(effects);
        self.tick_change(effects);
        self.tick_handover(effects);
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        leadership.reads.tick();
        leadership.ticks_to_heartbeat = leadership.ticks_to_heartbeat.saturating_sub(1);
        if leadership.ticks_to_heartbeat > 0 {
            return;
        }
        leadership.ticks_to_heartbeat = self.config.heartbeat_ticks;
        for progress in leadership.peers.values_mut() {
            progress.note_heartbeat();
        }
        self.send_heartbeats(effects);
        self.replicate(effects);
    }

    /// Shows every peer that this node leads, in a new round. Rounds of reads do not put off the heartbeats
    /// of the clock, by which lost messages are noticed.
    pub(super) fn send_heartbeats(&mut self, effects: &mut Effects) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let round = leadership.reads.begin_round();
        for (&to, progress) in &leadership.peers {
            // No further than its log is known to be the same: beyond that it may hold something else.
            let matched = if self.config.has(&defects::COMMIT_BEYOND_MATCH) {
                u64::MAX
            } else {
                progress.matched
            };
            let commit = self.commit.min(matched);
            let message = Message {
                term: self.term,
                body: Body::Heartbeat { round, commit },
            };
            effects.push(Effect::Send { to, message });
        }
    }

    /// Changes what is known of a peer that was heard from, and sends it what it may be sent now.
    fn peer_heard(&mut self, from: NodeId, effects: &mut Effects, change: impl FnOnce(&mut Progress, &Log)) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let Some(progress) = leadership.peers.get_mut(&from) else {
            return;
        };
        progress.heard = true;
        change(progress, &self.log);
        let source = Source {
            term: self.term,
            log: &self.log,
            commit: self.commit,
            snapshot: self.snapshots.newest.as_ref(),
        };
        progress.send(from, source, effects);
    }

    pub(super) fn peer_appended(&mut self, from: NodeId, matched: u64, effects: &mut Effects) {
        if matched > self.log.last().index {
            return; // Nothing that this leader sent.
        }
        self.peer_heard(from, effects, |progress, _| progress.appended(matched));
        self.advance_commit(effects);
        self.peer_caught_up(from, effects);
        self.hand_over_if_ready(effects);
    }

    pub(super) fn peer_conflicts(
        &mut self,
        from: NodeId,
        previous: u64,
        hint: Position,
        effects: &mut Effects,
    ) {
        self.peer_heard(from, effects, |progress, log| {
            progress.conflicts(previous, hint, log)
        });
    }

    pub(super) fn peer_wants_chunk(&mut self, from: NodeId, index: u64, offset: u64, effects: &mut Effects) {
        self.peer_heard(from, effects, |progress, _| progress.chunk_wanted(index, offset));
    }

    pub(super) fn peer_answered_round(&mut self, from: NodeId, round: u64, effects: &mut Effects) {
        let sent_at = match &mut self.role {
            Role::Leader(leadership) => leadership.reads.sent_at(round, &self.config),
            _ => return,
        };
        self.peer_heard(from, effects, |progress, _| {
            progress.round = progress.round.max(round);
            progress.vouched_at = progress.vouched_at.max(sent_at);
        });
        self.answer_reads(effects);
    }
}
