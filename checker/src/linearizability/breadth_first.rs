//! Breadth first, level by level: remembers the configurations of one level only.

use super::graph::{Choice, Configuration, Graph};
use super::mask::Mask;
use super::search::{Budget, Finding};
use super::table::Table;
use super::usage::{Antichain, Antichains, Usages};

/// Configurations of one level, without the dominated ones.
struct Layer<M> {
    configurations: Table<(u32, M), Antichain>,
    antichains: Antichains,
}

impl<M: Mask> Layer<M> {
    fn new() -> Self {
        Layer {
            configurations: Table::new(),
            antichains: Antichains::default(),
        }
    }

    fn insert(&mut self, configuration: &Configuration<M>, usages: &Usages) -> bool {
        let key = (configuration.state, configuration.mask.clone());
        let chain = self.configurations.get_or_default(key);
        self.antichains.insert(chain, configuration.usage, usages)
    }

    fn iter(&self) -> impl Iterator<Item = Configuration<M>> {
        self.configurations.iter().flat_map(|((state, mask), &chain)| {
            self.antichains.iter(chain).map(|usage| Configuration {
                state: *state,
                usage,
                mask: mask.clone(),
            })
        })
    }

    fn bytes(&self, mask_bytes: u64) -> u64 {
        self.configurations.bytes() + self.configurations.len() as u64 * mask_bytes + self.antichains.bytes()
    }
}

/// Visits the graph level by level.
pub(crate) fn search<M: Mask>(graph: &mut Graph<'_>, budget: Budget<'_>) -> (Finding, u64) {
    let (mut steps, mut visited) = (0, 0);
    let mut current = vec![graph.initial::<M>()];
    for level in 0..graph.problem.levels.len() {
        match pass(graph, level, current, budget, (&mut steps, &mut visited)) {
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
    (steps, visited): (&mut u64, &mut u64),
) -> Option<Vec<Configuration<M>>> {
    let mut passed = Layer::new();
    let mut seen = Layer::new();
    // By the number of crashed operations used, so that what dominates comes first.
    let mut waiting: Vec<Vec<Configuration<M>>> = Vec::new();
    let sort = |graph: &mut Graph<'_>,
                mut configuration: Configuration<M>,
                waiting: &mut Vec<Vec<_>>,
                passed: &mut Layer<M>| {
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
        sort(graph, configuration, &mut waiting, &mut passed);
    }
    let mut total = 0;
    while total < waiting.len() {
        let Some(configuration) = waiting[total].pop() else {
            total += 1;
            continue;
        };
        let is_new = seen.insert(&configuration, &graph.usages);
        *steps += 1;
        *visited += u64::from(is_new);
        let bytes = || {
            let mask = configuration.mask.heap_bytes();
            let each = size_of::<Configuration<M>>() as u64 + mask;
            let waiting: usize = waiting.iter().map(Vec::capacity).sum();
            // What passed is listed before the table of it goes.
            let listed = waiting as u64 * 3 / 2 + passed.configurations.len() as u64;
            seen.bytes(mask) + passed.bytes(mask) + listed * each + graph.bytes()
        };
        if budget.is_spent(*steps, *visited, bytes) {
            return None;
        }
        if !is_new {
            continue;
        }
        for choice in 0.. {
            match graph.choose(level, &configuration, choice) {
                Choice::Taken(next) => sort(graph, next, &mut waiting, &mut passed),
                Choice::Barred => {}
                Choice::NoMore => break,
            }
        }
    }
    Some(passed.iter().collect())
}
