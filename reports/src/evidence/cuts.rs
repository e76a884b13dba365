//! From whom a node was cut off.

use std::collections::BTreeSet;

use partita_history::{FaultEvent, FaultOutcome, FaultPhase};

use super::moment;
use crate::words;

/// The faults that let nothing through a link. All others that name links only spoil what is sent.
const CUTTING: [&str; 2] = ["partition", "reject"];
/// The shape of a cut that is opened and made again all the time.
const FLAPPING: &str = "flapping";

/// In words, from whom partitions in force at `now` cut the node off: `had been cut off from the majority since ...`.
pub(super) fn cut_off(faults: &[FaultEvent], nodes: &[String], node: &str, now: u64) -> Option<String> {
    let (flapping, steady): (Vec<_>, Vec<_>) = in_force(faults, now)
        .into_iter()
        .partition(|fault| planned_shape(faults, fault) == Some(FLAPPING));
    let steady = reached(&steady, nodes, node);
    let flapping = reached(&flapping, nodes, node);
    let lost = |reach: &Reach<'_>| reach.mute && reach.deaf;
    let told = [
        clause("had been cut off from", nodes, &steady, now, lost),
        clause("could not send to", nodes, &steady, now, |reach| {
            reach.mute && !reach.deaf
        }),
        clause("could not hear", nodes, &steady, now, |reach| {
            reach.deaf && !reach.mute
        }),
        clause("was cut off again and again from", nodes, &flapping, now, lost),
    ];
    let told: Vec<String> = told.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// How a node stood to one of the others after a fault had begun.
#[derive(Clone, Copy)]
struct Reach<'a> {
    peer: &'a str,
    /// Nothing that the node sent arrived.
    mute: bool,
    /// Nothing that was sent to it arrived.
    deaf: bool,
}

/// A fault, and how the node stood to all others once it had begun beside those before it.
struct Stage<'a> {
    fault: &'a FaultEvent,
    reach: Vec<Reach<'a>>,
}

/// In the order in which the faults began.
fn reached<'a>(faults: &[&'a FaultEvent], nodes: &'a [String], node: &str) -> Vec<Stage<'a>> {
    let mut faults = faults.to_vec();
    faults.sort_by_key(|fault| began(fault));
    let mut links: BTreeSet<(&str, &str)> = BTreeSet::new();
    let stage = |fault: &'a FaultEvent| {
        links.extend(fault.value.links.iter().filter_map(|link| link.split_once('>')));
        let peers = nodes.iter().map(String::as_str).filter(|peer| *peer != node);
        let reach = peers.map(|peer| Reach {
            peer,
            mute: links.contains(&(node, peer)),
            deaf: links.contains(&(peer, node)),
        });
        Stage {
            fault,
            reach: reach.collect(),
        }
    };
    faults.into_iter().map(stage).collect()
}

/// From whom, since when as far as is known at `now`, and by what: of the faults in their order, those that made it worse until the majority was
/// gone, or all that ever was.
fn clause(
    verb: &str,
    nodes: &[String],
    stages: &[Stage<'_>],
    now: u64,
    gone: impl Fn(&Reach<'_>) -> bool,
) -> Option<String> {
    let at_last: Vec<&str> = gone_in(stages.last()?, &gone);
    let is_majority = |gone: usize| nodes.len() - gone <= nodes.len() / 2;
    let (mut before, mut what) = (0, Vec::new());
    for stage in stages {
        // Who could not be sent to, and then could not be heard either, counts with the lost alone.
        let count = gone_in(stage, &gone)
            .iter()
            .filter(|peer| at_last.contains(peer))
            .count();
        if count > before {
            what.push(words::clip(&stage.fault.value.what, words::WHY_CHARS_MAX));
        }
        before = count;
        if count > 0 && (count == at_last.len() || is_majority(count)) {
            let from = if is_majority(count) {
                "the majority".to_owned()
            } else {
                at_last.join(", ")
            };
            let since = since(stage.fault, now);
            return Some(format!("{verb} {from} since {since} ({})", what.join("; ")));
        }
    }
    None
}

fn gone_in<'a>(stage: &Stage<'a>, gone: impl Fn(&Reach<'_>) -> bool) -> Vec<&'a str> {
    let gone = stage.reach.iter().filter(|reach| gone(reach));
    gone.map(|reach| reach.peer).collect()
}

/// When a fault began to act: the time at which its injection was complete is that of the probe.
fn began(fault: &FaultEvent) -> u64 {
    match fault.value.started {
        0 => fault.time,
        started => started.min(fault.time),
    }
}

/// Since when a fault acts: it was being injected for a while, and its probe is the first that is known of it.
fn since(fault: &FaultEvent, now: u64) -> String {
    let (from, to) = (moment(began(fault)), moment(fault.time));
    if from == to {
        from
    } else if fault.time <= now {
        format!("{to} at the latest")
    } else {
        format!("{from} at the earliest")
    }
}

/// The shape that the schedule asked for: `flapping: one node from all others, ...`.
fn planned_shape<'a>(faults: &'a [FaultEvent], of: &FaultEvent) -> Option<&'a str> {
    let planned = faults.iter().find(|other| {
        other.value.phase == FaultPhase::Planned && (&other.f, other.value.id) == (&of.f, of.value.id)
    })?;
    planned.value.what.split(':').next()
}

/// Cuts that were seen to be in force, and whose healing had not begun at `now`.
fn in_force(faults: &[FaultEvent], now: u64) -> Vec<&FaultEvent> {
    let mut open: Vec<&FaultEvent> = Vec::new();
    for fault in faults.iter().filter(|fault| CUTTING.contains(&fault.f.as_str())) {
        if began(fault) > now {
            continue;
        }
        match (fault.value.phase, fault.value.outcome) {
            (FaultPhase::Injected, Some(FaultOutcome::Took)) => open.push(fault),
            (FaultPhase::Injected | FaultPhase::Planned, _) => {}
            (FaultPhase::Healed, _) => {
                open.retain(|other| (&other.f, other.value.id) != (&fault.f, fault.value.id));
            }
        }
    }
    open
}
