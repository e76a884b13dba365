//! Machines lose their power in the middle of a write, of which the disk keeps the first sectors.

use std::time::Duration;

use super::Injected;
use super::node_fault::{Hit, NodeFault};
use super::power_cut::lose;
use crate::disk::{Extent, Reach};

/// See the module's text.
pub(super) const TORN_WRITES: NodeFault = NodeFault {
    name: "torn-writes",
    summary: "Kills nodes in the middle of a write, of which the disk keeps the first sectors; healing restarts them.",
    needs_disk: Some(Reach::Everything),
    act: |hit| Box::pin(inject(hit)),
    ..NodeFault::PLAIN
};

/// How long to wait for a write that is long enough to be torn.
const PATIENCE: Duration = Duration::from_secs(1);

async fn inject(hit: Hit<'_>) -> Injected {
    let cluster = &hit.context.cluster;
    let nodes: Vec<usize> = hit.running().into_keys().collect();
    if nodes.is_empty() {
        return hit.nobody_ran();
    }
    let disks = || {
        nodes
            .iter()
            .filter_map(|&node| cluster.host(node).disk()?.mounted())
    };
    let armed: Vec<_> = disks().map(|disk| disk.cut_in_write()).collect();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    for cut in armed {
        // A node that writes nothing, or only what is too short, loses its power between two writes.
        let _ = tokio::time::timeout_at(deadline, cut).await;
    }
    disks().for_each(|disk| disk.cut());
    let seed = hit.seed;
    let mut lost = lose(hit.context, &nodes, |node| {
        Extent::Tail(seed.wrapping_add(node as u64))
    })
    .await;
    lost.certain &= lost.losses.iter().any(|loss| loss.torn.is_some());
    lost.injected(&hit, &nodes)
}
