//! Processes end again and again, each time soon after they have begun: a crash loop.

use std::collections::BTreeSet;
use std::time::Duration;

use partita_generator::random;
use rand::RngExt as _;

use super::node_fault::{Hit, NodeFault};
use super::{Injected, kill};
use crate::network::Evidence;

/// See the module's text.
pub(super) const RESTART_STORM: NodeFault = NodeFault {
    name: "restart-storm",
    summary: "Kills node processes (SIGKILL) five times over, each time up to 300 ms after they were started again.",
    lasts: false,
    act: |hit| Box::pin(inject(hit)),
    ..NodeFault::PLAIN
};

const TIMES: usize = 5;
/// From before a server has opened its log to well into an election, in milliseconds.
const LIFE_MS: std::ops::RangeInclusive<u64> = 1..=300;

async fn inject(hit: Hit<'_>) -> Injected {
    let cluster = &hit.context.cluster;
    let mut nodes: Vec<usize> = hit.running().into_keys().collect();
    if nodes.is_empty() {
        return hit.nobody_ran();
    }
    let mut rng = random(hit.seed, "lives");
    let mut certain = true;
    let mut struck = BTreeSet::new();
    let mut words = Vec::new();
    for time in 0..TIMES {
        if time > 0 {
            for &node in &nodes {
                if let Err(error) = cluster.restart(node) {
                    certain = false;
                    words.push(error.to_string());
                }
            }
            tokio::time::sleep(Duration::from_millis(rng.random_range(LIFE_MS))).await;
        }
        let killed = kill::strike(hit.context, &nodes);
        // One that another fault has killed between our blows stays down until that fault is healed.
        let ours = kill::ours(hit.context, &killed);
        let left_out = nodes.iter().filter(|node| !ours.contains(node));
        words.extend(left_out.map(|&node| kill::left_out(hit.context, node)));
        struck.extend(killed.iter().filter_map(|(node, pid)| pid.map(|_| *node)));
        nodes = ours;
        let (ended, told) = kill::gone(hit.context, &killed).await;
        certain &= ended;
        words.extend(told);
    }
    if struck.is_empty() {
        return hit.nobody_ran();
    }
    let struck: Vec<usize> = struck.into_iter().collect();
    let undo = Box::new(move |context| kill::restart(context, nodes));
    hit.injected(&struck, Evidence::new(certain, words.join("; ")), undo)
}
