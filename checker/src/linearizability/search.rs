//! The two searches of the configuration graph, and what they find.

use super::breadth_first;
use super::depth_first;
use super::entry::{Classes, Entry};
use super::graph::Graph;
use super::lookahead::Lookahead;
use super::problem::Problem;
use super::transitions::Transitions;
use crate::model::Specification;

/// How many steps are made between two looks at the caller's stop and at the memory.
const STOP_INTERVAL: u64 = 1024;

/// What a search may spend.
#[derive(Clone, Copy)]
pub(crate) struct Budget<'a> {
    pub(crate) configurations: u64,
    pub(crate) bytes: u64,
    pub(crate) stop: &'a (dyn Fn() -> bool + Sync),
}

impl Budget<'_> {
    /// Whether the search must end, after so many steps (counted from 1) and configurations.
    pub(crate) fn is_spent(&self, steps: u64, visited: u64, bytes: impl Fn() -> u64) -> bool {
        visited > self.configurations || steps % STOP_INTERVAL == 1 && (bytes() > self.bytes || (self.stop)())
    }
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// A linearization, as entries in order, if the search keeps it.
    Linearizable(Option<Vec<u32>>),
    /// There is none: the return at this level is the first that no configuration gets past.
    Violation {
        /// Index into [`Problem::levels`].
        level: usize,
    },
    /// The budget was spent; all returns before this level can be got past.
    Spent {
        /// Index into [`Problem::levels`].
        level: usize,
    },
}

/// Which search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Finds linearizations fast, and remembers every configuration.
    DepthFirst {
        /// With [`Lookahead`], where the model allows: the level of a violation is then only one up to which there
        /// is none.
        foresight: bool,
    },
    /// Visits all configurations of a level, and remembers only those.
    BreadthFirst,
}

/// Searches; also gives the number of configurations visited.
pub(crate) fn search(
    order: Order,
    entries: &[Entry],
    classes: &Classes,
    specification: &dyn Specification,
    budget: Budget<'_>,
) -> (Finding, u64) {
    let problem = Problem::new(entries, classes, specification);
    run(order, &problem, entries, classes, specification, budget)
}

/// As [`search`], of a problem laid out before.
pub(crate) fn run(
    order: Order,
    problem: &Problem,
    entries: &[Entry],
    classes: &Classes,
    specification: &dyn Specification,
    budget: Budget<'_>,
) -> (Finding, u64) {
    let mut graph = Graph::new(problem, Transitions::new(specification, classes));
    if order == (Order::DepthFirst { foresight: true }) {
        graph.lookahead = Lookahead::new(problem, entries, classes, specification);
    }
    macro_rules! with_mask {
        ($mask:ty) => {
            match order {
                Order::DepthFirst { .. } => depth_first::search::<$mask>(&mut graph, budget),
                Order::BreadthFirst => breadth_first::search::<$mask>(&mut graph, budget),
            }
        };
    }
    match problem.slots {
        0..=64 => with_mask!(u64),
        65..=128 => with_mask!(u128),
        _ => with_mask!(Box<[u64]>),
    }
}
