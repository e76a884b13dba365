//! What the tests share.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::formats::assert_documented;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The built command with these arguments.
pub(crate) fn partita(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
    command.args(arguments);
    command
}

/// Held by every test that runs a cluster: two cores can't bear many at once, and what is tested here is not
/// how little time a cluster can do with.
pub(crate) fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `partita run --json` into a directory of the test's own.
pub(crate) fn run(runs: &Path, arguments: &[&str]) -> Output {
    partita(&["run", "--json", "--runs-dir"])
        .arg(runs)
        .args(arguments)
        .output()
        .unwrap()
}

/// What `run --json` printed.
pub(crate) fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", told(output)))
}

/// Holds what a run printed, and the files that it wrote, against reports/FORMATS.md.
pub(crate) fn assert_run_documented(told: &serde_json::Value) {
    let directory = Path::new(told["run_dir"].as_str().unwrap());
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    assert_documented("partita run --json", told);
    let verdict: serde_json::Value = serde_json::from_str(&read("verdict.json")).unwrap();
    assert_documented("verdict.json", &verdict);
    let plan: toml::Value = toml::from_str(&read("plan.toml")).unwrap();
    assert_documented("plan.toml", &serde_json::to_value(plan).unwrap());
    for name in ["history.jsonl", "faults.jsonl", "metrics.jsonl"] {
        let text = if directory.join(name).exists() {
            read(name)
        } else {
            let packed = directory.join(format!("{name}.gz"));
            let unpacked = Command::new("gzip").arg("-dc").arg(packed).output().unwrap();
            String::from_utf8(unpacked.stdout).unwrap()
        };
        assert!(!text.is_empty(), "{name} is empty");
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let is_fault = line["type"] == "fault";
            assert_documented(if is_fault { "faults.jsonl" } else { name }, &line);
        }
    }
}

/// All that a command printed, for the message of a failed assertion.
pub(crate) fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "{}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// Whether a test that needs `what`, which CI does not promise, must be skipped: something of the kernel, which no
/// package can bring, or a system that CI does not install. Says so.
pub(crate) fn skip_unpromised(what: &str, there: bool) -> bool {
    if !there {
        say_skipped(what);
    }
    !there
}

/// Whether a test that needs `what` must be skipped. Says so; fails instead where CI promised that it is there.
pub(crate) fn skip_without(what: &str, there: bool) -> bool {
    if there {
        return false;
    }
    assert!(
        std::env::var_os("PARTITA_REQUIRE_TOOLS").is_none(),
        "this machine was to have {what}"
    );
    say_skipped(what);
    true
}

fn say_skipped(what: &str) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    // Written around the test harness, which hides what passing tests print.
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("\nSKIPPED {name}: needs {what}\n").as_bytes(),
    );
}

/// Whether `partita doctor` says that namespaces, and cuts between them, can be had.
pub(crate) fn has_netns() -> bool {
    let doctor = partita(&["doctor"]).output().unwrap();
    let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
    text.lines()
        .any(|line| line.starts_with("yes") && line.contains("a network that can be cut"))
}

/// Processes whose command line has `needle` in it.
pub(crate) fn processes_with(needle: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else {
            continue;
        };
        let Ok(command) = std::fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        if String::from_utf8_lossy(&command).contains(needle) {
            found.push(pid);
        }
    }
    found
}

/// Waits until the newest run's faults mention `needle`.
pub(crate) fn until_fault(runs: &Path, needle: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let faults = std::fs::read_to_string(runs.join("latest/faults.jsonl")).unwrap_or_default();
        if faults.contains(needle) {
            return;
        }
        assert!(Instant::now() < deadline, "no {needle} in: {faults}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
