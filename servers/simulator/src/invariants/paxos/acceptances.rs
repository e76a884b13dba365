//! Who has proposed and accepted what, as far as it can be seen from outside.

use std::collections::BTreeMap;

use partita_protocols::paxos::{Ballot, Body, Key, Paxos};
use partita_protocols::{Command, NodeId};

use super::super::Observed;
use super::said;

/// All proposals and acceptances that were seen. An acceptance counts from when it is durable.
#[derive(Debug, Default)]
pub(super) struct Acceptances {
    pub(super) instances: BTreeMap<Key, History>,
    quorum: usize,
}

/// Those of one instance.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The proposals, by their ballots.
    pub(super) issued: BTreeMap<Ballot, Command>,
    /// What was seen to be accepted somewhere, durable or not.
    pub(super) seen: BTreeMap<Ballot, Command>,
    /// By acceptor: what it accepted durably, by ballot.
    pub(super) accepted: BTreeMap<NodeId, BTreeMap<Ballot, Command>>,
}

impl Acceptances {
    /// How many acceptors are a majority.
    pub(super) fn quorum(&self) -> usize {
        self.quorum
    }

    /// Takes in a step. Gives the proposals that are new in it.
    pub(super) fn observe(&mut self, observed: &Observed<'_, Paxos>) -> Result<Vec<(Key, Ballot)>, String> {
        use partita_protocols::Protocol as _;
        let mut new = Vec::new();
        if observed.effects.is_empty() {
            return Ok(new);
        }
        if self.quorum == 0 {
            self.quorum = observed.core.members().len() / 2 + 1;
        }
        for body in said(observed) {
            match body {
                Body::Accept { key, proposal } => {
                    let history = self.instances.entry(Key::clone(key)).or_default();
                    let known = history.issued.get(&proposal.ballot);
                    if known.is_some_and(|known| *known != proposal.value) {
                        return Err(format!(
                            "two proposals for {key} have the ballot {:?}",
                            proposal.ballot
                        ));
                    }
                    if known.is_none() {
                        let value = Command::clone(&proposal.value);
                        history.issued.insert(proposal.ballot, value);
                        new.push((Key::clone(key), proposal.ballot));
                    }
                }
                Body::Accepted { key, ballot } => {
                    let history = self.instances.entry(Key::clone(key)).or_default();
                    if let Some(value) = history.issued.get(ballot).map(Command::clone) {
                        history.accept(observed.node, *ballot, value);
                    }
                }
                Body::Promise {
                    key,
                    accepted: Some(accepted),
                    ..
                }
                | Body::Holds {
                    key,
                    accepted: Some(accepted),
                    ..
                } => {
                    let history = self.instances.entry(Key::clone(key)).or_default();
                    history.accept(observed.node, accepted.ballot, Command::clone(&accepted.value));
                }
                _ => {}
            }
        }
        // An acceptor that is the proposer, too, sends itself nothing that could be seen.
        for (key, instance) in observed.core.instances() {
            if let Some(accepted) = &instance.accepted {
                let history = self.instances.entry(Key::clone(key)).or_default();
                let value = || Command::clone(&accepted.value);
                history.seen.entry(accepted.ballot).or_insert_with(value);
                if observed.core.is_durable(instance) {
                    history.accept(observed.node, accepted.ballot, value());
                }
            }
        }
        Ok(new)
    }
}

impl History {
    fn accept(&mut self, node: NodeId, ballot: Ballot, value: Command) {
        self.seen.entry(ballot).or_insert_with(|| Command::clone(&value));
        self.accepted
            .entry(node)
            .or_default()
            .entry(ballot)
            .or_insert(value);
    }

    /// How many have accepted the proposal of this ballot.
    pub(super) fn tally(&self, ballot: Ballot) -> usize {
        let accepted = self.accepted.values();
        accepted.filter(|its| its.contains_key(&ballot)).count()
    }

    /// The highest ballot below this one that a node accepted.
    pub(super) fn last_below(&self, node: NodeId, ballot: Ballot) -> Option<Ballot> {
        let (ballot, _) = self.accepted.get(&node)?.range(..ballot).next_back()?;
        Some(*ballot)
    }
}
