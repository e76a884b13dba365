//! How many crashed operations of each class have been used: interned, so that a configuration holds a number.

use rustc_hash::FxHashMap;

/// A multiset of crashed classes: sorted pairs of class and count, the count being at least 1.
type Counts = Box<[(u32, u32)]>;

/// All multisets that were met.
pub(crate) struct Usages {
    all: Vec<Counts>,
    ids: FxHashMap<Counts, u32>,
    bytes: u64,
}

impl Usages {
    /// Nothing is used.
    pub(crate) const NONE: u32 = 0;

    pub(crate) fn new() -> Self {
        let mut usages = Usages {
            all: Vec::new(),
            ids: FxHashMap::default(),
            bytes: 0,
        };
        usages.intern(Box::default());
        usages
    }

    fn intern(&mut self, counts: Counts) -> u32 {
        if let Some(&id) = self.ids.get(&counts) {
            return id;
        }
        let id = self.all.len() as u32;
        self.bytes += 2 * 8 * counts.len() as u64 + 48;
        self.all.push(counts.clone());
        self.ids.insert(counts, id);
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

    /// Roughly the memory filled.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Usages none of which is at most another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Antichain(Vec<u32>);

impl Antichain {
    /// Adds `usage` and drops what it dominates; false if something there dominates it.
    pub(crate) fn insert(&mut self, usage: u32, usages: &Usages) -> bool {
        if self.0.iter().any(|&seen| usages.at_most(seen, usage)) {
            return false;
        }
        self.0.retain(|&seen| !usages.at_most(usage, seen));
        self.0.push(usage);
        true
    }

    /// Its members.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().copied()
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
        let mut chain = Antichain::default();
        assert!(chain.insert(aa, &usages) && chain.insert(ab, &usages) && !chain.insert(ab, &usages));
        assert!(chain.insert(a, &usages));
        assert_eq!(chain.iter().collect::<Vec<_>>(), [a]);
        assert!(chain.insert(b, &usages) && chain.insert(Usages::NONE, &usages));
        assert_eq!(chain.iter().collect::<Vec<_>>(), [Usages::NONE]);
    }
}
