//! Directed links, and what is being done to them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use rand::RngExt as _;

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

/// A part of all packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    const WHOLE: u32 = 1_000_000;

    /// So many in a hundred; all of them if it is more.
    pub fn percent(percent: u32) -> Share {
        Share(percent.saturating_mul(Self::WHOLE / 100).min(Self::WHOLE))
    }

    /// Whether this one is among them.
    pub(crate) fn draw(self, rng: &mut impl rand::Rng) -> bool {
        rng.random_ratio(self.0, Self::WHOLE)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.0) * 100.0 / f64::from(Self::WHOLE))
    }
}

/// How delays spread beyond the least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Jitter {
    /// Evenly, up to this much.
    Even(Duration),
    /// Most by little and few by much, five times this at the most: a Pareto distribution.
    LongTailed(Duration),
}

impl Jitter {
    pub(crate) fn draw(self, rng: &mut impl rand::Rng) -> Duration {
        let unit: f64 = rng.random();
        match self {
            Jitter::Even(most) => most.mul_f64(unit),
            Jitter::LongTailed(scale) => scale.mul_f64(((1.0 - unit).powf(-1.0 / 3.0) - 1.0).clamp(0.0, 5.0)),
        }
    }
}

/// What is done to a link. Whatever several faults do to it is done together, the last named here first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interference {
    /// What is sent arrives later by this much, in the same order.
    Delay {
        /// Each packet's delay.
        least: Duration,
        /// What comes on top of it.
        jitter: Jitter,
    },
    /// No more than so many bytes a second get through; what waits too long is lost.
    Rate(u64),
    /// Some packets are held up, and overtaken by others.
    Reorder {
        /// How many.
        share: Share,
        /// For how long.
        by: Duration,
    },
    /// Some packets arrive twice.
    Duplicate(Share),
    /// A bit of the IP header of some packets is flipped. The receiver's kernel finds that by the checksum and
    /// drops them, as it would on a real network.
    Corrupt(Share),
    /// Some packets do not arrive.
    Loss(Share),
    /// Nothing arrives while it lasts, and everything afterwards: nothing is lost.
    Hold,
    /// Nothing arrives, and connections stay open.
    Stall,
    /// Nothing arrives, connections break, and new ones are refused.
    Reset,
}

impl Interference {
    /// A delay that is always the same.
    pub fn delay(least: Duration) -> Interference {
        Interference::Delay {
            least,
            jitter: Jitter::Even(Duration::ZERO),
        }
    }

    /// Whether nothing gets through.
    pub(crate) fn is_cut(self) -> bool {
        self >= Interference::Hold
    }
}

/// What is done, in words.
impl fmt::Display for Interference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: &Duration| duration.as_secs_f64() * 1e3;
        match self {
            Interference::Delay { least, jitter } => {
                write!(f, "{:.0} ms later", ms(least))?;
                match jitter {
                    Jitter::Even(most) if most.is_zero() => Ok(()),
                    Jitter::Even(most) => write!(f, ", and evenly up to {:.0} ms more", ms(most)),
                    Jitter::LongTailed(scale) => {
                        write!(f, ", with a long tail of {:.0} ms at the most", 5.0 * ms(scale))
                    }
                }
            }
            Interference::Rate(bytes) => write!(f, "{} kB a second", *bytes as f64 / 1e3),
            Interference::Reorder { share, by } => write!(f, "{share} overtaken, for {:.0} ms", ms(by)),
            Interference::Duplicate(share) => write!(f, "{share} twice"),
            Interference::Corrupt(share) => write!(f, "{share} corrupted"),
            Interference::Loss(share) => write!(f, "{share} lost"),
            Interference::Hold => f.write_str("all held"),
            Interference::Stall => f.write_str("nothing arrives"),
            Interference::Reset => f.write_str("all refused"),
        }
    }
}

/// What one fault does to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Force {
    pub(crate) interference: Interference,
    pub(crate) fault: u64,
    /// Decides which packets are hit.
    pub(crate) seed: u64,
}

/// What is in force, by the fault that imposed it, so that healing one undoes that one exactly.
#[derive(Clone, Debug, Default)]
pub(crate) struct Impositions {
    by_fault: BTreeMap<u64, (Force, BTreeSet<Link>)>,
}

impl Impositions {
    pub(crate) fn impose(&mut self, force: Force, links: BTreeSet<Link>) {
        self.by_fault.insert(force.fault, (force, links));
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

    /// All that is done to each link, the strongest last.
    pub(crate) fn in_force(&self) -> BTreeMap<Link, Vec<Force>> {
        let mut forces: BTreeMap<Link, Vec<Force>> = BTreeMap::new();
        for (force, links) in self.by_fault.values() {
            for link in links {
                forces.entry(*link).or_default().push(*force);
            }
        }
        forces.values_mut().for_each(|forces| forces.sort_unstable());
        forces
    }

    /// The links that nothing gets through.
    pub(crate) fn cut(&self) -> BTreeSet<Link> {
        self.in_force()
            .into_iter()
            .filter(|(_, forces)| forces.iter().any(|force| force.interference.is_cut()))
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

    fn force(fault: u64, interference: Interference) -> Force {
        Force {
            interference,
            fault,
            seed: fault,
        }
    }

    #[test]
    fn healing_one_of_two_overlapping_cuts_keeps_the_other() {
        let mut impositions = Impositions::default();
        impositions.impose(force(1, Interference::Stall), links(&[(0, 1), (1, 2)]));
        impositions.impose(force(2, Interference::Stall), links(&[(1, 2), (2, 0)]));
        assert_eq!(impositions.cut(), links(&[(0, 1), (1, 2), (2, 0)]));
        assert_eq!(impositions.lift(1), links(&[(0, 1), (1, 2)]));
        assert_eq!(impositions.cut(), links(&[(1, 2), (2, 0)]));
        assert_eq!(impositions.lift(1), links(&[]));
        assert_eq!(impositions.lift_all(), links(&[(1, 2), (2, 0)]));
        assert!(impositions.in_force().is_empty());
    }

    #[test]
    fn the_strongest_interference_comes_last_and_a_delay_is_no_cut() {
        let mut impositions = Impositions::default();
        let delay = Interference::delay(Duration::from_millis(5));
        impositions.impose(force(1, Interference::Reset), links(&[(0, 1)]));
        impositions.impose(force(2, Interference::Hold), links(&[(0, 1)]));
        impositions.impose(force(3, delay), links(&[(0, 1), (1, 0)]));
        let on = |impositions: &Impositions| -> Vec<Interference> {
            let forces = &impositions.in_force()[&Link::between(0, 1)];
            forces.iter().map(|force| force.interference).collect()
        };
        assert_eq!(on(&impositions), [delay, Interference::Hold, Interference::Reset]);
        assert_eq!(impositions.cut(), links(&[(0, 1)]));
        impositions.lift(1);
        assert_eq!(on(&impositions), [delay, Interference::Hold]);
        impositions.lift(2);
        assert_eq!(on(&impositions), [delay]);
        assert!(impositions.cut().is_empty());
    }

    #[test]
    fn jitter_keeps_to_its_bounds_and_long_tails_are_long() {
        let mut rng = partita_generator::random(1, "jitter");
        let ms = Duration::from_millis(10);
        let mut draw =
            |jitter: Jitter| -> Vec<Duration> { (0..2_000).map(|_| jitter.draw(&mut rng)).collect() };
        let (even, tailed) = (draw(Jitter::Even(ms)), draw(Jitter::LongTailed(ms)));
        assert!(even.iter().all(|jitter| *jitter <= ms));
        assert!(
            tailed.iter().all(|jitter| *jitter <= 5 * ms) && tailed.iter().any(|jitter| *jitter > 3 * ms)
        );
        assert!(2 * tailed.iter().filter(|jitter| **jitter < ms / 2).count() > tailed.len());
    }

    #[test]
    fn five_nodes_and_clients_have_thirty_links() {
        assert_eq!(all_links(5).len(), 30);
    }
}
