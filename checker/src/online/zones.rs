//! When each chain was certainly there, and which chains can still be met (ALGORITHMS.md 3.2 and 5).

use super::Time;

/// Chains in the order in which their first operations ended, with the moment at which their last one began.
///
/// A chain must precede another if its first operation ended before the other's last one began. Two that must
/// each precede the other are a violation.
#[derive(Debug)]
pub(super) struct Zones {
    /// When the first operation of each ended: rising, as chains are added when that happens.
    first_ends: Vec<Time>,
    /// The names of the chains.
    chains: Vec<u32>,
    /// When the last operation of each began, under a tree of maxima: leaves from `leaves` on.
    last_begins: Vec<Time>,
    leaves: usize,
    /// When the last operation of any forgotten chain began: what ended before that precedes a forgotten one.
    forgotten: Time,
}

impl Zones {
    pub(super) fn new() -> Zones {
        Zones {
            first_ends: Vec::new(),
            chains: Vec::new(),
            last_begins: vec![0; 2],
            leaves: 1,
            forgotten: 0,
        }
    }

    /// Adds a chain of which nothing had ended yet; gives its place.
    pub(super) fn push(&mut self, chain: u32, first_end: Time, last_begin: Time) -> usize {
        debug_assert!(self.first_ends.last().is_none_or(|&last| last <= first_end));
        let place = self.first_ends.len();
        self.first_ends.push(first_end);
        self.chains.push(chain);
        if place == self.leaves {
            self.rebuild(2 * self.leaves);
        }
        self.set(place, last_begin);
        place
    }

    /// An operation of the chain at this place began then. False if the chain now has to precede one that has to
    /// precede it.
    pub(super) fn raise(&mut self, place: usize, began: Time) -> bool {
        if began <= self.last_begins[self.leaves + place] {
            return true;
        }
        self.set(place, began);
        let preceded = self.first_ends.partition_point(|&end| end < began);
        let others = self
            .latest(0, preceded.min(place))
            .max(self.latest(place + 1, preceded));
        others <= self.first_ends[place]
    }

    /// Forgets the chains of which no operation that ends from now on can be a part: they have to precede one
    /// whose first operation ended before `horizon`, when the first operation still open began, or a forgotten one.
    /// Gives their names, and tells where those left are now.
    pub(super) fn forget(&mut self, horizon: Time, mut moved: impl FnMut(u32, usize)) -> Vec<u32> {
        let places = self.first_ends.len();
        let begun = |place: usize| self.last_begins[self.leaves + place];
        let ended = self.first_ends.partition_point(|&end| end < horizon);
        let latest = (0..ended).max_by_key(|&place| begun(place));
        let second = (0..ended)
            .filter(|&place| Some(place) != latest)
            .map(begun)
            .max()
            .unwrap_or(0);
        let first = latest.map_or(0, begun);
        let mut is_dead = vec![false; places];
        let mut forgotten = self.forgotten;
        loop {
            let before = forgotten;
            for (place, is_dead) in is_dead.iter_mut().enumerate() {
                let by_others = if Some(place) == latest { second } else { first };
                if !*is_dead && self.first_ends[place] < forgotten.max(by_others) {
                    *is_dead = true;
                    forgotten = forgotten.max(begun(place));
                }
            }
            if forgotten == before {
                break;
            }
        }
        self.forgotten = forgotten;
        let mut dead = Vec::new();
        let mut left = 0;
        for (place, is_dead) in is_dead.into_iter().enumerate() {
            let chain = self.chains[place];
            if is_dead {
                dead.push(chain);
                continue;
            }
            self.first_ends[left] = self.first_ends[place];
            self.chains[left] = chain;
            self.last_begins[self.leaves + left] = self.last_begins[self.leaves + place];
            moved(chain, left);
            left += 1;
        }
        self.first_ends.truncate(left);
        self.chains.truncate(left);
        self.rebuild(left.next_power_of_two());
        dead
    }

    /// The chains that can still be met.
    pub(super) fn chains(&self) -> &[u32] {
        &self.chains
    }

    fn set(&mut self, place: usize, begun: Time) {
        let mut node = self.leaves + place;
        self.last_begins[node] = begun;
        while node > 1 && self.last_begins[node / 2] < begun {
            node /= 2;
            self.last_begins[node] = begun;
        }
    }

    /// The latest begin of the chains at the places from `from` to before `to`.
    fn latest(&self, from: usize, to: usize) -> Time {
        let (mut from, mut to, mut latest) = (self.leaves + from, self.leaves + to, 0);
        while from < to {
            if from % 2 == 1 {
                latest = latest.max(self.last_begins[from]);
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                latest = latest.max(self.last_begins[to]);
            }
            from /= 2;
            to /= 2;
        }
        latest
    }

    fn rebuild(&mut self, leaves: usize) {
        let mut tree = vec![0; 2 * leaves];
        let known = self.first_ends.len().min(self.leaves);
        tree[leaves..leaves + known].copy_from_slice(&self.last_begins[self.leaves..self.leaves + known]);
        for node in (1..leaves).rev() {
            tree[node] = tree[2 * node].max(tree[2 * node + 1]);
        }
        (self.last_begins, self.leaves) = (tree, leaves);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_that_must_precede_each_other_are_noticed() {
        let mut zones = Zones::new();
        let places = [
            zones.push(0, 0, 0),
            zones.push(1, 10, 4),
            zones.push(2, 20, 12),
            zones.push(3, 30, 25),
        ];
        // Chain 1 ended before chain 2 began; chain 1 may go on until chain 2 ends.
        assert!(zones.raise(places[1], 11) && zones.raise(places[1], 19));
        assert!(!zones.raise(places[1], 21));
    }

    #[test]
    fn what_lies_within_another_is_noticed_wherever_it_was_added() {
        let mut zones = Zones::new();
        let (a, b) = (zones.push(0, 10, 1), zones.push(1, 20, 15));
        assert!(zones.raise(b, 16));
        assert!(!zones.raise(a, 21));
        let mut zones = Zones::new();
        let (_, b) = (zones.push(0, 10, 30), zones.push(1, 20, 5));
        assert!(zones.raise(b, 10) && !zones.raise(b, 11));
    }

    #[test]
    fn only_what_can_no_longer_be_met_is_forgotten() {
        let mut zones = Zones::new();
        zones.push(0, 0, 0);
        zones.push(1, 10, 4);
        zones.push(2, 20, 12);
        let mut left = Vec::new();
        // An operation that began at 15 is open: it may still read 1, but nobody can read 0.
        assert_eq!(zones.forget(15, |chain, place| left.push((chain, place))), [0]);
        assert_eq!(left, [(1, 0), (2, 1)]);
        assert_eq!(zones.forget(21, |_, _| {}), [1]);
        assert_eq!(zones.chains(), [2]);
    }
}
