//! One node: its state, and one step of it.

use std::collections::BTreeSet;

use super::ballot::Ballot;
use super::candidate::PhaseOne;
use super::configuration::Configurations;
use super::leader::Leadership;
use super::learner::CatchUp;
use super::log::Log;
use super::message::Message;
use super::record::{Record, Recovered};
use super::snapshot::Snapshots;
use crate::Random;
use crate::config::{Config, NodeId};
use crate::durable::Writes;
use crate::protocol::{
    self, Administration, Effect, Input, OnDisk, Protocol, RecoverError, RequestId, Status, WriteId,
};

pub(super) type Effects = Vec<Effect<Message>>;

/// A node of a Multi-Paxos cluster: proposer, acceptor and learner in one. See the module for the map.
#[derive(Debug)]
pub struct MultiPaxos {
    pub(super) config: Config,
    pub(super) random: Random,

    // The acceptor's state, as it is in memory; `writes` knows how much of it is durable.
    /// Nothing is accepted in a ballot before this one.
    pub(super) promised: Option<Ballot>,
    pub(super) log: Log,
    pub(super) writes: Writes<Promise>,

    // The learner's state.
    /// The slots up to here are known to be chosen, and applied.
    pub(super) chosen: u64,
    /// The slots up to here are chosen, as the leader of the ballot `promised` says.
    pub(super) told: u64,
    pub(super) configurations: Configurations,
    /// The write by which it is on disk that the current configuration is in force.
    pub(super) in_force_by: WriteId,
    pub(super) catch_up: CatchUp,
    pub(super) snapshots: Snapshots,

    // The proposer's state.
    pub(super) role: Role,
    /// The leader of the ballot `promised`, once it has been heard.
    pub(super) leader: Option<NodeId>,
    /// The latest round that it has heard of.
    pub(super) round_seen: u64,

    /// Ticks since this node started.
    pub(super) ticks: u64,
    /// Ticks since the leader was last heard, or since this node last did something about its silence.
    pub(super) silence_ticks: u32,
    /// How long a silence it bears this time.
    pub(super) patience_ticks: u32,
}

/// What the node does as a proposer.
#[derive(Debug)]
pub(super) enum Role {
    Follower,
    /// Asks whether it would be answered, before it disturbs anyone.
    Canvassing {
        willing: BTreeSet<NodeId>,
    },
    /// In phase 1 of the ballot `promised`, which is its own.
    Candidate(PhaseOne),
    /// In phase 2 of the ballot `promised`, which is its own.
    Leader(Box<Leadership>),
}

/// What may not happen before all that was written so far is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// The message leaves.
    Send { to: NodeId, message: Message },
    /// The candidate's promise to itself counts.
    Own(Ballot),
    /// The leader's own acceptance counts.
    OwnAccepted { ballot: Ballot, first: u64, last: u64 },
}

impl Protocol for MultiPaxos {
    const NAME: &'static str = "multi-paxos";
    type Message = Message;

    fn recover(
        config: Config,
        mut disk: OnDisk<'_>,
        random: Random,
        effects: &mut Effects,
    ) -> Result<Self, RecoverError> {
        let Recovered {
            promised,
            log,
            chosen,
        } = Recovered::from_records(&mut disk.records)?;
        let configurations = Configurations::new(config.members());
        let mut node = MultiPaxos {
            config,
            random,
            promised,
            log,
            writes: Writes::recovered(&disk),
            chosen: 0,
            told: 0,
            configurations,
            in_force_by: WriteId(0),
            catch_up: CatchUp::default(),
            snapshots: Snapshots::default(),
            role: Role::Follower,
            leader: None,
            round_seen: 0,
            ticks: 0,
            silence_ticks: 0,
            patience_ticks: 0,
        };
        if let Some(bytes) = disk.snapshot {
            node.begin_with_snapshot(bytes, effects)
                .map_err(RecoverError::BadSnapshot)?;
        }
        for slot in node.chosen + 1..=chosen.min(node.log.last()) {
            node.log.mark_chosen(slot);
        }
        if let Some(ballot) = promised {
            node.hear_of(ballot);
        }
        node.draw_patience();
        node.advance(effects);
        Ok(node)
    }

    fn step(&mut self, input: Input<Message>, effects: &mut Effects) {
        match input {
            Input::Tick => self.tick(effects),
            Input::Receive { from, message } => self.receive(from, message, effects),
            Input::Propose(proposals) => self.propose(proposals, effects),
            Input::Read(queries) => {
                self.read(queries.into_iter().map(|query| query.request).collect(), effects);
            }
            Input::Administer { request, what } => self.administer(request, what, effects),
            Input::Persisted(write) => self.persisted(write, effects),
            Input::SnapshotTaken { index, state } => self.snapshot_taken(index, state, effects),
        }
    }

    fn status(&self) -> Status {
        Status {
            role: match self.role {
                Role::Leader(_) => protocol::Role::Leader,
                Role::Canvassing { .. } | Role::Candidate(_) => protocol::Role::Candidate,
                Role::Follower if self.is_member() => protocol::Role::Follower,
                Role::Follower => protocol::Role::Learner,
            },
            term: self.promised.map_or(0, |ballot| ballot.round),
            leader: self.leader,
            commit: self.chosen,
            applied: self.chosen,
            last_index: self.log.last(),
            snapshot_index: self.snapshots.index(),
        }
    }

    fn members(&self) -> Vec<NodeId> {
        self.configurations.current().members.clone()
    }
}

impl MultiPaxos {
    /// The slots, durable or not.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The ballot before which it accepts nothing any more; the one that it leads, if it does.
    pub fn promised(&self) -> Option<Ballot> {
        self.promised
    }

    /// Has it a vote, as far as it knows?
    pub(super) fn is_member(&self) -> bool {
        self.configurations.current().members.contains(&self.config.me)
    }

    fn tick(&mut self, effects: &mut Effects) {
        self.ticks += 1;
        self.silence_ticks = self.silence_ticks.saturating_add(1);
        match self.role {
            Role::Leader(_) => self.tick_leader(effects),
            _ if self.silence_ticks >= self.patience_ticks => self.lose_patience(effects),
            Role::Candidate(_) => self.try_to_lead(effects),
            _ => {}
        }
    }

    fn receive(&mut self, from: NodeId, message: Message, effects: &mut Effects) {
        if from == self.config.me {
            return;
        }
        match message {
            Message::Canvass { chosen } => self.answer_canvass(from, chosen, effects),
            Message::Willing {
                willing,
                promised,
                chosen,
            } => self.count_willing(from, willing, promised, chosen, effects),
            Message::Prepare { ballot, first, after } => {
                self.answer_prepare(from, ballot, first, after, effects);
            }
            Message::Promise {
                ballot,
                omitted,
                votes,
            } => self.count_promise(from, ballot, omitted, votes, effects),
            Message::Accept {
                ballot,
                first,
                values,
                chosen,
            } => self.answer_accept(from, ballot, first, values, chosen, effects),
            Message::Accepted { ballot, first, last } => {
                self.count_accepted(from, ballot, first, last, effects);
            }
            Message::Preempted { promised } => self.preempted(promised, effects),
            Message::Heartbeat {
                ballot,
                round,
                chosen,
            } => {
                self.answer_heartbeat(from, ballot, round, chosen, effects);
            }
            Message::HeartbeatReply {
                ballot,
                round,
                chosen,
            } => {
                self.count_heartbeat(from, ballot, round, chosen, effects);
            }
            Message::Learn { from: slot } => self.teach(from, slot, effects),
            Message::Chosen {
                first,
                votes,
                through,
            } => {
                self.learn(from, first, votes, through, effects);
            }
            Message::Chunk(chunk) => self.take_chunk(from, chunk, effects),
            Message::WantChunk { index, offset } => self.send_chunk(from, index, offset, effects),
            Message::HandOver { ballot } => self.take_over(ballot, effects),
        }
    }

    fn administer(&mut self, request: RequestId, what: Administration, effects: &mut Effects) {
        match what {
            Administration::Snapshot => self.snapshot_wanted(request, effects),
            _ if !matches!(self.role, Role::Leader(_)) => effects.push(Effect::Refuse {
                request,
                leader: self.leader,
            }),
            Administration::AddMember(node) => self.add_member(request, node, effects),
            Administration::RemoveMember(node) => self.remove_member(request, node, effects),
            Administration::Transfer { to } => self.begin_handover(request, to, effects),
        }
    }

    /// A later ballot than any before. What the leader of the one before told of is not to be related to
    /// what is accepted in this one.
    pub(super) fn set_promised(&mut self, ballot: Ballot) {
        self.hear_of(ballot);
        self.promised = Some(ballot);
        self.told = 0;
    }

    pub(super) fn persist(&mut self, record: &Record, effects: &mut Effects) -> WriteId {
        self.writes.persist(record, effects)
    }

    /// Sends at once: for messages that promise nothing about this node's state.
    pub(super) fn send(to: NodeId, message: Message, effects: &mut Effects) {
        effects.push(Effect::Send { to, message });
    }

    /// Sends when all that was written so far is durable.
    pub(super) fn promise_message(&mut self, to: NodeId, message: Message, effects: &mut Effects) {
        self.promise(Promise::Send { to, message }, effects);
    }

    /// Sends when it is durable that the current configuration is in force.
    pub(super) fn promise_in_force(&mut self, to: NodeId, message: Message, effects: &mut Effects) {
        let promise = Promise::Send { to, message };
        if let Some(promise) = self.writes.promise_after(self.in_force_by, promise) {
            self.keep(promise, effects);
        }
    }

    /// Does what is promised when all that was written so far is durable.
    pub(super) fn promise(&mut self, promise: Promise, effects: &mut Effects) {
        if let Some(promise) = self.writes.promise(promise) {
            self.keep(promise, effects);
        }
    }

    fn keep(&mut self, promise: Promise, effects: &mut Effects) {
        match promise {
            Promise::Send { to, message } => Self::send(to, message, effects),
            Promise::Own(ballot) => self.count_own_promise(ballot, effects),
            Promise::OwnAccepted { ballot, first, last } => {
                self.count_accepted(self.config.me, ballot, first, last, effects);
            }
        }
    }

    fn persisted(&mut self, write: WriteId, effects: &mut Effects) {
        let mut due: Vec<Promise> = Vec::new();
        for promise in self.writes.persisted(write) {
            // Acknowledgements that one fsync released together leave as one.
            if !due.last_mut().is_some_and(|last| joins(last, &promise)) {
                due.push(promise);
            }
        }
        for promise in due {
            self.keep(promise, effects);
        }
        self.snapshot_persisted(effects);
    }
}

/// Makes the former acknowledge what the latter does, too, if that follows without a gap.
fn joins(former: &mut Promise, latter: &Promise) -> bool {
    let (
        Promise::Send {
            to,
            message: Message::Accepted { ballot, last, .. },
        },
        Promise::Send {
            to: next_to,
            message:
                Message::Accepted {
                    ballot: next_ballot,
                    first,
                    last: next_last,
                },
        },
    ) = (former, latter)
    else {
        return false;
    };
    let follows = (&*to, &*ballot, *last + 1) == (next_to, next_ballot, *first);
    if follows {
        *last = *next_last;
    }
    follows
}
