//! Who has a vote, as the log says it.
//!
//! A change of members goes from `C_old` to `C_new` through a *joint* membership, in which whatever needs a
//! majority needs one of `C_old` and one of `C_new`; so there is no moment at which the two could decide each
//! for itself (paper section 6). A node uses the latest membership in its log, whether or not it is
//! committed.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::defects;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_unsigned};
use crate::config::{Config, NodeId};

/// The most members of a cluster that is decoded.
const MEMBERS_MAX: usize = 1_000;

/// Who has a vote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Who has a vote, in order of name; `C_new` while a change is under way.
    voters: Vec<NodeId>,
    /// Who had one before the change that is under way (`C_old`); none if none is.
    outgoing: Vec<NodeId>,
}

impl Membership {
    pub(super) fn new(voters: impl IntoIterator<Item = NodeId>) -> Membership {
        let voters: BTreeSet<_> = voters.into_iter().collect();
        Membership {
            voters: voters.into_iter().collect(),
            outgoing: Vec::new(),
        }
    }

    /// The joint membership by which this one becomes that of `voters` (`C_old,new`).
    pub(super) fn joint(&self, voters: impl IntoIterator<Item = NodeId>) -> Membership {
        Membership {
            outgoing: self.voters.clone(),
            ..Membership::new(voters)
        }
    }

    /// What a joint membership leads to (`C_new`).
    pub(super) fn settled(&self) -> Membership {
        Membership {
            voters: self.voters.clone(),
            outgoing: Vec::new(),
        }
    }

    /// Is a change under way?
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Does this node have a vote?
    pub fn is_voter(&self, node: NodeId) -> bool {
        self.voters.contains(&node) || self.outgoing.contains(&node)
    }

    /// Will this node still have a vote when the change that is under way, if any, is over?
    pub(super) fn remains(&self, node: NodeId) -> bool {
        self.voters.contains(&node)
    }

    /// Everybody who has a vote, in order of name.
    pub fn voters(&self) -> BTreeSet<NodeId> {
        self.voters.iter().chain(&self.outgoing).copied().collect()
    }

    /// Those of whom a majority is needed: one group, or two while a change is under way.
    fn groups(&self) -> impl Iterator<Item = &[NodeId]> {
        let outgoing = self.is_joint().then_some(&self.outgoing[..]);
        [&self.voters[..]].into_iter().chain(outgoing)
    }

    /// Do these make a majority, of either group?
    pub fn is_majority(&self, among: impl Fn(NodeId) -> bool) -> bool {
        self.groups().all(|group| {
            let count = group.iter().filter(|&&node| among(node)).count();
            count > group.len() / 2
        })
    }

    /// The greatest number that a majority, of either group, has reached.
    pub(super) fn reached_by_majority(&self, reached: impl Fn(NodeId) -> u64) -> u64 {
        let of_group = |group: &[NodeId]| {
            let mut numbers: Vec<_> = group.iter().map(|&node| reached(node)).collect();
            numbers.sort_unstable_by(|one, other| other.cmp(one));
            // In falling order, the q-th is what q nodes have reached.
            numbers.get(group.len() / 2).copied()
        };
        self.groups()
            .map(|group| of_group(group).unwrap_or(0))
            .min()
            .unwrap_or(0)
    }

    /// Roughly how many bytes it takes in a message.
    pub(super) fn size(&self) -> usize {
        16 * (self.voters.len() + self.outgoing.len())
    }
}

/// The memberships that may still matter: the latest, and those to which a truncation of the log may lead
/// back.
#[derive(Clone, Debug)]
pub(super) struct Memberships {
    /// Each with the index of its entry, in order. The first holds from the start of the log on: its entry is
    /// gone, or never was.
    history: VecDeque<(u64, Arc<Membership>)>,
}

impl Memberships {
    pub(super) fn new(index: u64, membership: Arc<Membership>) -> Memberships {
        Memberships {
            history: [(index, membership)].into(),
        }
    }

    /// The latest, committed or not.
    pub(super) fn current(&self) -> &Arc<Membership> {
        &self.history[self.history.len() - 1].1
    }

    /// The index of its entry.
    pub(super) fn current_index(&self) -> u64 {
        self.history[self.history.len() - 1].0
    }

    /// The one before the latest, if it may still matter.
    pub(super) fn previous(&self) -> Option<&Membership> {
        let previous = self.history.len().checked_sub(2)?;
        Some(&self.history[previous].1)
    }

    /// The latest as of this index.
    pub(super) fn at(&self, index: u64) -> &Arc<Membership> {
        let known = self.history.partition_point(|(from, _)| *from <= index);
        &self.history[known.max(1) - 1].1
    }

    pub(super) fn append(&mut self, index: u64, membership: Arc<Membership>) {
        self.history.push_back((index, membership));
    }

    /// The log lost its entries from this index on.
    pub(super) fn truncate_from(&mut self, index: u64) {
        while self.history.len() > 1 && self.current_index() >= index {
            self.history.pop_back();
        }
    }

    /// The log will not be truncated up to this index.
    pub(super) fn compact_to(&mut self, index: u64) {
        while self.history.get(1).is_some_and(|(from, _)| *from <= index) {
            self.history.pop_front();
        }
    }

    /// Whose majority decides.
    pub(super) fn deciding(&self, config: &Config) -> Cow<'_, Membership> {
        if config.has(&defects::NEW_MAJORITY_ALONE) {
            Cow::Owned(self.current().settled())
        } else {
            Cow::Borrowed(self.current())
        }
    }
}

impl Encode for Membership {
    fn encode(&self, out: &mut Vec<u8>) {
        for group in [&self.voters, &self.outgoing] {
            put_unsigned(out, group.len() as u64);
            group.iter().for_each(|node| node.encode(out));
        }
    }
}

impl Decode for Membership {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut group = || input.list("members", MEMBERS_MAX, NodeId::decode);
        Ok(Membership {
            voters: group()?,
            outgoing: group()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(numbers: &[u8]) -> Vec<NodeId> {
        let name = |number: &u8| NodeId::new(&format!("n{number}")).expect("a good name");
        numbers.iter().map(name).collect()
    }

    #[test]
    fn a_joint_membership_needs_both_majorities() {
        let joint = Membership::new(nodes(&[1, 2, 3])).joint(nodes(&[3, 4, 5]));
        for (among, expected) in [
            (&[1, 2][..], false),
            (&[4, 5], false),
            (&[1, 2, 4], false),
            (&[1, 2, 4, 5], true),
            (&[1, 3, 4], true),
            (&[2, 3, 5], true),
        ] {
            let among_nodes = nodes(among);
            assert_eq!(
                joint.is_majority(|node| among_nodes.contains(&node)),
                expected,
                "{among:?}"
            );
            let reached = |node| if among_nodes.contains(&node) { 7 } else { 4 };
            assert_eq!(
                joint.reached_by_majority(reached),
                if expected { 7 } else { 4 },
                "{among:?}"
            );
        }
        let settled = joint.settled();
        let new_nodes = nodes(&[4, 5]);
        assert!(settled.is_majority(|node| new_nodes.contains(&node)) && !settled.is_joint());
        assert_eq!(Membership::from_bytes(&joint.to_bytes()), Ok(joint));
    }

    #[test]
    fn nobody_has_no_majority() {
        let nobody = Membership::default();
        assert!(!nobody.is_majority(|_| true));
        assert_eq!(nobody.reached_by_majority(|_| 7), 0);
    }

    #[test]
    fn a_truncation_leads_back_to_the_membership_before() {
        let [one, two, three] = [1, 2, 3].map(|number| Arc::new(Membership::new(nodes(&[number]))));
        let mut members = Memberships::new(0, one.clone());
        members.append(5, two.clone());
        members.append(9, three.clone());
        assert_eq!(
            [0, 4, 5, 8, 9, 99].map(|index| members.at(index)),
            [&one, &one, &two, &two, &three, &three]
        );
        members.truncate_from(9);
        assert_eq!((members.current(), members.current_index()), (&two, 5));
        members.compact_to(6);
        members.truncate_from(1);
        assert_eq!(members.current(), &two, "what is in a snapshot stays");
    }
}
