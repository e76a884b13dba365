//! Nodes are told to take a snapshot and cut their logs. A node that then lags can't be sent what it lacks: it
//! must be sent the snapshot.

use std::time::Duration;

use tokio::time::Instant;

use super::administrator::{Changed, Need, Standing};
use super::node_fault::{Hit, NodeFault};
use super::{Context, Injected, selection};
use crate::network::Evidence;

/// See the module's text.
pub(super) const SNAPSHOT: NodeFault = NodeFault {
    name: "snapshot",
    summary: "Has nodes take a snapshot and cut their logs; there is nothing to heal.",
    shapes: selection::SNAPSHOT_SHAPES,
    needs: Some(Need::Snapshots),
    lasts: false,
    act: |hit| Box::pin(inject(hit)),
    ..NodeFault::PLAIN
};

/// How long a node may take until its status tells of the snapshot.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long nodes have to tell of the snapshots that they have before.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const ASK_EVERY: Duration = Duration::from_millis(50);

async fn inject(hit: Hit<'_>) -> Injected {
    let context = hit.context;
    let Some(administrator) = &context.administrator else {
        return hit.skipped("the target has no call for it");
    };
    let cluster = &context.cluster;
    let before = tells_of_all(context, &hit.victims).await;
    let is_empty = |node: &usize| matches!(before.get(*node), Some(Some(standing)) if standing.applied == 0);
    let (empty, victims): (Vec<usize>, Vec<usize>) = hit.victims.iter().partition(|node| is_empty(node));
    let asked = victims.iter().map(|&node| administrator.snapshot(node));
    let answers = futures_util::future::join_all(asked).await;
    let nothing = |node| format!("{} has nothing to take a snapshot of", cluster.name(node));
    let mut words: Vec<String> = empty.into_iter().map(nothing).collect();
    let mut waiting = Vec::new();
    for (&node, answer) in victims.iter().zip(answers) {
        match answer {
            Changed::Done => waiting.push((node, "")),
            Changed::Unknown(_) => waiting.push((node, " (asked, and not answered)")),
            Changed::Rejected(why) => words.push(format!("{} refused: {why}", cluster.name(node))),
        }
    }
    if waiting.is_empty() {
        return hit.skipped(words.join("; "));
    }
    let nodes: Vec<usize> = waiting.iter().map(|(node, _)| *node).collect();
    let mut certain = true;
    let deadline = Instant::now() + PATIENCE;
    while !waiting.is_empty() {
        let now = context.observer.look().await;
        waiting.retain(|&(node, note)| {
            let standing = |all: &[Option<Standing>]| all.get(node).cloned().flatten();
            match taken(standing(&before).as_ref(), standing(&now).as_ref()) {
                Some(taken) => {
                    words.push(format!("{}{note}: {taken}", cluster.name(node)));
                    false
                }
                None => true,
            }
        });
        if Instant::now() >= deadline {
            certain = waiting.is_empty();
            words.extend(waiting.drain(..).map(|(node, note)| {
                format!(
                    "{}{note} tells of no new snapshot after {} s",
                    cluster.name(node),
                    PATIENCE.as_secs()
                )
            }));
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    let evidence = Evidence::new(certain, words.join("; "));
    hit.injected(&nodes, evidence, super::nothing_to_undo())
}

/// What all nodes say, once these tell of their snapshots: what is not known before can't be seen to grow. Not every
/// target tells.
async fn tells_of_all(context: &Context, nodes: &[usize]) -> Vec<Option<Standing>> {
    let deadline = Instant::now() + FIRST_LOOK;
    loop {
        let told = context.observer.look().await;
        let tells = |node: &usize| matches!(told.get(*node), Some(Some(standing)) if standing.snapshot_index.is_some());
        if nodes.iter().all(tells) || Instant::now() >= deadline {
            return told;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// What shows that a node has a snapshot of now: its index grew, or was that of the last applied entry.
fn taken(before: Option<&Standing>, now: Option<&Standing>) -> Option<String> {
    let index = now?.snapshot_index?;
    let (old, applied) = before.map_or((None, u64::MAX), |before| (before.snapshot_index, before.applied));
    (old.is_some_and(|old| index > old) || index >= applied).then(|| {
        format!(
            "its snapshot reached {} before, and {index} now",
            old.unwrap_or(0)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_was_taken_if_it_reaches_further_or_as_far_as_it_can() {
        let standing = |snapshot_index, applied| Standing {
            snapshot_index: Some(snapshot_index),
            applied,
            ..Standing::default()
        };
        let taken = |before, now: (u64, u64)| {
            let before: Option<(u64, u64)> = before;
            let before = before.map(|(index, applied)| standing(index, applied));
            taken(before.as_ref(), Some(&standing(now.0, now.1))).is_some()
        };
        assert!(taken(Some((5, 9)), (8, 12)));
        assert!(!taken(Some((5, 9)), (5, 12)));
        assert!(taken(Some((9, 9)), (9, 9)), "there is nothing new to hold");
        assert!(!taken(None, (9, 9)), "nobody knows what it had before");
    }
}
