//! How many crashed operations of each class have been used: interned, so that a configuration holds a number.

use std::collections::BTreeSet;
use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

/// A multiset of crashed classes: sorted pairs of class and count, the count being at least 1.
type Counts = Box<[(u32, u32)]>;

/// All multisets that were met.
pub(crate) struct Usages {
    all: Vec<Counts>,
    ids: HashTable<u32>,
    bytes: u64,
}

impl Usages {
    /// Nothing is used.
    pub(crate) const NONE: u32 = 0;

    pub(crate) fn new() -> Self {
        let mut usages = Usages {
            all: Vec::new(),
            ids: HashTable::new(),
            bytes: 0,
        };
        usages.intern(Box::default());
        usages
    }

    fn intern(&mut self, counts: Counts) -> u32 {
        let hash = |counts: &Counts| FxBuildHasher.hash_one(counts);
        let this = hash(&counts);
        if let Some(&id) = self.ids.find(this, |&id| self.all[id as usize] == counts) {
            return id;
        }
        let id = self.all.len() as u32;
        // With the slack of a vector and of a table that double.
        self.bytes += 8 * counts.len() as u64 + 3 * size_of::<Counts>() as u64 + 32;
        self.all.push(counts);
        self.ids
            .insert_unique(this, id, |&id| hash(&self.all[id as usize]));
        id
    }

    pub(crate) fn count(&self, usage: u32, class: u32) -> u32 {
        let counts = &self.all[usage as usize];
        counts
            .binary_search_by_key(&class, |&(class, _)| class)
            .map_or(0, |at| counts[at].1)
    }

    /// One more of `class`.
    pub(crate) fn add(&mut self, usage: u32, class: u32) -> u32 {
        let mut counts = self.all[usage as usize].to_vec();
        match counts.binary_search_by_key(&class, |&(class, _)| class) {
            Ok(at) => counts[at].1 += 1,
            Err(at) => counts.insert(at, (class, 1)),
        }
        self.intern(counts.into())
    }

    /// Forgets the classes that no longer matter.
    pub(crate) fn retain(&mut self, usage: u32, matters: impl Fn(u32) -> bool) -> u32 {
        let counts = &self.all[usage as usize];
        if counts.iter().all(|&(class, _)| matters(class)) {
            return usage;
        }
        let kept: Counts = counts
            .iter()
            .filter(|&&(class, _)| matters(class))
            .copied()
            .collect();
        self.intern(kept)
    }

    /// Whether `a` uses no more than `b` of any class.
    pub(crate) fn at_most(&self, a: u32, b: u32) -> bool {
        a == b
            || self.all[a as usize]
                .iter()
                .all(|&(class, count)| count <= self.count(b, class))
    }

    /// How many operations are used in all.
    pub(crate) fn total(&self, usage: u32) -> usize {
        self.all[usage as usize]
            .iter()
            .map(|&(_, count)| count as usize)
            .sum()
    }

    /// The memory taken.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Usages none of which is at most another: mostly a single one, which is then all that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Antichain(u32);

/// There is no usage in it yet.
const EMPTY: u32 = u32::MAX;
/// It has several, and the other bits are an index into [`Antichains::several`].
const SEVERAL: u32 = 1 << 31;

impl Default for Antichain {
    fn default() -> Self {
        Antichain(EMPTY)
    }
}

/// What a number takes in a set of them, whose nodes are at least half full.
const OTHER_BYTES: u64 = 12;
/// With how many members of an antichain a usage is compared.
const COMPARED_MAX: usize = 128;

/// The antichains of more than one usage.
#[derive(Debug, Default)]
pub(crate) struct Antichains {
    several: Vec<Several>,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Several {
    /// None of which is at most another.
    compared: Vec<u32>,
    /// Those that came when that was full: only known by themselves, as comparing with thousands would take more time
    /// than is won by it.
    others: BTreeSet<u32>,
}

impl Antichains {
    /// Adds `usage` and drops what it dominates; false if something there dominates it.
    pub(crate) fn insert(&mut self, chain: &mut Antichain, usage: u32, usages: &Usages) -> bool {
        if chain.0 == EMPTY {
            chain.0 = usage;
            return true;
        }
        if chain.0 & SEVERAL == 0 {
            if usages.at_most(chain.0, usage) {
                return false;
            }
            if usages.at_most(usage, chain.0) {
                chain.0 = usage;
                return true;
            }
            let first = std::mem::replace(&mut chain.0, SEVERAL | self.several.len() as u32);
            self.bytes += 3 * size_of::<Several>() as u64 / 2 + 32;
            self.several.push(Several {
                compared: vec![first, usage],
                others: BTreeSet::new(),
            });
            return true;
        }
        let Several { compared, others } = &mut self.several[(chain.0 & !SEVERAL) as usize];
        if compared.iter().any(|&seen| usages.at_most(seen, usage)) || others.contains(&usage) {
            return false;
        }
        compared.retain(|&seen| !usages.at_most(usage, seen));
        if compared.len() == COMPARED_MAX {
            self.bytes += OTHER_BYTES;
            others.insert(usage);
            return true;
        }
        let before = compared.capacity();
        compared.push(usage);
        self.bytes += 4 * (compared.capacity() - before) as u64;
        true
    }

    /// The members of one.
    pub(crate) fn iter(&self, chain: Antichain) -> impl Iterator<Item = u32> {
        let (one, several) = match chain.0 {
            EMPTY => (None, None),
            one if one & SEVERAL == 0 => (Some(one), None),
            index => (None, Some(&self.several[(index & !SEVERAL) as usize])),
        };
        let several = several.into_iter();
        one.into_iter()
            .chain(several.flat_map(|several| several.compared.iter().chain(&several.others).copied()))
    }

    /// The memory taken.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dominated_usages_are_refused_and_dropped() {
        let mut usages = Usages::new();
        let a = usages.add(Usages::NONE, 4);
        let aa = usages.add(a, 4);
        let b = usages.add(Usages::NONE, 2);
        let ab = usages.add(a, 2);
        assert_eq!(ab, usages.add(b, 4));
        assert_eq!(
            (usages.count(aa, 4), usages.count(aa, 2), usages.total(ab)),
            (2, 0, 2)
        );
        assert_eq!(usages.retain(ab, |class| class == 2), b);
        let (mut all, mut chain) = (Antichains::default(), Antichain::default());
        assert!(all.insert(&mut chain, aa, &usages) && all.insert(&mut chain, ab, &usages));
        assert!(!all.insert(&mut chain, ab, &usages) && all.insert(&mut chain, a, &usages));
        assert_eq!(all.iter(chain).collect::<Vec<_>>(), [a]);
        assert!(all.insert(&mut chain, b, &usages) && all.insert(&mut chain, Usages::NONE, &usages));
        assert_eq!(all.iter(chain).collect::<Vec<_>>(), [Usages::NONE]);

        let mut single = Antichain::default();
        assert!(all.insert(&mut single, ab, &usages) && !all.insert(&mut single, ab, &usages));
        assert!(all.insert(&mut single, b, &usages) && !all.insert(&mut single, ab, &usages));
        assert_eq!(all.iter(single).collect::<Vec<_>>(), [b]);
    }
}
