//! Views, and the group whose turn it is to lead them.

use crate::codec::{Decode, DecodeError, Encode, Reader, put_unsigned};
use crate::config::NodeId;

/// A view of an epoch (sections 4 and 7). Views start again from 0 in each epoch, so they are ordered by
/// epoch first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct View {
    /// The epoch-number: how many reconfigurations there have been.
    pub epoch: u64,
    /// The view-number in the epoch.
    pub number: u64,
}

/// By how much an epoch counts more than a view where both are shown as one number.
const VIEWS_SHOWN: u64 = 1_000_000_000;

impl View {
    /// The first view of an epoch.
    pub fn first_of(epoch: u64) -> View {
        View { epoch, number: 0 }
    }

    /// The next view of the same epoch.
    pub fn next(self) -> View {
        View {
            number: self.number + 1,
            ..self
        }
    }

    /// As one number, for people: the view-number, and from the first reconfiguration on the epoch-number
    /// before its nine last digits.
    pub fn shown(self) -> u64 {
        self.epoch.saturating_mul(VIEWS_SHOWN).saturating_add(self.number)
    }
}

impl Encode for View {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.epoch);
        put_unsigned(out, self.number);
    }
}

impl Decode for View {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(View {
            epoch: input.unsigned("an epoch")?,
            number: input.unsigned("a view")?,
        })
    }
}

/// The most members of a group that is decoded.
const MEMBERS_MAX: usize = 1024;

/// The replica group of an epoch: the paper's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Its epoch.
    pub epoch: u64,
    /// Who votes, in order of name.
    pub members: Vec<NodeId>,
    /// Of members that began with an empty disk after the cluster did: the nonce of the life that was
    /// admitted. In another life with an empty disk such a node has no vote.
    pub admitted: Vec<(NodeId, u64)>,
}

impl Group {
    /// Has this node a vote?
    pub fn contains(&self, node: NodeId) -> bool {
        self.members.contains(&node)
    }

    /// How many members are a quorum: f + 1.
    pub fn quorum(&self) -> usize {
        self.members.len() / 2 + 1
    }

    /// Who is the primary of the view: each member in its turn (section 4).
    pub fn primary(&self, view: View) -> Option<NodeId> {
        let turn = view.number.checked_rem(self.members.len() as u64)?;
        self.members.get(turn as usize).copied()
    }

    /// The next view that is led by this member.
    pub fn next_led_by(&self, node: NodeId, after: View) -> Option<View> {
        (1..=self.members.len() as u64)
            .map(|step| View {
                number: after.number + step,
                ..after
            })
            .find(|&view| self.primary(view) == Some(node))
    }

    /// The group of the next epoch, with this node in it; in this life, if it has forgotten all others.
    pub fn with(&self, node: NodeId, nonce: Option<u64>) -> Group {
        let mut next = self.without(node);
        next.members.push(node);
        next.members.sort_unstable();
        next.admitted.extend(nonce.map(|nonce| (node, nonce)));
        next
    }

    /// The group of the next epoch, without this node.
    pub fn without(&self, node: NodeId) -> Group {
        let mut next = self.clone();
        next.epoch += 1;
        next.members.retain(|&member| member != node);
        next.admitted.retain(|&(member, _)| member != node);
        next
    }

    /// Does the node have a vote in this life, that it began with an empty disk?
    pub fn admits(&self, node: NodeId, nonce: u64) -> bool {
        self.contains(node) && self.admitted.contains(&(node, nonce))
    }
}

impl Encode for Group {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.epoch);
        put_unsigned(out, self.members.len() as u64);
        self.members.iter().for_each(|member| member.encode(out));
        put_unsigned(out, self.admitted.len() as u64);
        for (node, nonce) in &self.admitted {
            node.encode(out);
            put_unsigned(out, *nonce);
        }
    }
}

impl Decode for Group {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Group {
            epoch: input.unsigned("an epoch")?,
            members: input.list("members", MEMBERS_MAX, NodeId::decode)?,
            admitted: input.list("admitted members", MEMBERS_MAX, |input| {
                Ok((NodeId::decode(input)?, input.word("a nonce")?))
            })?,
        })
    }
}
