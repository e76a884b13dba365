//! How many items cover each gap, as they are peeled off.

/// A gap is out of reach once so many are added to its number.
const RETIRED: u32 = u32::MAX / 2;

/// A tree over gaps: the number of items that cover each, and the sum of their indices.
pub(super) struct Tally {
    /// The root is 1, the children of i are 2i and 2i + 1.
    nodes: Vec<Node>,
    leaves: usize,
}

#[derive(Clone, Copy, Default)]
struct Node {
    /// Added to all numbers below; and to all sums of indices, modulo 2^32.
    more: u32,
    indices: u32,
    /// The least number below.
    least: u32,
}

/// A gap that fewest items cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Least {
    pub(super) gap: u32,
    pub(super) count: u32,
    /// The item, if it is one.
    pub(super) item: u32,
}

impl Tally {
    /// Of these numbers and sums of indices. Gaps that less than two items cover are out of reach.
    pub(super) fn new(counts: &[u32], indices: &[u32]) -> Tally {
        let leaves = counts.len().next_power_of_two();
        let out_of_reach = Node {
            more: RETIRED,
            indices: 0,
            least: RETIRED,
        };
        let mut nodes = vec![out_of_reach; 2 * leaves];
        for (node, (&count, &indices)) in nodes[leaves..].iter_mut().zip(counts.iter().zip(indices)) {
            let count = if count < 2 { count + RETIRED } else { count };
            *node = Node {
                more: count,
                indices,
                least: count,
            };
        }
        for i in (1..leaves).rev() {
            nodes[i] = Node {
                more: 0,
                indices: 0,
                least: nodes[2 * i].least.min(nodes[2 * i + 1].least),
            };
        }
        Tally { nodes, leaves }
    }

    /// The least covered gap within reach.
    pub(super) fn least(&self) -> Option<Least> {
        let count = self.nodes[1].least;
        if count >= RETIRED {
            return None;
        }
        let (mut i, mut item) = (1, 0u32);
        loop {
            item = item.wrapping_add(self.nodes[i].indices);
            if i >= self.leaves {
                let gap = (i - self.leaves) as u32;
                return Some(Least { gap, count, item });
            }
            i = match (self.nodes[2 * i].least, self.nodes[2 * i + 1].least) {
                (left, right) if left <= right => 2 * i,
                _ => 2 * i + 1,
            };
        }
    }

    /// Puts a gap out of reach.
    pub(super) fn retire(&mut self, gap: u32) {
        let i = self.leaves + gap as usize;
        self.nodes[i].more += RETIRED;
        self.nodes[i].least += RETIRED;
        self.update_above(i);
    }

    /// The item no longer covers the gaps from `from` on and before `until`.
    pub(super) fn uncover(&mut self, (from, until): (u32, u32), item: u32) {
        let (first, last) = (self.leaves + from as usize, self.leaves + until as usize - 1);
        let (mut left, mut right) = (first, last + 1);
        while left < right {
            if left % 2 == 1 {
                self.subtract(left, item);
                left += 1;
            }
            if right % 2 == 1 {
                right -= 1;
                self.subtract(right, item);
            }
            left /= 2;
            right /= 2;
        }
        self.update_above(first);
        self.update_above(last);
    }

    fn subtract(&mut self, i: usize, item: u32) {
        let node = &mut self.nodes[i];
        node.more = node.more.wrapping_sub(1);
        node.least = node.least.wrapping_sub(1);
        node.indices = node.indices.wrapping_sub(item);
    }

    fn update_above(&mut self, mut i: usize) {
        while i > 1 {
            i /= 2;
            let below = self.nodes[2 * i].least.min(self.nodes[2 * i + 1].least);
            self.nodes[i].least = below.wrapping_add(self.nodes[i].more);
        }
    }
}
