//! Depth first: follows the order of returns as far as it leads.

use super::graph::{Choice, Configuration, Graph};
use super::mask::Mask;
use super::search::{Budget, Finding};
use super::table::Table;
use super::usage::{Antichain, Antichains};

/// A configuration on the current path, and how far its choices were tried.
struct Frame<M> {
    level: usize,
    configuration: Configuration<M>,
    /// The next choice to try.
    next: usize,
}

/// Visits the graph depth first.
pub(crate) fn search<M: Mask>(graph: &mut Graph<'_>, budget: Budget<'_>) -> (Finding, u64) {
    let levels = graph.problem.levels.len();
    let mut seen: Table<(u32, u32, M), Antichain> = Table::new();
    let mut antichains = Antichains::default();
    let mut path: Vec<Frame<M>> = Vec::new();
    let (mut steps, mut visited, mut furthest) = (0, 0, 0);
    let mut arrived = start::<M>(graph);
    loop {
        let (level, configuration) = arrived;
        if level == levels {
            let choices = path.iter().map(|frame| frame.next - 1);
            return (Finding::Linearizable(Some(retrace::<M>(graph, choices))), visited);
        }
        furthest = furthest.max(level);
        let key = (level as u32, configuration.state, configuration.mask.clone());
        let is_new = antichains.insert(seen.get_or_default(key), configuration.usage, &graph.usages);
        steps += 1;
        visited += u64::from(is_new);
        let bytes = || {
            let masks = (seen.len() + path.len()) as u64 * configuration.mask.heap_bytes();
            // The path may have the double of its memory and the old one at the time.
            let path = path.capacity() as u64 * 3 * size_of::<Frame<M>>() as u64;
            seen.bytes() + masks + antichains.bytes() + path + graph.bytes()
        };
        if budget.is_spent(steps, visited, bytes) {
            return (Finding::Spent { level: furthest }, visited);
        }
        if is_new {
            path.push(Frame {
                level,
                configuration,
                next: 0,
            });
        }
        match descend(graph, &mut path) {
            Some(next) => arrived = next,
            None => return (Finding::Violation { level: furthest }, visited),
        }
    }
}

/// The next configuration from the deepest frame that has choices left; pops those that have none.
fn descend<M: Mask>(graph: &mut Graph<'_>, path: &mut Vec<Frame<M>>) -> Option<(usize, Configuration<M>)> {
    loop {
        let frame = path.last_mut()?;
        let choice = graph.choose(frame.level, &frame.configuration, frame.next);
        frame.next += 1;
        match choice {
            Choice::Taken(mut configuration) => {
                let level = graph.settle(frame.level, &mut configuration);
                return Some((level, configuration));
            }
            Choice::Barred => {}
            Choice::NoMore => {
                path.pop();
            }
        }
    }
}

fn start<M: Mask>(graph: &mut Graph<'_>) -> (usize, Configuration<M>) {
    let mut configuration = graph.initial();
    if graph.problem.levels.is_empty() {
        return (0, configuration);
    }
    graph.enter(0, &mut configuration);
    (graph.settle(0, &mut configuration), configuration)
}

/// Walks a path of choices again, and notes what takes effect.
fn retrace<M: Mask>(graph: &mut Graph<'_>, choices: impl Iterator<Item = usize>) -> Vec<u32> {
    graph.trace = Some(Vec::new());
    let (mut level, mut configuration) = start::<M>(graph);
    for choice in choices {
        let Choice::Taken(next) = graph.choose(level, &configuration, choice) else {
            unreachable!("a choice that was possible stays possible");
        };
        configuration = next;
        level = graph.settle(level, &mut configuration);
    }
    graph.trace.take().unwrap_or_default()
}
