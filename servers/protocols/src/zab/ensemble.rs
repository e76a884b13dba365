//! Who the members are, and what a quorum of them is.

use super::history::{Payload, members, put_members};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_optional, put_unsigned};
use crate::config::NodeId;

/// The members at some place of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensemble {
    /// Those who decide.
    pub members: Vec<NodeId>,
    /// Those who decide as well, from some index on, because a reconfiguration is there that is not known to
    /// be committed.
    pub pending: Option<Pending>,
}

/// A reconfiguration that is not known to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its index.
    pub since: u64,
    /// The members that it makes.
    pub members: Vec<NodeId>,
}

impl Ensemble {
    pub(super) fn new(members: Vec<NodeId>) -> Ensemble {
        Ensemble {
            members,
            pending: None,
        }
    }

    /// Everyone who has a vote, in order of name.
    pub fn voters(&self) -> Vec<NodeId> {
        let pending = self.pending.iter().flat_map(|pending| &pending.members);
        let mut voters: Vec<_> = self.members.iter().chain(pending).copied().collect();
        voters.sort_unstable();
        voters.dedup();
        voters
    }

    /// Has this node a vote?
    pub fn contains(&self, node: NodeId) -> bool {
        let pending = self.pending.as_ref();
        self.members.contains(&node) || pending.is_some_and(|pending| pending.members.contains(&node))
    }

    /// Are those for whom this holds a quorum: a majority of the members, and of those to come if there are
    /// any? So two quorums share a node, whether or not the reconfiguration is committed (Shraer et al.,
    /// section 3.2).
    pub(super) fn is_quorum(&self, holds: impl Fn(NodeId) -> bool) -> bool {
        let majority =
            |members: &[NodeId]| members.iter().filter(|&&member| holds(member)).count() > members.len() / 2;
        majority(&self.members)
            && self
                .pending
                .as_ref()
                .is_none_or(|pending| majority(&pending.members))
    }

    /// The last index that is held by a quorum, given the last that each member holds. What is before a
    /// reconfiguration needs the old members alone; the reconfiguration and what follows needs both.
    pub(super) fn held_by_quorum(&self, held: impl Fn(NodeId) -> u64) -> u64 {
        let old = by_majority(&self.members, &held);
        match &self.pending {
            Some(pending) if old >= pending.since => {
                old.min(by_majority(&pending.members, &held).max(pending.since - 1))
            }
            _ => old,
        }
    }
}

/// The last index that a majority of these holds.
fn by_majority(members: &[NodeId], held: impl Fn(NodeId) -> u64) -> u64 {
    let mut held: Vec<u64> = members.iter().map(|&member| held(member)).collect();
    held.sort_unstable_by(|one, other| other.cmp(one));
    held.get(members.len() / 2).copied().unwrap_or(0)
}

/// The ensembles of a history: the one at its start, and one for each transaction that changes it.
#[derive(Clone, Debug)]
pub(super) struct Ensembles {
    /// By the index from which they hold; never empty.
    at: Vec<(u64, Ensemble)>,
}

impl Ensembles {
    pub(super) fn new(index: u64, first: Ensemble) -> Ensembles {
        Ensembles {
            at: vec![(index, first)],
        }
    }

    /// The one at the end of the history. A reconfiguration holds as soon as it is accepted, committed or
    /// not: a leader that has it must reckon with both outcomes.
    pub(super) fn current(&self) -> &Ensemble {
        &self.at[self.at.len() - 1].1
    }

    /// The one that holds at this index.
    pub(super) fn at(&self, index: u64) -> &Ensemble {
        let after = self.at.partition_point(|(since, _)| *since <= index);
        &self.at[after.saturating_sub(1)].1
    }

    /// The index of the last transaction that changed it, or of the place that the history begins at.
    pub(super) fn changed_at(&self) -> u64 {
        self.at[self.at.len() - 1].0
    }

    /// Takes note of the transaction at this index.
    pub(super) fn note(&mut self, index: u64, payload: &Payload) {
        let mut ensemble = self.current().clone();
        match payload {
            Payload::Command(_) => return,
            Payload::Reconfigure(members) => {
                ensemble.pending = Some(Pending {
                    since: index,
                    members: members.clone(),
                });
            }
            Payload::Activate => {
                if let Some(pending) = ensemble.pending.take() {
                    ensemble.members = pending.members;
                }
            }
        }
        self.at.push((index, ensemble));
    }

    /// The history ends here.
    pub(super) fn truncate_after(&mut self, index: u64) {
        let kept = self.at.partition_point(|(since, _)| *since <= index);
        self.at.truncate(kept.max(1));
    }

    /// Nobody asks for what held before this index.
    pub(super) fn forget_before(&mut self, index: u64) {
        let kept = self.at.partition_point(|(since, _)| *since <= index);
        self.at.drain(..kept.saturating_sub(1));
    }
}

impl Encode for Ensemble {
    fn encode(&self, out: &mut Vec<u8>) {
        put_members(out, &self.members);
        put_optional(out, self.pending.as_ref(), |out, pending| {
            put_unsigned(out, pending.since);
            put_members(out, &pending.members);
        });
    }
}

impl Decode for Ensemble {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Ensemble {
            members: members(input)?,
            pending: input.optional("a reconfiguration", |input| {
                Ok(Pending {
                    since: input.unsigned("an index")?,
                    members: members(input)?,
                })
            })?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(numbers: &[usize]) -> Vec<NodeId> {
        let node = |number| NodeId::new(&format!("n{number}")).expect("a good name");
        numbers.iter().map(node).collect()
    }

    #[test]
    fn a_reconfiguration_needs_both_quorums_and_what_is_before_it_the_old_alone() {
        let mut ensembles = Ensembles::new(0, Ensemble::new(nodes(&[1, 2, 3])));
        ensembles.note(5, &Payload::Reconfigure(nodes(&[1, 4, 5])));
        let held = |by: &'static [(usize, u64)]| {
            move |node: NodeId| {
                let found = by.iter().find(|(number, _)| node == nodes(&[*number])[0]);
                found.map_or(0, |(_, index)| *index)
            }
        };
        let both = ensembles.current();
        assert_eq!(both.held_by_quorum(held(&[(1, 9), (2, 4), (3, 3)])), 4);
        assert_eq!(
            both.held_by_quorum(held(&[(1, 9), (2, 9), (3, 3)])),
            4,
            "the new have not got it"
        );
        assert_eq!(
            both.held_by_quorum(held(&[(1, 9), (4, 9), (5, 9)])),
            0,
            "the old have not got it"
        );
        assert_eq!(both.held_by_quorum(held(&[(1, 9), (2, 8), (4, 6)])), 6);
        let quorum = |numbers: &[usize]| both.is_quorum(|node| nodes(numbers).contains(&node));
        assert!(!quorum(&[1, 2]) && !quorum(&[1, 4]) && quorum(&[1, 2, 4]));

        ensembles.note(7, &Payload::Activate);
        let new = ensembles.current();
        assert!(new.is_quorum(|node| nodes(&[4, 5]).contains(&node)));
        assert_eq!(ensembles.at(6).voters(), nodes(&[1, 2, 3, 4, 5]));
        assert_eq!(ensembles.at(4).voters(), nodes(&[1, 2, 3]));
        ensembles.forget_before(6);
        ensembles.truncate_after(6);
        assert!(ensembles.current().pending.is_some());
        let ensemble = ensembles.current();
        assert_eq!(Ensemble::from_bytes(&ensemble.to_bytes()).as_ref(), Ok(ensemble));
    }
}
