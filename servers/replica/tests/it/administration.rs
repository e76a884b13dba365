//! Members, handover and snapshots, as an operator has them.

use std::time::Duration;

use partita_targets::{Administrator, Change, Changed, Node};
use serde_json::{Value, json};

use crate::cluster::{Cluster, Setup};

fn administrator(cluster: &Cluster) -> Box<dyn Administrator> {
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
    let nodes: Vec<Node> = cluster.names().into_iter().map(node).collect();
    let target = partita_targets::find("raft").expect("our own");
    let administrator = target.administrator(&nodes, Duration::from_secs(20));
    administrator.expect("a client").expect("an administrator")
}

/// Makes the change, again and again while it can not be made.
fn make(cluster: &Cluster, change: Change) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let administrator = administrator(cluster);
    cluster.wait_for("a change", || {
        let changed = runtime.block_on(administrator.change(change));
        (changed == Changed::Done).then_some(())
    });
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
    make(&cluster, Change::Add(3));
    cluster.wait_for("the state at the new member", || {
        let (new, leader) = (cluster.status("n4")?, cluster.status(&cluster.leader())?);
        (new["applied"] == leader["applied"]).then_some(())
    });
    assert!(cluster.log_text("n4").contains("restored from a snapshot"));
    make(&cluster, Change::Remove(0));
    make(&cluster, Change::Transfer(Some(3)));
    cluster.wait_for("the new leader", || (cluster.leader() == "n4").then_some(()));
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
    let status = cluster.status(&cluster.leader()).expect("a status");
    assert_eq!(status["members"], json!(["n2", "n3", "n4"]));
    assert!(number(&status, "snapshot_index") > 0 && number(&status, "snapshot_bytes") > 0);
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
    make(&cluster, Change::Snapshot(0));
    let status = cluster.status("n1").expect("a status");
    assert!(number(&status, "snapshot_bytes") > 0, "{status}");
    assert!(number(&status, "fsyncs") > 0, "{status}");
}
