//! Nodes are restarted one after another, as at every deployment.

use super::node_fault::{Hit, NodeFault};
use super::{Injected, Shape, kill, nothing_to_undo, stop};
use crate::network::Evidence;

/// See the module's text.
pub(super) const ROLLING_RESTART: NodeFault = NodeFault {
    name: "rolling-restart",
    summary: "Stops the nodes (SIGTERM) and starts them again, one after another, each as soon as the one before answers.",
    shapes: SHAPES,
    lasts: false,
    act: |hit| Box::pin(inject(hit)),
    ..NodeFault::PLAIN
};

const SHAPES: &[Shape] = &[
    Shape {
        name: "all",
        summary: "all nodes",
    },
    Shape {
        name: "followers",
        summary: "all nodes but the leader",
    },
];

async fn inject(hit: Hit<'_>) -> Injected {
    let nodes: Vec<usize> = hit.running().into_keys().collect();
    if nodes.is_empty() {
        return hit.nobody_ran();
    }
    let mut certain = true;
    let mut words = Vec::new();
    let mut hit_now = Vec::new();
    for &node in &nodes {
        if kill::is_kept_down(hit.context, node) {
            words.push(kill::left_out(hit.context, node));
            continue;
        }
        hit_now.push(node);
        let stopped = stop::stop(hit.context, &[node]).await;
        let started = kill::restart(hit.context.clone(), vec![node]).await;
        certain &= [stopped.outcome, started.outcome] == [partita_history::FaultOutcome::Took; 2];
        words.extend([stopped.text, started.evidence]);
    }
    if hit_now.is_empty() {
        return hit.nobody_ran();
    }
    let evidence = Evidence::new(certain, words.join("; "));
    hit.injected(&hit_now, evidence, nothing_to_undo())
}
