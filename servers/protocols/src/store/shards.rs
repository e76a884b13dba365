//! A map of which a copy is made in no time.
//!
//! It is many small maps, in blocks, each shared with its copies until it is changed. So a copy of a million keys
//! is a few dozen counted references, and what a change costs after it is one block of references and one small
//! map, once. Copying all keys, as a plain map must, would stop the node for as long as that takes, at every
//! snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

/// How many blocks there are, and how many maps in each.
const BLOCK: usize = 64;
/// How many maps there are, a power of two: of 1,000,000 keys each has 244.
const SHARDS: usize = BLOCK * BLOCK;

type Shard<T> = BTreeMap<Arc<str>, Arc<T>>;
type Block<T> = Vec<Option<Arc<Shard<T>>>>;

/// A map from names.
#[derive(Clone, Debug)]
pub(super) struct Shards<T> {
    /// Nothing for what is empty, so that a small store is a small thing.
    blocks: Vec<Option<Arc<Block<T>>>>,
    length: usize,
}

impl<T> Default for Shards<T> {
    fn default() -> Self {
        Shards {
            blocks: (0..BLOCK).map(|_| None).collect(),
            length: 0,
        }
    }
}

/// Which map a name is in: FNV-1a, the same on every node and in every version. Should somebody choose names that
/// all fall into one map, then that map is as slow to copy as a plain one would be, and no worse.
fn shard(name: &str) -> usize {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    (hash ^ (hash >> 32)) as usize % SHARDS
}

impl<T> Shards<T> {
    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// What is there by this name.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        let place = shard(name);
        let block = self.blocks[place / BLOCK].as_deref()?;
        let shard = block[place % BLOCK].as_deref()?;
        shard.get(name).map(|value| &**value)
    }

    /// All of it, in an order that follows from the names alone.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &T)> {
        let blocks = self.blocks.iter().flatten();
        let shards = blocks.flat_map(|block| block.iter().flatten());
        shards.flat_map(|shard| shard.iter().map(|(name, value)| (name, &**value)))
    }
}

impl<T: Clone> Shards<T> {
    /// What is there by this name, to be changed.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        let place = shard(name);
        let block = Arc::make_mut(self.blocks[place / BLOCK].as_mut()?);
        let shard = Arc::make_mut(block[place % BLOCK].as_mut()?);
        shard.get_mut(name).map(Arc::make_mut)
    }

    /// Puts something in place of what is there; was there nothing?
    pub(super) fn insert(&mut self, name: Arc<str>, value: T) -> bool {
        let place = shard(&name);
        let empty = || Arc::new((0..BLOCK).map(|_| None).collect());
        let block = self.blocks[place / BLOCK].get_or_insert_with(empty);
        let shard = Arc::make_mut(block)[place % BLOCK].get_or_insert_default();
        let is_new = Arc::make_mut(shard).insert(name, Arc::new(value)).is_none();
        self.length += usize::from(is_new);
        is_new
    }

    /// Takes out what is there.
    pub(super) fn remove(&mut self, name: &str) {
        if self.get(name).is_none() {
            return;
        }
        let place = shard(name);
        if let Some(block) = &mut self.blocks[place / BLOCK]
            && let Some(shard) = &mut Arc::make_mut(block)[place % BLOCK]
        {
            Arc::make_mut(shard).remove(name);
            self.length -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_what_was_there_and_shares_what_is_not_changed() {
        let mut map = Shards::default();
        for number in 0..10_000 {
            assert!(map.insert(format!("k{number}").into(), number));
        }
        let copy = map.clone();
        assert!(!map.insert("k17".into(), -1));
        *map.get_mut("k18").expect("it is there") = -2;
        map.remove("k19");
        map.remove("never");
        assert_eq!(
            [map.get("k17"), map.get("k18"), map.get("k19")],
            [Some(&-1), Some(&-2), None]
        );
        assert_eq!(
            [copy.get("k17"), copy.get("k18"), copy.get("k19")],
            [Some(&17), Some(&18), Some(&19)]
        );
        assert_eq!((map.len(), copy.len()), (9_999, 10_000));
        assert_eq!(copy.iter().count(), 10_000);
        let shards = |map: &Shards<i32>| {
            let blocks = map.blocks.iter().flatten();
            let shards = blocks.flat_map(|block| block.iter().flatten());
            shards.cloned().collect::<Vec<_>>()
        };
        let (mine, its) = (shards(&map), shards(&copy));
        let shared = mine.iter().zip(&its);
        let copied = shared.filter(|(one, other)| !Arc::ptr_eq(one, other)).count();
        assert!(
            (1..=3).contains(&copied),
            "{copied} maps were copied for three changes"
        );
    }
}
