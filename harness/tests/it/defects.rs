//! Every deliberate bug is found, with a counterexample; who finds nothing proves nothing.

use std::process::{Command, Output};

use crate::support::{json, one_at_a_time, partita, skip_without, told};

/// Runs tried before a bug counts as not found. Chance decides whether one run meets a bug: what a fault hits
/// depends on the moment.
const TRIES: u64 = 4;

/// Whether the run told of an anomaly, whole.
fn tells_an_anomaly(output: &Output) -> bool {
    match output.status.code() {
        Some(1) => {}
        // Nothing was found this time.
        Some(0 | 2 | 3) => return false,
        _ => panic!("{}", told(output)),
    }
    let told = json(output);
    let Some(anomaly) = told["anomalies"].get(0) else {
        return false;
    };
    assert!(!anomaly["operations"].as_array().unwrap().is_empty(), "{told}");
    assert!(!anomaly["story"].as_str().unwrap().is_empty(), "{told}");
    true
}

/// Checks that a run with this nemesis finds the defect.
pub(crate) fn found(defect: &str, nemesis: &str) {
    let _turn = one_at_a_time();
    let found = (1..=TRIES).any(|seed| {
        let runs = tempfile::tempdir().unwrap();
        let mut command = partita(&["run", "--json", "--defect", defect, "--nemesis", nemesis]);
        command
            .args(["--time-limit", "25s", "--seed", &seed.to_string(), "--runs-dir"])
            .arg(runs.path());
        tells_an_anomaly(&command.output().unwrap())
    });
    assert!(found, "{defect} was not found in {TRIES} runs under {nemesis}");
}

#[test]
fn stale_reads_are_found() {
    found("stale-reads", "partition:isolate-leader,partition:handover");
}

#[test]
fn early_acks_are_found() {
    found(
        "early-acks",
        "partition:isolate-leader,partition:leader-with-minority",
    );
}

#[test]
fn unsynced_acks_are_found() {
    found("unsynced-acks", "kill");
}

#[test]
fn blind_votes_are_found() {
    found("blind-votes", "partition:handover");
}

#[test]
fn an_ordinary_user_finds_stale_reads_too() {
    let _turn = one_at_a_time();
    let root = nix::unistd::geteuid().is_root();
    let setpriv = Command::new("setpriv").arg("--version").output().is_ok();
    if skip_without(
        "root, to become an ordinary user, and setpriv (from util-linux)",
        root && setpriv,
    ) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let program = home.path().join("partita");
    std::fs::copy(env!("CARGO_BIN_EXE_partita"), &program).unwrap();
    let found = (1..=TRIES).any(|seed| {
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .args([
                "run",
                "--json",
                "--defect",
                "stale-reads",
                "--nemesis",
                "partition:isolate-leader,partition:handover",
                "--time-limit",
                "25s",
            ])
            .args(["--seed", &seed.to_string(), "--runs-dir"])
            .arg(home.path().join("runs"))
            .output()
            .unwrap();
        tells_an_anomaly(&output)
    });
    assert!(found, "stale reads were not found in {TRIES} runs");
}
