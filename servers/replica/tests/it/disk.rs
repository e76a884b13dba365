//! What becomes of a node whose disk is full or damaged, and of what it had acknowledged when it is killed.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{Cluster, Setup};

fn write(value: &Value) -> Value {
    json!({"op": {"f": "write", "key": "x", "value": value}})
}

/// A node alone that has written something, was killed, and whose disk is then damaged.
fn damaged(snapshot: bool, damage: impl FnOnce(&mut Vec<u8>)) -> Cluster {
    let mut cluster = Cluster::start(1, None);
    for value in 0..10 {
        cluster.perform(&write(&json!(value)));
    }
    let kind = if snapshot {
        let mut client = cluster.client("n1");
        let answer = client.post("/v1/admin", &json!({"action": "snapshot"}));
        assert_eq!(answer.expect("an answer"), (200, json!({})));
        "snapshot"
    } else {
        "wal"
    };
    cluster.kill("n1");
    let entries = fs::read_dir(cluster.data("n1").join("wal")).expect("a log");
    let paths = entries.map(|entry| entry.expect("a file").path());
    let is_kind = |path: &PathBuf| path.extension().is_some_and(|extension| extension == kind);
    let path = paths.into_iter().find(is_kind).expect("the file");
    let mut content = fs::read(&path).expect("its content");
    damage(&mut content);
    fs::write(&path, content).expect("a damaged file");
    cluster.start_node("n1");
    cluster
}

fn end(content: &[u8]) -> usize {
    content.iter().rposition(|&byte| byte != 0).expect("a frame") + 1
}

#[test]
fn a_torn_end_is_cut_off() {
    let cluster = damaged(false, |content| {
        let end = end(content);
        content[end..end + 100].fill(7);
    });
    assert_eq!(cluster.read("x"), json!(9));
}

#[test]
fn damage_in_the_middle_stops_the_node() {
    let mut cluster = damaged(false, |content| {
        let middle = end(content) / 2;
        content[middle] ^= 1;
    });
    cluster.wait_for_end("n1");
    let log = cluster.log_text("n1");
    assert!(
        log.contains("0000000000000001.wal: the log is damaged at offset"),
        "{log}"
    );
}

#[test]
fn a_damaged_snapshot_stops_the_node() {
    let mut cluster = damaged(true, |content| {
        let last = content.len() - 1;
        content[last] ^= 1;
    });
    cluster.wait_for_end("n1");
    let log = cluster.log_text("n1");
    assert!(log.contains(".snapshot: the snapshot is damaged"), "{log}");
}

#[test]
fn a_full_disk_stops_the_node() {
    let able = std::process::Command::new("unshare")
        .args(["-Urm", "true"])
        .output();
    if !able.is_ok_and(|output| output.status.success()) {
        return;
    }
    let mut cluster = Cluster::start_with(Setup {
        small_disk: true,
        ..Setup::new(1)
    });
    cluster.perform(&write(&json!(1)));
    let mut client = cluster.client("n1");
    let large = write(&json!("v".repeat(60_000)));
    let refused = (0..100).find_map(|_| match client.post("/v1/op", &large) {
        Ok((200, _)) => None,
        other => Some(other),
    });
    let refused = refused.expect("the disk is small");
    assert!(
        refused.as_ref().map_or(true, |(status, _)| *status == 504),
        "{refused:?}"
    );
    cluster.wait_for_end("n1");
    let log = cluster.log_text("n1");
    assert!(log.contains("No space left on device"), "{log}");
}

#[test]
fn what_was_acknowledged_is_there_after_all_were_killed_under_load() {
    const CLIENTS: usize = 4;
    let mut cluster = Cluster::start_with(Setup {
        snapshot_entries: 200,
        ..Setup::new(3)
    });
    let mut acknowledged: Vec<Vec<u64>> = vec![Vec::new(); CLIENTS];
    for round in 1..=2_u64 {
        let leader = cluster.leader();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for (number, done) in acknowledged.iter_mut().enumerate() {
                let mut client = cluster.client(&leader);
                let stop = &stop;
                scope.spawn(move || {
                    for sequence in 1..=400 {
                        let value = round * 1000 + sequence;
                        let op = json!({"f": "append", "key": format!("l{number}"), "value": value});
                        let session = format!("s{number}-{round}");
                        let body = json!({"session": session, "sequence": sequence, "op": op});
                        match client.post("/v1/op", &body) {
                            Ok((200, _)) => done.push(value),
                            _ => break,
                        }
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(300));
            let names = cluster.names();
            names
                .iter()
                .for_each(|name| cluster.signal(name, nix::sys::signal::Signal::SIGKILL));
            stop.store(true, Ordering::Relaxed);
        });
        cluster.kill_all();
        cluster.start_all();
        for (number, done) in acknowledged.iter().enumerate() {
            let list = cluster.read(&format!("l{number}"));
            let found: Vec<u64> = serde_json::from_value(list).unwrap_or_default();
            let lost: Vec<_> = done.iter().filter(|value| !found.contains(value)).collect();
            assert!(lost.is_empty(), "round {round}, client {number} lost {lost:?}");
        }
    }
}
