//! The leader's side of replication: what each peer is sent, and when.
//!
//! A peer is *probed*, one message at a time, until the leader knows where their logs agree; from then on
//! entries are *streamed* to it, without waiting for answers, up to a number of messages under way (thesis
//! 10.2.2). If answers fail to come, or a conflict is reported, it is probed again.

use std::collections::{BTreeMap, VecDeque};

use super::log::{Entry, Log, Position};
use super::message::{Body, Message};
use super::node::{Effects, Raft, Role};
use super::read::Reads;
use super::record::Record;
use crate::config::{Config, NodeId};
use crate::protocol::{Command, Effect, Proposal, RequestId};

/// The most messages with entries under way to one peer.
const STREAM_MESSAGES_MAX: usize = 64;
/// The most entries in one message.
const APPEND_ENTRIES_MAX: usize = 1024;
/// The most bytes of entries in one message, unless a single one is larger.
const APPEND_BYTES_MAX: usize = 256 * 1024;
/// After how many heartbeats without an answer to any of the messages under way they are taken for lost.
const LOST_AFTER_HEARTBEATS: u32 = 2;

/// What only a leader knows.
#[derive(Debug)]
pub(super) struct Leadership {
    pub(super) peers: BTreeMap<NodeId, Progress>,
    /// Clients' requests by the index of their entry, lowest first.
    pub(super) proposed: VecDeque<(u64, RequestId)>,
    pub(super) reads: Reads,
    ticks_to_heartbeat: u32,
}

/// What the leader knows of a peer.
#[derive(Debug)]
pub(super) struct Progress {
    /// The last index up to which the logs are known to be the same.
    pub(super) matched: u64,
    /// The next index to send.
    next: u64,
    /// Streamed to, or still probed?
    streaming: bool,
    /// The last indexes of the messages under way.
    under_way: VecDeque<u64>,
    /// Heartbeats since a message under way was last answered.
    unanswered_heartbeats: u32,
    /// Has it been heard from since the last check for a quorum?
    heard: bool,
    /// The last round of heartbeats that it has answered.
    pub(super) round: u64,
}

impl Leadership {
    pub(super) fn new(config: &Config, last_index: u64) -> Leadership {
        let progress = || Progress {
            matched: 0,
            next: last_index + 1,
            streaming: false,
            under_way: VecDeque::new(),
            unanswered_heartbeats: 0,
            heard: false,
            round: 0,
        };
        Leadership {
            peers: config.peers().map(|peer| (peer, progress())).collect(),
            proposed: VecDeque::new(),
            reads: Reads::default(),
            ticks_to_heartbeat: 0,
        }
    }

    /// How many peers were heard from since this was last asked.
    pub(super) fn take_heard(&mut self) -> usize {
        self.peers
            .values_mut()
            .map(|peer| usize::from(std::mem::take(&mut peer.heard)))
            .sum()
    }
}

impl Progress {
    /// Sends what there is to send and may be sent now.
    fn send(&mut self, to: NodeId, term: u64, log: &Log, commit: u64, effects: &mut Effects) {
        let allowed = if self.streaming { STREAM_MESSAGES_MAX } else { 1 };
        while self.next <= log.last().index && self.under_way.len() < allowed {
            let index = self.next - 1;
            let Some(previous_term) = log.term_at(index) else {
                return;
            };
            let entries = log.batch_from(self.next, APPEND_ENTRIES_MAX, APPEND_BYTES_MAX);
            let last = index + entries.len() as u64;
            if self.under_way.is_empty() {
                self.unanswered_heartbeats = 0;
            }
            self.under_way.push_back(last);
            if self.streaming {
                self.next = last + 1;
            }
            let previous = Position {
                term: previous_term,
                index,
            };
            let body = Body::Append {
                previous,
                entries,
                commit,
            };
            effects.push(Effect::Send {
                to,
                message: Message { term, body },
            });
        }
    }

    /// The logs are the same up to here.
    fn appended(&mut self, matched: u64) {
        self.matched = self.matched.max(matched);
        self.next = self.next.max(matched + 1);
        self.streaming = true;
        self.unanswered_heartbeats = 0;
        while self.under_way.front().is_some_and(|&last| last <= matched) {
            self.under_way.pop_front();
        }
    }

    /// Looks again for where the logs agree, from this index on.
    fn probe(&mut self, next: u64) {
        self.next = next.max(1);
        self.streaming = false;
        self.under_way.clear();
        self.unanswered_heartbeats = 0;
    }

    /// Takes messages that were not answered for long for lost.
    fn note_heartbeat(&mut self) {
        if self.under_way.is_empty() {
            return;
        }
        self.unanswered_heartbeats += 1;
        if self.unanswered_heartbeats > LOST_AFTER_HEARTBEATS {
            // A probe that was lost is repeated as it was: it may have gone below what is known to match only
            // because the peer reported a conflict there.
            self.probe(if self.streaming {
                self.matched + 1
            } else {
                self.next
            });
        }
    }
}

impl Raft {
    pub(super) fn propose(&mut self, proposals: Vec<Proposal>, effects: &mut Effects) {
        let first = self.log.last().index + 1;
        let Role::Leader(leadership) = &mut self.role else {
            let leader = self.leader;
            effects.extend(proposals.into_iter().map(|proposal| Effect::Refuse {
                request: proposal.request,
                leader,
            }));
            return;
        };
        leadership.proposed.extend(
            (first..)
                .zip(&proposals)
                .map(|(index, proposal)| (index, proposal.request)),
        );
        let commands: Vec<_> = proposals
            .into_iter()
            .map(|proposal| Some(proposal.command))
            .collect();
        if !commands.is_empty() {
            self.append_own(commands, effects);
        }
    }

    /// Makes entries of this term. They go to the leader's own disk and to the peers at the same time: it is
    /// the majority of durable copies that commits them, whether or not the leader's is among them (thesis
    /// 10.2.1).
    pub(super) fn append_own(&mut self, commands: Vec<Option<Command>>, effects: &mut Effects) {
        let first_index = self.log.last().index + 1;
        let entries: Vec<_> = commands
            .into_iter()
            .map(|command| Entry {
                term: self.term,
                command,
            })
            .collect();
        self.log.append(entries.iter().cloned());
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
        for (&peer, progress) in &mut leadership.peers {
            progress.send(peer, self.term, &self.log, self.commit, effects);
        }
    }

    pub(super) fn tick_leader(&mut self, effects: &mut Effects) {
        self.check_quorum(effects);
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
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

    /// Shows every peer that this node leads, in the current round. Rounds of reads do not put off the
    /// heartbeats of the clock, by which lost messages are noticed.
    pub(super) fn send_heartbeats(&mut self, effects: &mut Effects) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let round = leadership.reads.round();
        for (&to, progress) in &leadership.peers {
            // No further than its log is known to be the same: beyond that it may hold something else.
            let commit = self.commit.min(progress.matched);
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
        progress.send(from, self.term, &self.log, self.commit, effects);
    }

    pub(super) fn peer_appended(&mut self, from: NodeId, matched: u64, effects: &mut Effects) {
        if matched > self.log.last().index {
            return; // Nothing that this leader sent.
        }
        self.peer_heard(from, effects, |progress, _| progress.appended(matched));
        self.advance_commit(effects);
    }

    /// The peer does not have the entry before those it was sent. With its hint, a whole term of entries is
    /// stepped over at a time: if this log has entries of the conflicting term, their last is where the two
    /// may agree; if not, none of the peer's entries of that term is (paper 5.3, end).
    pub(super) fn peer_conflicts(
        &mut self,
        from: NodeId,
        previous: u64,
        hint: Position,
        effects: &mut Effects,
    ) {
        self.peer_heard(from, effects, |progress, log| {
            // Of a stream, all that follows the lost message conflicts too, but is answered by one probe.
            let answers_probe = previous == progress.next - 1;
            if progress.streaming || answers_probe {
                let next = match log.last_of_term(hint.term) {
                    Some(last) if hint.term > 0 => last.min(previous.saturating_sub(1)) + 1,
                    _ => hint.index.min(previous),
                };
                progress.probe(next);
            }
        });
    }

    pub(super) fn peer_answered_round(&mut self, from: NodeId, round: u64, effects: &mut Effects) {
        self.peer_heard(from, effects, |progress, _| {
            progress.round = progress.round.max(round)
        });
        self.answer_reads(effects);
    }
}
