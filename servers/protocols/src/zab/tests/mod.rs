//! The core, one step at a time: effects are compared whole.

mod elections;
mod encoding;
mod members;
mod phases;
mod reads;
mod snapshots;

use rand::SeedableRng;

use super::history::{Payload, Transaction};
use super::message::{Accepted, Body, Message, Standing};
use super::node::Zab;
use super::record::Record;
use super::zxid::{Recency, Vote, Zxid};
use crate::Random;
use crate::codec::Encode;
use crate::config::{Config, NodeId};
use crate::defect::Defect;
use crate::protocol::{
    Administration, Command, Effect, Input, OnDisk, Proposal, Protocol, Query, RequestId, Role, WriteId,
};

const HEARTBEAT_TICKS: u32 = 5;
const ELECTION_TICKS: u32 = 50;

/// The node `n<number>`.
fn n(number: usize) -> NodeId {
    NodeId::new(&format!("n{number}")).expect("a good name")
}

fn z(epoch: u64, counter: u64) -> Zxid {
    Zxid { epoch, counter }
}

fn recency(epoch: u64, last: Zxid) -> Recency {
    Recency { epoch, last }
}

fn command(text: &str) -> Command {
    text.as_bytes().into()
}

/// Transactions of these names; each command says its own.
fn transactions(zxids: &[(u64, u64)]) -> Vec<Transaction> {
    let transaction = |&(epoch, counter)| Transaction {
        zxid: z(epoch, counter),
        payload: Payload::Command(command(&format!("{epoch}.{counter}"))),
    };
    zxids.iter().map(transaction).collect()
}

fn send(to: usize, epoch: u64, body: Body) -> Effect<Message> {
    Effect::Send {
        to: n(to),
        message: Message::Epoch { epoch, body },
    }
}

fn receive(from: usize, epoch: u64, body: Body) -> Input<Message> {
    Input::Receive {
        from: n(from),
        message: Message::Epoch { epoch, body },
    }
}

fn notification(round: u64, of: (u64, Zxid, usize), standing: Standing) -> Message {
    let (epoch, last, leader) = of;
    Message::Notification {
        round,
        vote: Vote {
            recency: recency(epoch, last),
            leader: n(leader),
        },
        standing,
    }
}

fn from(from: usize, message: Message) -> Input<Message> {
    Input::Receive {
        from: n(from),
        message,
    }
}

fn current_epoch(epoch: u64, leader: Option<usize>) -> Message {
    Message::CurrentEpoch {
        accepted: Accepted {
            epoch,
            leader: leader.map(n),
        },
    }
}

fn persist(write: u64, record: Record) -> Effect<Message> {
    Effect::Persist {
        write: WriteId(write),
        record: record.to_bytes(),
    }
}

fn epochs(accepted: u64, leader: usize, current: u64) -> Record {
    Record::Epochs {
        accepted: Accepted {
            epoch: accepted,
            leader: Some(n(leader)),
        },
        current,
    }
}

fn history(index: u64, previous: Zxid, zxids: &[(u64, u64)]) -> Record {
    Record::History {
        index,
        previous,
        transactions: transactions(zxids),
    }
}

fn proposal(previous: Zxid, zxids: &[(u64, u64)], commit: Zxid) -> Body {
    Body::Propose {
        previous,
        transactions: transactions(zxids),
        commit,
    }
}

fn apply(index: u64, zxid: (u64, u64)) -> Effect<Message> {
    Effect::Apply {
        index,
        command: transactions(&[zxid])[0].payload.command().cloned(),
        request: None,
    }
}

fn propose(request: u64, text: &str) -> Input<Message> {
    Input::Propose(vec![Proposal {
        request: RequestId(request),
        command: command(text),
    }])
}

fn read(request: u64) -> Input<Message> {
    Input::Read(vec![Query {
        request: RequestId(request),
        command: command("read"),
    }])
}

fn administer(request: u64, what: Administration) -> Input<Message> {
    Input::Administer {
        request: RequestId(request),
        what,
    }
}

/// Node `me` of `size`, whose current epoch is that of its last transaction.
fn node(me: usize, size: usize, zxids: &[(u64, u64)], defect: Option<&'static Defect>) -> Zab {
    let peers = (1..=size).filter(|&number| number != me).map(n);
    let config = Config::new(n(me), peers, HEARTBEAT_TICKS, ELECTION_TICKS).expect("a good configuration");
    let epoch = zxids.last().map_or(0, |&(epoch, _)| epoch);
    let records = [
        Record::Epochs {
            accepted: Accepted { epoch, leader: None },
            current: epoch,
        }
        .to_bytes(),
        history(0, Zxid::ZERO, zxids).to_bytes(),
    ];
    recover(config.with_defect(defect), None, &records)
}

fn recover(config: Config, snapshot: Option<&[u8]>, records: &[Vec<u8>]) -> Zab {
    let disk = OnDisk::new(snapshot, records);
    Zab::recover(config, disk, Random::seed_from_u64(1), &mut Vec::new()).expect("a good log")
}

fn step(zab: &mut Zab, input: Input<Message>) -> Vec<Effect<Message>> {
    let mut effects = Vec::new();
    zab.step(input, &mut effects);
    effects
}

/// All that was written is durable.
fn persist_all(zab: &mut Zab) -> Vec<Effect<Message>> {
    step(zab, Input::Persisted(WriteId(u64::MAX)))
}

fn ticks(zab: &mut Zab, count: u32) -> Vec<Effect<Message>> {
    (0..count).flat_map(|_| step(zab, Input::Tick)).collect()
}

/// Node 3 of 3, elected by node 2, and established, as the leader of the epoch after that of its history.
fn leader(zxids: &[(u64, u64)], defect: Option<&'static Defect>) -> Zab {
    let mut zab = node(3, 3, zxids, defect);
    let (current, last) = (zab.current, zab.history.last());
    step(
        &mut zab,
        from(2, notification(1, (current, last, 3), Standing::Looking)),
    );
    ticks(&mut zab, 3);
    step(&mut zab, from(2, current_epoch(current, None)));
    persist_all(&mut zab);
    let epoch = current + 1;
    let recency = recency(current, last);
    step(&mut zab, receive(2, epoch, Body::AckEpoch { recency }));
    persist_all(&mut zab);
    step(&mut zab, receive(2, epoch, Body::AckNewLeader { last }));
    assert_eq!(zab.status().role, Role::Leader);
    zab
}

/// Node 1 of 3, which follows node 3 in this epoch, promised and not yet synchronized.
fn follower(zxids: &[(u64, u64)], epoch: u64, defect: Option<&'static Defect>) -> Zab {
    let mut zab = node(1, 3, zxids, defect);
    let vote = (9, z(9, 9), 3);
    step(&mut zab, from(3, notification(1, vote, Standing::Looking)));
    step(&mut zab, from(2, notification(1, vote, Standing::Looking)));
    step(&mut zab, receive(3, epoch, Body::NewEpoch));
    persist_all(&mut zab);
    assert_eq!(zab.accepted().epoch, epoch);
    zab
}
