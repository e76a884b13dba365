//! Breadth first, level by level: remembers the configurations of one level only.

use rustc_hash::FxHashMap;

use super::graph::{Choice, Configuration, Graph};
use super::mask::Mask;
use super::search::{Budget, Finding};
use super::usage::{Antichain, Usages};

/// Configurations of one level, without the dominated ones.
struct Layer<M> {
    antichains: FxHashMap<(u32, M), Antichain>,
}

impl<M: Mask> Layer<M> {
    fn new() -> Self {
        Layer {
            antichains: FxHashMap::default(),
        }
    }

    fn insert(&mut self, configuration: &Configuration<M>, usages: &Usages) -> bool {
        self.antichains
            .entry((configuration.state, configuration.mask.clone()))
            .or_default()
            .insert(configuration.usage, usages)
    }

    fn configurations(&self) -> impl Iterator<Item = Configuration<M>> {
        self.antichains.iter().flat_map(|((state, mask), usages)| {
            usages.iter().map(|usage| Configuration {
                state: *state,
                usage,
                mask: mask.clone(),
            })
        })
    }

    fn bytes(&self) -> u64 {
        // A key, an antichain of one, and the table's slack.
        (self.antichains.len() * (size_of::<((u32, M), Antichain)>() * 8 / 5 + 16)) as u64
    }
}

/// Visits the graph level by level.
pub(crate) fn search<M: Mask>(graph: &mut Graph<'_>, budget: Budget<'_>) -> (Finding, u64) {
    let mut visited = 0;
    let mut current = vec![graph.initial::<M>()];
    for level in 0..graph.problem.levels.len() {
        match pass(graph, level, current, budget, &mut visited) {
            Some(passed) if passed.is_empty() => return (Finding::Violation { level }, visited),
            Some(passed) => current = passed,
            None => return (Finding::Spent { level }, visited),
        }
    }
    (Finding::Linearizable(None), visited)
}

/// All configurations that get past `level`; none if the budget is spent.
fn pass<M: Mask>(
    graph: &mut Graph<'_>,
    level: usize,
    current: Vec<Configuration<M>>,
    budget: Budget<'_>,
    visited: &mut u64,
) -> Option<Vec<Configuration<M>>> {
    let mut passed = Layer::new();
    let mut seen = Layer::new();
    // By the number of crashed operations used, so that what dominates comes first.
    let mut waiting: Vec<Vec<Configuration<M>>> = Vec::new();
    let mut sort = |graph: &mut Graph<'_>, mut configuration: Configuration<M>, waiting: &mut Vec<Vec<_>>| {
        if graph.leave(level, &mut configuration) {
            passed.insert(&configuration, &graph.usages);
        } else {
            let total = graph.usages.total(configuration.usage);
            if waiting.len() <= total {
                waiting.resize_with(total + 1, Vec::new);
            }
            waiting[total].push(configuration);
        }
    };
    for mut configuration in current {
        graph.enter(level, &mut configuration);
        sort(graph, configuration, &mut waiting);
    }
    let mut total = 0;
    while total < waiting.len() {
        let Some(configuration) = waiting[total].pop() else {
            total += 1;
            continue;
        };
        if !seen.insert(&configuration, &graph.usages) {
            continue;
        }
        *visited += 1;
        if budget.is_spent(*visited, || 2 * seen.bytes() + graph.bytes()) {
            return None;
        }
        for choice in 0.. {
            match graph.choose(level, &configuration, choice) {
                Choice::Taken(next) => sort(graph, next, &mut waiting),
                Choice::Barred => {}
                Choice::NoMore => break,
            }
        }
    }
    Some(passed.configurations().collect())
}
