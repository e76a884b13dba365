//! One node: its state, and one step of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::RngExt;

use super::acceptor::{Acceptor, Instance};
use super::ballots::Rounds;
use super::catch_up::Scan;
use super::message::{Body, Message};
use super::outbox::{Outbox, Promise};
use super::proposer::Attempt;
use super::read::Inquiry;
use super::record::Recovered;
use crate::Random;
use crate::config::{Config, NodeId};
use crate::durable::Writes;
use crate::protocol::{
    Administration, Command, Effect, Input, OnDisk, Protocol, RecoverError, RequestId, Role, Status,
};

pub(super) type Effects = Vec<Effect<Message>>;

/// Names an instance: a key of the store.
pub type Key = Arc<str>;

/// How many clients' requests may wait for instances to be decided. More are refused.
pub(super) const WAITING_MAX: usize = 16_384;

/// A node of a Paxos cluster. See the module for the map.
#[derive(Debug)]
pub struct Paxos {
    pub(super) config: Config,
    pub(super) random: Random,
    /// Ticks since the start.
    pub(super) now: u64,

    // What must survive, as it is in memory; `writes` knows how much of it is durable.
    pub(super) rounds: Rounds,
    pub(super) acceptor: Acceptor,
    pub(super) decisions: BTreeMap<Key, Command>,
    pub(super) writes: Writes<Promise>,
    /// How many changes the log holds since it was cut.
    pub(super) log_changes: u64,
    /// How many decisions were known when it was.
    pub(super) in_snapshot: u64,

    // What is forgotten in a crash.
    /// The last index that was handed out to be applied.
    pub(super) applied: u64,
    /// The instances that this node is bringing to a decision.
    pub(super) attempts: BTreeMap<Key, Attempt>,
    /// The questions that it asks about others.
    pub(super) inquiries: BTreeMap<Key, Vec<Inquiry>>,
    /// The last question's number.
    pub(super) questions: u64,
    /// How many clients' requests wait, over all attempts and inquiries.
    pub(super) waiting: usize,
    /// At which tick what is to be looked at again.
    pub(super) alarms: BTreeSet<(u64, Alarm)>,
    pub(super) scan: Scan,
    pub(super) outbox: Outbox,
}

/// What is to be looked at again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// An attempt may have to go on.
    Attempt(Key),
    /// A question may have to be asked again.
    Inquiry(Key, u64),
    /// An instance in which something was accepted may still not be decided.
    Unfinished(Key),
}

impl Protocol for Paxos {
    const NAME: &'static str = "paxos";
    type Message = Message;

    fn recover(
        config: Config,
        mut disk: OnDisk<'_>,
        mut random: Random,
        effects: &mut Effects,
    ) -> Result<Self, RecoverError> {
        let recovered = Recovered::from_disk(&mut disk)?;
        let promised = recovered.acceptor.instances.values();
        let highest = promised.map(|its| its.promised.round).max().unwrap_or(0);
        // An answer to a question of an earlier life must not be taken for one to a question of this.
        let questions = u64::from(random.random::<u32>()) << 24;
        let mut paxos = Paxos {
            rounds: Rounds::recovered(recovered.reserved, highest),
            acceptor: recovered.acceptor,
            decisions: recovered.decisions,
            writes: Writes::recovered(&disk),
            log_changes: recovered.changes,
            in_snapshot: recovered.in_snapshot,
            now: 0,
            applied: 0,
            attempts: BTreeMap::new(),
            inquiries: BTreeMap::new(),
            questions,
            waiting: 0,
            alarms: BTreeSet::new(),
            scan: Scan::default(),
            outbox: Outbox::default(),
            config,
            random,
        };
        // The order does not matter: each decision is about another register.
        for value in paxos.decisions.values() {
            paxos.applied += 1;
            effects.push(Effect::Apply {
                index: paxos.applied,
                command: Some(Command::clone(value)),
                request: None,
            });
        }
        let accepted = paxos.acceptor.instances.iter();
        let accepted = accepted.filter(|(_, instance)| instance.accepted.is_some());
        let accepted: Vec<Key> = accepted.map(|(key, _)| Key::clone(key)).collect();
        accepted.iter().for_each(|key| paxos.finish_later(key));
        paxos.schedule_scan();
        Ok(paxos)
    }

    fn step(&mut self, input: Input<Message>, effects: &mut Effects) {
        match input {
            Input::Tick => self.tick(effects),
            Input::Receive { from, message } => self.receive(from, message, effects),
            Input::Propose(proposals) => {
                for proposal in proposals {
                    self.propose(proposal, effects);
                }
            }
            Input::Read(queries) => self.read(queries, effects),
            Input::Administer { request, what } => self.administer(request, what, effects),
            Input::Persisted(write) => {
                for promise in self.writes.persisted(write) {
                    self.keep(promise, effects);
                }
            }
            // It is not asked for.
            Input::SnapshotTaken { .. } => {}
        }
        self.flush(effects);
        self.cut_long_log(effects);
    }

    /// There is no leader, and no order between decisions: the indexes count those that this node knows.
    fn status(&self) -> Status {
        let decided = self.decisions.len() as u64;
        Status {
            role: if self.is_member() {
                Role::Follower
            } else {
                Role::Learner
            },
            term: self.rounds.highest,
            leader: None,
            commit: decided,
            applied: decided,
            last_index: decided,
            snapshot_index: self.in_snapshot,
        }
    }

    fn members(&self) -> Vec<NodeId> {
        self.config.members().to_vec()
    }
}

impl Paxos {
    /// What was decided for this key, as far as this node knows.
    pub fn decision(&self, key: &str) -> Option<&Command> {
        self.decisions.get(key)
    }

    /// What this node, as an acceptor, remembers of the instances that are not decided.
    pub fn instances(&self) -> impl Iterator<Item = (&Key, &Instance)> {
        self.acceptor.instances.iter()
    }

    /// Would what was accepted here survive a crash of this node?
    pub fn is_durable(&self, instance: &Instance) -> bool {
        self.writes.is_durable(instance.write)
    }

    /// Has this node a vote?
    pub(super) fn is_member(&self) -> bool {
        self.config.members().contains(&self.config.me)
    }

    pub(super) fn peers(&self) -> Vec<NodeId> {
        self.config.peers().collect()
    }

    pub(super) fn members_to_ask(&self) -> Vec<NodeId> {
        self.config.members().to_vec()
    }

    fn tick(&mut self, effects: &mut Effects) {
        self.now += 1;
        while let Some((due, _)) = self.alarms.first()
            && *due <= self.now
            && let Some((due, alarm)) = self.alarms.pop_first()
        {
            match alarm {
                Alarm::Attempt(key) => self.attempt_is_due(&key, due, effects),
                Alarm::Inquiry(key, number) => self.inquiry_is_due(&key, number, effects),
                Alarm::Unfinished(key) => self.finish(&key),
            }
        }
        self.tick_scan();
    }

    fn receive(&mut self, from: NodeId, message: Message, effects: &mut Effects) {
        if from == self.config.me || !self.config.members().contains(&from) {
            return;
        }
        for body in message.0 {
            self.hear(from, body, effects);
        }
    }

    /// Takes in what a member says; this node is one of them.
    pub(super) fn hear(&mut self, from: NodeId, body: Body, effects: &mut Effects) {
        match body {
            Body::Prepare { key, ballot } => self.answer_prepare(from, key, ballot),
            Body::Promise {
                key,
                ballot,
                accepted,
            } => self.count_promise(from, &key, ballot, accepted, effects),
            Body::Accept { key, proposal } => self.answer_accept(from, key, proposal),
            Body::Accepted { key, ballot } => self.count_accepted(from, &key, ballot, effects),
            Body::Preempted {
                key,
                ballot,
                promised,
            } => self.is_preempted(from, &key, ballot, promised),
            Body::Decided { key, value } => self.learn(&key, value, effects),
            Body::Inquire { key, number } => self.answer_inquiry(from, key, number),
            Body::Holds {
                key,
                number,
                accepted,
            } => self.count_answer(from, &key, number, accepted, effects),
            Body::Compare {
                after,
                upto,
                count,
                digest,
            } => self.compare(from, after, upto, (count, digest)),
            Body::Differs { upto, decisions } => self.catch_up(from, upto, decisions, effects),
        }
    }

    fn administer(&mut self, request: RequestId, what: Administration, effects: &mut Effects) {
        let why = match what {
            Administration::Snapshot => {
                self.flush(effects);
                self.cut_log(effects);
                self.promise(Promise::Done(request), effects);
                return;
            }
            Administration::AddMember(_) | Administration::RemoveMember(_) => {
                "the members of a cluster of single-decree Paxos are fixed"
            }
            Administration::Transfer { .. } => "this protocol has no leader",
        };
        effects.push(Effect::Reject { request, why });
    }
}
