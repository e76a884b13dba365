//! What goes wrong, and when.

use partita_protocols::{NodeId, Random};
use rand::RngExt;
use rand::seq::SliceRandom;

use crate::queue::{MILLISECOND, Time};

/// A fault, or the end of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Crash(Vec<NodeId>),
    Restart(Vec<NodeId>),
    Pause(NodeId),
    Resume(NodeId),
    Partition {
        one: Vec<NodeId>,
        other: Vec<NodeId>,
        one_way: bool,
    },
    Mend,
    Storm,
    Calm,
}

/// Draws faults, one after another; they may overlap.
#[derive(Debug)]
pub(crate) struct Faults {
    random: Random,
    nodes: Vec<NodeId>,
}

impl Faults {
    pub(crate) fn new(random: Random, nodes: Vec<NodeId>) -> Faults {
        Faults { random, nodes }
    }

    /// How long nothing new goes wrong.
    pub(crate) fn pause(&mut self) -> Time {
        self.random.random_range(100 * MILLISECOND..1_200 * MILLISECOND)
    }

    /// What goes wrong next, how long it lasts, and what ends it. Often it befalls the leader.
    pub(crate) fn draw(&mut self, leader: Option<NodeId>) -> (Fault, Time, Fault) {
        let mut nodes = self.nodes.clone();
        nodes.shuffle(&mut self.random);
        if let Some(leader) = leader.filter(|_| self.random.random_bool(0.4)) {
            nodes.retain(|&node| node != leader);
            nodes.insert(0, leader);
        }
        let duration = self.random.random_range(100 * MILLISECOND..2_500 * MILLISECOND);
        let some = self.random.random_range(1..=nodes.len());
        match self.random.random_range(0..8) {
            0 => (
                Fault::Crash(vec![nodes[0]]),
                duration,
                Fault::Restart(vec![nodes[0]]),
            ),
            1 => {
                nodes.truncate(some);
                (Fault::Crash(nodes.clone()), duration / 4, Fault::Restart(nodes))
            }
            2 => (Fault::Pause(nodes[0]), duration, Fault::Resume(nodes[0])),
            3 => (Fault::Storm, duration, Fault::Calm),
            kind => {
                let other = nodes.split_off(some.min(if kind < 6 { 1 } else { self.nodes.len() / 2 }));
                (
                    Fault::Partition {
                        one: nodes,
                        other,
                        one_way: kind == 7,
                    },
                    duration,
                    Fault::Mend,
                )
            }
        }
    }
}
