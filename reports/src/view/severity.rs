//! How wrong a key is, ready to be shown.

use partita_checker::{Anomaly, Edge, Holds, Level, Severity};
use serde::Serialize;

use crate::words;

/// The longest cycle that is shown.
const CYCLE_MAX: usize = 12;

/// How wrong a key is.
#[derive(Serialize)]
pub(super) struct HowWrong {
    /// The sizes, in sentences.
    sizes: Vec<String>,
    levels: Vec<Guarantee>,
}

/// A guarantee, and whether it was kept.
#[derive(Serialize)]
struct Guarantee {
    name: &'static str,
    /// What it promises, in a sentence.
    meaning: &'static str,
    answer: &'static str,
    /// How it was broken, or why that is not known.
    why: Option<String>,
}

/// Of an anomaly whose key was measured.
pub(super) fn how_wrong(anomaly: &Anomaly) -> Option<HowWrong> {
    let severity = anomaly.severity.as_ref()?;
    Some(HowWrong {
        sizes: sizes(severity),
        levels: severity.levels.iter().map(guarantee).collect(),
    })
}

fn sizes(severity: &Severity) -> Vec<String> {
    let clip = |line: &String| words::clip(line, words::WHY_CHARS_MAX);
    severity.sizes().iter().map(clip).collect()
}

fn guarantee(level: &Level) -> Guarantee {
    let (answer, why) = match &level.holds {
        Holds::Yes => ("yes", None),
        Holds::No { why, .. } => ("no", Some(why)),
        Holds::NotKnown { why } => ("unknown", Some(why)),
    };
    Guarantee {
        name: level.consistency.name(),
        meaning: level.consistency.meaning(),
        answer,
        why: why.map(|why| words::clip(why, words::WHY_CHARS_MAX)),
    }
}

/// The cycle, if it is short enough to be read.
pub(super) fn cycle(anomaly: &Anomaly) -> Vec<Edge> {
    if anomaly.cycle.len() > CYCLE_MAX {
        return Vec::new();
    }
    let shown = |edge: &Edge| Edge {
        why: words::clip(&edge.why, words::WHY_CHARS_MAX),
        ..edge.clone()
    };
    anomaly.cycle.iter().map(shown).collect()
}
