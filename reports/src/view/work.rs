//! How hard the run looked.

use partita_checker::{Analysis, Verdict};
use serde::Serialize;

use crate::load::Run;
use crate::run::FaultCount;
use crate::words;

/// How many keys are named.
const KEYS_MAX: usize = 40;

/// What was done, and what was not.
#[derive(Serialize)]
pub(super) struct Work<'a> {
    /// Function; ok, failed, unknown.
    operations: Vec<(&'a str, [u64; 3])>,
    rate: String,
    /// The share of the asked rate that was reached, where one was asked for.
    achieved: Option<f64>,
    faults: Vec<FaultRow<'a>>,
    /// What is known of snapshots that were installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshots: Option<String>,
    not_exercised: &'a [String],
    checks: Vec<Check<'a>>,
}

#[derive(Serialize)]
struct FaultRow<'a> {
    name: &'a str,
    #[serde(flatten)]
    count: &'a FaultCount,
    hit: String,
}

#[derive(Serialize)]
struct Check<'a> {
    checker: &'a str,
    model: &'a str,
    verdict: &'static str,
    word: String,
    reason: String,
    anomalies: usize,
    assumptions: &'a [String],
    keys: usize,
    operations: u64,
    configurations: u64,
    /// Keys whose verdict is not valid: the key, its verdict, how many events of the history are known good.
    open_keys: Vec<(String, String, u32)>,
    open_keys_left_out: usize,
}

/// What was done, and what was not.
pub(super) fn work(run: &Run) -> Work<'_> {
    let summary = &run.summary;
    let asked = summary.rate.asked;
    let count = |name, count| FaultRow {
        name,
        count,
        hit: words::roles(count),
    };
    Work {
        operations: summary
            .operations
            .iter()
            .map(|(f, count)| (f.as_str(), [count.ok, count.fail, count.info]))
            .collect(),
        rate: words::rates(&summary.rate),
        achieved: (asked > 0.0).then(|| (summary.rate.invoked / asked * 1000.0).round() / 1000.0),
        faults: summary
            .faults
            .iter()
            .map(|(name, of)| count(name.as_str(), of))
            .collect(),
        snapshots: summary.snapshots_installed.map(words::installed),
        not_exercised: &summary.not_exercised,
        checks: summary.checks.iter().map(check).collect(),
    }
}

fn check(check: &Analysis) -> Check<'_> {
    let open = || check.keys.iter().filter(|key| key.verdict != Verdict::Valid);
    let name = |key: &Option<partita_history::Value>| key.as_ref().map_or("all".to_owned(), words::value);
    Check {
        checker: &check.checker,
        model: &check.model,
        verdict: words::verdict_id(check.verdict),
        word: check.verdict.to_string(),
        reason: words::reason(&check.reason),
        anomalies: check.anomalies.len(),
        assumptions: &check.assumptions,
        keys: check.keys.len(),
        operations: check.keys.iter().map(|key| key.operations as u64).sum(),
        configurations: check.keys.iter().map(|key| key.configurations).sum(),
        open_keys: open()
            .take(KEYS_MAX)
            .map(|key| (name(&key.key), key.verdict.to_string(), key.verified_events))
            .collect(),
        open_keys_left_out: open().count().saturating_sub(KEYS_MAX),
    }
}
