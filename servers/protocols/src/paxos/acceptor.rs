//! The acceptor: what is promised, what is accepted (paper 2.2).
//!
//! P1a: "An acceptor can accept a proposal numbered n iff it has not responded to a prepare request having a
//! number greater than n." A request that comes too late could be ignored; it is answered instead, so that
//! its proposer can give up early (2.2, end: "it should probably inform the proposer").

use std::collections::BTreeMap;

use super::ballots::{Ballot, Numbered};
use super::defects;
use super::message::Body;
use super::node::{Key, Paxos};
use super::record::Change;
use crate::config::NodeId;
use crate::protocol::{Command, WriteId};

/// How many undecided instances an acceptor knows of. More are not taken in: their proposers try again.
pub(super) const INSTANCES_MAX: usize = 8_192;

/// What an acceptor remembers of an instance that is not decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Nothing below this is accepted any more.
    pub promised: Ballot,
    /// The proposal with the highest ballot that it accepted.
    pub accepted: Option<Numbered>,
    /// The write that makes the acceptance durable, if there is one.
    pub(super) write: WriteId,
}

/// All that an acceptor remembers.
#[derive(Debug, Default)]
pub(super) struct Acceptor {
    /// A promise in every instance, in place of those that were forgotten.
    pub(super) floor: Option<Ballot>,
    pub(super) instances: BTreeMap<Key, Instance>,
}

impl Acceptor {
    /// Below what nothing is accepted in this instance.
    pub(super) fn promised(&self, key: &str) -> Option<Ballot> {
        let own = self.instances.get(key).map(|instance| instance.promised);
        own.max(self.floor)
    }

    pub(super) fn accepted(&self, key: &str) -> Option<&Numbered> {
        self.instances.get(key)?.accepted.as_ref()
    }

    /// Is there room for this instance? Where nothing was accepted, the promises can be forgotten if all
    /// instances, from then on, are taken to have been promised the highest of them.
    pub(super) fn make_room(&mut self, key: &str) -> bool {
        if self.instances.len() < INSTANCES_MAX || self.instances.contains_key(key) {
            return true;
        }
        let promises = self.instances.values().filter(|its| its.accepted.is_none());
        self.floor = promises.map(|its| its.promised).max().max(self.floor);
        self.instances.retain(|_, its| its.accepted.is_some());
        self.instances.len() < INSTANCES_MAX
    }

    /// Takes in a promise.
    pub(super) fn promise(&mut self, key: &Key, ballot: Ballot) -> &mut Instance {
        let instance = self.instances.entry(Key::clone(key)).or_insert(Instance {
            promised: ballot,
            accepted: None,
            write: WriteId(0),
        });
        instance.promised = ballot;
        instance
    }

    /// Takes in an acceptance, which is a promise, too. Tells whether it is the first in this instance.
    pub(super) fn accept(&mut self, key: &Key, proposal: Numbered, write: WriteId) -> bool {
        let instance = self.promise(key, proposal.ballot);
        instance.write = write;
        instance.accepted.replace(proposal).is_none()
    }
}

impl Paxos {
    /// Phase 1(b): promises, and tells what was accepted; or tells that a higher ballot was promised.
    pub(super) fn answer_prepare(&mut self, from: NodeId, key: Key, ballot: Ballot) {
        self.rounds.hear_of(ballot);
        if self.answer_decided(from, &key) {
            return;
        }
        if let Some(promised) = self.acceptor.promised(&key).filter(|promised| *promised > ballot) {
            self.preempt(from, key, ballot, promised);
            return;
        }
        if !self.acceptor.make_room(&key) {
            return;
        }
        let known = self.acceptor.instances.get(&key);
        if known.is_none_or(|instance| instance.promised < ballot) {
            self.acceptor.promise(&key, ballot);
            if !self.config.has(&defects::VOLATILE_PROMISES) {
                let key = Key::clone(&key);
                self.change(Change::Promised { key, ballot });
            }
        }
        let accepted = self.acceptor.accepted(&key).cloned();
        let promise = Body::Promise {
            key,
            ballot,
            accepted,
        };
        self.say_when_durable(from, promise);
    }

    /// Phase 2(b): accepts, unless a higher ballot was promised.
    pub(super) fn answer_accept(&mut self, from: NodeId, key: Key, proposal: Numbered) {
        let ballot = proposal.ballot;
        self.rounds.hear_of(ballot);
        if self.answer_decided(from, &key) {
            return;
        }
        let late = self.acceptor.promised(&key).filter(|promised| *promised > ballot);
        if let Some(promised) = late
            && !self.config.has(&defects::ACCEPT_BELOW_PROMISE)
        {
            self.preempt(from, key, ballot, promised);
            return;
        }
        if !self.acceptor.make_room(&key) {
            return;
        }
        let known = self.acceptor.accepted(&key);
        if known.is_none_or(|accepted| accepted.ballot != ballot) {
            let write = self.change(Change::Accepted {
                key: Key::clone(&key),
                proposal: proposal.clone(),
            });
            if self.acceptor.accept(&key, proposal, write) {
                self.finish_later(&key);
            }
        }
        let accepted = Body::Accepted { key, ballot };
        if self.config.has(&defects::HASTY_ACCEPTS) {
            self.say(from, accepted);
        } else {
            self.say_when_durable(from, accepted);
        }
    }

    /// "A higher one was promised." True whether durable or not, and no promise by itself.
    fn preempt(&mut self, to: NodeId, key: Key, ballot: Ballot, promised: Ballot) {
        self.say(
            to,
            Body::Preempted {
                key,
                ballot,
                promised,
            },
        );
    }

    /// In a decided instance the decision is the answer to everything.
    pub(super) fn answer_decided(&mut self, from: NodeId, key: &Key) -> bool {
        let Some(value) = self.decisions.get(key) else {
            return false;
        };
        let decided = Body::Decided {
            key: Key::clone(key),
            value: Command::clone(value),
        };
        if from != self.config.me {
            self.say(from, decided);
        }
        true
    }
}
