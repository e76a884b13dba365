//! A row of numbers, in which those that are small enough are found quickly.

/// A tree of minima.
pub(super) struct Levels {
    /// The root is 1, the children of i are 2i and 2i + 1; the leaves are the row, and the rest is out of reach.
    tree: Vec<u32>,
    leaves: usize,
}

impl Levels {
    pub(super) fn new(row: &[u32]) -> Levels {
        let leaves = row.len().next_power_of_two();
        let mut tree = vec![u32::MAX; 2 * leaves];
        tree[leaves..leaves + row.len()].copy_from_slice(row);
        for node in (1..leaves).rev() {
            tree[node] = tree[2 * node].min(tree[2 * node + 1]);
        }
        Levels { tree, leaves }
    }

    /// The first place from `from` on with a number of at most `bound`.
    pub(super) fn first(&self, from: u32, bound: u32) -> Option<u32> {
        let mut node = self.leaves + from as usize;
        // Up and to the right until there is one below, then down to the first.
        while self.tree[node] > bound {
            while node % 2 == 1 {
                node /= 2;
            }
            if node == 0 {
                return None;
            }
            node += 1;
        }
        while node < self.leaves {
            node *= 2;
            node += usize::from(self.tree[node] > bound);
        }
        Some((node - self.leaves) as u32)
    }

    /// The last place before `before` with a number of at most `bound`.
    pub(super) fn last(&self, before: u32, bound: u32) -> Option<u32> {
        let mut node = self.leaves + before.checked_sub(1)? as usize;
        while self.tree[node] > bound {
            while node.is_multiple_of(2) {
                node /= 2;
            }
            if node == 1 {
                return None;
            }
            node -= 1;
        }
        while node < self.leaves {
            node = 2 * node + 1;
            node -= usize::from(self.tree[node] > bound);
        }
        Some((node - self.leaves) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::Levels;

    #[test]
    fn finds_what_a_scan_finds() {
        let row: Vec<u32> = (0..37).map(|i| i * 17 % 41 % 9).collect();
        for length in 1..=row.len() {
            let row = &row[..length];
            let levels = Levels::new(row);
            for at in 0..length as u32 {
                for bound in 0..10 {
                    let is_small = |&i: &u32| row[i as usize] <= bound;
                    assert_eq!(levels.first(at, bound), (at..length as u32).find(is_small));
                    assert_eq!(levels.last(at, bound), (0..at).rev().find(is_small));
                }
            }
        }
    }
}
