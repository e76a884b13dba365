//! The core, one step at a time: effects are compared whole.

mod elections;
mod encoding;
mod figures;
mod handover;
mod leases;
mod members;
mod planted;
mod reads;
mod replication;
mod snapshots;

use std::sync::Arc;

use rand::SeedableRng;

use super::defects;
use super::log::{Entry, Payload, Position};
use super::message::{Body, Message};
use super::node::Raft;
use super::record::Record;
use crate::Random;
use crate::codec::Encode;
use crate::config::{Config, NodeId};
use crate::defect::Defect;
use crate::protocol::{
    Administration, Command, Effect, Input, OnDisk, Proposal, Protocol, Query, RecoverError, RequestId, Role,
    WriteId,
};

const HEARTBEAT_TICKS: u32 = 5;
const ELECTION_TICKS: u32 = 50;

/// The node `n<number>`.
fn n(number: usize) -> NodeId {
    NodeId::new(&format!("n{number}")).expect("a good name")
}

fn command(text: &str) -> Command {
    text.as_bytes().into()
}

fn entry(term: u64, text: &str) -> Entry {
    Entry {
        term,
        payload: Payload::Command(command(text)),
    }
}

fn noop(term: u64) -> Entry {
    Entry {
        term,
        payload: Payload::Noop,
    }
}

/// Entries of these terms; each command says its index and term.
fn entries(terms: &[u64]) -> Vec<Entry> {
    (1..)
        .zip(terms)
        .map(|(index, &term): (u64, _)| entry(term, &format!("{index}:{term}")))
        .collect()
}

fn at(term: u64, index: u64) -> Position {
    Position { term, index }
}

fn send(to: usize, term: u64, body: Body) -> Effect<Message> {
    Effect::Send {
        to: n(to),
        message: Message { term, body },
    }
}

fn receive(from: usize, term: u64, body: Body) -> Input<Message> {
    Input::Receive {
        from: n(from),
        message: Message { term, body },
    }
}

fn persist(write: u64, record: Record) -> Effect<Message> {
    Effect::Persist {
        write: WriteId(write),
        record: record.to_bytes(),
    }
}

fn persist_state(write: u64, term: u64, voted_for: Option<usize>) -> Effect<Message> {
    persist(
        write,
        Record::State {
            term,
            voted_for: voted_for.map(n),
        },
    )
}

fn persist_entries(write: u64, first_index: u64, entries: Vec<Entry>) -> Effect<Message> {
    persist(write, Record::Entries { first_index, entries })
}

fn apply(index: u64, entry: &Entry, request: Option<u64>) -> Effect<Message> {
    Effect::Apply {
        index,
        command: entry.command().cloned(),
        request: request.map(RequestId),
    }
}

fn propose(request: u64, text: &str) -> Input<Message> {
    Input::Propose(vec![Proposal {
        request: RequestId(request),
        command: command(text),
    }])
}

/// Node 1 of `size`, with what a disk kept: a term in which it did not vote, and a log.
fn recovered(size: usize, term: u64, log_terms: &[u64], defect: Option<&'static Defect>) -> Raft {
    node(1, size, term, log_terms, defect)
}

fn node(me: usize, size: usize, term: u64, log_terms: &[u64], defect: Option<&'static Defect>) -> Raft {
    let peers = (1..=size).filter(|&number| number != me).map(n);
    let config = Config::new(n(me), peers, HEARTBEAT_TICKS, ELECTION_TICKS).expect("a good configuration");
    let records = [
        Record::State {
            term,
            voted_for: None,
        }
        .to_bytes(),
        Record::Entries {
            first_index: 1,
            entries: entries(log_terms),
        }
        .to_bytes(),
    ];
    recover(config.with_defect(defect), &records).expect("a good log")
}

fn recover(config: Config, records: &[Vec<u8>]) -> Result<Raft, RecoverError> {
    let random = Random::seed_from_u64(1);
    let disk = OnDisk::new(None, records);
    Raft::recover(config, disk, random, &mut Vec::new())
}

fn query(request: RequestId) -> Input<Message> {
    queries(&[request.0])
}

fn queries(requests: &[u64]) -> Input<Message> {
    let query = |&request| Query {
        request: RequestId(request),
        command: command("read"),
    };
    Input::Read(requests.iter().map(query).collect())
}

fn step(raft: &mut Raft, input: Input<Message>) -> Vec<Effect<Message>> {
    let mut effects = Vec::new();
    raft.step(input, &mut effects);
    effects
}

/// All that was written is durable.
fn persist_all(raft: &mut Raft) -> Vec<Effect<Message>> {
    step(raft, Input::Persisted(WriteId(u64::MAX)))
}

/// Has the node ask for pre-votes, by its own impatience.
fn lose_patience(raft: &mut Raft) -> Vec<Effect<Message>> {
    for _ in 0..2 * ELECTION_TICKS {
        let effects = step(raft, Input::Tick);
        if !effects.is_empty() {
            return effects;
        }
    }
    panic!("patience has no end");
}

/// Has the node be elected by as many others as it takes; with its first entry not yet durable.
fn elect(raft: &mut Raft) {
    lose_patience(raft);
    let helpers = raft.config.quorum();
    for helper in 2..=helpers {
        step(
            raft,
            receive(helper, raft.term, Body::PreVoteReply { granted: true }),
        );
    }
    persist_all(raft);
    for helper in 2..=helpers {
        step(raft, receive(helper, raft.term, Body::Vote { granted: true }));
    }
    assert_eq!(raft.status().role, Role::Leader);
}
