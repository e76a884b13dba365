//! Sequential consistency of a register with unique values (ALGORITHMS.md 9).
//!
//! Nothing can come between the operations of a chain of versions, so each chain becomes one vertex; the clients'
//! own orders give the edges. There is an order of all operations unless the graph has a cycle, a client's order
//! contradicts the order inside a chain, or something must come before the initial value.

use petgraph::graph::{DiGraph, NodeIndex};

use super::graph::shortest_cycle;
use super::result::Holds;
use super::scene::{Act, Scene};
use crate::linearizability::words::{client, client_via};
use crate::monitor::register::versions::Versions;
use crate::monitor::register::{Failure, INITIAL, NONE};

/// Where a value is: its chain, and its index in it.
type Place = (u32, u32);

/// Whether there is such an order.
pub(super) fn sequential(scene: &Scene<'_>) -> Holds {
    let operations = scene.operations();
    let versions = match Versions::new(&operations, scene.values()) {
        Ok(versions) => versions,
        Err((_, Failure::NotApplicable(why))) => return Holds::NotKnown { why: why.to_owned() },
        Err((_, Failure::Violation(found))) => return no_versions(scene, &found),
    };
    let (places, chains) = places(&versions);
    let circle = versions.values().find(|&value| places[value as usize].0 == NONE);
    if let Some(value) = circle {
        return Holds::No {
            operations: scene.ids(circle_of(&versions, value)),
            why: "compare-and-sets made each other's values in a circle".to_owned(),
        };
    }
    let mut graph: DiGraph<(), (u32, u32)> = DiGraph::new();
    for _ in 0..chains {
        graph.add_node(());
    }
    let initial = places[INITIAL as usize].0;
    let mut last: Vec<u32> = vec![NONE; scene.sessions as usize];
    for (i, act) in (0..).zip(&scene.acts) {
        let Some(at) = place(act, &places) else { continue };
        let before = last[act.session as usize];
        if !act.is_pending() {
            last[act.session as usize] = i;
        }
        let Some(earlier) = scene.acts.get(before as usize) else {
            continue;
        };
        let Some(from) = place(earlier, &places) else {
            continue;
        };
        if from.0 != at.0 && at.0 != initial {
            graph.add_edge(
                NodeIndex::new(from.0 as usize),
                NodeIndex::new(at.0 as usize),
                (before, i),
            );
        } else if from > at || from.0 != at.0 {
            return Holds::No {
                operations: scene.ids([before, i]),
                why: format!(
                    "{} went back: its second operation here comes before its first in every order",
                    client_via(scene.recorded(act))
                ),
            };
        }
    }
    let Some(cycle) = shortest_cycle(&graph) else {
        return Holds::Yes;
    };
    let steps = cycle.iter().filter_map(|&edge| graph.edge_weight(edge));
    let mut clients: Vec<String> = steps
        .clone()
        .map(|&(a, _)| client(scene.recorded(&scene.acts[a as usize])))
        .collect();
    clients.dedup();
    Holds::No {
        operations: scene.ids(steps.flat_map(|&(a, b)| [a, b])),
        why: format!(
            "what these clients saw, each in its own order, goes round in a circle: {}",
            clients.join(", ")
        ),
    }
}

/// Values that contradict each other in any order.
fn no_versions(scene: &Scene<'_>, found: &[u32]) -> Holds {
    let why = match found {
        [_] => "a value came from nowhere",
        _ => "two compare-and-sets both succeeded from one value",
    };
    Holds::No {
        operations: scene.ids(found.iter().copied()),
        why: why.to_owned(),
    }
}

/// What wrote the values that a value was made from, back to itself.
fn circle_of(versions: &Versions, value: u32) -> Vec<u32> {
    let mut writers = Vec::new();
    let mut next = value;
    loop {
        writers.push(versions.get(next).writer);
        next = versions.get(next).predecessor;
        if next == value || next == NONE {
            return writers;
        }
    }
}

/// For each value its place; and how many chains there are.
fn places(versions: &Versions) -> (Vec<Place>, u32) {
    let mut places = vec![(NONE, 0); versions.len()];
    let mut chains = 0;
    for root in versions.values() {
        if versions.get(root).predecessor != NONE {
            continue;
        }
        let (mut value, mut index) = (root, 0);
        while value != NONE {
            places[value as usize] = (chains, index);
            index += 1;
            value = versions.get(value).successor;
        }
        chains += 1;
    }
    (places, chains)
}

/// The place of an operation: writers before readers. None if it may be taken not to have happened.
fn place(act: &Act, places: &[Place]) -> Option<Place> {
    let (value, is_read) = match act.step.produces() {
        Some(value) => (value, 0),
        None => (act.step.requires()?, 1),
    };
    let (chain, index) = places[value as usize];
    (chain != NONE).then_some((chain, 2 * index + is_read))
}
