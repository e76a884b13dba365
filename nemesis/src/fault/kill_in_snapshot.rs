//! Processes end while they write a snapshot.

use std::time::Duration;

use partita_generator::random;
use rand::RngExt as _;

use super::administrator::{Changed, Need};
use super::node_fault::{Hit, NodeFault};
use super::{Injected, kill};
use crate::network::Evidence;

/// See the module's text.
pub(super) const KILL_IN_SNAPSHOT: NodeFault = NodeFault {
    name: "kill-in-snapshot",
    summary: "Tells nodes to take a snapshot and kills them (SIGKILL) up to 20 ms later; healing restarts them.",
    needs: Some(Need::Snapshots),
    act: |hit| Box::pin(inject(hit)),
    ..NodeFault::PLAIN
};

/// From before the request has arrived to after it was answered, in microseconds.
const LATER_US: std::ops::RangeInclusive<u64> = 100..=20_000;

async fn inject(hit: Hit<'_>) -> Injected {
    let Some(administrator) = &hit.context.administrator else {
        return hit.skipped("the target has no call for it");
    };
    let nodes: Vec<usize> = hit.running().into_keys().collect();
    if nodes.is_empty() {
        return hit.nobody_ran();
    }
    let later = Duration::from_micros(random(hit.seed, "later").random_range(LATER_US));
    let asked = futures_util::future::join_all(nodes.iter().map(|&node| administrator.snapshot(node)));
    // Whoever answers before has taken it already, or will not.
    let early = tokio::time::timeout(later, asked).await.ok();
    let killed = kill::strike(hit.context, &nodes);
    let (certain, mut words) = kill::gone(hit.context, &killed).await;
    let refused = early
        .into_iter()
        .flatten()
        .zip(&nodes)
        .filter_map(|(answer, &node)| match answer {
            Changed::Rejected(why) => Some(format!("{} refused: {why}", hit.context.cluster.name(node))),
            Changed::Done | Changed::Unknown(_) => None,
        });
    let refused: Vec<String> = refused.collect();
    let certain = certain && refused.is_empty();
    words.insert(0, format!("killed {} us after they were told", later.as_micros()));
    words.extend(refused);
    let victims = nodes.clone();
    let undo = Box::new(move |context| kill::restart(context, victims));
    hit.injected(&nodes, Evidence::new(certain, words.join("; ")), undo)
}
