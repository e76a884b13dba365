//! How a node learns of decisions that it missed, and that no instance stays half done.
//!
//! "A value could be chosen with no learner ever finding out" (paper 2.3): the message that told of it was
//! lost, or the proposer died. Whoever needs a decision learns it on demand, since in a decided instance the
//! decision is the answer to everything. Two slow processes see to the rest:
//!
//! - An acceptor that accepted something, and after a while still knows of no decision, has the instance
//!   decided itself.
//! - Each node compares its decisions with those of the others, one peer and one range of keys at a time, by
//!   number and digest; where they differ the peer sends what it has.

use std::ops::Bound;

use rand::RngExt;

use super::message::Body;
use super::node::{Alarm, Effects, Key, Paxos};
use crate::config::NodeId;
use crate::protocol::Command;

/// How many keys are compared at once, at the least.
const RANGE_KEYS_MIN: usize = 128;
/// Into how many ranges all keys are divided, at the most: so that going round takes a bounded time.
const RANGES_MAX: usize = 64;
/// The most decisions that are sent at once, in number and in bytes, but for the last.
const ANSWER_DECISIONS_MAX: usize = 1_024;
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Where the comparison has come to.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The last key that was compared.
    after: Option<Key>,
    /// How many peers were asked.
    asked: usize,
    /// The tick of the next comparison.
    due: u64,
}

impl Paxos {
    /// Looks at this instance again, after a time that is not the same at every acceptor.
    pub(super) fn finish_later(&mut self, key: &Key) {
        let shortest = u64::from(self.config.election_ticks);
        let due = self.now + self.random.random_range(shortest..=3 * shortest);
        self.alarms.insert((due, Alarm::Unfinished(Key::clone(key))));
    }

    /// Has an instance decided in which something was accepted, if it still is not, and nobody here is at it.
    pub(super) fn finish(&mut self, key: &Key) {
        if self.acceptor.accepted(key).is_none() {
            return;
        }
        if !self.attempts.contains_key(key) && !self.inquiries.contains_key(key) {
            self.inquire(key, Vec::new(), true);
        }
        self.finish_later(key);
    }

    pub(super) fn schedule_scan(&mut self) {
        let longest = u64::from(self.config.election_ticks);
        self.scan.due = self.now + self.random.random_range(longest / 2..=longest);
    }

    pub(super) fn tick_scan(&mut self) {
        if self.now < self.scan.due {
            return;
        }
        self.schedule_scan();
        let peers = self.peers();
        if peers.is_empty() || !self.is_member() {
            return;
        }
        self.scan.asked += 1;
        let peer = peers[self.scan.asked % peers.len()];
        self.ask_to_compare(peer);
    }

    /// Asks about the next range, and goes on to the one after it.
    fn ask_to_compare(&mut self, peer: NodeId) {
        let after = self.scan.after.take();
        let keys = RANGE_KEYS_MIN.max(self.decisions.len() / RANGES_MAX);
        let upto = {
            let mut range = self.range(after.as_ref(), None).map(|(key, _)| key);
            let last = range.nth(keys - 1).map(Key::clone);
            // After the last key there may be others that only the peer has.
            last.filter(|_| range.next().is_some())
        };
        let (count, digest) = self.digest(after.as_ref(), upto.as_ref());
        self.scan.after.clone_from(&upto);
        let compare = Body::Compare {
            after,
            upto,
            count,
            digest,
        };
        self.say(peer, compare);
    }

    fn range(&self, after: Option<&Key>, upto: Option<&Key>) -> impl Iterator<Item = (&Key, &Command)> {
        let from = after.map_or(Bound::Unbounded, |key| Bound::Excluded(&**key));
        let to = upto.map_or(Bound::Unbounded, |key| Bound::Included(&**key));
        // A map panics on a range that ends before it begins.
        let possible = after.zip(upto).is_none_or(|(after, upto)| after < upto);
        let range = possible.then(|| self.decisions.range::<str, _>((from, to)));
        range.into_iter().flatten()
    }

    fn digest(&self, after: Option<&Key>, upto: Option<&Key>) -> (u64, u64) {
        self.range(after, upto).fold((0, 0), |(count, digest), (key, _)| {
            (count + 1, digest ^ hash(key))
        })
    }

    /// A peer wants to know whether there are decisions here that it lacks.
    pub(super) fn compare(
        &mut self,
        from: NodeId,
        after: Option<Key>,
        upto: Option<Key>,
        theirs: (u64, u64),
    ) {
        if self.digest(after.as_ref(), upto.as_ref()) == theirs {
            return;
        }
        let mut bytes = 0;
        let mut range = self.range(after.as_ref(), upto.as_ref()).peekable();
        let some = std::iter::from_fn(|| {
            let (key, value) = range.next_if(|_| bytes <= ANSWER_BYTES_MAX)?;
            bytes += key.len() + value.len();
            Some((Key::clone(key), Command::clone(value)))
        });
        let decisions: Vec<(Key, Command)> = some.take(ANSWER_DECISIONS_MAX).collect();
        let cut = range.peek().is_some();
        drop(range);
        let upto = match decisions.last() {
            Some((last, _)) if cut => Some(Key::clone(last)),
            _ => upto,
        };
        self.say(from, Body::Differs { upto, decisions });
    }

    /// Learns what it lacks. As long as there is something, the next range is asked about at once.
    pub(super) fn catch_up(
        &mut self,
        from: NodeId,
        upto: Option<Key>,
        decisions: Vec<(Key, Command)>,
        effects: &mut Effects,
    ) {
        let before = self.decisions.len();
        for (key, value) in decisions {
            self.learn(&key, value, effects);
        }
        if self.decisions.len() > before && upto.is_some() {
            self.scan.after = upto;
            self.ask_to_compare(from);
        }
    }
}

/// FNV-1a, and then some mixing, since the digest is the sum of them without their order.
fn hash(key: &str) -> u64 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}
