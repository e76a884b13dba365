//! Faults: as bands on the time axis, and as a table of their phases.

use std::collections::BTreeMap;

use partita_history::{FaultEvent, FaultOutcome, FaultPhase, History};
use serde::Serialize;

use super::seconds;
use crate::words;

/// How many bands and how many rows are shown. The rest is counted, and is in `faults.jsonl`.
const ROWS_MAX: usize = 1000;
/// The longest evidence that is shown, in characters.
const EVIDENCE_CHARS_MAX: usize = 400;
/// The longest list of links that is shown, in links.
const LINKS_MAX: usize = 40;

/// The time in which a fault was in force.
#[derive(Clone, Serialize)]
pub(super) struct Band {
    /// The fault's name.
    pub(super) name: String,
    what: String,
    /// From the beginning of its injection, in seconds.
    pub(super) from: f64,
    /// To the end of its healing, or of the run, in seconds.
    pub(super) to: f64,
    outcome: &'static str,
    /// Whether it may have had any effect.
    pub(super) in_force: bool,
    /// What the probe found after healing; none if it never was healed.
    healed: Option<&'static str>,
    nodes: Vec<String>,
    evidence: String,
    healed_evidence: String,
}

impl Band {
    /// `partition: isolate the leader (n2)`.
    pub(super) fn label(&self) -> String {
        let nodes = if self.nodes.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.nodes.join(", "))
        };
        let what = if self.what.is_empty() {
            String::new()
        } else {
            format!(": {}", self.what)
        };
        words::clip(&format!("{}{what}{nodes}", self.name), 160)
    }
}

/// Every injected fault, with the time in which it was in force.
pub(super) fn bands(history: &History) -> Vec<Band> {
    let last_operation = history
        .operations()
        .map(|op| op.completed.unwrap_or(op.invoked).time)
        .max();
    let last_fault = history.faults.iter().map(|fault| fault.time).max();
    let end = seconds(last_operation.max(last_fault).unwrap_or(0));
    let mut bands: Vec<Band> = Vec::new();
    let mut open: BTreeMap<(&str, u64), usize> = BTreeMap::new();
    for fault in &history.faults {
        let slot = (fault.f.as_str(), fault.value.id);
        match fault.value.phase {
            FaultPhase::Planned => {}
            FaultPhase::Injected if bands.len() < ROWS_MAX => {
                let in_force = fault.value.outcome != Some(FaultOutcome::Skipped);
                if in_force {
                    open.insert(slot, bands.len());
                }
                bands.push(band(fault, in_force, end));
            }
            FaultPhase::Injected => {}
            FaultPhase::Healed => {
                if let Some(index) = open.remove(&slot) {
                    let band = &mut bands[index];
                    band.to = seconds(fault.time);
                    band.healed = Some(outcome(fault));
                    band.healed_evidence = words::clip(&fault.value.evidence, EVIDENCE_CHARS_MAX);
                }
            }
        }
    }
    bands
}

fn band(fault: &FaultEvent, in_force: bool, end: f64) -> Band {
    let time = seconds(fault.time);
    let started = seconds(fault.value.started);
    Band {
        name: fault.f.clone(),
        what: words::clip(&fault.value.what, words::WHY_CHARS_MAX),
        from: if started > 0.0 { started.min(time) } else { time },
        to: if in_force { end.max(time) } else { time },
        outcome: outcome(fault),
        in_force,
        healed: None,
        nodes: fault.value.nodes.clone(),
        evidence: words::clip(&fault.value.evidence, EVIDENCE_CHARS_MAX),
        healed_evidence: String::new(),
    }
}

fn outcome(fault: &FaultEvent) -> &'static str {
    match (fault.value.phase, fault.value.outcome) {
        (FaultPhase::Planned, _) => "",
        (_, Some(FaultOutcome::Took)) => "took",
        (_, Some(FaultOutcome::Skipped)) => "skipped",
        (_, Some(FaultOutcome::Uncertain) | None) => "uncertain",
    }
}

/// All phases of all faults.
#[derive(Serialize)]
pub(super) struct Table {
    rows: Vec<Row>,
    left_out: usize,
}

#[derive(Serialize)]
struct Row {
    time: f64,
    id: u64,
    name: String,
    phase: &'static str,
    outcome: &'static str,
    what: String,
    /// Each hit node, with its role where that is known.
    nodes: Vec<String>,
    links: String,
    evidence: String,
}

/// The table of faults.
pub(super) fn table(history: &History) -> Table {
    let rows: Vec<Row> = history.faults.iter().take(ROWS_MAX).map(row).collect();
    Table {
        left_out: history.faults.len() - rows.len(),
        rows,
    }
}

fn row(fault: &FaultEvent) -> Row {
    let value = &fault.value;
    let node = |node: &String| match value.roles.get(node) {
        Some(role) => format!("{node} ({role})"),
        None => node.clone(),
    };
    let mut links = value
        .links
        .iter()
        .take(LINKS_MAX)
        .cloned()
        .collect::<Vec<_>>()
        .join(" ");
    if value.links.len() > LINKS_MAX {
        links.push_str(&format!(" and {} more", value.links.len() - LINKS_MAX));
    }
    Row {
        time: seconds(fault.time),
        id: value.id,
        name: fault.f.clone(),
        phase: match value.phase {
            FaultPhase::Planned => "planned",
            FaultPhase::Injected => "injected",
            FaultPhase::Healed => "healed",
        },
        outcome: outcome(fault),
        what: value.what.clone(),
        nodes: value.nodes.iter().map(node).collect(),
        links,
        evidence: words::clip(&value.evidence, EVIDENCE_CHARS_MAX),
    }
}
