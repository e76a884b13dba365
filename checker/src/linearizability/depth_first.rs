//! Depth first: follows the order of returns as far as it leads.

use rustc_hash::FxHashMap;

use super::graph::{Choice, Configuration, Graph};
use super::mask::Mask;
use super::search::{Budget, Finding};
use super::usage::Antichain;

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
    let mut seen: FxHashMap<(u32, u32, M), Antichain> = FxHashMap::default();
    let mut path: Vec<Frame<M>> = Vec::new();
    let (mut visited, mut furthest) = (0, 0);
    let mut arrived = start::<M>(graph);
    loop {
        let (level, configuration) = arrived;
        if level == levels {
            let choices = path.iter().map(|frame| frame.next - 1);
            return (Finding::Linearizable(Some(retrace::<M>(graph, choices))), visited);
        }
        furthest = furthest.max(level);
        let key = (level as u32, configuration.state, configuration.mask.clone());
        if seen
            .entry(key)
            .or_default()
            .insert(configuration.usage, &graph.usages)
        {
            visited += 1;
            let bytes = || seen.len() as u64 * entry_bytes::<M>(graph) + graph.bytes();
            if budget.is_spent(visited, bytes) {
                return (Finding::Spent { level: furthest }, visited);
            }
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

/// Roughly the memory that one remembered configuration takes: its key, its usages, and the table's slack.
fn entry_bytes<M: Mask>(graph: &Graph<'_>) -> u64 {
    let boxed = if size_of::<M>() == 16 && graph.problem.slots > 128 {
        graph.problem.slots / 8 + 16
    } else {
        0
    };
    let entry = size_of::<((u32, u32, M), Antichain)>();
    (entry * 8 / 5 + size_of::<u32>() * 4 + boxed + size_of::<Frame<M>>() / 4) as u64
}
