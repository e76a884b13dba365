//! What a step has to say and to write, gathered: one message to each peer, and one record.

use std::collections::{BTreeMap, VecDeque};

use super::message::{Body, Message};
use super::node::{Effects, Paxos};
use super::record::{Change, Record};
use crate::config::NodeId;
use crate::protocol::{Effect, RequestId, WriteId};

/// More than this is not put into one message, but for its last body.
const MESSAGE_BYTES: usize = 256 * 1024;

/// What may not happen before some write is durable.
#[derive(Debug)]
pub(super) enum Promise {
    /// The message leaves; or this node, as one of the acceptors, hears it.
    Send { to: NodeId, message: Message },
    /// The log is cut, and whoever wanted that is told.
    Done(RequestId),
}

/// Gathers what a step leads to.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    changes: Vec<Change>,
    /// What promises nothing.
    at_once: BTreeMap<NodeId, Vec<Body>>,
    /// What uses a ballot whose round is not yet durably reserved.
    when_reserved: BTreeMap<NodeId, Vec<Body>>,
    /// What may be said when all that was written is durable.
    when_durable: BTreeMap<NodeId, Vec<Body>>,
    /// What this node says to itself.
    own: VecDeque<Body>,
}

impl Paxos {
    /// Writes a change with the record of this step, of which this is the name.
    pub(super) fn change(&mut self, change: Change) -> WriteId {
        self.outbox.changes.push(change);
        WriteId(self.writes.issued().0 + 1)
    }

    /// Says what promises nothing about this node's state.
    pub(super) fn say(&mut self, to: NodeId, body: Body) {
        if to == self.config.me {
            self.outbox.own.push_back(body);
        } else {
            self.outbox.at_once.entry(to).or_default().push(body);
        }
    }

    /// Says it when all that was written so far is durable.
    pub(super) fn say_when_durable(&mut self, to: NodeId, body: Body) {
        self.outbox.when_durable.entry(to).or_default().push(body);
    }

    /// Says something that uses a ballot: to others not before it is certain never to be used for anything else.
    /// What this node writes about it is written after that.
    ///
    /// All of it waits for the reservation, and not for whatever else was written since: so it leaves in the
    /// order in which it was said, and no request for a promise after the proposal that followed from it.
    pub(super) fn say_with_ballot(&mut self, to: NodeId, body: Body) {
        if to == self.config.me || self.rounds_are_durable() {
            self.say(to, body);
        } else {
            self.outbox.when_reserved.entry(to).or_default().push(body);
        }
    }

    /// Says it to every other member.
    pub(super) fn say_to_peers(&mut self, body: &Body) {
        for peer in self.peers() {
            self.say(peer, body.clone());
        }
    }

    /// Carries out what was gathered, and what follows from what this node says to itself.
    pub(super) fn flush(&mut self, effects: &mut Effects) {
        loop {
            while let Some(body) = self.outbox.own.pop_front() {
                self.hear(self.config.me, body, effects);
            }
            let changes = std::mem::take(&mut self.outbox.changes);
            if !changes.is_empty() {
                self.log_changes += changes.len() as u64;
                self.writes.persist(&Record(changes), effects);
            }
            for (to, bodies) in std::mem::take(&mut self.outbox.at_once) {
                let messages = messages(bodies);
                effects.extend(messages.map(|message| Effect::Send { to, message }));
            }
            for (to, bodies) in std::mem::take(&mut self.outbox.when_reserved) {
                for message in messages(bodies) {
                    let promise = Promise::Send { to, message };
                    if let Some(promise) = self.writes.promise_after(self.rounds.write, promise) {
                        self.keep(promise, effects);
                    }
                }
            }
            for (to, bodies) in std::mem::take(&mut self.outbox.when_durable) {
                for message in messages(bodies) {
                    self.promise(Promise::Send { to, message }, effects);
                }
            }
            if self.outbox.own.is_empty() {
                return;
            }
        }
    }

    /// Does what is promised when all that was written so far is durable.
    pub(super) fn promise(&mut self, promise: Promise, effects: &mut Effects) {
        if let Some(promise) = self.writes.promise(promise) {
            self.keep(promise, effects);
        }
    }

    pub(super) fn keep(&mut self, promise: Promise, effects: &mut Effects) {
        match promise {
            Promise::Send { to, message } if to == self.config.me => self.outbox.own.extend(message.0),
            Promise::Send { to, message } => effects.push(Effect::Send { to, message }),
            Promise::Done(request) => effects.push(Effect::Done(request)),
        }
    }
}

/// Messages of a bounded size that say all this.
fn messages(bodies: Vec<Body>) -> impl Iterator<Item = Message> {
    let mut bodies = bodies.into_iter().peekable();
    std::iter::from_fn(move || {
        bodies.peek()?;
        let mut size = 0;
        let message = std::iter::from_fn(|| {
            let body = bodies.next_if(|_| size < MESSAGE_BYTES)?;
            size += body.size();
            Some(body)
        });
        Some(Message(message.collect()))
    })
}
