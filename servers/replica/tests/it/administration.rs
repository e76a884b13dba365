//! Members, handover and snapshots, as an operator has them.

use std::time::Duration;

use partita_targets::{Administrator, Change, Changed, Node};
use serde_json::{Value, json};

use crate::cluster::{Cluster, PATIENCE, Setup};

fn nodes(cluster: &Cluster) -> Vec<Node> {
    let node = |name: String| {
        let (peer, client) = cluster.addresses(&name);
        Node {
            name,
            peer_listen: peer,
            client_listen: client,
            peer,
            client,
            control: client,
        }
    };
    cluster.names().into_iter().map(node).collect()
}

fn administrator(cluster: &Cluster) -> Box<dyn Administrator> {
    let target = partita_targets::find("raft").expect("our own");
    let administrator = target.administrator(&nodes(cluster), Duration::from_secs(20));
    administrator.expect("a client").expect("an administrator")
}

fn change(cluster: &Cluster, change: Change) -> Changed {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(administrator(cluster).change(change))
}

/// Asks for the change, again and again until the leader shows that it is made: an answer may be lost, and then
/// what was asked for can not be done a second time.
fn make(cluster: &Cluster, wanted: Change, is_made: impl Fn(&Value) -> bool) {
    cluster.wait_for("a change", || {
        let changed = change(cluster, wanted);
        let status = cluster.status(&cluster.leader())?;
        (changed == Changed::Done || is_made(&status)).then_some(())
    });
}

fn has_member(status: &Value, name: &str) -> bool {
    status["members"]
        .as_array()
        .is_some_and(|members| members.contains(&json!(name)))
}

fn append(cluster: &Cluster, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let op = json!({"f": "append", "key": "l", "value": number});
        let body = json!({"session": "c", "sequence": number, "op": op});
        assert_eq!(cluster.perform(&body), json!({}));
    }
}

fn number(status: &Value, field: &str) -> u64 {
    status[field].as_u64().expect("a number")
}

#[test]
fn members_come_and_go_and_the_one_that_comes_is_sent_a_snapshot() {
    let mut cluster = Cluster::start_with(Setup {
        members: 3,
        snapshot_entries: 20,
        ..Setup::new(4)
    });
    append(&cluster, 1..61);
    make(&cluster, Change::Add(3), |status| has_member(status, "n4"));
    cluster.wait_for("the state at the new member", || {
        let (new, leader) = (cluster.status("n4")?, cluster.status(&cluster.leader())?);
        (new["applied"] == leader["applied"]).then_some(())
    });
    assert!(cluster.log_text("n4").contains("restored from a snapshot"));
    make(&cluster, Change::Remove(0), |status| !has_member(status, "n1"));
    // It may lead already, if the one that was removed led and handed over to it; then it is not asked to.
    cluster.wait_for("the new member to lead", || {
        if cluster.leader() == "n4" {
            return Some(());
        }
        change(&cluster, Change::Transfer(Some(3)));
        None
    });
    append(&cluster, 61..71);
    let all: Vec<u64> = (1..71).collect();
    assert_eq!(cluster.read("l"), json!(all));

    cluster.kill_all();
    ["n2", "n3", "n4"]
        .iter()
        .for_each(|name| cluster.start_node(name));
    append(&cluster, 70..72);
    let all: Vec<u64> = (1..72).collect();
    assert_eq!(
        cluster.read("l"),
        json!(all),
        "a retry is known after all were killed"
    );
    let leader = cluster.leader();
    let status = cluster.status(&leader).expect("a status");
    assert_eq!(status["members"], json!(["n2", "n3", "n4"]));
    assert!(number(&status, "snapshot_index") > 0 && number(&status, "snapshot_bytes") > 0);

    let target = partita_targets::find("raft").expect("our own");
    let observer = target
        .observer(&nodes(&cluster), None, PATIENCE)
        .expect("an observer");
    let at = cluster
        .names()
        .iter()
        .position(|name| *name == leader)
        .expect("a node");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let seen = runtime.block_on(observer.status(at)).expect("a status");
    assert_eq!(seen.members, Some(["n2", "n3", "n4"].map(str::to_owned).to_vec()));
    assert!(seen.snapshot_index > Some(0));
}

#[test]
fn one_that_was_away_too_long_is_sent_a_snapshot() {
    let mut cluster = Cluster::start_with(Setup {
        snapshot_entries: 20,
        ..Setup::new(3)
    });
    append(&cluster, 1..5);
    let leader = cluster.leader();
    let away = cluster.names().into_iter().find(|name| *name != leader);
    let away = away.expect("a follower");
    cluster.kill(&away);
    append(&cluster, 5..80);
    cluster.start_node(&away);
    cluster.wait_for("the state at the one that was away", || {
        let (back, leader) = (cluster.status(&away)?, cluster.status(&cluster.leader())?);
        (back["applied"] == leader["applied"]).then_some(())
    });
    assert!(cluster.log_text(&away).contains("restored from a snapshot"));
    // It has it on disk, too.
    cluster.kill(&away);
    cluster.start_node(&away);
    cluster.wait_for("its own snapshot", || {
        let status = cluster.status(&away)?;
        (number(&status, "snapshot_index") > 20).then_some(())
    });
}

#[test]
fn what_an_operator_can_not_have_is_refused() {
    let cluster = Cluster::start(1, None);
    let mut client = cluster.client(&cluster.leader());
    let mut ask = |body: Value| {
        let (status, answer) = client.post("/v1/admin", &body).expect("an answer");
        (status, answer["error"].clone(), answer["message"].to_string())
    };
    let (status, error, message) = ask(json!({"action": "add-member", "node": "n9"}));
    assert_eq!((status, error), (409, json!("rejected")), "{message}");
    assert!(message.contains("--peer"), "{message}");
    for body in [
        json!({"action": "explode"}),
        json!({"action": "add-member"}),
        json!({"action": "remove-member", "node": "no name"}),
    ] {
        let (status, error, message) = ask(body);
        assert_eq!((status, error), (400, json!("malformed")), "{message}");
    }
    cluster.perform(&json!({"op": {"f": "write", "key": "x", "value": 1}}));
    make(&cluster, Change::Snapshot(0), |status| {
        number(status, "snapshot_index") > 0
    });
    let status = cluster.status("n1").expect("a status");
    assert!(number(&status, "snapshot_bytes") > 0, "{status}");
    assert!(number(&status, "fsyncs") > 0, "{status}");
}
