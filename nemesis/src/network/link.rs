//! Directed links, and what is being done to them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A node, by its position in the list of nodes.
    Node(usize),
    /// All clients. They live in the controller.
    Clients,
}

/// One direction between two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// Who sends.
    pub from: Endpoint,
    /// Who receives.
    pub to: Endpoint,
}

impl Link {
    /// From one end to another.
    pub fn new(from: Endpoint, to: Endpoint) -> Link {
        Link { from, to }
    }

    /// From one node to another.
    pub fn between(from: usize, to: usize) -> Link {
        Link::new(Endpoint::Node(from), Endpoint::Node(to))
    }
}

/// Every directed link among nodes, and between clients and nodes.
pub(crate) fn all_links(nodes: usize) -> BTreeSet<Link> {
    let ends = || (0..nodes).map(Endpoint::Node).chain([Endpoint::Clients]);
    ends()
        .flat_map(|from| ends().map(move |to| Link { from, to }))
        .filter(|link| link.from != link.to)
        .collect()
}

/// What is done to a link. The later is the stronger, and hides the weaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interference {
    /// What is sent arrives later by this much. Only a proxy can do that.
    Delay(Duration),
    /// Nothing arrives. Connections stay open, and what was sent arrives once the link is healed.
    Stall,
    /// Nothing arrives, connections break, and new ones are refused.
    Reset,
}

impl Interference {
    /// Whether nothing gets through.
    pub(crate) fn is_cut(self) -> bool {
        self >= Interference::Stall
    }
}

/// What is in force, by the fault that imposed it, so that healing one undoes that one exactly.
#[derive(Clone, Debug, Default)]
pub(crate) struct Impositions {
    by_fault: BTreeMap<u64, (Interference, BTreeSet<Link>)>,
}

impl Impositions {
    pub(crate) fn impose(&mut self, fault: u64, interference: Interference, links: BTreeSet<Link>) {
        self.by_fault.insert(fault, (interference, links));
    }

    /// Returns the links that the fault had interfered with.
    pub(crate) fn lift(&mut self, fault: u64) -> BTreeSet<Link> {
        self.by_fault
            .remove(&fault)
            .map(|(_, links)| links)
            .unwrap_or_default()
    }

    pub(crate) fn lift_all(&mut self) -> BTreeSet<Link> {
        std::mem::take(&mut self.by_fault)
            .into_values()
            .flat_map(|(_, links)| links)
            .collect()
    }

    /// The strongest interference with each link.
    pub(crate) fn in_force(&self) -> BTreeMap<Link, Interference> {
        let mut strongest = BTreeMap::new();
        for (interference, links) in self.by_fault.values() {
            for link in links {
                let entry = strongest.entry(*link).or_insert(*interference);
                *entry = (*entry).max(*interference);
            }
        }
        strongest
    }

    /// The links that nothing gets through.
    pub(crate) fn cut(&self) -> BTreeSet<Link> {
        let in_force = self.in_force();
        in_force
            .into_iter()
            .filter(|(_, interference)| interference.is_cut())
            .map(|(link, _)| link)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(pairs: &[(usize, usize)]) -> BTreeSet<Link> {
        pairs.iter().map(|&(from, to)| Link::between(from, to)).collect()
    }

    #[test]
    fn healing_one_of_two_overlapping_cuts_keeps_the_other() {
        let mut impositions = Impositions::default();
        impositions.impose(1, Interference::Stall, links(&[(0, 1), (1, 2)]));
        impositions.impose(2, Interference::Stall, links(&[(1, 2), (2, 0)]));
        assert_eq!(impositions.cut(), links(&[(0, 1), (1, 2), (2, 0)]));
        assert_eq!(impositions.lift(1), links(&[(0, 1), (1, 2)]));
        assert_eq!(impositions.cut(), links(&[(1, 2), (2, 0)]));
        assert_eq!(impositions.lift(1), links(&[]));
        assert_eq!(impositions.lift_all(), links(&[(1, 2), (2, 0)]));
        assert!(impositions.in_force().is_empty());
    }

    #[test]
    fn the_strongest_interference_shows_and_a_delay_is_no_cut() {
        let mut impositions = Impositions::default();
        let delay = Interference::Delay(Duration::from_millis(5));
        impositions.impose(1, Interference::Reset, links(&[(0, 1)]));
        impositions.impose(2, Interference::Stall, links(&[(0, 1)]));
        impositions.impose(3, delay, links(&[(0, 1), (1, 0)]));
        assert_eq!(impositions.in_force()[&Link::between(0, 1)], Interference::Reset);
        assert_eq!(impositions.cut(), links(&[(0, 1)]));
        impositions.lift(1);
        assert_eq!(impositions.in_force()[&Link::between(0, 1)], Interference::Stall);
        impositions.lift(2);
        assert_eq!(impositions.in_force()[&Link::between(0, 1)], delay);
    }

    #[test]
    fn five_nodes_and_clients_have_thirty_links() {
        assert_eq!(all_links(5).len(), 30);
    }
}
