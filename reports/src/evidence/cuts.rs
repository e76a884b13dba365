//! From whom a node was cut off.

use std::collections::BTreeSet;

use partita_history::{FaultEvent, FaultOutcome, FaultPhase};

use super::moment;

/// In words, from whom partitions in force at `now` cut the node off: `had been cut off from the majority since ...`.
pub(super) fn cut_off(faults: &[FaultEvent], nodes: &[String], node: &str, now: u64) -> Option<String> {
    let in_force = in_force(faults, now);
    let mut lost: BTreeSet<&str> = BTreeSet::new();
    let mut since: Option<u64> = None;
    let mut what = Vec::new();
    for fault in in_force {
        let peers: Vec<&str> = fault
            .value
            .links
            .iter()
            .filter_map(|link| link.split_once('>'))
            .filter_map(|(from, to)| match () {
                () if from == node => Some(to),
                () if to == node => Some(from),
                () => None,
            })
            .filter(|peer| nodes.iter().any(|known| known == peer))
            .collect();
        if peers.is_empty() {
            continue;
        }
        lost.extend(peers);
        let began = fault.value.started.min(fault.time);
        let began = if began == 0 { fault.time } else { began };
        since = Some(since.map_or(began, |since| since.min(began)));
        what.push(fault.value.what.as_str());
    }
    let since = moment(since?);
    let left = nodes.len() - lost.len();
    let from = if left <= nodes.len() / 2 {
        "the majority".to_owned()
    } else {
        lost.into_iter().collect::<Vec<_>>().join(", ")
    };
    Some(format!(
        "had been cut off from {from} since {since} ({})",
        what.join("; ")
    ))
}

/// Faults that were injected and not healed at `now`.
fn in_force(faults: &[FaultEvent], now: u64) -> Vec<&FaultEvent> {
    let mut open: Vec<&FaultEvent> = Vec::new();
    for fault in faults {
        let began = match fault.value.phase {
            // It may have begun to act when its injection began.
            FaultPhase::Injected => fault.value.started.min(fault.time),
            FaultPhase::Healed => fault.value.started.min(fault.time),
            FaultPhase::Planned => continue,
        };
        if began > now {
            continue;
        }
        match (fault.value.phase, fault.value.outcome) {
            (FaultPhase::Injected, Some(FaultOutcome::Skipped)) | (FaultPhase::Planned, _) => {}
            (FaultPhase::Injected, _) => open.push(fault),
            (FaultPhase::Healed, _) => {
                open.retain(|other| (&other.f, other.value.id) != (&fault.f, fault.value.id));
            }
        }
    }
    open
}
