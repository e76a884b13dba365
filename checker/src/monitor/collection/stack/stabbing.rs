//! Windows, of which all that contain some gap can be taken away.

/// A tree over windows sorted by their starts: the latest end of each group.
pub(super) struct Stabbing {
    /// The root is 1, the children of i are 2i and 2i + 1.
    ends: Vec<u32>,
    leaves: usize,
}

impl Stabbing {
    /// With these ends; 0 stands for a window that was taken away.
    pub(super) fn new(all: impl ExactSizeIterator<Item = u32>) -> Stabbing {
        let leaves = all.len().next_power_of_two();
        let mut ends = vec![0; 2 * leaves];
        for (node, end) in ends[leaves..].iter_mut().zip(all) {
            *node = end;
        }
        for i in (1..leaves).rev() {
            ends[i] = ends[2 * i].max(ends[2 * i + 1]);
        }
        Stabbing { ends, leaves }
    }

    /// Takes one away.
    pub(super) fn remove(&mut self, window: u32) {
        let mut i = self.leaves + window as usize;
        self.ends[i] = 0;
        while i > 1 {
            i /= 2;
            self.ends[i] = self.ends[2 * i].max(self.ends[2 * i + 1]);
        }
    }

    /// Of the windows from `from` on and before `until`, all that end after `gap`.
    pub(super) fn find(&self, from: u32, until: u32, gap: u32, found: &mut Vec<u32>) {
        let (mut left, mut right) = (self.leaves + from as usize, self.leaves + until as usize);
        while left < right {
            if left % 2 == 1 {
                self.find_below(left, gap, found);
                left += 1;
            }
            if right % 2 == 1 {
                right -= 1;
                self.find_below(right, gap, found);
            }
            left /= 2;
            right /= 2;
        }
    }

    fn find_below(&self, i: usize, gap: u32, found: &mut Vec<u32>) {
        if self.ends[i] <= gap {
            return;
        }
        if i >= self.leaves {
            found.push((i - self.leaves) as u32);
            return;
        }
        self.find_below(2 * i, gap, found);
        self.find_below(2 * i + 1, gap, found);
    }
}
