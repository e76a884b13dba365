//! Violations that are seen while they happen.

use std::path::Path;

use crate::formats::assert_documented;
use crate::support::{assert_run_documented, json, one_at_a_time, run, told};

/// Runs tried before a bug counts as not seen: chance decides what a fault meets.
const TRIES: u64 = 3;
/// Of a run that would go on for two minutes, what must be saved at least.
const LIMIT: &str = "120s";
const ENDED_BY_MS: u64 = 100_000;

#[test]
fn a_run_ends_at_its_first_violation_if_it_is_told_to() {
    let _turn = one_at_a_time();
    let stopped = (1..=TRIES).any(|seed| {
        let runs = tempfile::tempdir().unwrap();
        let seed = seed.to_string();
        let arguments = [
            "--defect",
            "stale-reads",
            "--nemesis",
            "partition",
            "--on-violation",
            "stop",
            "--time-limit",
            LIMIT,
            "--seed",
            &seed,
        ];
        let output = run(runs.path(), &arguments);
        let told = json(&output);
        if told["ended"] != "violation" || told["duration_ms"].as_u64().unwrap() > ENDED_BY_MS {
            assert!(
                matches!(output.status.code(), Some(0 | 1 | 3)),
                "{}",
                crate::support::told(&output)
            );
            return false;
        }
        assert_eq!(output.status.code(), Some(1), "{told}");
        let online = told["facts"]["online checker"].as_str().unwrap();
        assert!(
            online.starts_with("violation at ") && online.contains("on key"),
            "{online}"
        );
        let directory = Path::new(told["run_dir"].as_str().unwrap());
        let moment = std::fs::read(directory.join("violation.json")).unwrap();
        let moment: serde_json::Value = serde_json::from_slice(&moment).unwrap();
        assert_documented("violation.json", &moment);
        assert_run_documented(&told);
        assert_eq!(moment["nodes"].as_array().unwrap().len(), 5, "{moment}");
        assert!(moment["log_bytes"]["n1"].as_u64() > Some(0), "{moment}");
        // The online checker names the very event at which the offline one finds the violation, if it explained it.
        let mut anomalies = told["anomalies"].as_array().unwrap().iter();
        assert!(
            anomalies.any(|anomaly| anomaly["key"] == moment["key"]
                && anomaly["prefix_events"].as_u64() == moment["position"].as_u64().map(|at| at + 1)
                && anomaly["culprit"] == moment["culprit"]),
            "{moment} is not among {told}"
        );
        true
    });
    assert!(stopped, "no run was stopped, of {TRIES}");
}

#[test]
fn a_run_without_a_violation_is_not_ended() {
    let _turn = one_at_a_time();
    let runs = tempfile::tempdir().unwrap();
    let arguments = [
        "--nodes",
        "3",
        "--nemesis",
        "kill:one",
        "--on-violation",
        "stop",
        "--time-limit",
        "12s",
        "--seed",
        "3",
    ];
    let output = run(runs.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let told = json(&output);
    assert_eq!(told["ended"], "time limit", "{told}");
    let online = told["facts"]["online checker"].as_str().unwrap();
    assert!(
        online.starts_with("no violation in ")
            && !online.contains("unknown")
            && !online.contains("not followed"),
        "{online}"
    );
    assert!(
        !Path::new(told["run_dir"].as_str().unwrap())
            .join("violation.json")
            .exists()
    );
}
