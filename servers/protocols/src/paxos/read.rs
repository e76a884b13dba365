//! When a register may be read.
//!
//! What was decided never changes: a node that knows the decision answers at once. One that does not asks a
//! majority what they have accepted. If that is nothing, then nothing had been chosen when the question was
//! asked, since what is chosen was accepted by some member of every majority: the register was empty then.
//! This is phase 1 without its promise, which only a proposer needs; so reads disturb nobody, and write
//! nothing. If something was accepted, it may have been chosen: the instance is brought to a decision first.

use std::collections::BTreeMap;

use rand::RngExt;

use super::ballots::{Ballot, Numbered};
use super::defects;
use super::message::Body;
use super::node::{Alarm, Effects, Key, Paxos, WAITING_MAX};
use super::proposer::{Reader, refusal};
use crate::codec::Decode as _;
use crate::config::NodeId;
use crate::protocol::{Command, Effect, Query};
use crate::store::{self, Operation};

/// A question about one instance, and who asked it.
#[derive(Debug)]
pub(super) struct Inquiry {
    number: u64,
    pub(super) reads: Vec<Reader>,
    /// Nobody reads: the instance has been open for long, and is to be brought to a decision.
    finishing: bool,
    /// What they have accepted.
    answers: BTreeMap<NodeId, Option<Numbered>>,
}

impl Paxos {
    /// Clients' reads. Those of one register that come together share a question. One that comes later does
    /// not: what an acceptor answered before says nothing about what was chosen since.
    pub(super) fn read(&mut self, queries: Vec<Query>, effects: &mut Effects) {
        let mut asked: BTreeMap<Key, Vec<Reader>> = BTreeMap::new();
        let until = self.now + self.patience();
        for Query { request, command } in queries {
            let Ok(store::Command {
                operation: Operation::Read { key },
                ..
            }) = store::Command::from_bytes(&command)
            else {
                let why = "this protocol serves registers that are written once: propose and read";
                effects.push(Effect::Reject { request, why });
                continue;
            };
            let known = self.decisions.contains_key(key.as_str()) || self.config.has(&defects::UNASKED_READS);
            if known {
                effects.push(Effect::ReadReady(request));
            } else if self.waiting >= WAITING_MAX || !self.is_member() {
                effects.push(refusal(request));
            } else {
                self.waiting += 1;
                asked.entry(key.into()).or_default().push(Reader {
                    request,
                    until,
                    covered: false,
                });
            }
        }
        for (key, reads) in asked {
            self.inquire(&key, reads, false);
        }
    }

    /// Asks all members what they have accepted.
    pub(super) fn inquire(&mut self, key: &Key, reads: Vec<Reader>, finishing: bool) {
        self.questions += 1;
        let number = self.questions;
        self.inquiries.entry(Key::clone(key)).or_default().push(Inquiry {
            number,
            reads,
            finishing,
            answers: BTreeMap::new(),
        });
        self.ask(key, number, self.members_to_ask());
    }

    fn ask(&mut self, key: &Key, number: u64, members: Vec<NodeId>) {
        for to in members {
            let key = Key::clone(key);
            self.say(to, Body::Inquire { key, number });
        }
        let due = self.now + self.answer_ticks();
        self.alarms.insert((due, Alarm::Inquiry(Key::clone(key), number)));
    }

    /// Tells what is accepted; when it is durable, since it may be counted.
    pub(super) fn answer_inquiry(&mut self, from: NodeId, key: Key, number: u64) {
        if self.answer_decided(from, &key) {
            return;
        }
        let instance = self.acceptor.instances.get(&key);
        let accepted = instance.and_then(|instance| instance.accepted.clone());
        let durable = instance.is_none_or(|instance| self.writes.is_durable(instance.write));
        let answer = Body::Holds {
            key,
            number,
            accepted,
        };
        if durable {
            self.say(from, answer);
        } else {
            self.say_when_durable(from, answer);
        }
    }

    /// A member has answered: when a majority has, it shows what is to be done.
    pub(super) fn count_answer(
        &mut self,
        from: NodeId,
        key: &Key,
        number: u64,
        accepted: Option<Numbered>,
        effects: &mut Effects,
    ) {
        if let Some(Numbered { value, .. }) = &accepted
            && self.config.has(&defects::ACCEPTED_IS_DECIDED)
        {
            self.learn(key, Command::clone(value), effects);
            return;
        }
        let quorum = self.config.quorum();
        let Some(inquiries) = self.inquiries.get_mut(key) else {
            return;
        };
        let Some(at) = inquiries.iter().position(|inquiry| inquiry.number == number) else {
            return;
        };
        inquiries[at].answers.insert(from, accepted);
        if inquiries[at].answers.len() < quorum {
            return;
        }
        let inquiry = inquiries.swap_remove(at);
        if inquiries.is_empty() {
            self.inquiries.remove(key);
        }
        if inquiry.answers.values().all(Option::is_none) {
            self.waiting -= inquiry.reads.len();
            let ready = inquiry.reads.iter().map(|read| Effect::ReadReady(read.request));
            effects.extend(ready);
        } else if let Some(value) = chosen(inquiry.answers.values().flatten(), self.learning_quorum()) {
            // Its reads are answered with all others of the instance.
            self.inquiries.entry(Key::clone(key)).or_default().push(inquiry);
            self.tell_decision(key, &value);
            self.learn(key, value, effects);
        } else {
            self.complete(key, inquiry, effects);
        }
    }

    /// Something was accepted, and is perhaps chosen: the instance is brought to a decision. Not at once, for
    /// most likely some proposer is about to do so, and would only be disturbed (2.4).
    fn complete(&mut self, key: &Key, inquiry: Inquiry, effects: &mut Effects) {
        if !self.has_room_for_attempt(key) {
            self.waiting -= inquiry.reads.len();
            effects.extend(inquiry.reads.iter().map(|read| refusal(read.request)));
            return;
        }
        let until = self.now + self.patience();
        let delay = self.random.random_range(1..=3);
        self.join_attempt(key, delay, |attempt| {
            attempt.reads.extend(inquiry.reads);
            if inquiry.finishing {
                attempt.until = until;
            }
        });
    }

    /// Asks those again that have not answered, or ends what is hopeless.
    pub(super) fn inquiry_is_due(&mut self, key: &Key, number: u64, effects: &mut Effects) {
        let members = self.members_to_ask();
        let Some(inquiries) = self.inquiries.get_mut(key) else {
            return;
        };
        let Some(at) = inquiries.iter().position(|inquiry| inquiry.number == number) else {
            return;
        };
        let inquiry = &mut inquiries[at];
        let (ended, going): (Vec<_>, Vec<_>) =
            inquiry.reads.drain(..).partition(|read| read.until <= self.now);
        self.waiting -= ended.len();
        effects.extend(ended.iter().map(|read| refusal(read.request)));
        if going.is_empty() {
            // Whatever is to be finished is looked at again later.
            inquiries.swap_remove(at);
            if inquiries.is_empty() {
                self.inquiries.remove(key);
            }
            return;
        }
        inquiry.reads = going;
        let silent = members.into_iter().filter(|to| !inquiry.answers.contains_key(to));
        let silent = silent.collect();
        self.ask(key, number, silent);
    }
}

/// The value that so many report to have accepted in one ballot.
fn chosen<'a>(accepted: impl Iterator<Item = &'a Numbered>, quorum: usize) -> Option<Command> {
    let mut tally: BTreeMap<Ballot, usize> = BTreeMap::new();
    for Numbered { ballot, value } in accepted {
        let count = tally.entry(*ballot).or_default();
        *count += 1;
        if *count >= quorum {
            return Some(Command::clone(value));
        }
    }
    None
}
