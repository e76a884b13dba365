//! Which nodes have had a file spoilt. What a server makes of that is not undone by healing, so it counts for the whole run.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Spoilt(Mutex<BTreeSet<usize>>);

impl Spoilt {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of these nodes of a cluster of this size, those of which a fault may spoil a file, so that most nodes of the run
    /// never see that happen; if none of them may be, as many that have seen it before.
    pub(crate) fn may_be(&self, nodes: Vec<usize>, size: usize) -> Vec<usize> {
        let mut spoilt = self.lock();
        let (most, wanted) = (most(size), nodes.len());
        let mut may = |node: &usize| spoilt.contains(node) || (spoilt.len() < most && spoilt.insert(*node));
        let fitting: Vec<usize> = nodes.into_iter().filter(|node| may(node)).collect();
        if fitting.is_empty() {
            spoilt.iter().copied().take(wanted).collect()
        } else {
            fitting
        }
    }

    /// Files of these nodes are spoilt, because somebody asked for just that.
    pub(crate) fn add(&self, nodes: &[usize]) {
        self.lock().extend(nodes);
    }

    /// How many nodes that is by now, if they are so many that no quorum of a cluster of this size need have files that
    /// never were.
    pub(crate) fn too_many(&self, size: usize) -> Option<usize> {
        let count = self.lock().len();
        (count > most(size)).then_some(count)
    }
}

/// As many as the cluster must survive.
fn most(size: usize) -> usize {
    size.saturating_sub(1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_minority_is_hit_again_and_again() {
        let spoilt = Spoilt::default();
        assert_eq!(spoilt.may_be(vec![4], 5), [4]);
        assert_eq!(spoilt.may_be(vec![0, 1, 2], 5), [0]);
        assert_eq!(spoilt.may_be(vec![3], 5), [0], "another, which may be");
        assert_eq!(spoilt.may_be(vec![1, 4], 5), [4]);
        assert_eq!(spoilt.too_many(5), None);
    }

    #[test]
    fn what_was_asked_for_gives_the_bound_up_and_is_told() {
        let spoilt = Spoilt::default();
        spoilt.add(&[1, 2]);
        assert_eq!((spoilt.too_many(5), spoilt.too_many(3)), (None, Some(2)));
        spoilt.add(&[2, 3]);
        assert_eq!(spoilt.too_many(5), Some(3));
        assert_eq!(spoilt.may_be(vec![0, 3], 5), [3]);
    }
}
