//! The numbers of proposals: ordered, disjoint between nodes, and never used twice.

use super::defects;
use super::node::Paxos;
use super::record::Change;
use crate::codec::{self, Decode, DecodeError, Encode, Reader, put_bytes, put_unsigned};
use crate::config::NodeId;
use crate::protocol::{Command, WriteId};

/// How many rounds are reserved by one write.
const RESERVED_AT_ONCE: u64 = 100;

/// The number of a proposal. Two nodes never have the same, since it ends with the node's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ballot {
    /// How often it was tried, roughly.
    pub round: u64,
    /// The proposer.
    pub node: NodeId,
}

/// A proposal: a value and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The number.
    pub ballot: Ballot,
    /// The value.
    pub value: Command,
}

/// Which rounds this node may use. "Each proposer remembers (in stable storage) the highest-numbered proposal
/// it has tried to issue" (paper 2.5). Here the rounds are reserved a hundred at a time, so that most ballots
/// need no write of their own; and a node that starts again begins above all that it ever reserved.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// The rounds of this life are above this one.
    pub(super) base: u64,
    /// The last round that is reserved.
    pub(super) reserved: u64,
    /// The write that says so.
    pub(super) write: WriteId,
    /// The highest round that this node has heard of.
    pub(super) highest: u64,
}

impl Rounds {
    pub(super) fn recovered(reserved: u64, highest: u64) -> Rounds {
        Rounds {
            base: reserved,
            reserved,
            write: WriteId(0),
            highest: highest.max(reserved),
        }
    }

    pub(super) fn hear_of(&mut self, ballot: Ballot) {
        self.highest = self.highest.max(ballot.round);
    }
}

impl Paxos {
    /// A ballot of this node for this instance, above that round, and never used before.
    pub(super) fn new_ballot(&mut self, key: &str, above: u64) -> Ballot {
        let promised = self.acceptor.promised(key).map_or(0, |ballot| ballot.round);
        let forgets = self.config.has(&defects::BALLOT_REUSE);
        let used = if forgets {
            0
        } else {
            promised.max(self.rounds.base)
        };
        let round = used.max(above) + 1;
        if round > self.rounds.reserved && !forgets {
            self.rounds.reserved = round + RESERVED_AT_ONCE;
            self.rounds.write = self.change(Change::Reserved(self.rounds.reserved));
        }
        let ballot = Ballot {
            round,
            node: self.config.me,
        };
        self.rounds.hear_of(ballot);
        ballot
    }

    /// Would this node, after a crash, know better than to use its rounds again?
    pub(super) fn rounds_are_durable(&self) -> bool {
        self.writes.is_durable(self.rounds.write)
    }
}

impl Encode for Ballot {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.round);
        self.node.encode(out);
    }
}

impl Decode for Ballot {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Ballot {
            round: input.unsigned("a round")?,
            node: NodeId::decode(input)?,
        })
    }
}

impl Encode for Numbered {
    fn encode(&self, out: &mut Vec<u8>) {
        self.ballot.encode(out);
        put_bytes(out, &self.value);
    }
}

impl Decode for Numbered {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Numbered {
            ballot: Ballot::decode(input)?,
            value: codec::command(input)?,
        })
    }
}
