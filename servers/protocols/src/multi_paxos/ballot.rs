//! Ballots: the numbers of proposals.

use std::fmt;

use crate::codec::{Decode, DecodeError, Encode, Reader, put_unsigned};
use crate::config::NodeId;

/// The number of a proposal. It ends with the node that proposes: so no two nodes ever use one number
/// ("different proposers choose their numbers from disjoint sets", Lamport 2001, 2.5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ballot {
    /// Counts up.
    pub round: u64,
    /// Whose ballot it is.
    pub node: NodeId,
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.round, self.node)
    }
}

impl fmt::Debug for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
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
