//! Each deliberate bug shows in a story that goes well without it.
//!
//! Some of the stories leave something to chance (who is elected, what comes first), so there is more than
//! one try.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// Tells the story with the defect until it goes wrong, and twice without: it then must not.
fn check(defect: &'static str, mut goes_wrong: impl FnMut(&mut Cluster, u64) -> bool) {
    for (defect, tries) in [(None, 2), (Some(defect), 20)] {
        let mut cluster = Cluster::start(3, defect);
        let wrong = (1..=tries).any(|value| {
            let wrong = goes_wrong(&mut cluster, value);
            cluster.start_all();
            wrong
        });
        assert_eq!(wrong, defect.is_some(), "with the defect {defect:?}");
    }
}

fn write(value: u64) -> Value {
    json!({"op": {"f": "write", "key": "x", "value": value}})
}

fn followers(cluster: &Cluster, leader: &str) -> Vec<String> {
    cluster
        .names()
        .into_iter()
        .filter(|name| name != leader)
        .collect()
}

/// A leader is paused and replaced. It goes on, with a read waiting in its socket, and still takes itself for
/// the leader.
#[test]
fn stale_reads_serves_the_past() {
    check("stale-reads", |cluster, value| {
        cluster.perform(&write(0));
        let paused = cluster.leader();
        cluster.signal(&paused, Signal::SIGSTOP);
        cluster.wait_for("a write at another leader", || {
            let next = cluster.other_leader(&paused);
            let (status, _) = cluster.client(&next).post("/v1/op", &write(value)).ok()?;
            (status == 200).then_some(())
        });
        let answer = std::thread::scope(|scope| {
            let mut client = cluster.client(&paused);
            let reader =
                scope.spawn(move || client.post("/v1/op", &json!({"op": {"f": "read", "key": "x"}})));
            std::thread::sleep(Duration::from_millis(50));
            cluster.signal(&paused, Signal::SIGCONT);
            reader.join().expect("a reader")
        });
        let (status, answer) = answer.expect("an answer");
        assert_eq!(cluster.read("x"), json!(value));
        status == 200 && answer == json!({"value": 0})
    });
}

/// A leader that is alone, and does not know it yet, is asked to write; then it is killed, and the others
/// come back. (To pause the others would not do: what was sent to them would wait in their sockets.)
#[test]
fn early_acks_loses_a_write_that_only_the_leader_had() {
    check("early-acks", |cluster, value| {
        cluster.perform(&write(0));
        let leader = cluster.leader();
        let followers = followers(cluster, &leader);
        followers.iter().for_each(|name| cluster.kill(name));
        let answer = cluster.client(&leader).post("/v1/op", &write(value));
        cluster.kill(&leader);
        followers.iter().for_each(|name| cluster.start_node(name));
        let acknowledged = answer.is_ok_and(|(status, _)| status == 200);
        acknowledged && cluster.read("x") != json!(value)
    });
}

/// All nodes are killed just after a write was acknowledged.
#[test]
fn unsynced_acks_loses_what_was_in_memory() {
    check("unsynced-acks", |cluster, value| {
        cluster.perform(&write(value));
        cluster.kill_all();
        cluster.start_all();
        cluster.read("x") != json!(value)
    });
}

/// A follower misses a write; then the leader is killed, and the two that are left elect one of them.
#[test]
fn blind_votes_elects_one_that_missed_a_write() {
    check("blind-votes", |cluster, value| {
        let leader = cluster.leader();
        let behind = followers(cluster, &leader).remove(0);
        cluster.kill(&behind);
        cluster.perform(&write(value));
        let leader = cluster.leader();
        cluster.kill(&leader);
        cluster.start_node(&behind);
        cluster.read("x") != json!(value)
    });
}
