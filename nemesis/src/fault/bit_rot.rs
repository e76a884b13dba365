//! Bits flip on disks while servers are down, and servers start with what they then find.

use std::time::Duration;

use partita_history::FaultOutcome;

use super::node_fault::{Hit, NodeFault};
use super::{Context, Healed, Injected, Shape, kill};
use crate::disk::{self, Flip};
use crate::host::{Excuse, ProcessState};
use crate::network::Evidence;

/// See the module's text.
pub(super) const BIT_ROT: NodeFault = NodeFault {
    name: "bit-rot",
    summary: "Kills nodes, flips a bit in a log or snapshot of each, and starts them; in a run it is always the same \
              minority, so that a majority keeps good copies. Healing flips the bits back.",
    shapes: SPOILING_SHAPES,
    least_nodes: SPOILING_NODES,
    harsh: true,
    act: |hit| Box::pin(inject(hit)),
    ..NodeFault::PLAIN
};

/// Of faults that spoil disks: a majority must keep good ones.
pub(super) const SPOILING_SHAPES: &[Shape] = &[
    Shape {
        name: "one",
        summary: "one node",
    },
    Shape {
        name: "minority",
        summary: "as many nodes as the cluster must survive",
    },
    Shape {
        name: "leader",
        summary: "the leader, if so few nodes have been hit that a majority never was",
    },
];

/// With fewer nodes there is no minority whose disks may be spoilt.
pub(super) const SPOILING_NODES: usize = 3;

/// How long a server may take to make up its mind about what it found.
const VERDICT: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(25);

async fn inject(hit: Hit<'_>) -> Injected {
    let (context, id, seed) = (hit.context, hit.id, hit.seed);
    let cluster = &context.cluster;
    let victims = match may_be_spoilt(&hit) {
        Ok(victims) => victims,
        Err(skipped) => return *skipped,
    };
    let killed = kill::strike(context, &victims);
    let (mut certain, mut words) = kill::gone(context, &killed).await;
    let mut flips = Vec::new();
    for &node in &victims {
        let (name, folder) = (cluster.name(node), cluster.data(node));
        let seed = seed.wrapping_add(node as u64);
        match disk::flip(&folder, seed).and_then(|flip| {
            let there = flip
                .as_ref()
                .map(|flip| disk::is_there(&folder, flip))
                .transpose()?;
            Ok((flip, there))
        }) {
            Ok((Some(flip), there)) => {
                certain &= there == Some(true);
                words.push(format!("{name}: {}", told(&flip)));
                let excuse = format!("a bit of {} was flipped", flip.file.display());
                let process = &cluster.host(node).process;
                process.excuse(id, Some(Excuse::Lasting(excuse)));
                flips.push((node, flip));
            }
            Ok((None, _)) => {
                certain = false;
                words.push(format!("{name} has no file with anything in it"));
            }
            Err(error) => {
                certain = false;
                words.push(format!("{name}: {error}"));
            }
        }
    }
    for &node in &victims {
        if let Err(error) = cluster.restart(node) {
            certain = false;
            words.push(error.to_string());
        }
    }
    words.extend(verdicts(context, &victims).await);
    let evidence = Evidence::new(certain, words.join("; "));
    let hit_now = victims.clone();
    let undo = Box::new(move |context| Box::pin(heal(context, id, victims, flips)) as _);
    hit.injected(&hit_now, evidence, undo)
}

/// Those of the fault's victims, or of as many others, whose disks may be spoilt. `Err` if it is to be skipped.
pub(super) fn may_be_spoilt(hit: &Hit<'_>) -> Result<Vec<usize>, Box<Injected>> {
    let cluster = &hit.context.cluster;
    let running: Vec<usize> = hit.running().into_keys().collect();
    if running.is_empty() {
        return Err(Box::new(hit.nobody_ran()));
    }
    let mut victims = cluster.may_be_spoilt(running.clone());
    // The leader is the leader, and no other; so is a node that was named.
    let is_certain_node = hit.shape == "leader" || cluster.find(hit.shape).is_some();
    if is_certain_node && victims != running {
        victims.clear();
    }
    if victims.is_empty() {
        return Err(Box::new(hit.skipped(
            "as many other nodes have been hit before as may be, if a majority is to keep good copies",
        )));
    }
    victims.retain(|&node| !kill::is_kept_down(hit.context, node));
    if victims.is_empty() {
        return Err(Box::new(
            hit.skipped("another fault keeps those down that may be hit"),
        ));
    }
    Ok(victims)
}

fn told(flip: &Flip) -> String {
    format!(
        "byte {} of {} was {:02x} and is {:02x}",
        flip.offset,
        flip.file.display(),
        flip.before,
        flip.after
    )
}

/// What each server makes of it.
async fn verdicts(context: &Context, nodes: &[usize]) -> Vec<String> {
    let cluster = &context.cluster;
    let deadline = tokio::time::Instant::now() + VERDICT;
    let mut words = Vec::new();
    for &node in nodes {
        let name = cluster.name(node);
        words.push(loop {
            if let ProcessState::Exited(exit) = cluster.status(node) {
                break format!("{name} will not run with it ({exit})");
            }
            let answer = tokio::time::timeout_at(deadline, context.observer.answers(name)).await;
            if answer == Ok(true) {
                break format!("{name} runs with it");
            }
            if tokio::time::Instant::now() >= deadline {
                break format!("{name} runs with it, but does not answer");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        });
    }
    words
}

/// Stops the servers, flips back what they have not written over, and starts them.
async fn heal(context: Context, id: u64, victims: Vec<usize>, flips: Vec<(usize, Flip)>) -> Healed {
    let cluster = &context.cluster;
    let (kept_down, victims): (Vec<usize>, Vec<usize>) = victims
        .into_iter()
        .partition(|&node| kill::is_kept_down(&context, node));
    let killed = kill::strike(&context, &victims);
    let (mut certain, _) = kill::gone(&context, &killed).await;
    let mut words: Vec<String> = kept_down
        .into_iter()
        .map(|node| kill::left_out(&context, node))
        .collect();
    for (node, flip) in flips {
        let (name, file) = (cluster.name(node), flip.file.display());
        match disk::restore(&cluster.data(node), &flip) {
            Ok(true) => words.push(format!("{name}: the bit of {file} is as it was")),
            Ok(false) => words.push(format!(
                "{name} has written over the bit of {file}, or removed it"
            )),
            Err(error) => {
                certain = false;
                words.push(format!("{name}: {error}"));
            }
        }
        cluster.host(node).process.excuse(id, None);
    }
    let restarted = kill::restart(context.clone(), victims).await;
    certain &= restarted.outcome == FaultOutcome::Took;
    words.push(restarted.evidence);
    Evidence::new(certain, words.join("; ")).into()
}
