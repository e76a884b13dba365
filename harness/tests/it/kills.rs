//! The controller is killed at random moments, under all faults at once: nothing may be left.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::{one_at_a_time, partita, processes_with, told, until_fault};

/// The latest moment of a kill, after the start or the first fault.
const LATEST_MS: u64 = 6_000;
/// How many kills the test does if `PARTITA_KILLS` says nothing else.
const KILLS: u64 = 3;

/// What a run must leave as it was: mounts, routes, interfaces, rules.
fn host() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let mut all = read("/proc/self/mounts");
    all.push_str(&read("/proc/net/route"));
    all.push_str(&read("/proc/net/ipv6_route"));
    // What an interface has carried changes by itself, and so does what a chain has seen.
    for line in read("/proc/net/dev").lines() {
        all.push_str(line.split(':').next().unwrap_or_default());
    }
    for save in ["iptables-save", "iptables-legacy-save", "ip6tables-save"] {
        let output = Command::new(save)
            .output()
            .map(|output| output.stdout)
            .unwrap_or_default();
        let lines = String::from_utf8_lossy(&output).into_owned();
        for line in lines.lines().filter(|line| !line.starts_with('#')) {
            all.push_str(line.split('[').next().unwrap_or_default());
            all.push('\n');
        }
    }
    all
}

/// By how much the wall clock is ahead of the monotonic one.
fn wall_clock() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let monotonic = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    now.saturating_sub(Duration::from(monotonic))
}

/// The control groups that a controller has made.
fn groups_of(controller: u32) -> BTreeSet<String> {
    fn visit(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.insert(entry.path().display().to_string());
                visit(&entry.path(), found);
            }
        }
    }
    let mut found = BTreeSet::new();
    visit(Path::new("/sys/fs/cgroup"), &mut found);
    found.retain(|path| path.contains("partita.") && path.contains(&format!(":{controller}:")));
    found
}

/// One track for each fault that this machine can do, so that they overlap as they like.
fn schedule() -> String {
    let doctor = partita(&["doctor", "--json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let faults = report["faults"].as_array().unwrap();
    let able = faults.iter().filter(|fault| fault["works"] == true);
    let table = |(number, fault): (usize, &serde_json::Value)| {
        let at_ms = 200 + 150 * number;
        format!(
            "[[schedule]]\nfaults = [{}]\nat_ms = {at_ms}\nevery_ms = 2500\nfor_ms = [500, 2000]\n",
            fault["fault"]
        )
    };
    able.enumerate().map(table).collect()
}

/// The controller proper, where the process that was started only waits for it.
fn inner(outer: u32) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[test]
fn whenever_the_controller_is_killed_nothing_is_left() {
    let _turn = one_at_a_time();
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let kills = number("PARTITA_KILLS").unwrap_or(KILLS);
    let seed = number("PARTITA_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let mut state = seed;
    let runs = tempfile::tempdir().unwrap();
    let tracks = runs.path().join("schedule.toml");
    std::fs::write(&tracks, schedule()).unwrap();
    let (before, clock) = (host(), wall_clock());
    let mut histories = 0;
    let mut in_fault = 0;
    for kill in 0..kills {
        let after_ms = next(&mut state) % LATEST_MS;
        let whole = format!("PARTITA_SEED={seed}, kill {kill} after {after_ms} ms");
        let directory = runs.path().join(kill.to_string());
        // Of our own servers the one that bears all faults.
        let mut child = partita(&[
            "run",
            "viewstamped",
            "--quiet",
            "--nodes",
            "3",
            "--time-limit",
            "60s",
            "--schedule",
        ])
        .arg(&tracks)
        .arg("--binary-b")
        .arg(env!("CARGO_BIN_EXE_partita"))
        .args(["--seed", &(next(&mut state) >> 32).to_string(), "--runs-dir"])
        .arg(&directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
        // Every other one comes in the middle of faults, however long the start takes.
        if kill % 2 == 1 {
            until_fault(&directory, r#""phase":"injected""#);
        }
        // The moment is what is tried here.
        std::thread::sleep(Duration::from_millis(after_ms));
        let controller = child.id();
        match inner(controller).filter(|_| next(&mut state).is_multiple_of(2)) {
            Some(inner) => {
                let _ = nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(inner),
                    nix::sys::signal::Signal::SIGKILL,
                );
            }
            None => child.kill().unwrap(),
        }
        child.wait().unwrap();
        let cleaned = partita(&["clean", "--runs-dir"])
            .arg(&directory)
            .output()
            .unwrap();
        assert_eq!(cleaned.status.code(), Some(0), "{whole}: {}", told(&cleaned));
        let needle = directory.display().to_string();
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut left = processes_with(&needle);
        while !left.is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
            left = processes_with(&needle);
        }
        assert!(left.is_empty(), "{whole}: processes {left:?}");
        // A group can be removed only when what was in it is gone.
        let cleaned = partita(&["clean", "--runs-dir"])
            .arg(&directory)
            .output()
            .unwrap();
        assert_eq!(
            groups_of(controller),
            BTreeSet::new(),
            "{whole}: {}",
            told(&cleaned)
        );
        assert_eq!(host(), before, "{whole}");

        let history = directory.join("latest/history.jsonl");
        let text = std::fs::read(&history).unwrap_or_default();
        let complete = text
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |end| end + 1);
        for line in text[..complete]
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let read = serde_json::from_slice::<serde_json::Value>(line);
            assert!(read.is_ok(), "{whole}: {}", String::from_utf8_lossy(line));
        }
        if complete > 0 {
            histories += 1;
            let checked = partita(&["check"]).arg(&history).output().unwrap();
            assert!(
                checked.status.code().is_some_and(|code| code <= 3),
                "{whole}: {}",
                told(&checked)
            );
        }
        let faults = std::fs::read_to_string(directory.join("latest/faults.jsonl")).unwrap_or_default();
        in_fault += u64::from(faults.contains(r#""outcome":"took""#));
    }
    let drift = wall_clock().abs_diff(clock);
    assert!(
        drift < Duration::from_secs(2),
        "the host's clock has moved by {drift:?}"
    );
    let told =
        format!("\n{kills} kills: {histories} histories read, {in_fault} runs in the middle of faults\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
}
