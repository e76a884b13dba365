//! A hash table whose memory is known, and grows in small steps.
//!
//! A table that doubles needs three times its old memory while it does so. A large one is therefore cut into many
//! parts that grow one at a time.

use std::hash::{BuildHasher, Hash};

use rustc_hash::{FxBuildHasher, FxHashMap};

/// How many entries a table has before it is cut.
const CUT_AT: usize = 1 << 15;
/// Into how many parts.
const PARTS: usize = 64;
/// The bits of a hash that choose the part: the table inside uses those at either end.
const PART_SHIFT: u32 = 34;

/// A map that only grows.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    parts: Vec<FxHashMap<K, V>>,
    bytes: u64,
}

impl<K: Hash + Eq, V: Default> Table<K, V> {
    pub(crate) fn new() -> Self {
        Table {
            parts: vec![FxHashMap::default()],
            bytes: 0,
        }
    }

    fn part(&self, key: &K) -> usize {
        match self.parts.len() {
            1 => 0,
            _ => (FxBuildHasher.hash_one(key) >> PART_SHIFT) as usize % PARTS,
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.parts[self.part(key)].get(key)
    }

    /// The value of a key, put there if there was none.
    pub(crate) fn get_or_default(&mut self, key: K) -> &mut V {
        if self.parts.len() == 1 && self.parts[0].len() == CUT_AT {
            self.cut();
        }
        let at = self.part(&key);
        let part = &mut self.parts[at];
        if part.len() == part.capacity() {
            self.bytes -= bytes_of(part);
            part.reserve(1);
            self.bytes += bytes_of(part);
        }
        part.entry(key).or_default()
    }

    fn cut(&mut self) {
        let whole = std::mem::take(&mut self.parts[0]);
        self.parts.resize_with(PARTS, FxHashMap::default);
        for (key, value) in whole {
            let at = self.part(&key);
            self.parts[at].insert(key, value);
        }
        self.bytes = self.parts.iter().map(bytes_of).sum();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.parts.iter().flatten()
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(FxHashMap::len).sum()
    }

    /// The memory taken, without what keys and values own, and with what the next growth of a part takes for a
    /// moment.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes + 2 * self.bytes / self.parts.len() as u64
    }
}

/// What a map of the standard library takes: a power of two of entries, each with a byte of its hash, at most 7 of
/// 8 in use.
fn bytes_of<K, V>(map: &FxHashMap<K, V>) -> u64 {
    match map.capacity() {
        0 => 0,
        capacity => ((capacity * 8 / 7).next_power_of_two() * (size_of::<(K, V)>() + 1) + 16) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::{CUT_AT, Table};

    #[test]
    fn a_cut_table_is_still_the_same_map() {
        let mut table: Table<(u32, u64), u32> = Table::new();
        let count = 4 * CUT_AT as u32;
        for i in 0..count {
            *table.get_or_default((i, u64::from(i) << 20)) = i;
        }
        assert_eq!(
            (table.len(), table.iter().count()),
            (count as usize, count as usize)
        );
        assert!((0..count).all(|i| table.get(&(i, u64::from(i) << 20)) == Some(&i)));
        assert_eq!(table.get(&(count, 0)), None);
        let least = u64::from(count) * 25;
        assert!((least..5 * least).contains(&table.bytes()), "{}", table.bytes());
    }
}
