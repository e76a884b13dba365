//! Runs that end well.

use std::path::Path;

use crate::support::{
    assert_run_documented, has_netns, json, one_at_a_time, partita, run, skip_without, told,
};

/// Asserts a valid run, and gives what it printed.
fn valid(runs: &Path, arguments: &[&str]) -> serde_json::Value {
    let output = run(runs, arguments);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let told = json(&output);
    assert_eq!(told["verdict"], "valid");
    told
}

#[test]
fn raft_survives_kills_and_partitions_through_forwarders() {
    let _turn = one_at_a_time();
    let runs = tempfile::tempdir().unwrap();
    let arguments = [
        "--network",
        "proxy",
        "--nodes",
        "3",
        "--time-limit",
        "12s",
        "--nemesis",
        "partition:isolate-one,kill:one",
        "--seed",
        "1",
    ];
    let told = valid(runs.path(), &arguments);
    assert!(told["faults"]["partition"]["took"].as_u64() >= Some(1), "{told}");
    assert!(told["faults"]["kill"]["took"].as_u64() >= Some(1), "{told}");
    assert!(told["network"].as_str().unwrap().starts_with("proxy"), "{told}");
    let directory = Path::new(told["run_dir"].as_str().unwrap());
    for file in [
        "plan.toml",
        "history.jsonl.gz",
        "faults.jsonl",
        "metrics.jsonl.gz",
        "verdict.json",
        "report.html",
        "junit.xml",
    ] {
        assert!(directory.join(file).exists(), "no {file}");
    }
    assert_eq!(
        std::fs::canonicalize(runs.path().join("latest")).unwrap(),
        directory
    );

    assert!(!directory.join("history.jsonl").exists());
    assert_run_documented(&told);

    // What was recorded can be judged again, whichever way it is named, and reported again.
    let history = directory.join("history.jsonl");
    let checked = partita(&["check"]).arg(&history).output().unwrap();
    assert_eq!(
        checked.status.code(),
        Some(0),
        "{}",
        crate::support::told(&checked)
    );
    let before = std::fs::read(directory.join("report.html")).unwrap();
    let reported = partita(&["report"]).arg(directory).output().unwrap();
    assert_eq!(
        reported.status.code(),
        Some(0),
        "{}",
        crate::support::told(&reported)
    );
    assert!(
        std::fs::read(directory.join("report.html")).unwrap() == before,
        "the report depends on more than the run"
    );
}

#[test]
fn raft_survives_partitions_and_pauses_in_namespaces() {
    let _turn = one_at_a_time();
    if skip_without("network namespaces and iptables", has_netns()) {
        return;
    }
    let runs = tempfile::tempdir().unwrap();
    let arguments = [
        "--network",
        "netns",
        "--time-limit",
        "15s",
        "--nemesis",
        "partition:isolate-one,pause:one",
        "--seed",
        "2",
    ];
    let told = valid(runs.path(), &arguments);
    assert!(told["faults"]["partition"]["took"].as_u64() >= Some(1), "{told}");
    assert!(told["faults"]["pause"]["took"].as_u64() >= Some(1), "{told}");
}

#[test]
fn raft_survives_changes_of_members_and_of_the_leader_and_installs_snapshots() {
    let _turn = one_at_a_time();
    let runs = tempfile::tempdir().unwrap();
    // One replacement, one handover and one snapshot fit; each node that joins is sent a snapshot.
    let arguments = [
        "--nodes",
        "5",
        "--time-limit",
        "15s",
        "--nemesis",
        "membership:replace,transfer:one,snapshot:all",
        "--snapshot-entries",
        "20",
        "--seed",
        "5",
    ];
    let told = valid(runs.path(), &arguments);
    for fault in ["membership", "transfer", "snapshot"] {
        assert!(told["faults"][fault]["took"].as_u64() >= Some(1), "{told}");
    }
    assert_eq!(
        told["faults"]["membership"]["took"], told["faults"]["membership"]["healed"],
        "{told}"
    );
    assert!(told["snapshots_installed"].as_u64() >= Some(1), "{told}");

    // The word of the nodes themselves, and that of their logs.
    let directory = Path::new(told["run_dir"].as_str().unwrap());
    let faults = std::fs::read_to_string(directory.join("faults.jsonl")).unwrap();
    assert!(
        faults.contains("was stopped and wiped, and waits as pid")
            && faults.contains("say that the members are n1, n2, n3, n4, n5"),
        "{faults}"
    );
    let restored = (1..=5).any(|node| {
        let log = directory.join(format!("nodes/n{node}/node.log"));
        std::fs::read_to_string(log)
            .unwrap()
            .contains("restored from a snapshot")
    });
    assert!(restored, "no log tells of a snapshot");
}

#[test]
fn etcd_survives_partitions_and_kills() {
    let _turn = one_at_a_time();
    let there = std::process::Command::new("etcd")
        .arg("--version")
        .output()
        .is_ok();
    if skip_without("etcd (apt-get install etcd-server)", there) {
        return;
    }
    let runs = tempfile::tempdir().unwrap();
    let network = if has_netns() { "netns" } else { "proxy" };
    let told = json(&{
        let mut command = partita(&["run", "etcd", "--json", "--nodes", "3", "--network", network]);
        command.args([
            "--time-limit",
            "15s",
            "--nemesis",
            "partition:isolate-one,kill:one",
            "--seed",
            "3",
            "--rate",
            "200",
        ]);
        let output = command.arg("--runs-dir").arg(runs.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", crate::support::told(&output));
        output
    });
    assert!(told["faults"]["partition"]["took"].as_u64() >= Some(1), "{told}");
    assert!(told["faults"]["kill"]["took"].as_u64() >= Some(1), "{told}");
    assert!(
        told["facts"]["target version"]
            .as_str()
            .unwrap()
            .starts_with("etcd 3."),
        "{told}"
    );
}

#[test]
fn etcd_survives_changes_of_members_and_of_the_leader_and_compactions() {
    let _turn = one_at_a_time();
    let there = std::process::Command::new("etcd")
        .arg("--version")
        .output()
        .is_ok();
    if skip_without("etcd (apt-get install etcd-server)", there) {
        return;
    }
    let runs = tempfile::tempdir().unwrap();
    let network = if has_netns() { "netns" } else { "proxy" };
    // Members must have been connected for 5 s before they can be changed.
    let mut command = partita(&["run", "etcd", "--json", "--nodes", "3", "--network", network]);
    command.args(["--time-limit", "20s", "--seed", "3", "--rate", "100", "--nemesis"]);
    command.args(["membership:replace,transfer:one,snapshot:all", "--runs-dir"]);
    let output = command.arg(runs.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let told = json(&output);
    for fault in ["membership", "transfer", "snapshot"] {
        assert!(told["faults"][fault]["took"].as_u64() >= Some(1), "{told}");
    }
    let members = &told["faults"]["membership"];
    assert_eq!(members["took"], members["healed"], "{told}");
    // One that was removed ends, which is no finding.
    let ended = told["facts"]["ended because of a fault"]
        .as_str()
        .unwrap_or_default();
    assert!(
        ended.is_empty() || ended.contains("it was removed from the cluster"),
        "{told}"
    );

    // The word of the nodes themselves, and that of their logs.
    let directory = Path::new(told["run_dir"].as_str().unwrap());
    let faults = std::fs::read_to_string(directory.join("faults.jsonl")).unwrap();
    assert!(
        faults.contains("was stopped and wiped, and waits as pid")
            && faults.contains("n1, n2, n3 say that the members are n1, n2, n3"),
        "{faults}"
    );
    let joined = (1..=3).any(|node| {
        let log = directory.join(format!("nodes/n{node}/node.log"));
        std::fs::read_to_string(log)
            .unwrap()
            .contains("partita join-etcd: was added; the members are n1, n2, n3")
    });
    assert!(joined, "no log tells of a node that joined");
}

#[test]
fn zookeeper_is_a_target() {
    let _turn = one_at_a_time();
    let there = ["/usr/share/java/zookeeper.jar", "/usr/bin/java"];
    let there = there.iter().all(|path| std::path::Path::new(path).exists());
    let runs = tempfile::tempdir().unwrap();
    let asked = [
        "run",
        "zookeeper",
        "--nodes",
        "3",
        "--time-limit",
        "12s",
        "--seed",
        "3",
    ];
    if skip_without("ZooKeeper (apt-get install zookeeper)", there) {
        return;
    }
    let command = |network: &[&str]| {
        let mut command = partita(&asked);
        command.args(["--json", "--nemesis", "partition:isolate-one,kill:one"]);
        command.args(network).arg("--runs-dir").arg(runs.path());
        command.output().unwrap()
    };
    // Its nodes need addresses of their own.
    let output = command(&["--network", "proxy"]);
    assert_eq!(output.status.code(), Some(254), "{}", told(&output));
    if skip_without("network namespaces", has_netns()) {
        return;
    }
    let output = command(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let told = json(&output);
    assert!(told["faults"]["partition"]["took"].as_u64() >= Some(1), "{told}");
    assert!(told["faults"]["kill"]["took"].as_u64() >= Some(1), "{told}");
    let version = told["facts"]["target version"].as_str().unwrap();
    assert!(version.starts_with("ZooKeeper 3."), "{told}");
}

#[test]
fn two_runs_side_by_side_leave_each_other_alone() {
    let _turn = one_at_a_time();
    let runs = tempfile::tempdir().unwrap();
    let start = |seed: &str| {
        let mut command = partita(&[
            "run",
            "--json",
            "--nodes",
            "3",
            "--time-limit",
            "6s",
            "--nemesis",
            "kill",
        ]);
        command
            .args(["--rate", "100", "--seed", seed, "--runs-dir"])
            .arg(runs.path());
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let both = [start("4"), start("4")].map(|child| child.wait_with_output().unwrap());
    for output in &both {
        assert_eq!(output.status.code(), Some(0), "{}", told(output));
    }
    assert_ne!(json(&both[0])["run_dir"], json(&both[1])["run_dir"]);
}
