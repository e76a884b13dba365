//! The proposer: which value may be proposed, and when to try again (paper 2.2 and 2.4).
//!
//! P2c: "For any v and n, if a proposal with value v and number n is issued, then there is a set S consisting
//! of a majority of acceptors such that either (a) no acceptor in S has accepted any proposal numbered less
//! than n, or (b) v is the value of the highest-numbered proposal among all proposals numbered less than n
//! accepted by the acceptors in S."
//!
//! Two proposers can keep each other from ever succeeding, each preparing a higher ballot before the other's
//! is accepted (2.4). The paper has a distinguished proposer; here each waits, when it was preempted, for a
//! random time that doubles from try to try, so that one of them soon has the time that it needs.
//!
//! All that clients of this node want of one instance is one *attempt*.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;

use super::ballots::{Ballot, Numbered};
use super::defects;
use super::message::Body;
use super::node::{Alarm, Effects, Key, Paxos, WAITING_MAX};
use crate::codec::{Decode as _, Encode as _};
use crate::config::NodeId;
use crate::protocol::{Command, Effect, Proposal, RequestId};
use crate::store::{self, Operation, Value};

/// How many instances a node brings to a decision at a time.
const ATTEMPTS_MAX: usize = 4_096;
/// The longest wait before the next try, in ticks.
const BACKOFF_TICKS_MAX: u64 = 64;

/// An instance that this node is bringing to a decision.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// The proposals of clients, in the order they came.
    pub(super) clients: Vec<ClientProposal>,
    /// The reads that wait for the decision.
    pub(super) reads: Vec<Reader>,
    /// Whether anybody waits for it or not, it goes on until this tick.
    pub(super) until: u64,
    phase: Phase,
    /// The last ballot, if there was one.
    ballot: Option<Ballot>,
    /// The highest round that preempted this node.
    preempted_by: u64,
    /// Who has accepted the proposal of this ballot.
    tally: BTreeSet<NodeId>,
    /// Who said that this ballot comes too late.
    preempted: BTreeSet<NodeId>,
    /// How often nothing came of it.
    failures: u32,
    /// The tick at which something has to be done if nothing happens before.
    wake: u64,
}

/// A client's proposal.
#[derive(Debug)]
pub(super) struct ClientProposal {
    pub(super) request: RequestId,
    pub(super) value: Command,
    /// When it is hopeless.
    pub(super) until: u64,
    /// Acceptors may have accepted it.
    issued: bool,
}

/// A client's read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    pub(super) request: RequestId,
    /// When it is hopeless.
    pub(super) until: u64,
    /// Phase 1 of the ballot began after it came.
    pub(super) covered: bool,
}

#[derive(Debug, Default)]
enum Phase {
    /// Waits before the next ballot.
    #[default]
    Pausing,
    /// Phase 1: who has promised, and what was accepted.
    Preparing(BTreeMap<NodeId, Option<Numbered>>),
    /// Phase 2, with this value.
    Accepting(Command),
}

impl Paxos {
    /// How many ticks a request may wait before it is hopeless.
    pub(super) fn patience(&self) -> u64 {
        u64::from(self.config.election_ticks) * 4
    }

    /// How many ticks an answer may take before the question is asked again.
    pub(super) fn answer_ticks(&self) -> u64 {
        u64::from(self.config.heartbeat_ticks) * 2
    }

    /// A client's proposal.
    pub(super) fn propose(&mut self, proposal: Proposal, effects: &mut Effects) {
        let Proposal { request, command } = proposal;
        let (key, value) = match parse(&command) {
            Ok(parsed) => parsed,
            Err(why) => {
                effects.push(Effect::Reject { request, why });
                return;
            }
        };
        if self.decisions.contains_key(&key) {
            self.apply(value, Some(request), effects);
            return;
        }
        let known = self.attempts.contains_key(&key);
        let full = self.waiting >= WAITING_MAX || (!known && self.attempts.len() >= ATTEMPTS_MAX);
        if full || !self.is_member() {
            effects.push(Effect::Refuse {
                request,
                leader: None,
            });
            return;
        }
        self.waiting += 1;
        let until = self.now + self.patience();
        let client = ClientProposal {
            request,
            value,
            until,
            issued: false,
        };
        self.join_attempt(&key, 0, |attempt| attempt.clients.push(client));
    }

    /// Joins the attempt for this instance. If there was none, it begins after so many ticks.
    pub(super) fn join_attempt(&mut self, key: &Key, delay: u64, join: impl FnOnce(&mut Attempt)) {
        let known = self.attempts.contains_key(key);
        join(self.attempts.entry(Key::clone(key)).or_default());
        match delay {
            _ if known => {}
            0 => self.begin_ballot(key),
            delay => self.wake_attempt(key, delay),
        }
    }

    pub(super) fn has_room_for_attempt(&self, key: &Key) -> bool {
        self.attempts.contains_key(key) || self.attempts.len() < ATTEMPTS_MAX
    }

    fn wake_attempt(&mut self, key: &Key, delay: u64) {
        if let Some(attempt) = self.attempts.get_mut(key) {
            attempt.wake = self.now + delay;
            self.alarms
                .insert((attempt.wake, Alarm::Attempt(Key::clone(key))));
        }
    }

    /// Phase 1(a), with a ballot above all that are known to stand in its way.
    fn begin_ballot(&mut self, key: &Key) {
        let Some(attempt) = self.attempts.get(key) else {
            return;
        };
        let own = attempt.ballot.map_or(0, |ballot| ballot.round);
        let ballot = self.new_ballot(key, own.max(attempt.preempted_by));
        let keeps_tally = self.config.has(&defects::ACCEPTS_ACROSS_BALLOTS);
        let Some(attempt) = self.attempts.get_mut(key) else {
            return;
        };
        attempt.ballot = Some(ballot);
        attempt.preempted.clear();
        attempt.reads.iter_mut().for_each(|read| read.covered = true);
        if !keeps_tally {
            attempt.tally.clear();
        }
        attempt.phase = Phase::Preparing(BTreeMap::new());
        let key = Key::clone(key);
        for to in self.members_to_ask() {
            let key = Key::clone(&key);
            self.say_with_ballot(to, Body::Prepare { key, ballot });
        }
        self.wake_attempt(&key, self.answer_ticks());
    }

    /// An acceptor has promised: when a majority has, phase 2 begins.
    pub(super) fn count_promise(
        &mut self,
        from: NodeId,
        key: &Key,
        ballot: Ballot,
        accepted: Option<Numbered>,
        effects: &mut Effects,
    ) {
        let quorum = self.config.quorum();
        let Some(attempt) = self
            .attempts
            .get_mut(key)
            .filter(|its| its.ballot == Some(ballot))
        else {
            return;
        };
        let Phase::Preparing(promises) = &mut attempt.phase else {
            return;
        };
        promises.insert(from, accepted);
        if promises.len() < quorum {
            return;
        }
        let accepted = promises.values().flatten();
        let adopted = if self.config.has(&defects::OWN_VALUE) && !attempt.clients.is_empty() {
            None
        } else if self.config.has(&defects::ADOPT_ANY) {
            accepted.last()
        } else {
            accepted.max_by_key(|accepted| accepted.ballot)
        };
        let adopted = adopted.map(|accepted| Command::clone(&accepted.value));
        let first = attempt.clients.first();
        match adopted.or_else(|| first.map(|client| Command::clone(&client.value))) {
            Some(value) => self.issue(key, Numbered { ballot, value }),
            None => self.found_empty(key, effects),
        }
    }

    /// Phase 2(a).
    fn issue(&mut self, key: &Key, proposal: Numbered) {
        let Some(attempt) = self.attempts.get_mut(key) else {
            return;
        };
        for client in &mut attempt.clients {
            client.issued |= client.value == proposal.value;
        }
        attempt.phase = Phase::Accepting(Command::clone(&proposal.value));
        for to in self.members_to_ask() {
            let (key, proposal) = (Key::clone(key), proposal.clone());
            self.say_with_ballot(to, Body::Accept { key, proposal });
        }
        self.wake_attempt(key, self.answer_ticks());
    }

    /// Nobody wants anything proposed, and in a majority nothing is accepted: nothing was chosen when the
    /// ballot began, so those that read before may be told.
    fn found_empty(&mut self, key: &Key, effects: &mut Effects) {
        let Some(attempt) = self.attempts.remove(key) else {
            return;
        };
        let (covered, later): (Vec<_>, Vec<_>) = attempt.reads.into_iter().partition(|read| read.covered);
        self.waiting -= covered.len();
        effects.extend(covered.into_iter().map(|read| Effect::ReadReady(read.request)));
        if !later.is_empty() {
            self.inquire(key, later, false);
        }
    }

    /// An acceptor has accepted: when a majority has, the value is chosen.
    pub(super) fn count_accepted(&mut self, from: NodeId, key: &Key, ballot: Ballot, effects: &mut Effects) {
        let quorum = self.learning_quorum();
        let Some(attempt) = self
            .attempts
            .get_mut(key)
            .filter(|its| its.ballot == Some(ballot))
        else {
            return;
        };
        let Phase::Accepting(value) = &attempt.phase else {
            return;
        };
        attempt.tally.insert(from);
        if attempt.tally.len() >= quorum {
            let value = Command::clone(value);
            self.tell_decision(key, &value);
            self.learn(key, value, effects);
        }
    }

    /// How many acceptances make a value chosen.
    pub(super) fn learning_quorum(&self) -> usize {
        let quorum = self.config.quorum();
        if self.config.has(&defects::MINORITY_LEARNING) {
            (quorum - 1).max(1)
        } else {
            quorum
        }
    }

    /// An acceptor has promised a higher ballot. When so many have that no majority is left, this ballot is
    /// given up.
    pub(super) fn is_preempted(&mut self, from: NodeId, key: &Key, ballot: Ballot, promised: Ballot) {
        self.rounds.hear_of(promised);
        let spare = self.config.members().len() - self.config.quorum();
        let Some(attempt) = self
            .attempts
            .get_mut(key)
            .filter(|its| its.ballot == Some(ballot))
        else {
            return;
        };
        attempt.preempted_by = attempt.preempted_by.max(promised.round);
        attempt.preempted.insert(from);
        if attempt.preempted.len() > spare && !matches!(attempt.phase, Phase::Pausing) {
            self.pause(key);
        }
    }

    /// Waits before the next ballot: at random, and longer from try to try (2.4).
    fn pause(&mut self, key: &Key) {
        let Some(attempt) = self.attempts.get_mut(key) else {
            return;
        };
        attempt.failures += 1;
        attempt.phase = Phase::Pausing;
        let longest = (1 << attempt.failures.min(16)).min(BACKOFF_TICKS_MAX);
        let delay = self.random.random_range(1..=longest);
        self.wake_attempt(key, delay);
    }

    /// Nothing has happened for a while.
    pub(super) fn attempt_is_due(&mut self, key: &Key, due: u64, effects: &mut Effects) {
        self.end_hopeless(key, effects);
        let Some(attempt) = self.attempts.get(key).filter(|attempt| attempt.wake == due) else {
            return;
        };
        if attempt.clients.is_empty() && attempt.reads.is_empty() && attempt.until <= self.now {
            self.attempts.remove(key);
            return;
        }
        match attempt.phase {
            Phase::Pausing => self.begin_ballot(key),
            _ if !attempt.preempted.is_empty() => self.pause(key),
            _ => self.ask_again(key),
        }
    }

    /// Requests or answers may have been lost: asks those that have not answered.
    fn ask_again(&mut self, key: &Key) {
        let members = self.members_to_ask();
        let patience = self.answer_ticks();
        let Some(attempt) = self.attempts.get_mut(key) else {
            return;
        };
        let Some(ballot) = attempt.ballot else { return };
        attempt.failures += 1;
        let again: Vec<(NodeId, Body)> = members
            .into_iter()
            .filter_map(|to| {
                let key = Key::clone(key);
                let body = match &attempt.phase {
                    Phase::Preparing(promises) if !promises.contains_key(&to) => {
                        Body::Prepare { key, ballot }
                    }
                    Phase::Accepting(value) if !attempt.tally.contains(&to) => {
                        let value = Command::clone(value);
                        let proposal = Numbered { ballot, value };
                        Body::Accept { key, proposal }
                    }
                    _ => return None,
                };
                Some((to, body))
            })
            .collect();
        let delay = (patience << attempt.failures.min(8)).min(BACKOFF_TICKS_MAX.max(patience));
        for (to, body) in again {
            self.say_with_ballot(to, body);
        }
        self.wake_attempt(key, delay);
    }

    /// Ends the requests that have waited for too long. A proposal that was never issued certainly has no
    /// effect; of one that was, nobody can say.
    fn end_hopeless(&mut self, key: &Key, effects: &mut Effects) {
        let now = self.now;
        let Some(attempt) = self.attempts.get_mut(key) else {
            return;
        };
        let waited = attempt.clients.len() + attempt.reads.len();
        attempt.clients.retain(|client| {
            let ended = client.until <= now;
            if ended && client.issued {
                effects.push(Effect::Unknown(client.request));
            } else if ended {
                effects.push(refusal(client.request));
            }
            !ended
        });
        attempt.reads.retain(|read| {
            let ended = read.until <= now;
            if ended {
                effects.push(refusal(read.request));
            }
            !ended
        });
        self.waiting -= waited - attempt.clients.len() - attempt.reads.len();
    }
}

pub(super) fn refusal<M>(request: RequestId) -> Effect<M> {
    Effect::Refuse {
        request,
        leader: None,
    }
}

/// The instance that a command is for, and the value that is proposed: the command without its session.
fn parse(command: &[u8]) -> Result<(Key, Command), &'static str> {
    let Ok(store::Command { operation, .. }) = store::Command::from_bytes(command) else {
        return Err("the command is not understood");
    };
    let key = match &operation {
        Operation::Propose {
            value: Value::Null, ..
        } => {
            return Err("null is what an empty register holds, and can not be proposed");
        }
        Operation::Propose { key, .. } => Key::from(key.as_str()),
        _ => return Err("this protocol serves registers that are written once: propose and read"),
    };
    let session = None;
    Ok((key, store::Command { session, operation }.to_bytes().into()))
}
