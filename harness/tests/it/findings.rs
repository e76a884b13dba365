//! What real systems get wrong by design, found; and the same without the fault, where nothing may be found.

use std::path::Path;

use crate::support::{has_netns, json, one_at_a_time, run, skip_unpromised, told};

/// A cut that is longer than Sentinel's patience and its election together.
const LEADER_ISOLATED: &str = r#"
    [[schedule]]
    faults = ["partition:isolate-leader"]
    at_ms = 2000
    for_ms = 7000
"#;

fn redis_can_be_tested() -> bool {
    let there = std::process::Command::new("redis-server")
        .arg("--version")
        .output()
        .is_ok();
    !skip_unpromised("Redis (apt-get install redis-server)", there)
        && !skip_unpromised("network namespaces", has_netns())
}

fn redis(runs: &Path, arguments: &[&str]) -> std::process::Output {
    let common = ["redis-sentinel", "--nodes", "3", "--seed", "1", "--rate", "200"];
    run(runs, &[&common, arguments].concat())
}

#[test]
fn redis_sentinel_loses_writes_that_an_isolated_master_acknowledged() {
    let _turn = one_at_a_time();
    if !redis_can_be_tested() {
        return;
    }
    let runs = tempfile::tempdir().unwrap();
    let schedule = runs.path().join("schedule.toml");
    std::fs::write(&schedule, LEADER_ISOLATED).unwrap();
    let output = redis(
        runs.path(),
        &["--time-limit", "11s", "--schedule", schedule.to_str().unwrap()],
    );
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let told = json(&output);
    assert_eq!(told["faults"]["partition"]["took"], 1, "{told}");
    let version = told["facts"]["target version"].as_str().unwrap();
    assert!(version.starts_with("Redis "), "{told}");
}

#[test]
fn redis_sentinel_is_linearizable_while_its_master_stays() {
    let _turn = one_at_a_time();
    if !redis_can_be_tested() {
        return;
    }
    let runs = tempfile::tempdir().unwrap();
    let output = redis(runs.path(), &["--time-limit", "8s", "--nemesis", "none"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}
