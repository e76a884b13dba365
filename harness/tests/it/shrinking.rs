//! `partita shrink`: of simulated runs and of histories.

use crate::support::{json, partita, told};

#[test]
fn a_simulated_defect_needs_few_faults_and_few_operations() {
    let home = tempfile::tempdir().unwrap();
    let found = partita(&[
        "simulate",
        "raft",
        "--seeds",
        "60",
        "--defect",
        "early-acks",
        "--json",
    ]);
    let found = { found }.output().unwrap();
    let seed = json(&found)["violations"][0]["seed"]
        .as_u64()
        .unwrap()
        .to_string();
    let file = home.path().join("small.json").display().to_string();
    let shrunk = partita(&[
        "shrink",
        "raft",
        "--defect",
        "early-acks",
        "--seed",
        &seed,
        "--json",
        "--out",
        &file,
    ]);
    let shrunk = { shrunk }.output().unwrap();
    assert_eq!(shrunk.status.code(), Some(1), "{}", told(&shrunk));
    let small = json(&shrunk);
    assert!(
        small["faults"].as_u64() <= Some(3) && small["operations"].as_u64() <= Some(10),
        "{small}"
    );
    // It is the same run wherever it is run.
    let again = || {
        partita(&["simulate", "raft", "--scenario", &file, "--json"])
            .output()
            .unwrap()
    };
    let (first, second) = (again(), again());
    assert_eq!(first.status.code(), Some(1), "{}", told(&first));
    assert_eq!(json(&first)["fingerprint"], json(&second)["fingerprint"]);
    assert_eq!(json(&first)["violations"][0]["property"], small["property"]);
}

#[test]
fn of_a_history_only_what_contradicts_is_left() {
    let home = tempfile::tempdir().unwrap();
    let mut lines = Vec::new();
    for value in 1..=30 {
        for kind in ["invoke", "ok"] {
            lines.push(format!(
                r#"{{"process":0,"type":"{kind}","f":"write","value":{value}}}"#
            ));
        }
    }
    lines.push(r#"{"process":1,"type":"invoke","f":"read","value":null}"#.into());
    lines.push(r#"{"process":1,"type":"ok","f":"read","value":7}"#.into());
    let file = home.path().join("history.jsonl");
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let out = home.path().join("small.jsonl");
    let shrunk = partita(&["shrink", "--json", "--out"])
        .arg(&out)
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(shrunk.status.code(), Some(1), "{}", told(&shrunk));
    let small = json(&shrunk);
    assert!(
        small["operations"].as_u64() <= Some(3) && small["operations_before"] == 31,
        "{small}"
    );
    let checked = partita(&["check"]).arg(&out).output().unwrap();
    assert_eq!(checked.status.code(), Some(1), "{}", told(&checked));
}

#[test]
fn where_nothing_fails_there_is_nothing_to_make_smaller() {
    for wrong in [
        &["shrink", "/no/such/run"][..],
        &["shrink", "raft", "--seed", "1"],
        &["shrink", "graft", "--seed", "1"],
    ] {
        let output = partita(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(254), "{}", told(&output));
    }
}
