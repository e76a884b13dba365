//! What real systems get wrong by design, found; and the same without the fault, where nothing may be found.

use std::path::Path;

use crate::disks::disks_can_fail;
use crate::support::{has_netns, json, one_at_a_time, run, skip_unpromised, told};

/// A cut that is longer than Sentinel's patience and its election together.
const LEADER_ISOLATED: &str = r#"
    [[schedule]]
    faults = ["partition:isolate-leader"]
    at_ms = 2000
    for_ms = 7000
"#;

/// Far within the two minutes that NATS leaves between one fsync and the next, and late enough that the stream
/// itself is safe on the disk. A run that ends soon after looks at what is left before anybody writes over it.
const POWER_CUT: &str = r#"
    [[schedule]]
    faults = ["power-cut:all"]
    at_ms = 8000
    for_ms = 1000
"#;

/// For so long the leader can't write that the others elect another, and that what it takes for the lease's time
/// runs out. In the end it writes again, and is heard again.
const LEADER_STALLED: &str = r#"
    [[schedule]]
    faults = ["stuck-fsync:leader"]
    at_ms = 3000
    for_ms = 9000
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

fn nats_can_be_tested() -> bool {
    let there = Path::new("/usr/sbin/nats-server").is_file();
    !skip_unpromised("NATS (apt-get install nats-server)", there)
        && !skip_unpromised("network namespaces", has_netns())
}

/// Without compare-and-set, which NATS 2.9 gets wrong by itself (nats-server issue 4320).
fn nats(runs: &Path, arguments: &[&str]) -> std::process::Output {
    let common = [
        "nats",
        "--workload",
        "plain-register",
        "--nodes",
        "3",
        "--seed",
        "1",
        "--rate",
        "200",
    ];
    run(runs, &[&common, arguments].concat())
}

#[test]
fn nats_loses_in_a_power_cut_what_it_acknowledged() {
    let _turn = one_at_a_time();
    if !nats_can_be_tested() || skip_unpromised("root and /dev/fuse", disks_can_fail()) {
        return;
    }
    let runs = tempfile::tempdir().unwrap();
    let schedule = runs.path().join("schedule.toml");
    std::fs::write(&schedule, POWER_CUT).unwrap();
    let output = nats(
        runs.path(),
        &["--time-limit", "10s", "--schedule", schedule.to_str().unwrap()],
    );
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let told = json(&output);
    assert_eq!(told["faults"]["power-cut"]["took"], 1, "{told}");
    assert_ne!(told["anomalies"], serde_json::json!([]), "{told}");
    let version = told["facts"]["target version"].as_str().unwrap();
    assert!(version.starts_with("NATS "), "{told}");
}

#[test]
fn nats_is_linearizable_while_nothing_happens() {
    let _turn = one_at_a_time();
    if !nats_can_be_tested() {
        return;
    }
    let runs = tempfile::tempdir().unwrap();
    let output = nats(runs.path(), &["--time-limit", "8s", "--nemesis", "none"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}

fn etcd_says(version: &str) -> bool {
    let told = std::process::Command::new("etcd").arg("--version").output();
    told.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).contains(version))
}

fn etcd_leased(runs: &Path, arguments: &[&str]) -> std::process::Output {
    let common = ["etcd-leased", "--nodes", "3", "--seed", "1", "--rate", "200"];
    run(runs, &[&common, arguments].concat())
}

#[test]
fn an_old_leader_of_etcd_3_4_ends_a_lease_that_the_new_one_keeps() {
    let _turn = one_at_a_time();
    if skip_unpromised("etcd 3.4", etcd_says("etcd Version: 3.4."))
        || skip_unpromised("root and /dev/fuse", disks_can_fail())
    {
        return;
    }
    let runs = tempfile::tempdir().unwrap();
    let schedule = runs.path().join("schedule.toml");
    std::fs::write(&schedule, LEADER_STALLED).unwrap();
    let output = etcd_leased(
        runs.path(),
        &["--time-limit", "16s", "--schedule", schedule.to_str().unwrap()],
    );
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let told = json(&output);
    assert_eq!(told["faults"]["stuck-fsync"]["took"], 1, "{told}");
    assert_ne!(told["anomalies"], serde_json::json!([]), "{told}");
}

#[test]
fn a_lease_of_etcd_stays_while_nothing_happens() {
    let _turn = one_at_a_time();
    if skip_unpromised("etcd (apt-get install etcd-server)", etcd_says("etcd Version: ")) {
        return;
    }
    let runs = tempfile::tempdir().unwrap();
    let output = etcd_leased(runs.path(), &["--time-limit", "8s", "--nemesis", "none"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}
