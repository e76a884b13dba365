//! One node: its state, and one step of it.

use super::election::Election;
use super::ensemble::{Ensemble, Ensembles};
use super::follow::Following;
use super::history::{History, Transaction};
use super::lead::{Leading, Stage};
use super::message::{Accepted, Body, Message};
use super::record::{Record, Recovered};
use super::snapshot::Snapshots;
use super::zxid::{Recency, Vote};
use crate::Random;
use crate::codec::Encode;
use crate::config::{Config, NodeId};
use crate::durable::Writes;
use crate::protocol::{Effect, Input, OnDisk, Protocol, RecoverError, RequestId, Role, Status, WriteId};

pub(super) type Effects = Vec<Effect<Message>>;

/// A node of a Zab ensemble. See the module for the map.
#[derive(Debug)]
pub struct Zab {
    pub(super) config: Config,

    // What survives (paper section 4.1), as it is in memory; promises wait until it is durable.
    /// The last epoch that it promised to take part in (f.p).
    pub(super) accepted: Accepted,
    /// The epoch of the last leader whose history it took over (f.a).
    pub(super) current: u64,
    pub(super) history: History,
    pub(super) ensembles: Ensembles,
    pub(super) snapshots: Snapshots,
    pub(super) writes: Writes<Promise>,

    // What does not.
    pub(super) commit: u64,
    pub(super) applied: u64,
    /// The round of election that it is in, or that its leader came out of.
    pub(super) round: u64,
    pub(super) vote: Vote,
    pub(super) state: State,
    /// For how many ticks it has waited, as no member.
    pub(super) waited_ticks: u32,
}

/// What the node is doing.
#[derive(Debug)]
pub(super) enum State {
    /// Looks for a leader.
    Looking(Election),
    Following(Box<Following>),
    Leading(Box<Leading>),
    /// Is no member, and waits for a leader to contact it.
    Waiting,
}

/// What may not happen before some write is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// The message leaves.
    Send { to: NodeId, message: Message },
    /// The leader's own promise of the epoch that it proposes counts.
    OwnEpoch(u64),
    /// The leader's own agreement with its history counts.
    OwnNewLeader(u64),
    /// The leader's own copy up to this index counts, in this epoch.
    OwnAck { epoch: u64, index: u64 },
}

impl Protocol for Zab {
    const NAME: &'static str = "zab";
    type Message = Message;

    fn recover(
        config: Config,
        mut disk: OnDisk<'_>,
        _random: Random,
        effects: &mut Effects,
    ) -> Result<Self, RecoverError> {
        // An election is decided by what the histories are, and not by dice.
        let first = Ensemble::new(config.members().to_vec());
        let recovered = Recovered::from_disk(&mut disk, first)?;
        let recency = Recency {
            epoch: recovered.current,
            last: recovered.history.last(),
        };
        let applied = recovered.snapshot.as_ref().map_or(0, |snapshot| snapshot.index);
        if let Some(snapshot) = &recovered.snapshot {
            effects.push(Effect::Restore {
                index: snapshot.index,
                state: snapshot.state.clone(),
            });
        }
        let mut zab = Zab {
            vote: Vote {
                recency,
                leader: config.me,
            },
            config,
            accepted: recovered.accepted,
            current: recovered.current,
            history: recovered.history,
            ensembles: recovered.ensembles,
            snapshots: Snapshots::recovered(recovered.snapshot.map(|it| (it.index, it.to_bytes().into()))),
            writes: Writes::recovered(&disk),
            // What is committed beyond the snapshot is not kept: the next leader tells.
            commit: applied,
            applied,
            round: 0,
            state: State::Waiting,
            waited_ticks: 0,
        };
        zab.look(effects);
        Ok(zab)
    }

    fn step(&mut self, input: Input<Message>, effects: &mut Effects) {
        match input {
            Input::Tick => self.tick(effects),
            Input::Receive { from, message } => self.receive(from, message, effects),
            Input::Propose(proposals) => self.propose(proposals, effects),
            Input::Read(queries) => self.read(queries, effects),
            Input::Administer { request, what } => self.administer(request, what, effects),
            Input::Persisted(write) => self.persisted(write, effects),
            Input::SnapshotTaken { index, state } => self.snapshot_taken(index, state, effects),
        }
    }

    fn status(&self) -> Status {
        Status {
            role: match &self.state {
                State::Leading(leading) if leading.stage == Stage::Broadcast => Role::Leader,
                State::Looking(_) | State::Leading(_) => Role::Candidate,
                State::Following(_) if self.ensemble().contains(self.config.me) => Role::Follower,
                State::Following(_) | State::Waiting => Role::Learner,
            },
            term: self.current,
            leader: self.leader(),
            commit: self.commit,
            applied: self.applied,
            last_index: self.history.last_index(),
            snapshot_index: self.snapshots.index(),
        }
    }

    fn members(&self) -> Vec<NodeId> {
        self.ensemble().voters()
    }
}

impl Zab {
    /// What it has accepted, durable or not.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The members, as its history has them.
    pub fn ensemble(&self) -> &Ensemble {
        self.ensembles.current()
    }

    /// The last epoch that it promised to take part in.
    pub fn accepted(&self) -> Accepted {
        self.accepted
    }

    /// The established leader that it knows of.
    pub(super) fn leader(&self) -> Option<NodeId> {
        match &self.state {
            State::Leading(leading) if leading.stage == Stage::Broadcast && leading.handover.is_none() => {
                Some(self.config.me)
            }
            State::Following(following) if following.established => Some(following.leader),
            _ => None,
        }
    }

    pub(super) fn recency(&self) -> Recency {
        Recency {
            epoch: self.current,
            last: self.history.last(),
        }
    }

    fn tick(&mut self, effects: &mut Effects) {
        match &self.state {
            State::Looking(_) => self.tick_looking(effects),
            State::Following(_) => self.tick_following(effects),
            State::Leading(_) => self.tick_leading(effects),
            State::Waiting => self.tick_waiting(effects),
        }
    }

    fn receive(&mut self, from: NodeId, message: Message, effects: &mut Effects) {
        if from == self.config.me {
            return;
        }
        match message {
            Message::Notification {
                round,
                vote,
                standing,
            } => self.notified(from, round, vote, standing, effects),
            Message::CurrentEpoch { accepted } => self.follower_came(from, accepted, effects),
            Message::Epoch { epoch, body } => match &self.state {
                State::Leading(leading) if leading.epoch == epoch => {
                    self.hear_follower(from, body, effects);
                }
                State::Following(following) if following.leader == from => {
                    self.hear_leader(epoch, body, effects);
                }
                State::Following(_) => {}
                _ => self.invited(from, epoch, &body, effects),
            },
        }
    }

    /// Sends at once: for messages that promise nothing about this node's state.
    pub(super) fn send(&self, to: NodeId, body: Body, effects: &mut Effects) {
        effects.push(Effect::Send {
            to,
            message: Message::Epoch {
                epoch: self.accepted.epoch,
                body,
            },
        });
    }

    /// Sends when all that was written so far is durable.
    pub(super) fn promise_message(&mut self, to: NodeId, body: Body, effects: &mut Effects) {
        let message = Message::Epoch {
            epoch: self.accepted.epoch,
            body,
        };
        self.promise(Promise::Send { to, message }, effects);
    }

    /// Does what is promised when all that was written so far is durable.
    pub(super) fn promise(&mut self, promise: Promise, effects: &mut Effects) {
        if let Some(promise) = self.writes.promise(promise) {
            self.keep(promise, effects);
        }
    }

    fn keep(&mut self, promise: Promise, effects: &mut Effects) {
        match promise {
            Promise::Send { to, message } => effects.push(Effect::Send { to, message }),
            Promise::OwnEpoch(epoch) => self.own_epoch_is_durable(epoch, effects),
            Promise::OwnNewLeader(epoch) => self.own_history_is_durable(epoch, effects),
            Promise::OwnAck { epoch, index } => self.own_copy_is_durable(epoch, index, effects),
        }
    }

    fn persisted(&mut self, write: WriteId, effects: &mut Effects) {
        let mut due = self.writes.persisted(write).into_iter().peekable();
        while let Some(promise) = due.next() {
            // Of acknowledgements that one fsync released together, the last says all.
            if !due.peek().is_some_and(|next| supersedes(next, &promise)) {
                self.keep(promise, effects);
            }
        }
    }

    /// Writes both epochs.
    pub(super) fn save_epochs(&mut self, effects: &mut Effects) {
        let record = Record::Epochs {
            accepted: self.accepted,
            current: self.current,
        };
        self.writes.persist(&record, effects);
    }

    /// Puts transactions at the end of the history, and writes them.
    pub(super) fn append(&mut self, transactions: Vec<Transaction>, effects: &mut Effects) {
        let index = self.history.last_index();
        for (index, transaction) in (index + 1..).zip(&transactions) {
            self.ensembles.note(index, &transaction.payload);
        }
        let previous = self.history.last();
        self.history.append(transactions.iter().cloned());
        let record = Record::History {
            index,
            previous,
            transactions,
        };
        self.writes.persist(&record, effects);
    }

    /// Everything up to here is committed: it is applied (delivered, in the paper's word), in order, once.
    pub(super) fn learn_commit(&mut self, commit: u64, effects: &mut Effects) {
        self.commit = self.commit.max(commit.min(self.history.last_index()));
        while self.applied < self.commit {
            let index = self.applied + 1;
            let Some(transaction) = self.history.get(index) else {
                return;
            };
            let command = transaction.payload.command().cloned();
            self.applied = index;
            effects.push(Effect::Apply {
                index,
                command,
                request: self.take_request(index),
            });
        }
        self.consider_snapshot(effects);
    }

    /// The request of the client that proposed what is here, in this epoch.
    fn take_request(&mut self, index: u64) -> Option<RequestId> {
        let State::Leading(leading) = &mut self.state else {
            return None;
        };
        let (_, request) = leading
            .proposed
            .pop_front_if(|(proposed, _)| *proposed == index)?;
        Some(request)
    }

    /// Ends what it was doing. What clients wait for is answered as well as can be: what was proposed and is
    /// not committed may yet be, under a later leader; a read has no effect.
    pub(super) fn leave(&mut self, effects: &mut Effects) {
        // What was promised to an earlier leader, or on one's own behalf, is of use to nobody.
        self.writes.forget_promises();
        match std::mem::replace(&mut self.state, State::Waiting) {
            State::Leading(leading) => leading.dismiss(effects),
            State::Following(following) => following.dismiss(effects),
            State::Looking(_) | State::Waiting => {}
        }
    }
}

/// Do both acknowledge proposals to the same leader, the later one at least as far?
fn supersedes(later: &Promise, earlier: &Promise) -> bool {
    match (earlier, later) {
        (
            Promise::Send {
                to: first,
                message:
                    Message::Epoch {
                        body: Body::Ack { last: before },
                        epoch: in_first,
                    },
            },
            Promise::Send {
                to: second,
                message:
                    Message::Epoch {
                        body: Body::Ack { last: after },
                        epoch: in_second,
                    },
            },
        ) => first == second && in_first == in_second && before <= after,
        (Promise::OwnAck { .. }, Promise::OwnAck { .. }) => true,
        _ => false,
    }
}
