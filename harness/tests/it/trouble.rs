//! Bad arguments, broken targets, interruptions and murder.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{
    has_netns, json, one_at_a_time, partita, processes_with, run, skip_without, told, until_fault,
};

#[test]
fn unknown_names_are_answered_with_the_valid_ones() {
    let runs = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (&["raaft"][..], "unknown target `raaft`; there are: raft, "),
        (&["--nemesis", "flood"], "unknown fault `flood`; there are: "),
        (
            &["paxos", "--nemesis", "membership"],
            "target `paxos` has no call that we know of by which its members can be changed",
        ),
        (
            &["etcd", "--nemesis", "lost-disk"],
            "target `etcd` has no call that we know of by which its members are taken back when they have lost their disks",
        ),
        (
            &["nats", "--nemesis", "kill,transfer:any"],
            "target `nats` has no call that we know of by which its leader can be told to hand over",
        ),
        (
            &["etcd", "--snapshot-entries", "100"],
            "`--snapshot-entries` is for our own servers",
        ),
        (
            &["--workload", "nothing"],
            "unknown workload `nothing`; there are: register",
        ),
        (
            &["--defect", "laziness"],
            "unknown defect `laziness`; there are: ",
        ),
        (&["--rate", "many"], "invalid value 'many'"),
        (&["--nodes", "0"], "out of range"),
        (&["--time-limit", "7"], "such as 30s"),
    ] {
        let output = run(runs.path(), arguments);
        let text = told(&output);
        assert_eq!(output.status.code(), Some(254), "{text}");
        assert!(text.contains(expected), "expected {expected:?} in {text}");
    }
    assert_eq!(
        std::fs::read_dir(runs.path()).unwrap().count(),
        0,
        "something was written"
    );
}

#[test]
fn a_node_that_waits_to_join_says_what_it_lacks() {
    let joins = |arguments: &[&str]| {
        partita(&["join-etcd", "--name", "n1"])
            .args(arguments)
            .output()
            .unwrap()
    };
    for (arguments, expected) in [
        (
            &["--data", "d", "--node", "n1", "--", "etcd"][..],
            "expected NAME=URL",
        ),
        (&["--data", "d", "--node", "n1=http://a:1"], "<ETCD>"),
    ] {
        let output = joins(arguments);
        assert_eq!(output.status.code(), Some(254), "{}", told(&output));
        assert!(told(&output).contains(expected), "{}", told(&output));
    }
    // One that has a log does not wait.
    let data = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(data.path().join("member/wal")).unwrap();
    std::fs::write(data.path().join("member/wal/0.wal"), "").unwrap();
    let data = data.path().to_str().unwrap();
    let output = joins(&[
        "--data",
        data,
        "--node",
        "n1=http://a:1",
        "--",
        "/there/is/no/etcd",
    ]);
    assert_eq!(output.status.code(), Some(255), "{}", told(&output));
    assert!(
        told(&output).contains("`/there/is/no/etcd` can't be started"),
        "{}",
        told(&output)
    );
}

#[test]
fn a_target_that_does_not_start_is_told_with_its_log() {
    let _turn = one_at_a_time();
    let runs = tempfile::tempdir().unwrap();
    let program = runs.path().join("broken");
    std::fs::write(&program, "#!/bin/sh\necho 'the reason is here' >&2\nexit 7\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let output = run(runs.path(), &["--binary", program.to_str().unwrap()]);
    let text = told(&output);
    assert_eq!(output.status.code(), Some(255), "{text}");
    assert!(
        text.contains("raft did not start") && text.contains("the reason is here"),
        "{text}"
    );
    assert_eq!(json(&output)["verdict"], "harness-failure");
}

#[test]
fn a_full_disk_is_never_a_pass() {
    let _turn = one_at_a_time();
    let unshare = || {
        let mut command = std::process::Command::new("unshare");
        command.args(if nix::unistd::geteuid().is_root() {
            &["-m"][..]
        } else {
            &["-Urm"]
        });
        command
    };
    let able = unshare()
        .arg("true")
        .output()
        .is_ok_and(|output| output.status.success());
    if skip_without("a mount namespace (unshare, from util-linux)", able) {
        return;
    }
    let runs = tempfile::tempdir().unwrap();
    // The history lies on the small file system; what the nodes store lies there too, and both run out.
    let script = r#"mount -t tmpfs -o size=600k none "$0" && exec "$1" run --json --runs-dir "$0" --nodes 1 --nemesis none --time-limit 20s"#;
    let output = unshare()
        .args(["sh", "-c", script])
        .arg(runs.path())
        .arg(env!("CARGO_BIN_EXE_partita"))
        .output()
        .unwrap();
    let text = told(&output);
    assert_eq!(output.status.code(), Some(255), "{text}");
    assert!(text.contains("No space left on device"), "{text}");
}

/// A program of the test's own.
fn script(folder: &Path, name: &str, text: &str) -> String {
    let program = folder.join(name);
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    program.to_str().unwrap().to_owned()
}

#[test]
fn programs_that_cannot_be_run_are_refused_before_anything_starts() {
    let runs = tempfile::tempdir().unwrap();
    for (target, option, program, expected) in [
        (
            "raft",
            "--binary",
            "/etc/passwd",
            "`/etc/passwd` can't be executed",
        ),
        ("raft", "--binary", "/etc", "there is no file `/etc`"),
        (
            "raft",
            "--binary",
            "no-such-program",
            "there is no program `no-such-program`",
        ),
        (
            "raft",
            "--binary-b",
            "/etc/passwd",
            "`/etc/passwd` can't be executed",
        ),
        (
            "raft",
            "--binary-b",
            "/none/such",
            "there is no file `/none/such`",
        ),
        (
            "raft",
            "--binary-b",
            "no-such-program",
            "there is no program `no-such-program`",
        ),
        ("etcd", "--binary", "/etc/passwd", "Permission denied"),
        ("etcd", "--binary", "no-such-program", "No such file"),
    ] {
        let output = run(runs.path(), &[target, option, program]);
        let text = told(&output);
        assert_eq!(output.status.code(), Some(254), "{text}");
        assert!(
            text.contains(&format!("error: {option}: ")) && text.contains(expected),
            "expected {expected:?} in {text}"
        );
    }
    assert_eq!(std::fs::read_dir(runs.path()).unwrap().count(), 0);
}

#[test]
fn a_plan_with_a_fault_after_its_end_is_neither_run_nor_replayed() {
    let _turn = one_at_a_time();
    let runs = tempfile::tempdir().unwrap();
    let arguments = [
        "--nodes",
        "1",
        "--nemesis",
        "kill:one",
        "--time-limit",
        "3s",
        "--seed",
        "3",
    ];
    let output = run(runs.path(), &arguments);
    assert!(
        output.status.code().is_some_and(|code| code < 4),
        "{}",
        told(&output)
    );
    let file = runs.path().join("latest/plan.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let late = text.replacen("time_limit_ms = 3000", "time_limit_ms = 1000", 1);
    assert_ne!(late, text);
    std::fs::write(&file, late).unwrap();
    let at = |output: std::process::Output| {
        assert_eq!(output.status.code(), Some(254), "{}", told(&output));
        told(&output)
    };
    let ran = at(run(runs.path(), &["--plan", file.to_str().unwrap()]));
    let replayed = partita(&["replay"]).arg(runs.path().join("latest")).output();
    for text in [ran, at(replayed.unwrap())] {
        assert!(
            text.contains("plan.toml`: the fault with the id 0, `kill:one`, would begin at 1500 ms (at_ms)"),
            "{text}"
        );
    }
}

#[test]
fn a_release_that_ends_after_an_upgrade_is_told_from_the_one_before() {
    let _turn = one_at_a_time();
    let runs = tempfile::tempdir().unwrap();
    let other = script(
        runs.path(),
        "other",
        "#!/bin/sh\necho 'what is this?' >&2\nexit 7\n",
    );
    let arguments = [
        "--nodes",
        "3",
        "--nemesis",
        "upgrade:one",
        "--time-limit",
        "6s",
        "--seed",
        "1",
    ];
    let output = run(runs.path(), &[&arguments[..], &["--binary-b", &other]].concat());
    let text = told(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let checks = json(&output)["checks"].to_string();
    assert!(
        checks.contains("exit status: 7, and it ran the other program (--binary-b); its log ends: "),
        "{text}"
    );
}

/// A run that goes on until it is ended.
fn start(runs: &Path, arguments: &[&str]) -> Child {
    let mut command = partita(&[
        "run",
        "--json",
        "--time-limit",
        "60s",
        "--nodes",
        "3",
        "--runs-dir",
    ]);
    command
        .arg(runs)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap()
}

/// To the whole process group, as a terminal, `timeout` or a CI system sends it.
fn signal_group(child: &Child, signal: Signal) {
    let group = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::killpg(group, signal).unwrap();
}

#[test]
fn an_interrupted_run_heals_checks_and_reports() {
    let _turn = one_at_a_time();
    let runs = tempfile::tempdir().unwrap();
    let child = start(runs.path(), &["--nemesis", "pause:one", "--seed", "5"]);
    until_fault(runs.path(), r#""phase":"injected""#);
    signal_group(&child, Signal::SIGTERM);
    let output = child.wait_with_output().unwrap();
    let text = told(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    let told = json(&output);
    assert!(
        told["not_exercised"].to_string().contains("interrupted"),
        "{text}"
    );
    let faults = std::fs::read_to_string(runs.path().join("latest/faults.jsonl")).unwrap();
    assert!(faults.contains(r#""phase":"healed""#), "{faults}");
    assert!(runs.path().join("latest/report.html").exists());
}

#[test]
fn a_run_that_is_interrupted_while_its_nodes_start_leaves_none() {
    let _turn = one_at_a_time();
    let runs = tempfile::tempdir().unwrap();
    let directory = runs.path().display().to_string();
    let slow = script(runs.path(), "slow", "#!/bin/sh\nsleep 1000\n");
    let child = start(runs.path(), &["--binary", &slow]);
    let deadline = Instant::now() + Duration::from_secs(60);
    // Three nodes, and the controller.
    while processes_with(&directory).len() < 4 {
        assert!(Instant::now() < deadline, "nodes do not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    signal_group(&child, Signal::SIGINT);
    let output = child.wait_with_output().unwrap();
    let text = told(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert_eq!(processes_with(&directory), [] as [i32; 0]);
    let told = json(&output);
    assert_eq!(
        (told["ended"].as_str(), told["verdict"].as_str()),
        (Some("interrupted"), Some("not-exercised"))
    );
    let reason = told["reason"].as_str().unwrap();
    assert!(
        reason.ends_with("the run was interrupted while its nodes started"),
        "{text}"
    );
    assert!(!text.contains("did not start"), "{text}");
    assert!(runs.path().join("latest/report.html").exists());
}

fn nothing_outlives_a_killed_controller(network: &str) {
    let _turn = one_at_a_time();
    let runs = tempfile::tempdir().unwrap();
    let directory = runs.path().display().to_string();
    let mut child = start(
        runs.path(),
        &[
            "--nemesis",
            "partition,pause",
            "--network",
            network,
            "--seed",
            "6",
        ],
    );
    until_fault(runs.path(), r#""phase":"injected""#);
    assert!(processes_with(&directory).len() >= 4, "controller and nodes");
    child.kill().unwrap();
    child.wait().unwrap();
    let cleaned = partita(&["clean", "--runs-dir"])
        .arg(runs.path())
        .output()
        .unwrap();
    assert_eq!(cleaned.status.code(), Some(0), "{}", told(&cleaned));
    assert!(
        told(&cleaned).contains("was killed before it had a verdict"),
        "{}",
        told(&cleaned)
    );
    assert!(!runs.path().join("latest/nodes/n1/data").exists());
    let deadline = Instant::now() + Duration::from_secs(5);
    while !processes_with(&directory).is_empty() {
        assert!(
            Instant::now() < deadline,
            "left: {:?}",
            processes_with(&directory)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let checked = partita(&["check"])
        .arg(runs.path().join("latest/history.jsonl"))
        .output()
        .unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", told(&checked));
    assert!(told(&checked).contains("did not end"), "{}", told(&checked));
}

#[test]
fn nothing_outlives_a_killed_controller_with_forwarders() {
    nothing_outlives_a_killed_controller("proxy");
}

#[test]
fn nothing_outlives_a_killed_controller_in_namespaces() {
    if skip_without("network namespaces and iptables", has_netns()) {
        return;
    }
    nothing_outlives_a_killed_controller("netns");
}

/// A node that says that it is well, and answers no operation after the first: what a cluster looks like that
/// elects leaders and commits nothing.
const DEAF: &str = r#"
import http.server, json, sys, threading, time
address = sys.argv[sys.argv.index("--listen-client") + 1]
first, lock, state = None, threading.Lock(), dict()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(json.dumps(dict(role="leader", term=1, leader="n1", commit=1, applied=1, log_bytes=1)).encode())
    def do_POST(self):
        global first
        first = first or time.time()
        op = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["op"]
        if time.time() > first + 2:
            time.sleep(60)
        with lock:
            held = state.get(op["key"])
            swap = op["f"] == "cas" and held == op["from"]
            if op["f"] == "write" or swap:
                state[op["key"]] = op["value"] if op["f"] == "write" else op["to"]
        self.answer(json.dumps(dict(value=held, swapped=swap, observed=held)).encode())
    def log_message(self, *_):
        pass
host, port = address.split(":")
http.server.ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
"#;

#[test]
fn a_cluster_that_answers_nothing_in_the_end_has_not_recovered() {
    let _turn = one_at_a_time();
    let python = std::process::Command::new("python3")
        .arg("--version")
        .output()
        .is_ok();
    if skip_without("python3", python) {
        return;
    }
    let runs = tempfile::tempdir().unwrap();
    let program = runs.path().join("deaf");
    std::fs::write(&program, format!("#!/usr/bin/env python3{DEAF}")).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let arguments = [
        "--nodes",
        "1",
        "--nemesis",
        "none",
        "--time-limit",
        "3s",
        "--binary",
    ];
    let output = run(
        runs.path(),
        &[&arguments[..], &[program.to_str().unwrap()]].concat(),
    );
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(
        json(&output)["reason"]
            .as_str()
            .unwrap()
            .contains("did not recover"),
        "{}",
        told(&output)
    );
}

#[test]
fn a_relative_binary_is_found_from_where_it_was_given() {
    let _turn = one_at_a_time();
    let runs = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_partita"), runs.path().join("other")).unwrap();
    let arguments = [
        "--nodes",
        "1",
        "--nemesis",
        "none",
        "--time-limit",
        "2s",
        "--binary",
        "./other",
    ];
    let output = partita(&["run", "--json", "--runs-dir"])
        .arg(runs.path())
        .args(arguments)
        .current_dir(runs.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}
