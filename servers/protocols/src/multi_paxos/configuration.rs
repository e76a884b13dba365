//! Who the members are, slot by slot.
//!
//! A configuration that is chosen at slot i is in force from slot i + alpha on, where alpha is the window
//! ([`Config::window`](crate::Config)): so whoever may propose for a slot knows its members, as nobody
//! proposes further than alpha beyond the slots that he knows to be chosen (Lamport 2001, end of section 3).

use std::collections::BTreeSet;

use super::value::{members, put_members};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_unsigned};
use crate::config::NodeId;

/// The most configurations in a snapshot that is decoded.
const CONFIGURATIONS_MAX: usize = 1 << 16;

/// The members from some slot on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The first slot of which these are the members.
    pub from: u64,
    /// In order of name.
    pub members: Vec<NodeId>,
}

impl Configuration {
    /// Are these a majority of the members?
    pub fn has_quorum(&self, is_in: impl Fn(NodeId) -> bool) -> bool {
        let there = self.members.iter().filter(|&&member| is_in(member)).count();
        there > self.members.len() / 2
    }
}

/// The configurations of all slots that are not known to be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configurations {
    /// In order of their first slots; at least one, which is that of the first slot not known to be chosen.
    list: Vec<Configuration>,
}

impl Configurations {
    /// As the cluster began.
    pub(super) fn new(members: &[NodeId]) -> Configurations {
        let members = members.to_vec();
        Configurations {
            list: vec![Configuration { from: 1, members }],
        }
    }

    /// The one of the first slot that is not known to be chosen.
    pub fn current(&self) -> &Configuration {
        &self.list[0]
    }

    /// The one of a slot that is not known to be chosen, and is within the window.
    pub fn of(&self, slot: u64) -> &Configuration {
        let later = self
            .list
            .iter()
            .rev()
            .find(|configuration| configuration.from <= slot);
        later.unwrap_or(&self.list[0])
    }

    /// The first slot of the last one, if it is not in force yet.
    pub fn pending(&self) -> Option<u64> {
        self.list[1..].last().map(|configuration| configuration.from)
    }

    /// The members of any.
    pub fn everyone(&self) -> BTreeSet<NodeId> {
        self.list
            .iter()
            .flat_map(|configuration| configuration.members.iter().copied())
            .collect()
    }

    /// Are these a majority of each?
    pub fn have_quorum(&self, is_in: impl Fn(NodeId) -> bool) -> bool {
        self.list
            .iter()
            .all(|configuration| configuration.has_quorum(&is_in))
    }

    /// Another, from this slot on.
    pub(super) fn add(&mut self, configuration: Configuration) {
        self.list.push(configuration);
    }

    /// All slots before this one are chosen. Says whether another configuration is in force by that.
    pub(super) fn forget_before(&mut self, slot: u64) -> bool {
        let over = self.list[1..].iter().take_while(|next| next.from <= slot).count();
        self.list.drain(..over);
        over > 0
    }
}

impl Encode for Configurations {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.list.len() as u64);
        for Configuration { from, members } in &self.list {
            put_unsigned(out, *from);
            put_members(out, members);
        }
    }
}

impl Decode for Configurations {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let list = input.list("a list of configurations", CONFIGURATIONS_MAX, |input| {
            Ok(Configuration {
                from: input.unsigned("a slot")?,
                members: members(input)?,
            })
        })?;
        if list.is_empty() {
            return Err(DecodeError::Impossible("a snapshot names no members"));
        }
        Ok(Configurations { list })
    }
}
