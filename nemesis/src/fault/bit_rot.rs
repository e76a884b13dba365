//! Files are damaged on disks while servers are down, and servers start with what they then find.
//!
//! A bit that flips a sound server finds by its checksums. A log whose end is cut off, or reads as zeros, looks like one to
//! which less was written: then what the node has promised is lost, and most protocols do not stand that even of one node.
//! So that is never drawn; it has to be asked for.

use std::time::Duration;

use partita_history::FaultOutcome;

use super::node_fault::{Hit, NodeFault};
use super::troubled_disk::{FILES, of_files};
use super::{Allowed, Context, Healed, Injected, Setting, Shape, kill};
use crate::disk::{self, Damage, DamageKind, Pattern};
use crate::host::{Excuse, ProcessState};
use crate::network::Evidence;

/// See the module's text.
pub(super) const BIT_ROT: NodeFault = NodeFault {
    name: "bit-rot",
    summary: "Kills nodes, flips a bit in a log or snapshot of each, and starts them; in a run it is always the same \
              minority, so that a majority keeps good copies. Healing flips the bits back.",
    shapes: SPOILING_SHAPES,
    shapes_on_request: ON_REQUEST,
    least_nodes: SPOILING_NODES,
    harsh: true,
    settings: &[DAMAGE, FILES],
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

/// Of nodes that are named, or are these, no majority keeps good disks: what is then lost was not the server's to keep.
const ON_REQUEST: &[Shape] = &[
    Shape {
        name: "majority",
        summary: "so many nodes that no quorum need have good copies: committed data may be lost; never drawn",
    },
    Shape {
        name: "all",
        summary: "all nodes, so that nobody need have a good copy: committed data may be lost; never drawn",
    },
];

/// What is done to files.
const DAMAGE: Setting = Setting {
    name: "damage",
    summary: "what is done to a file: a bit is flipped, up to 4 KiB of its end are cut off, or a block of 4 KiB reads as \
              zeros; without it \"flip\", as the others may take back what a node has promised, which most protocols do \
              not stand",
    allowed: Allowed::Word(&[FLIP, TRUNCATE, ZEROS]),
};
const FLIP: &str = "flip";
const TRUNCATE: &str = "truncate";
const ZEROS: &str = "zeros";

/// With fewer nodes there is no minority whose disks may be spoilt.
pub(super) const SPOILING_NODES: usize = 3;

/// How long a server may take to make up its mind about what it found.
const VERDICT: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(25);

async fn inject(hit: Hit<'_>) -> Injected {
    let (context, id, seed) = (hit.context, hit.id, hit.seed);
    let cluster = &context.cluster;
    let victims = match victims(&hit) {
        Ok(victims) => victims,
        Err(skipped) => return *skipped,
    };
    let killed = kill::strike(context, &victims);
    let (mut certain, mut words) = kill::gone(context, &killed).await;
    let kind = match hit.settings.text(DAMAGE.name) {
        Some(TRUNCATE) => DamageKind::Truncate,
        Some(ZEROS) => DamageKind::Zeros,
        _ => DamageKind::Flip,
    };
    let files = hit.settings.text(FILES.name);
    let meant = files.map(Pattern::new);
    let of_files = of_files(files);
    let mut damaged = Vec::new();
    for &node in &victims {
        let (name, folder) = (cluster.name(node), cluster.data(node));
        let seed = seed.wrapping_add(node as u64);
        match disk::damage(&folder, kind, meant.as_ref(), seed).and_then(|damage| {
            let there = damage
                .as_ref()
                .map(|damage| damage.is_there(&folder))
                .transpose()?;
            Ok((damage, there))
        }) {
            Ok((Some(damage), there)) => {
                certain &= there == Some(true);
                words.push(format!("{name}: {damage}"));
                let process = &cluster.host(node).process;
                process.excuse(id, Some(Excuse::Lasting(damage.excuse())));
                damaged.push((node, damage));
            }
            Ok((None, _)) => {
                certain = false;
                words.push(format!("{name} has no file with anything in it{of_files}"));
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
    if kind != DamageKind::Flip && !damaged.is_empty() {
        words.push("what had been promised on that may be gone with it, as was asked for".into());
    }
    if let Some(count) = cluster.spoilt().too_many(cluster.len()) {
        words.push(format!(
            "files of {count} of {} nodes have been damaged by now, as was asked for: no quorum need have good copies, so \
             what is lost need not be the server's fault",
            cluster.len()
        ));
    }
    let evidence = Evidence::new(certain, words.join("; "));
    let hit_now = victims.clone();
    let undo = Box::new(move |context| Box::pin(heal(context, id, victims, damaged)) as _);
    let done = match kind {
        DamageKind::Flip => "a bit flipped",
        DamageKind::Truncate => "an end cut off",
        DamageKind::Zeros => "a block lost",
    };
    Injected {
        what: format!("{}: {done}{of_files}", hit.names(&hit_now).join(", ")),
        ..hit.injected(&hit_now, evidence, undo)
    }
}

/// Those who are to be hit: whoever was asked for, or else no more than leave a majority whole. `Err` if it is to be
/// skipped.
fn victims(hit: &Hit<'_>) -> Result<Vec<usize>, Box<Injected>> {
    let cluster = &hit.context.cluster;
    let is_on_request = ON_REQUEST.iter().any(|shape| shape.name == hit.shape);
    if !is_on_request && cluster.find(hit.shape).is_none() {
        return may_be_spoilt(hit);
    }
    let running: Vec<usize> = hit.running().into_keys().collect();
    if running.is_empty() {
        return Err(Box::new(hit.nobody_ran()));
    }
    let victims = not_kept_down(hit, running)?;
    cluster.spoilt().add(&victims);
    Ok(victims)
}

fn not_kept_down(hit: &Hit<'_>, mut victims: Vec<usize>) -> Result<Vec<usize>, Box<Injected>> {
    victims.retain(|&node| !kill::is_kept_down(hit.context, node));
    if victims.is_empty() {
        return Err(Box::new(
            hit.skipped("another fault keeps those down that may be hit"),
        ));
    }
    Ok(victims)
}

/// Those of the fault's victims, or of as many others, whose disks may be spoilt. `Err` if it is to be skipped.
pub(super) fn may_be_spoilt(hit: &Hit<'_>) -> Result<Vec<usize>, Box<Injected>> {
    let cluster = &hit.context.cluster;
    let running: Vec<usize> = hit.running().into_keys().collect();
    if running.is_empty() {
        return Err(Box::new(hit.nobody_ran()));
    }
    let mut victims = cluster.spoilt().may_be(running.clone(), cluster.len());
    // The leader is the leader, and no other.
    if hit.shape == "leader" && victims != running {
        victims.clear();
    }
    if victims.is_empty() {
        return Err(Box::new(hit.skipped(
            "as many other nodes have been hit before as may be, if a majority is to keep good copies",
        )));
    }
    not_kept_down(hit, victims)
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

/// Stops the servers, undoes what they have not written over, and starts them.
async fn heal(context: Context, id: u64, victims: Vec<usize>, damaged: Vec<(usize, Damage)>) -> Healed {
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
    for (node, damage) in damaged {
        let (name, file) = (cluster.name(node), damage.file.display());
        let undone = match damage.restore(&cluster.data(node)) {
            Ok(true) => {
                words.push(format!("{name}: {file} is as it was"));
                true
            }
            Ok(false) => {
                words.push(format!(
                    "{name} has written where {file} was damaged, or removed it"
                ));
                damage.is_undone_by_writing()
            }
            Err(error) => {
                certain = false;
                words.push(format!("{name}: {error}"));
                false
            }
        };
        if undone {
            cluster.host(node).process.excuse(id, None);
        } else {
            words.push(format!("{name} may still end by itself of what it has lost"));
        }
    }
    let restarted = kill::restart(context.clone(), victims).await;
    certain &= restarted.outcome == FaultOutcome::Took;
    words.push(restarted.evidence);
    Evidence::new(certain, words.join("; ")).into()
}
