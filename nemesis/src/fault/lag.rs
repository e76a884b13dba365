//! Waiting until a node that is cut off has fallen so far behind that the leader's log alone can't bring it back.

use std::time::Duration;

use tokio::time::Instant;

use super::Context;
use super::administrator::{Standing, acknowledged_leader};

/// It is given up after this.
const PATIENCE: Duration = Duration::from_secs(10);
/// And when nothing has been applied for so long: then no snapshot is coming.
const STANDSTILL: Duration = Duration::from_millis(1_500);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Waits until the leader's newest snapshot holds what one of these nodes has not. Says in words what became of it.
pub(super) async fn until_snapshot(context: &Context, nodes: &[usize]) -> String {
    let begun = Instant::now();
    let mut progress = (0, begun);
    loop {
        let standings = context.observer.look().await;
        let leader = acknowledged_leader(&standings)
            .and_then(|(leader, _)| context.cluster.find(&leader))
            .and_then(|leader| standings.get(leader)?.clone());
        if let Some(leader) = &leader {
            let behind = nodes.iter().find_map(|&node| {
                let lagging = standings.get(node)?.as_ref()?;
                is_behind(lagging, leader).then(|| (context.cluster.name(node), lagging.applied))
            });
            if let Some((name, applied)) = behind {
                let snapshot = leader.snapshot_index.unwrap_or_default();
                return format!("{name} has applied {applied}, and the leader's snapshot holds {snapshot}");
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

fn is_behind(lagging: &Standing, leader: &Standing) -> bool {
    leader
        .snapshot_index
        .is_some_and(|snapshot| snapshot > lagging.applied)
}
