//! Waiting until a node that is cut off has fallen so far behind that the leader's log alone can't bring it back.
//!
//! A leader keeps some of its log behind a snapshot, for those who are a little late: less than comes between two
//! snapshots. So the log begins after what a node has when the leader has taken a second snapshot that holds more.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Context;
use super::administrator::acknowledged_leader;

/// It is given up after this: other faults of the name wait.
const PATIENCE: Duration = Duration::from_secs(4);
/// And when nothing has been applied for so long: then no snapshot is coming.
const STANDSTILL: Duration = Duration::from_millis(1_500);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Waits until the leader has taken two snapshots that hold what one of these nodes has not. Says in words what became
/// of it.
pub(super) async fn until_snapshot(context: &Context, nodes: &[usize]) -> String {
    let begun = Instant::now();
    let mut progress = (0, begun);
    let mut snapshots = BTreeSet::new();
    loop {
        let standings = context.observer.look().await;
        let leader = acknowledged_leader(&standings)
            .and_then(|(leader, _)| context.cluster.find(&leader))
            .and_then(|leader| standings.get(leader)?.clone());
        if let Some(leader) = &leader {
            snapshots.extend(leader.snapshot_index);
            let behind = nodes.iter().find_map(|&node| {
                let applied = standings.get(node)?.as_ref()?.applied;
                let missed = snapshots.range(applied + 1..);
                (missed.count() >= 2).then(|| (context.cluster.name(node), applied))
            });
            if let Some((name, applied)) = behind {
                let snapshot = leader.snapshot_index.unwrap_or_default();
                return format!(
                    "{name} has applied {applied}, and the leader's second snapshot since holds {snapshot}"
                );
            }
            if leader.applied != progress.0 {
                progress = (leader.applied, Instant::now());
            }
        }
        if begun.elapsed() >= PATIENCE || progress.1.elapsed() >= STANDSTILL {
            return "it was not seen to need a snapshot".to_owned();
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
