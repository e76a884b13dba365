//! The core, one step at a time.

mod acceptor;
mod leader;

use rand::SeedableRng;

use super::ballot::Ballot;
use super::log::Vote;
use super::message::Message;
use super::node::MultiPaxos;
use super::value::Value;
use crate::Random;
use crate::config::{Config, NodeId};
use crate::protocol::{Effect, Input, OnDisk, Proposal, Protocol, Query, RequestId, Role, WriteId};

const ELECTION_TICKS: u32 = 50;
const WINDOW: u64 = 4;

/// The node `n<number>`.
fn n(number: usize) -> NodeId {
    NodeId::new(&format!("n{number}")).expect("a good name")
}

fn ballot(round: u64, node: usize) -> Ballot {
    Ballot { round, node: n(node) }
}

fn value(text: &str) -> Value {
    Value::Command(text.as_bytes().into())
}

fn vote(round: u64, node: usize, text: &str) -> Vote {
    Vote {
        ballot: ballot(round, node),
        value: value(text),
    }
}

fn config(size: usize) -> Config {
    let mut config = Config::new(n(1), (2..=size).map(n), 5, ELECTION_TICKS).expect("a good configuration");
    config.window = WINDOW;
    config
}

/// Node 1 of `size`, with what the disk kept.
fn node(size: usize, records: &[Vec<u8>]) -> MultiPaxos {
    let disk = OnDisk::new(None, records);
    MultiPaxos::recover(config(size), disk, Random::seed_from_u64(1), &mut Vec::new()).expect("a good log")
}

fn step(node: &mut MultiPaxos, input: Input<Message>) -> Vec<Effect<Message>> {
    let mut effects = Vec::new();
    node.step(input, &mut effects);
    effects
}

fn receive(node: &mut MultiPaxos, from: usize, message: Message) -> Vec<Effect<Message>> {
    step(
        node,
        Input::Receive {
            from: n(from),
            message,
        },
    )
}

/// All that was written is durable.
fn persist_all(node: &mut MultiPaxos) -> Vec<Effect<Message>> {
    step(node, Input::Persisted(WriteId(u64::MAX)))
}

/// What is said to a node.
fn said_to(to: usize, effects: &[Effect<Message>]) -> Vec<Message> {
    let said = |effect: &Effect<Message>| match effect {
        Effect::Send { to: whom, message } if *whom == n(to) => Some(message.clone()),
        _ => None,
    };
    effects.iter().filter_map(said).collect()
}

/// The records that are written.
fn written(effects: &[Effect<Message>]) -> Vec<Vec<u8>> {
    let record = |effect: &Effect<Message>| match effect {
        Effect::Persist { record, .. } => Some(record.clone()),
        _ => None,
    };
    effects.iter().filter_map(record).collect()
}

fn propose(node: &mut MultiPaxos, requests: std::ops::RangeInclusive<u64>) -> Vec<Effect<Message>> {
    let proposal = |number| Proposal {
        request: RequestId(number),
        command: format!("c{number}").into_bytes().into(),
    };
    step(node, Input::Propose(requests.map(proposal).collect()))
}

/// Has node 1 of three lead ballot 1, or whichever is next, by the promise of node 2, which tells of these votes.
fn lead(node: &mut MultiPaxos, votes: Vec<(u64, Vote)>) -> Vec<Effect<Message>> {
    for _ in 0..2 * ELECTION_TICKS {
        step(node, Input::Tick);
    }
    let willing = Message::Willing {
        willing: true,
        promised: None,
        chosen: 0,
    };
    receive(node, 2, willing);
    persist_all(node);
    let ballot = node.promised().expect("its own ballot");
    let promise = Message::Promise {
        ballot,
        omitted: 0,
        votes,
    };
    let effects = receive(node, 2, promise);
    assert_eq!(node.status().role, Role::Leader);
    effects
}
