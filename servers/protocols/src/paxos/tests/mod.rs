//! The core, one step at a time.

mod acceptor;
mod administration;
mod catch_up;
mod encoding;
mod proposer;
mod reads;
mod restart;

use std::collections::VecDeque;

use rand::SeedableRng;

use super::ballots::{Ballot, Numbered};
use super::message::{Body, Message};
use super::node::{Key, Paxos};
use crate::Random;
use crate::codec::Encode as _;
use crate::config::{Config, NodeId};
use crate::defect::Defect;
use crate::protocol::{Command, Effect, Input, OnDisk, Proposal, Protocol, Query, RequestId, WriteId};
use crate::store::{self, Operation, SessionSequence, Value};

const HEARTBEAT_TICKS: u32 = 5;
const ELECTION_TICKS: u32 = 50;

/// The node `n<number>`.
fn n(number: usize) -> NodeId {
    NodeId::new(&format!("n{number}")).expect("a good name")
}

fn key() -> Key {
    Key::from("x")
}

fn ballot(round: u64, node: usize) -> Ballot {
    Ballot { round, node: n(node) }
}

/// The value that is agreed on when a client proposes this number for `key`.
fn value_of(key: &str, number: i64) -> Command {
    let operation = Operation::Propose {
        key: key.into(),
        value: Value::Int(number),
    };
    let session = None;
    store::Command { session, operation }.to_bytes().into()
}

fn value(number: i64) -> Command {
    value_of("x", number)
}

fn numbered(ballot: Ballot, number: i64) -> Numbered {
    let value = value(number);
    Numbered { ballot, value }
}

fn prepare(ballot: Ballot) -> Body {
    Body::Prepare { key: key(), ballot }
}

fn promise(ballot: Ballot, accepted: Option<Numbered>) -> Body {
    Body::Promise {
        key: key(),
        ballot,
        accepted,
    }
}

fn accept(ballot: Ballot, number: i64) -> Body {
    let proposal = numbered(ballot, number);
    Body::Accept { key: key(), proposal }
}

fn accepted(ballot: Ballot) -> Body {
    Body::Accepted { key: key(), ballot }
}

fn preempted(ballot: Ballot, promised: Ballot) -> Body {
    Body::Preempted {
        key: key(),
        ballot,
        promised,
    }
}

fn decided(number: i64) -> Body {
    let value = value(number);
    Body::Decided { key: key(), value }
}

/// A client proposes a number for `x`, as one of a session: which the protocol drops.
fn propose(request: u64, number: i64) -> Input<Message> {
    let session = SessionSequence {
        session: "c".into(),
        sequence: request,
    };
    let operation = Operation::Propose {
        key: "x".into(),
        value: Value::Int(number),
    };
    apply_command(request, Some(session), operation)
}

fn apply_command(request: u64, session: Option<SessionSequence>, operation: Operation) -> Input<Message> {
    Input::Propose(vec![Proposal {
        request: RequestId(request),
        command: store::Command { session, operation }.to_bytes().into(),
    }])
}

fn query(request: u64) -> Query {
    let operation = Operation::Read { key: "x".into() };
    let session = None;
    Query {
        request: RequestId(request),
        command: store::Command { session, operation }.to_bytes().into(),
    }
}

fn read(request: u64) -> Input<Message> {
    Input::Read(vec![query(request)])
}

fn hear(from: usize, body: Body) -> Input<Message> {
    Input::Receive {
        from: n(from),
        message: Message(vec![body]),
    }
}

fn applied(index: u64, number: i64, request: Option<u64>) -> Effect<Message> {
    Effect::Apply {
        index,
        command: Some(value(number)),
        request: request.map(RequestId),
    }
}

fn config(me: usize, size: usize) -> Config {
    let peers = (1..=size).filter(|&number| number != me).map(n);
    Config::new(n(me), peers, HEARTBEAT_TICKS, ELECTION_TICKS).expect("a good configuration")
}

/// A new node `me` of so many.
fn node(me: usize, size: usize, defect: Option<&'static Defect>) -> Paxos {
    recover(config(me, size).with_defect(defect), None, &[]).0
}

fn recover(config: Config, snapshot: Option<&[u8]>, records: &[Vec<u8>]) -> (Paxos, Vec<Effect<Message>>) {
    let mut effects = Vec::new();
    let random = Random::seed_from_u64(1);
    let paxos = Paxos::recover(config, OnDisk::new(snapshot, records), random, &mut effects);
    (paxos.expect("a good disk"), effects)
}

fn step(paxos: &mut Paxos, input: Input<Message>) -> Vec<Effect<Message>> {
    let mut effects = Vec::new();
    paxos.step(input, &mut effects);
    effects
}

/// All that was written is durable.
fn persist_all(paxos: &mut Paxos) -> Vec<Effect<Message>> {
    step(paxos, Input::Persisted(WriteId(u64::MAX)))
}

/// What is said, and to whom; each body by itself.
fn said(effects: &[Effect<Message>]) -> Vec<(NodeId, Body)> {
    let bodies = effects.iter().flat_map(|effect| match effect {
        Effect::Send { to, message } => message.0.iter().map(|body| (*to, body.clone())).collect(),
        _ => Vec::new(),
    });
    bodies.collect()
}

/// The same, said to several.
fn to(nodes: &[usize], body: &Body) -> Vec<(NodeId, Body)> {
    nodes.iter().map(|&number| (n(number), body.clone())).collect()
}

/// The records that were written.
fn records(effects: &[Effect<Message>]) -> Vec<Vec<u8>> {
    let records = effects.iter().filter_map(|effect| match effect {
        Effect::Persist { record, .. } => Some(record.clone()),
        _ => None,
    });
    records.collect()
}

/// What is not said or written: what clients and the store learn of.
fn told(effects: &[Effect<Message>]) -> Vec<Effect<Message>> {
    let is_told = |effect: &&Effect<Message>| !matches!(effect, Effect::Send { .. } | Effect::Persist { .. });
    effects.iter().filter(is_told).cloned().collect()
}

fn tick(paxos: &mut Paxos, ticks: u32) -> Vec<Effect<Message>> {
    (0..ticks).flat_map(|_| step(paxos, Input::Tick)).collect()
}

/// Nodes whose disks are quick and whose messages arrive, but for those to nodes that are cut off.
struct Cluster {
    nodes: Vec<Paxos>,
    cut_off: Vec<usize>,
    under_way: VecDeque<(usize, NodeId, Message)>,
    told: Vec<(usize, Effect<Message>)>,
}

impl Cluster {
    fn new(size: usize) -> Cluster {
        Cluster {
            nodes: (1..=size).map(|me| node(me, size, None)).collect(),
            cut_off: Vec::new(),
            under_way: VecDeque::new(),
            told: Vec::new(),
        }
    }

    /// Steps a node, by its number, and lets everything follow from it.
    fn step(&mut self, number: usize, input: Input<Message>) {
        self.step_alone(number, input);
        while let Some((from, to, message)) = self.under_way.pop_front() {
            let number = (1..=self.nodes.len())
                .find(|&number| n(number) == to)
                .expect("a member");
            if !self.cut_off.contains(&number) && !self.cut_off.contains(&from) {
                let from = n(from);
                self.step_alone(number, Input::Receive { from, message });
            }
        }
    }

    fn step_alone(&mut self, number: usize, input: Input<Message>) {
        let mut effects = step(&mut self.nodes[number - 1], input);
        while let Some(written) = effects.iter().rev().find_map(|effect| match effect {
            Effect::Persist { write, .. } | Effect::Compact { write, .. } => Some(*write),
            _ => None,
        }) {
            let more = step(&mut self.nodes[number - 1], Input::Persisted(written));
            self.take(number, std::mem::replace(&mut effects, more));
        }
        self.take(number, effects);
    }

    fn take(&mut self, number: usize, effects: Vec<Effect<Message>>) {
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.under_way.push_back((number, to, message)),
                Effect::Persist { .. } | Effect::Compact { .. } => {}
                told => self.told.push((number, told)),
            }
        }
    }

    fn tick(&mut self, ticks: u32) {
        for _ in 0..ticks {
            for number in 1..=self.nodes.len() {
                self.step(number, Input::Tick);
            }
        }
    }

    fn decisions(&self, key: &str) -> Vec<Option<&Command>> {
        self.nodes.iter().map(|node| node.decision(key)).collect()
    }
}
