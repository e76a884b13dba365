//! Names of transactions, and what a vote compares.

use crate::codec::{Decode, DecodeError, Encode, Reader, put_unsigned};
use crate::config::NodeId;

/// The name of a transaction: the epoch of the leader that made it, and its number among that leader's
/// transactions, from 1 (paper section 3). Zeros name the place before the first transaction.
///
/// An epoch has one leader at most, and a leader's transactions follow each other in its history; so a zxid
/// names a transaction *and all before it*: two histories that hold the same zxid are the same up to it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zxid {
    /// The epoch of the leader that made it.
    pub epoch: u64,
    /// Its number among that leader's.
    pub counter: u64,
}

impl Zxid {
    /// Before the first transaction.
    pub const ZERO: Zxid = Zxid { epoch: 0, counter: 0 };
}

impl std::fmt::Display for Zxid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.epoch, self.counter)
    }
}

impl std::fmt::Debug for Zxid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// How recent a node's history is: the epoch of the last leader with which it was in agreement (f.a), then
/// its last transaction (paper section 4.1, phase 1: how the leader picks the history to go on with).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recency {
    /// The current epoch.
    pub epoch: u64,
    /// The last transaction.
    pub last: Zxid,
}

/// A vote: for this node, because its history is that recent. Votes are compared field by field, in this
/// order (Medeiros, section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vote {
    /// How recent the history of the node is.
    pub recency: Recency,
    /// The node that should lead.
    pub leader: NodeId,
}

impl Encode for Zxid {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.epoch);
        put_unsigned(out, self.counter);
    }
}

impl Decode for Zxid {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Zxid {
            epoch: input.unsigned("an epoch")?,
            counter: input.unsigned("a counter")?,
        })
    }
}

impl Encode for Recency {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.epoch);
        self.last.encode(out);
    }
}

impl Decode for Recency {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Recency {
            epoch: input.unsigned("an epoch")?,
            last: Zxid::decode(input)?,
        })
    }
}

impl Encode for Vote {
    fn encode(&self, out: &mut Vec<u8>) {
        self.recency.encode(out);
        self.leader.encode(out);
    }
}

impl Decode for Vote {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Vote {
            recency: Recency::decode(input)?,
            leader: NodeId::decode(input)?,
        })
    }
}
