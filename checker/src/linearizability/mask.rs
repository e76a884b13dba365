//! Sets of slots: which of the open operations have taken effect.

use std::hash::Hash;

/// A set of small numbers. The narrowest kind that holds a history's concurrency is chosen once per search.
pub(crate) trait Mask: Clone + Eq + Hash {
    /// The empty set, with room for `slots` members.
    fn empty(slots: usize) -> Self;
    fn contains(&self, slot: u32) -> bool;
    fn insert(&mut self, slot: u32);
    fn remove(&mut self, slot: u32);
    /// What it owns outside of itself.
    fn heap_bytes(&self) -> u64;
}

macro_rules! word_mask {
    ($word:ty) => {
        impl Mask for $word {
            fn empty(_slots: usize) -> Self {
                0
            }
            fn contains(&self, slot: u32) -> bool {
                *self >> slot & 1 == 1
            }
            fn insert(&mut self, slot: u32) {
                *self |= 1 << slot;
            }
            fn remove(&mut self, slot: u32) {
                *self &= !(1 << slot);
            }
            fn heap_bytes(&self) -> u64 {
                0
            }
        }
    };
}

word_mask!(u64);
word_mask!(u128);

impl Mask for Box<[u64]> {
    fn empty(slots: usize) -> Self {
        vec![0; slots.div_ceil(64)].into()
    }
    fn contains(&self, slot: u32) -> bool {
        self[slot as usize / 64] >> (slot % 64) & 1 == 1
    }
    fn insert(&mut self, slot: u32) {
        self[slot as usize / 64] |= 1 << (slot % 64);
    }
    fn remove(&mut self, slot: u32) {
        self[slot as usize / 64] &= !(1 << (slot % 64));
    }
    fn heap_bytes(&self) -> u64 {
        // With what the allocation itself takes.
        (size_of_val::<[u64]>(self) + 16) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::Mask;

    fn behaves<M: Mask + std::fmt::Debug>(slots: u32) {
        let mut mask = M::empty(slots as usize);
        for slot in 0..slots {
            mask.insert(slot);
            assert!(mask.contains(slot) && (slot + 1..slots).all(|other| !mask.contains(other)));
        }
        for slot in 0..slots {
            mask.remove(slot);
        }
        assert_eq!(mask, M::empty(slots as usize));
    }

    #[test]
    fn all_kinds_are_sets() {
        behaves::<u64>(64);
        behaves::<u128>(128);
        behaves::<Box<[u64]>>(200);
    }
}
