//! The network: delays, losses, doubles, reordering, cuts.

use std::collections::BTreeMap;

use partita_protocols::{NodeId, Random};
use rand::RngExt;

use crate::queue::{MILLISECOND, Time};

/// The network between nodes. Messages overtake each other, as each has a delay of its own.
#[derive(Debug)]
pub(crate) struct Network {
    random: Random,
    /// Directed links that let nothing through, and how often each was cut: partitions overlap.
    cut: BTreeMap<(NodeId, NodeId), u32>,
    /// Is it a bad time: losses, doubles, and long delays?
    pub(crate) stormy: bool,
}

/// How often a message arrives, and after what delay each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deliveries {
    None,
    One(Time),
    Two(Time, Time),
}

impl Network {
    pub(crate) fn new(random: Random) -> Network {
        Network {
            random,
            cut: BTreeMap::new(),
            stormy: false,
        }
    }

    /// Whether a message arrives, and after what delays.
    pub(crate) fn deliveries(&mut self, from: NodeId, to: NodeId) -> Deliveries {
        let (loss, double, slow) = if self.stormy {
            (0.2, 0.1, 0.2)
        } else {
            (0.001, 0.002, 0.01)
        };
        if self.is_cut(from, to) || self.random.random_bool(loss) {
            return Deliveries::None;
        }
        let doubled = self.random.random_bool(double);
        let delay = self.delay(slow);
        if doubled {
            return Deliveries::Two(delay, self.delay(slow));
        }
        Deliveries::One(delay)
    }

    fn delay(&mut self, slow: f64) -> Time {
        let longest = if self.random.random_bool(slow) {
            200 * MILLISECOND
        } else {
            2 * MILLISECOND
        };
        self.random.random_range(MILLISECOND / 10..longest)
    }

    /// Is what was sent, and is to arrive now, cut off on its way?
    pub(crate) fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        !self.cut.is_empty() && self.cut.contains_key(&(from, to))
    }

    /// Cuts all links from the one group to the other.
    pub(crate) fn cut(&mut self, from: &[NodeId], to: &[NodeId]) {
        for link in links(from, to) {
            *self.cut.entry(link).or_default() += 1;
        }
    }

    /// Mends them, but for those that were cut once more.
    pub(crate) fn mend(&mut self, from: &[NodeId], to: &[NodeId]) {
        for link in links(from, to) {
            if let Some(times) = self.cut.get_mut(&link) {
                *times -= 1;
                if *times == 0 {
                    self.cut.remove(&link);
                }
            }
        }
    }

    /// Mends all links.
    pub(crate) fn heal(&mut self) {
        self.cut.clear();
    }
}

fn links<'a>(from: &'a [NodeId], to: &'a [NodeId]) -> impl Iterator<Item = (NodeId, NodeId)> + 'a {
    from.iter().flat_map(|&from| to.iter().map(move |&to| (from, to)))
}
