//! What the nodes were at the time of an anomaly, in sentences: from faults, metrics and logs.
//!
//! A checker sees only what clients were told. Why a node told them so is seen from the outside: whom it took for
//! the leader, from whom it was cut off, and what was done to it.

mod cuts;
mod roles;

use partita_checker::Anomaly;
use partita_history::{FaultEvent, FaultOutcome, FaultPhase, Operation};

use crate::load::Run;
use crate::{told, words};
use roles::Roles;

/// A sighting up to so long after the fact still says something of it: nodes are only asked now and then.
const SEEN_WITHIN_NS: u64 = 500_000_000;
/// How many sentences are told of faults on nodes that took part.
const FAULTS_MAX: usize = 4;

/// The sentences; none where nothing is known.
pub(crate) fn evidence(run: &Run, anomaly: &Anomaly) -> Vec<String> {
    let Some(culprit) = run.history.get(anomaly.culprit) else {
        return Vec::new();
    };
    let now = culprit.completed.unwrap_or(culprit.invoked).time;
    let said = told::told(run);
    let roles = Roles::of(&said);
    let mut told = Vec::new();
    if let Some(node) = culprit.node {
        let cut = cuts::cut_off(&run.history.faults, &run.summary.nodes, node, now);
        told.extend(standing(&roles, node, now, cut));
    }
    let others: Vec<Operation> = anomaly
        .operations
        .iter()
        .filter(|&&id| id != anomaly.culprit)
        .filter_map(|&id| run.history.get(id))
        .collect();
    told.extend(
        others
            .last()
            .and_then(|other| acknowledged(&roles, &culprit, other)),
    );
    told.extend(hits(run, &culprit, &others, now));
    told.extend(planted(run));
    told
}

/// That the nodes were not to be trusted, in a sentence.
pub(crate) fn planted(run: &Run) -> Option<String> {
    let defect = run.summary.defect.as_ref()?;
    Some(format!("The nodes ran with the deliberate bug {defect}."))
}

/// What the node that answered took itself for, and from whom it was cut off.
fn standing(roles: &Roles, node: &str, now: u64, cut: Option<String>) -> Option<String> {
    let role = roles.at(node, now).map(|known| {
        let newer = roles.newer_leader(node, known.said, now, now + SEEN_WITHIN_NS);
        let newer = newer.map(|newer| {
            let leader = newer.node;
            let term = newer.term.map_or(String::new(), |term| format!(" term {term}"));
            let since = moment(newer.since);
            if newer.since > now {
                format!("; {leader} was seen to lead{term} at {since}")
            } else if newer.still {
                format!(", though {leader} had led{term} since {since}")
            } else {
                format!("; {leader} led{term} from {since}")
            }
        });
        let still = if newer.is_some() && known.sure {
            "still "
        } else {
            ""
        };
        format!("{still}{}{}", known.words(), newer.unwrap_or_default())
    });
    match (cut, role) {
        (Some(cut), Some(role)) => Some(format!("{node} {cut} and {role}.")),
        (Some(cut), None) => Some(format!("{node} {cut}.")),
        (None, Some(role)) => Some(format!("{node} {role}.")),
        (None, None) => None,
    }
}

/// That the node led that had told the other side of the contradiction; of a follower it says nothing.
fn acknowledged(roles: &Roles, culprit: &Operation, other: &Operation) -> Option<String> {
    let node = other.node.filter(|&node| Some(node) != culprit.node)?;
    let ended = other.completed?.time;
    let known = roles.at(node, ended).filter(|known| known.said.leads())?;
    let was = if known.sure {
        format!("was then {}", known.said.words())
    } else {
        known.last_words()
    };
    Some(format!(
        "{node}, over which client {} did {}, {was}.",
        other.process,
        words::operation(other),
    ))
}

/// What was done to the nodes that took part, from the first of their operations to the contradiction.
fn hits(run: &Run, culprit: &Operation, others: &[Operation], now: u64) -> Vec<String> {
    let nodes = || {
        others
            .iter()
            .chain([culprit])
            .filter_map(|operation| operation.node)
    };
    let began = others
        .iter()
        .map(|operation| operation.invoked.time)
        .min()
        .unwrap_or(culprit.invoked.time);
    let told = |fault: &FaultEvent| {
        let hit: Vec<&str> = fault
            .value
            .nodes
            .iter()
            .map(String::as_str)
            .filter(|hit| nodes().any(|node| node == *hit))
            .collect();
        let relevant = fault.value.phase == FaultPhase::Injected
            && fault.value.outcome != Some(FaultOutcome::Skipped)
            && fault.value.links.is_empty()
            && (began..=now).contains(&fault.time);
        (relevant && !hit.is_empty()).then(|| {
            format!(
                "{} was done to {} at {}: {}.",
                fault.f,
                hit.join(" and "),
                moment(fault.time),
                words::clip(&fault.value.what, words::WHY_CHARS_MAX)
            )
        })
    };
    run.history
        .faults
        .iter()
        .filter_map(told)
        .take(FAULTS_MAX)
        .collect()
}

/// `9.659 s`.
fn moment(ns: u64) -> String {
    format!("{:.3} s", ns as f64 / 1e9)
}

#[cfg(test)]
mod tests;
