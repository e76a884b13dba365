//! The network: delays, losses, doubles, reordering, cuts.

use std::collections::BTreeSet;

use partita_protocols::{NodeId, Random};
use rand::RngExt;

use crate::queue::{MILLISECOND, Time};

/// The network between nodes. Messages overtake each other, as each has a delay of its own.
#[derive(Debug)]
pub(crate) struct Network {
    random: Random,
    /// Directed links that let nothing through.
    cut: BTreeSet<(NodeId, NodeId)>,
    /// Is it a bad time: losses, doubles, and long delays?
    pub(crate) stormy: bool,
}

impl Network {
    pub(crate) fn new(random: Random) -> Network {
        Network {
            random,
            cut: BTreeSet::new(),
            stormy: false,
        }
    }

    /// The delays after which copies of a message arrive: none if it is lost.
    pub(crate) fn deliveries(&mut self, from: NodeId, to: NodeId) -> Vec<Time> {
        let (loss, double, slow) = if self.stormy {
            (0.2, 0.1, 0.2)
        } else {
            (0.001, 0.002, 0.01)
        };
        if self.cut.contains(&(from, to)) || self.random.random_bool(loss) {
            return Vec::new();
        }
        let copies = if self.random.random_bool(double) { 2 } else { 1 };
        (0..copies)
            .map(|_| {
                let longest = if self.random.random_bool(slow) {
                    200 * MILLISECOND
                } else {
                    2 * MILLISECOND
                };
                self.random.random_range(MILLISECOND / 10..longest)
            })
            .collect()
    }

    /// Is what was sent, and is to arrive now, cut off on its way?
    pub(crate) fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.cut.contains(&(from, to))
    }

    /// Cuts all links from the one group to the other, and none back.
    pub(crate) fn cut_one_way(&mut self, from: &[NodeId], to: &[NodeId]) {
        self.cut
            .extend(from.iter().flat_map(|&from| to.iter().map(move |&to| (from, to))));
    }

    /// Cuts all links between the groups.
    pub(crate) fn cut(&mut self, one: &[NodeId], other: &[NodeId]) {
        self.cut_one_way(one, other);
        self.cut_one_way(other, one);
    }

    /// Mends all links.
    pub(crate) fn heal(&mut self) {
        self.cut.clear();
    }
}
