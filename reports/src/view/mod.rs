//! What the page shows, as data: the JSON that is put into the page and drawn by its script.

mod anomaly;
mod faults;
mod latency;
mod logs;
mod measures;
mod nodes;
mod progress;
mod quorum;
mod severity;
mod timeline;
mod work;

use partita_checker::Verdict;
use partita_history::Outcome;
use serde::Serialize;

pub(crate) use anomaly::core;
pub use quorum::Leadership;
pub(crate) use quorum::leadership;

use crate::columns::{self, Columns};
use crate::evidence;
use crate::load::Run;
use crate::words;

/// How large the operations may be in the page, in bytes: with all else it stays under 5 MB.
const HISTORY_BYTES_MAX: usize = 4_100_000;
/// How many events around an operation of an anomaly are kept, whatever is left out elsewhere.
const AROUND_EVENTS: u32 = 2_000;
/// The most of a plan that is shown, in characters.
const PLAN_CHARS_MAX: usize = 60_000;

/// All of the page.
#[derive(Serialize)]
pub(crate) struct Page<'a> {
    run: &'a str,
    verdict: &'static str,
    word: String,
    exit_code: u8,
    reason: String,
    /// What the checks say beyond the reason, and what was missing, where the verdict is not valid.
    why: Vec<String>,
    notes: &'a [String],
    command: &'a str,
    /// The facts of the run that fit on a line.
    brief: Vec<String>,
    /// What was done and survived, in sentences.
    survived: Vec<String>,
    anomalies: Vec<anomaly::Drawing>,
    /// How many more there are.
    anomalies_left_out: usize,
    timeline: Option<timeline::Timeline>,
    work: work::Work<'a>,
    faults: faults::Table,
    logs: logs::Logs,
    history: columns::Meta,
    facts: Vec<(&'a str, String)>,
    plan: Option<String>,
}

/// What the page holds: its data, and what is too large to lie there as it is.
pub(crate) struct Contents<'a> {
    pub(crate) page: Page<'a>,
    /// The operations, in compressed columns.
    pub(crate) operations: String,
    /// The lines of logs, compressed.
    pub(crate) lines: String,
}

/// Makes the page's data.
pub(crate) fn contents(run: &Run) -> Contents<'_> {
    let summary = &run.summary;
    let bands = faults::bands(&run.history);
    let Columns {
        meta: history,
        text: operations,
    } = columns::columns(&run.history, &windows(run), HISTORY_BYTES_MAX);
    let (logs, lines) = logs::logs(run, first_moment(run));
    let page = Page {
        run: &summary.run,
        verdict: words::verdict_id(run.verdict()),
        word: run.verdict().to_string(),
        exit_code: summary.exit_code,
        reason: words::reason(&summary.reason),
        why: why(run),
        notes: &run.notes,
        command: &summary.command,
        brief: brief(run),
        survived: survived(run),
        anomalies: anomaly::drawings(run, &bands),
        anomalies_left_out: anomaly::left_out(run),
        timeline: timeline::timeline(run, bands),
        work: work::work(run),
        faults: faults::table(&run.history),
        logs,
        history,
        facts: facts(run),
        plan: run.plan.as_deref().map(|plan| words::clip(plan, PLAN_CHARS_MAX)),
    };
    Contents {
        page,
        operations,
        lines,
    }
}

/// Where no operation may be left out: around each operation of an anomaly that is drawn.
fn windows(run: &Run) -> Vec<columns::Window> {
    let anomalies = run.summary.checks.iter().flat_map(|check| &check.anomalies);
    anomalies
        .take(anomaly::ANOMALIES_MAX)
        .flat_map(|anomaly| anomaly.operations.iter().copied().chain([anomaly.culprit]))
        .flat_map(|id| columns::around(&run.history, id, AROUND_EVENTS))
        .collect()
}

/// When the first contradiction became certain.
fn first_moment(run: &Run) -> Option<u64> {
    let mut anomalies = run.summary.checks.iter().flat_map(|check| &check.anomalies);
    let culprit = run.history.get(anomalies.next()?.culprit)?;
    Some(culprit.completed.unwrap_or(culprit.invoked).time)
}

fn why(run: &Run) -> Vec<String> {
    let summary = &run.summary;
    let mut why: Vec<String> = Vec::new();
    why.extend(evidence::planted(run));
    for check in &summary.checks {
        if check.verdict > Verdict::Valid && check.reason != summary.reason {
            why.push(format!("{}: {}", check.checker, words::reason(&check.reason)));
        }
    }
    if run.verdict() == Verdict::NotExercised {
        why.extend(summary.not_exercised.iter().cloned());
    }
    why
}

fn brief(run: &Run) -> Vec<String> {
    let summary = &run.summary;
    let mut brief = Vec::new();
    for word in [&summary.target, &summary.workload] {
        if !word.is_empty() {
            brief.push(word.clone());
        }
    }
    if let Some(defect) = &summary.defect {
        brief.push(format!("defect {defect}"));
    }
    if !summary.nodes.is_empty() {
        brief.push(words::counted(summary.nodes.len() as u64, "node"));
    }
    brief.push(words::duration(summary.duration_ms));
    brief.push(words::counted(run.history.len() as u64, "operation"));
    if run.judged {
        brief.push(format!("seed {}", summary.seed));
    }
    if !summary.started.is_empty() {
        brief.push(summary.started.clone());
    }
    brief
}

/// What a passing run can be proud of.
fn survived(run: &Run) -> Vec<String> {
    let summary = &run.summary;
    let [ok, fail, info] = [Outcome::Ok, Outcome::Fail, Outcome::Info].map(|outcome| run.total(outcome));
    let mut survived = Vec::new();
    if ok + fail + info > 0 {
        survived.push(format!(
            "{} in {}: {} ok, {} failed, {} with an unknown outcome.",
            words::counted(ok + fail + info, "operation"),
            words::duration(summary.duration_ms),
            words::thousands(ok),
            words::thousands(fail),
            words::thousands(info),
        ));
    }
    let took: u64 = summary.faults.values().map(|count| count.took).sum();
    let each: Vec<String> = summary
        .faults
        .iter()
        .filter(|(_, count)| count.took > 0)
        .map(|(name, count)| format!("{name} {}", count.took))
        .collect();
    if took > 0 {
        let on_leader: u64 = summary
            .faults
            .values()
            .filter_map(|count| count.roles.get("leader"))
            .sum();
        survived.push(format!(
            "{} took effect ({}), {} of them on a leader.",
            words::counted(took, "fault"),
            each.join(", "),
            words::thousands(on_leader),
        ));
    } else if run.plan.is_some() {
        // Of a history without its run nobody knows.
        survived.push("No fault took effect.".to_owned());
    }
    survived
}

fn facts(run: &Run) -> Vec<(&str, String)> {
    let summary = &run.summary;
    let mut facts = vec![
        ("run", summary.run.clone()),
        ("target", summary.target.clone()),
        ("workload", summary.workload.clone()),
        (
            "defect",
            summary.defect.clone().unwrap_or_else(|| "none".to_owned()),
        ),
        ("nodes", summary.nodes.join(", ")),
        ("network", summary.network.clone()),
        ("started", summary.started.clone()),
        ("duration", words::duration(summary.duration_ms)),
        ("ended by", summary.ended.clone()),
        ("rate", words::rates(&summary.rate)),
        ("exit code", summary.exit_code.to_string()),
    ];
    if run.judged {
        facts.insert(1, ("seed", summary.seed.to_string()));
    }
    facts.retain(|(_, fact)| !fact.is_empty());
    facts.extend(
        summary
            .facts
            .iter()
            .map(|(name, fact)| (name.as_str(), fact.clone())),
    );
    facts
}

/// Seconds, to the microsecond: finer is not to be seen, and makes the file large.
fn seconds(ns: u64) -> f64 {
    (ns as f64 / 1e3).round() / 1e6
}
