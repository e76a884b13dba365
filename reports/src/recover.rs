//! What can be said of a run that was killed before it was judged.

use std::collections::BTreeSet;
use std::path::Path;

use partita_checker::Verdict;
use partita_history::{History, Outcome};

use crate::run::{Rate, Summary, count_faults};

/// The summary of a run without a `verdict.json`: counts from the history, and a verdict of unknown.
pub(crate) fn summary(directory: &Path, history: &History) -> Summary {
    let name = directory
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut summary = Summary {
        run: name,
        verdict: Verdict::Unknown,
        exit_code: Verdict::Unknown.exit_code(),
        reason: "The run was cut short before it was judged (there is no verdict.json): \
                 `partita check` judges what was recorded."
            .to_owned(),
        ended: "cut short".to_owned(),
        ..Summary::default()
    };
    count_operations(history, &mut summary);
    summary.faults = count_faults(&history.faults);
    summary
}

fn count_operations(history: &History, summary: &mut Summary) {
    let mut nodes = BTreeSet::new();
    let mut last_ns = 0;
    for operation in history.operations() {
        let count = summary.operations.entry(operation.f.to_owned()).or_default();
        match operation.outcome {
            Outcome::Ok => count.ok += 1,
            Outcome::Fail => count.fail += 1,
            Outcome::Info => count.info += 1,
        }
        nodes.extend(operation.node);
        last_ns = last_ns.max(operation.completed.unwrap_or(operation.invoked).time);
    }
    let first_ns = history.get(0).map_or(0, |operation| operation.invoked.time);
    summary.duration_ms = last_ns.saturating_sub(first_ns) / 1_000_000;
    summary.nodes = nodes.into_iter().map(str::to_owned).collect();
    if summary.duration_ms > 0 {
        let per_second = |count: u64| count as f64 * 1000.0 / summary.duration_ms as f64;
        let ok = summary.operations.values().map(|count| count.ok).sum();
        summary.rate = Rate {
            asked: 0.0,
            invoked: per_second(history.len() as u64),
            ok: per_second(ok),
        };
    }
}
