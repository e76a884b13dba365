//! One node: its state, and one step of it.

use super::defects;
use super::disk::{Disk, Promise};
use super::leader::Leadership;
use super::log::Log;
use super::membership::{Membership, Memberships};
use super::message::{Body, Message};
use super::record::{Record, Recovered};
use super::snapshot::Snapshots;
use crate::Random;
use crate::config::{Config, NodeId};
use crate::protocol::{
    self, Administration, Effect, Input, OnDisk, Protocol, RecoverError, RequestId, Status, WriteId,
};

use std::collections::BTreeSet;

pub(super) type Effects = Vec<Effect<Message>>;

/// A node of a Raft cluster. See the module for the map.
#[derive(Debug)]
pub struct Raft {
    pub(super) config: Config,
    pub(super) random: Random,

    // Persistent state (paper figure 2), as it is in memory; `disk` knows how much of it is durable.
    pub(super) term: u64,
    pub(super) voted_for: Option<NodeId>,
    pub(super) log: Log,
    pub(super) snapshots: Snapshots,
    pub(super) disk: Disk,
    /// The term or the vote has changed since it was last written.
    pub(super) state_unsaved: bool,

    // Volatile state.
    /// Who has a vote, as the log and the snapshot say it.
    pub(super) members: Memberships,
    pub(super) role: Role,
    /// The leader of this term, once it has been heard.
    pub(super) leader: Option<NodeId>,
    pub(super) commit: u64,
    pub(super) applied: u64,
    /// Ticks since the leader was last heard, or since this node last did something about its silence.
    pub(super) silence_ticks: u32,
    /// How long a silence it bears this time.
    pub(super) patience_ticks: u32,
    /// For how long it may yet not help to replace a leader, where reads rest on leases.
    pub(super) bound_ticks: u32,
}

/// What the node is in its term.
#[derive(Debug)]
pub(super) enum Role {
    Follower,
    /// Asks whether it could win, before it disturbs anyone (thesis 9.6).
    PreCandidate {
        supporters: BTreeSet<NodeId>,
    },
    Candidate {
        voters: BTreeSet<NodeId>,
    },
    Leader(Box<Leadership>),
}

impl Protocol for Raft {
    const NAME: &'static str = "raft";
    type Message = Message;

    fn recover(
        config: Config,
        mut disk: OnDisk<'_>,
        random: Random,
        effects: &mut Effects,
    ) -> Result<Self, RecoverError> {
        let recovered = Recovered::from_disk(&mut disk, &config)?;
        let Recovered {
            term,
            voted_for,
            log,
            members,
            snapshot,
        } = recovered;
        let (snapshot, state) = snapshot.unzip();
        let snapshots = Snapshots::recovered(snapshot);
        // Which entries are committed is not kept, but for those in the snapshot: the next leader tells.
        let applied = snapshots.index();
        effects.extend(state.map(|state| Effect::Restore {
            index: applied,
            state,
        }));
        let mut raft = Raft {
            config,
            random,
            term,
            voted_for,
            disk: Disk::recovered(&disk, log.last().index),
            log,
            snapshots,
            state_unsaved: false,
            members,
            role: Role::Follower,
            leader: None,
            commit: applied,
            applied,
            silence_ticks: 0,
            patience_ticks: 0,
            bound_ticks: 0,
        };
        raft.draw_patience();
        raft.bind();
        Ok(raft)
    }

    fn step(&mut self, input: Input<Message>, effects: &mut Effects) {
        match input {
            Input::Tick => self.tick(effects),
            Input::Receive { from, message } => self.receive(from, message, effects),
            Input::Propose(proposals) => self.propose(proposals, effects),
            Input::Read(queries) => {
                self.read(queries.into_iter().map(|query| query.request).collect(), effects)
            }
            Input::Administer { request, what } => self.administer(request, what, effects),
            Input::Persisted(write) => self.persisted(write, effects),
            Input::SnapshotTaken { index, state } => self.snapshot_taken(index, &state, effects),
        }
        self.save_state(effects);
    }

    fn status(&self) -> Status {
        Status {
            role: match self.role {
                Role::Follower if !self.members.current().is_voter(self.config.me) => protocol::Role::Learner,
                Role::Follower => protocol::Role::Follower,
                Role::PreCandidate { .. } | Role::Candidate { .. } => protocol::Role::Candidate,
                Role::Leader(_) => protocol::Role::Leader,
            },
            term: self.term,
            leader: self.leader,
            commit: self.commit,
            applied: self.applied,
            last_index: self.log.last().index,
            snapshot_index: self.snapshots.index(),
        }
    }

    fn members(&self) -> Vec<NodeId> {
        self.members.current().voters().into_iter().collect()
    }
}

impl Raft {
    /// The log, durable or not.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Whom it voted for in its term.
    pub fn voted_for(&self) -> Option<NodeId> {
        self.voted_for
    }

    /// Who has a vote, as far as this node knows, and whether a change is under way.
    pub fn membership(&self) -> &Membership {
        self.members.current()
    }

    /// The index of the entry that says so; 0 if none ever did.
    pub fn membership_index(&self) -> u64 {
        self.members.current_index()
    }

    fn administer(&mut self, request: RequestId, what: Administration, effects: &mut Effects) {
        match what {
            Administration::AddMember(node) => self.add_member(node, request, effects),
            Administration::RemoveMember(node) => self.remove_member(node, request, effects),
            Administration::Transfer { to } => self.begin_handover(to, request, effects),
            Administration::Snapshot => self.snapshot_now(request, effects),
        }
    }

    fn tick(&mut self, effects: &mut Effects) {
        self.silence_ticks = self.silence_ticks.saturating_add(1);
        self.bound_ticks = self.bound_ticks.saturating_sub(1);
        match self.role {
            Role::Leader(_) => self.tick_leader(effects),
            _ if self.silence_ticks >= self.patience_ticks && self.may_stand() => {
                self.begin_pre_vote(effects)
            }
            _ => {}
        }
    }

    fn receive(&mut self, from: NodeId, message: Message, effects: &mut Effects) {
        // Whoever it is from: the sender may have a vote by an entry that is not here yet (paper section 6).
        if from == self.config.me {
            return;
        }
        let Message { term, body } = message;
        let unwanted = matches!(
            body,
            Body::PreVote { .. } | Body::RequestVote { handover: false, .. }
        );
        if unwanted && self.has_live_leader() {
            self.decline(from, &body, effects);
            return;
        }
        if term < self.term {
            match body {
                Body::Vote { granted } | Body::PreVoteReply { granted }
                    if self.config.has(&defects::RECYCLED_VOTES) =>
                {
                    self.count_vote(from, granted, effects);
                }
                _ => self.answer_stale(from, &body, effects),
            }
            return;
        }
        if term > self.term {
            if matches!(body, Body::RequestVote { handover: true, .. }) {
                self.conclude_handover(from, effects);
            }
            // Whoever sees a higher term belongs to it from then on (paper 5.1).
            self.enter_term(term, effects);
        }
        match body {
            Body::PreVote { last } => self.answer_pre_vote(from, last, effects),
            Body::PreVoteReply { granted } => self.count_pre_vote(from, granted, effects),
            Body::RequestVote { last, .. } => self.answer_vote(from, last, effects),
            Body::Vote { granted } => self.count_vote(from, granted, effects),
            Body::Append {
                previous,
                entries,
                commit,
            } => {
                self.follow(from, effects);
                self.accept_entries(from, previous, entries, commit, effects);
            }
            Body::Heartbeat { round, commit } => {
                self.follow(from, effects);
                self.accept_heartbeat(from, round, commit, effects);
            }
            Body::Appended { matched } => self.peer_appended(from, matched, effects),
            Body::Conflict { previous, hint } => self.peer_conflicts(from, previous, hint, effects),
            Body::HeartbeatReply { round } => self.peer_answered_round(from, round, effects),
            Body::Chunk(chunk) => {
                self.follow(from, effects);
                self.accept_chunk(from, chunk, effects);
            }
            Body::ChunkWanted { index, offset } => self.peer_wants_chunk(from, index, offset, effects),
            Body::TimeoutNow => self.stand_now(from, effects),
        }
    }

    /// Answers a message of an earlier term, so that a leader or candidate left behind learns of this one
    /// (paper 5.1). Answers are not answered.
    fn answer_stale(&mut self, from: NodeId, body: &Body, effects: &mut Effects) {
        match body {
            Body::PreVote { .. } | Body::RequestVote { .. } => self.decline(from, body, effects),
            Body::Append { .. } | Body::Heartbeat { .. } | Body::Chunk(_) => {
                self.promise_message(from, Body::HeartbeatReply { round: 0 }, effects);
            }
            _ => {}
        }
    }

    /// Moves to a later term, in which this node has not voted and knows no leader.
    pub(super) fn enter_term(&mut self, term: u64, effects: &mut Effects) {
        assert!(term > self.term, "terms only grow: {} to {term}", self.term);
        self.become_follower(effects);
        self.term = term;
        self.voted_for = None;
        self.state_unsaved = true;
        self.disk.forget_promises();
        self.snapshots.forget_arriving();
    }

    /// Writes the term and the vote if they have changed.
    pub(super) fn save_state(&mut self, effects: &mut Effects) {
        if self.state_unsaved {
            self.state_unsaved = false;
            self.disk.persist(&self.state_record(), effects);
        }
    }

    /// The term and the vote, as they are kept.
    pub(super) fn state_record(&self) -> Record {
        let forgets = self.config.has(&defects::FORGOTTEN_VOTES);
        Record::State {
            term: self.term,
            voted_for: self.voted_for.filter(|_| !forgets),
        }
    }

    /// Sends at once: for messages that promise nothing about this node's state.
    pub(super) fn send(&self, to: NodeId, body: Body, effects: &mut Effects) {
        effects.push(Effect::Send {
            to,
            message: Message {
                term: self.term,
                body,
            },
        });
    }

    /// Sends when all that was written so far is durable.
    pub(super) fn promise_message(&mut self, to: NodeId, body: Body, effects: &mut Effects) {
        let message = Message {
            term: self.term,
            body,
        };
        self.promise(Promise::Send { to, message }, effects);
    }

    /// Does what is promised when all that was written so far is durable.
    pub(super) fn promise(&mut self, promise: Promise, effects: &mut Effects) {
        self.save_state(effects);
        if let Some(promise) = self.disk.promise(promise) {
            self.keep(promise, effects);
        }
    }

    fn keep(&mut self, promise: Promise, effects: &mut Effects) {
        match promise {
            Promise::Send { to, message } => effects.push(Effect::Send { to, message }),
            Promise::OwnVote => self.count_vote(self.config.me, true, effects),
        }
    }

    fn persisted(&mut self, write: WriteId, effects: &mut Effects) {
        let mut due = self.disk.persisted(write).into_iter().peekable();
        while let Some(promise) = due.next() {
            // Of acknowledgements that one fsync released together, the last says all.
            if !due.peek().is_some_and(|next| supersedes(next, &promise)) {
                self.keep(promise, effects);
            }
        }
        self.snapshots_written(effects);
        // The leader's own copy of an entry counts like any other: when it is durable.
        self.advance_commit(effects);
    }
}

/// Do both acknowledge appends to the same leader, the later one at least as far?
fn supersedes(later: &Promise, earlier: &Promise) -> bool {
    match (earlier, later) {
        (
            Promise::Send {
                to: first,
                message:
                    Message {
                        body: Body::Appended { matched: before },
                        ..
                    },
            },
            Promise::Send {
                to: second,
                message:
                    Message {
                        body: Body::Appended { matched: after },
                        ..
                    },
            },
        ) => first == second && before <= after,
        _ => false,
    }
}
