//! The learner: what a decision leads to (paper 2.3).
//!
//! The proposer is the one to whom the acceptors answer, so it is the first to find out that a value was
//! chosen, and tells all others: the "distinguished learner" of the paper, one for each proposal.

use super::message::Body;
use super::node::{Effects, Key, Paxos};
use super::record::Change;
use crate::protocol::{Command, Effect, RequestId};

impl Paxos {
    /// Tells the others what was chosen.
    pub(super) fn tell_decision(&mut self, key: &Key, value: &Command) {
        let (key, value) = (Key::clone(key), Command::clone(value));
        self.say_to_peers(&Body::Decided { key, value });
    }

    /// This value was chosen: it is applied, and all that waits for it ends. What the acceptor remembers of
    /// the instance is of use to nobody any more.
    pub(super) fn learn(&mut self, key: &Key, value: Command, effects: &mut Effects) {
        if let Some(known) = self.decisions.get(key) {
            assert!(
                *known == value || self.config.defect.is_some(),
                "two values were decided for {key}"
            );
            return;
        }
        self.decisions.insert(Key::clone(key), Command::clone(&value));
        self.acceptor.instances.remove(key);
        self.change(Change::Decided {
            key: Key::clone(key),
            value: Command::clone(&value),
        });
        let attempt = self.attempts.remove(key);
        let (clients, reads) = attempt.map_or_else(Default::default, |its| (its.clients, its.reads));
        let inquiries = self.inquiries.remove(key).unwrap_or_default();
        let reads = reads
            .into_iter()
            .chain(inquiries.into_iter().flat_map(|its| its.reads));
        let reads: Vec<RequestId> = reads.map(|read| read.request).collect();
        self.waiting -= clients.len() + reads.len();
        // Whatever the first client proposed: it is answered what the register holds.
        let mut clients = clients.into_iter();
        let first = clients.next().map(|client| client.request);
        self.apply(value, first, effects);
        for client in clients {
            self.apply(client.value, Some(client.request), effects);
        }
        effects.extend(reads.into_iter().map(Effect::ReadReady));
    }

    /// Hands a command out to be applied: a decision, or a proposal that comes after it and only asks.
    pub(super) fn apply(&mut self, command: Command, request: Option<RequestId>, effects: &mut Effects) {
        self.applied += 1;
        effects.push(Effect::Apply {
            index: self.applied,
            command: Some(command),
            request,
        });
    }
}
