//! `partita simulate`: many seeds, one again, and what becomes of a violation.

use crate::support::{json, partita, told};

fn simulate(arguments: &[&str]) -> std::process::Output {
    partita(&["simulate"]).args(arguments).output().unwrap()
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    let short = ["raft", "--seed", "7", "--faulty", "3s", "--calm", "3s", "--json"];
    let first = simulate(&short);
    assert_eq!(first.status.code(), Some(0), "{}", told(&first));
    let (first, second) = (json(&first), json(&simulate(&short)));
    assert_eq!(first["verdict"], "valid");
    assert!(first["fingerprint"].is_string() && first["counts"]["writes"].as_u64() > Some(20));
    assert_eq!(first["fingerprint"], second["fingerprint"]);
    assert_eq!(first["counts"], second["counts"]);
}

#[test]
fn a_violation_is_told_made_smaller_and_drawn() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (scenario, trace, picture) = (file("scenario.json"), file("trace.txt"), file("picture.svg"));
    let found = simulate(&[
        "raft",
        "--seeds",
        "60",
        "--defect",
        "early-acks",
        "--minimize",
        &scenario,
        "--trace",
        &trace,
        "--svg",
        &picture,
    ]);
    assert_eq!(found.status.code(), Some(1), "{}", told(&found));
    let text = String::from_utf8_lossy(&found.stdout);
    for part in ["violated", "again: partita simulate raft --seed ", "smaller: "] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    let trace = std::fs::read_to_string(trace).unwrap();
    assert!(
        trace.trim_end().lines().last().unwrap().contains("VIOLATED"),
        "{trace}"
    );
    assert!(std::fs::read_to_string(picture).unwrap().starts_with("<svg "));
    let again = simulate(&["raft", "--scenario", &scenario, "--json"]);
    assert_eq!(again.status.code(), Some(1), "{}", told(&again));
    assert_eq!(json(&again)["violations"].as_array().unwrap().len(), 1);
}

#[test]
fn what_can_not_be_simulated_is_a_usage_error() {
    for wrong in [
        &["no-such-protocol"][..],
        &["raft", "--defect", "no-such-defect"],
        &["raft", "--nodes", "0"],
        &["raft", "--scenario", "/no/such/file"],
    ] {
        let output = simulate(wrong);
        assert_eq!(output.status.code(), Some(254), "{}", told(&output));
    }
}
