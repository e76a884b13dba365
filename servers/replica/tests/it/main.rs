//! Real clusters of real processes, as clients see them.

mod administration;
mod cluster;
mod defects;
mod disk;
mod fuzz;
mod http;
mod limits;
mod node;
mod protocols;

use std::time::{Duration, Instant};

use cluster::{Cluster, PATIENCE};
use serde_json::json;

#[test]
fn a_cluster_serves_and_keeps_what_it_acknowledged_over_kills() {
    let mut cluster = Cluster::start(3, None);
    assert_eq!(cluster.read("x"), json!(null));
    assert_eq!(
        cluster.perform(&json!({"op": {"f": "write", "key": "x", "value": 7}})),
        json!({})
    );
    let refused = json!({"op": {"f": "cas", "key": "x", "from": 1, "to": 2}});
    assert_eq!(
        cluster.perform(&refused),
        json!({"swapped": false, "observed": 7})
    );
    let swap =
        json!({"session": "s", "sequence": 1, "op": {"f": "cas", "key": "x", "from": 7, "to": [1, "é"]}});
    assert_eq!(cluster.perform(&swap), json!({"swapped": true}));
    assert_eq!(cluster.read("x"), json!([1, "é"]));

    let leader = cluster.leader();
    let follower = cluster
        .names()
        .into_iter()
        .find(|name| *name != leader)
        .expect("a follower");
    let (status, answer) = cluster
        .client(&follower)
        .post("/v1/op", &swap)
        .expect("an answer");
    assert_eq!(
        (status, answer),
        (421, json!({"error": "not-leader", "leader": leader}))
    );

    cluster.kill(&leader);
    assert_eq!(cluster.read("x"), json!([1, "é"]), "after the leader was killed");
    assert_eq!(
        cluster.perform(&swap),
        json!({"swapped": true}),
        "a retry at the next leader"
    );
    cluster.perform(&json!({"op": {"f": "write", "key": "y", "value": "z"}}));
    cluster.start_all();
    cluster.kill_all();
    cluster.start_all();
    assert_eq!(
        (cluster.read("x"), cluster.read("y")),
        (json!([1, "é"]), json!("z")),
        "after all were killed"
    );

    let (_, status) = cluster
        .client(&cluster.leader())
        .get("/v1/status")
        .expect("a status");
    for field in [
        "node",
        "role",
        "term",
        "leader",
        "commit",
        "applied",
        "last_index",
        "log_bytes",
    ] {
        assert!(!status[field].is_null(), "{field} of {status}");
    }
    assert!(status.get("defect").is_none(), "{status}");
    // Who follows tells for how long it did not hear its leader; who leads hears none.
    let silence = |name: &String| cluster.status(name)?["leader_silence_us"].as_u64();
    cluster.wait_for("two followers' words of their leader", || {
        let leader = cluster.leader();
        let (led, follow): (Vec<String>, Vec<String>) =
            cluster.names().into_iter().partition(|name| *name == leader);
        let told = follow.iter().all(|name| silence(name).is_some());
        (told && led.iter().all(|name| silence(name).is_none())).then_some(())
    });
}

#[test]
fn every_type_of_object_is_served_and_nodes_read_what_they_have_applied() {
    let cluster = Cluster::start(3, None);
    let perform = |op: serde_json::Value| cluster.perform(&json!({"op": op}));
    let set = |f: &str| perform(json!({"type": "set", "f": f, "key": "s", "value": 1}));
    assert_eq!(
        [set("add"), set("add"), set("contains")],
        [1, 0, 1].map(|value| json!({"value": value}))
    );
    assert_eq!(
        perform(json!({"type": "set", "f": "read", "key": "s"})),
        json!({"value": [1]})
    );
    assert_eq!(
        perform(json!({"type": "counter", "f": "add", "key": "c", "value": 5})),
        json!({"value": 5})
    );
    assert_eq!(
        perform(json!({"type": "queue", "f": "enqueue", "key": "q", "value": "a"})),
        json!({})
    );
    let dequeue = || perform(json!({"type": "queue", "f": "dequeue", "key": "q"}));
    assert_eq!(
        [dequeue(), dequeue()],
        [json!({"value": "a"}), json!({"value": null})]
    );
    let acquire = |owner: &str| perform(json!({"type": "lock", "f": "acquire", "key": "l", "owner": owner}));
    assert_eq!(acquire("a"), json!({"acquired": true, "token": 1}));
    assert_eq!(
        acquire("b"),
        json!({"acquired": false, "holder": "a", "token": 1})
    );
    let release = || perform(json!({"type": "lock", "f": "release", "key": "l", "token": 1}));
    assert_eq!(release(), json!({"released": true}));
    assert_eq!(release(), json!({"released": false, "holder": null}));
    let txn = json!({"f": "txn", "value": [["w", "x", 1], ["append", "y", 2], ["r", "y", null]]});
    let done = json!({"value": [["w", "x", 1], ["append", "y", 2], ["r", "y", [2]]]});
    assert_eq!(perform(txn), done);
    for node in ["n1", "n2", "n3"] {
        let read = json!({"consistency": "local", "op": {"f": "read", "key": "x"}});
        let start = Instant::now();
        loop {
            let (status, answer) = cluster.client(node).post("/v1/op", &read).expect("an answer");
            assert_eq!(status, 200, "{node} asks nobody: {answer}");
            if answer == json!({"value": 1}) {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "{node} has not applied it: {answer}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_retry_applies_once_even_at_another_leader() {
    let mut cluster = Cluster::start(3, None);
    for sequence in 1..=3 {
        let append = json!({"session": "c", "sequence": sequence, "op": {"f": "append", "key": "l", "value": sequence}});
        assert_eq!(cluster.perform(&append), json!({}));
        cluster.kill(&cluster.leader());
        assert_eq!(cluster.perform(&append), json!({}));
        cluster.start_all();
    }
    assert_eq!(cluster.read("l"), json!([1, 2, 3]));
}

#[test]
fn bad_requests_are_told_so_and_change_nothing() {
    let cluster = Cluster::start(1, None);
    cluster.perform(&json!({"op": {"f": "write", "key": "x", "value": 1}}));
    let mut client = cluster.client("n1");
    let too_deep = format!("{}{}", "[".repeat(20), "]".repeat(20));
    for (body, expected) in [
        ("", "EOF"),
        ("{", "EOF"),
        (r#"{"op":{"f":"fly","key":"x"}}"#, "no function `fly`"),
        (r#"{"op":{"f":"write","key":"x"}}"#, "missing field `value`"),
        (r#"{"op":{"f":"write","key":"x","value":1.5}}"#, "a value is null"),
        (
            r#"{"session":"s","op":{"f":"write","key":"x","value":2}}"#,
            "belong together",
        ),
        (
            &format!(r#"{{"op":{{"f":"write","key":"x","value":{too_deep}}}}}"#),
            "nested",
        ),
    ] {
        let (status, answer) = client.exchange("POST", "/v1/op", body).expect("an answer");
        assert_eq!(
            (status, &answer["error"]),
            (400, &json!("malformed")),
            "{body}: {answer}"
        );
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(message.contains(expected), "{body}: {message}");
    }
    for (op, expected) in [
        (json!({"f": "append", "key": "x", "value": 2}), "no list"),
        (
            json!({"f": "add", "type": "set", "key": "x", "value": 2}),
            "holds a register",
        ),
    ] {
        let (status, answer) = client.post("/v1/op", &json!({"op": op})).expect("an answer");
        assert_eq!(
            (status, &answer["error"]),
            (400, &json!("refused")),
            "{op}: {answer}"
        );
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(message.contains(expected), "{op}: {message}");
    }
    let (status, _) = client.exchange("GET", "/v1/op", "").expect("an answer");
    assert_eq!(status, 405);
    let (status, _) = client.exchange("GET", "/", "").expect("an answer");
    assert_eq!(status, 404);
    let huge = json!({"op": {"f": "write", "key": "x", "value": "v".repeat(200_000)}});
    let (status, _) = cluster.client("n1").post("/v1/op", &huge).expect("an answer");
    assert_eq!(status, 400);
    assert_eq!(cluster.read("x"), json!(1));
}

#[test]
fn sixteen_clients_at_once_are_all_served() {
    const CLIENTS: u64 = 16;
    const WRITES: u64 = 100;
    let cluster = Cluster::start(3, None);
    let leader = cluster.leader();
    cluster.read("warm");
    for operation in ["write", "read"] {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for number in 0..CLIENTS {
                let mut client = cluster.client(&leader);
                scope.spawn(move || {
                    for sequence in 1..=WRITES {
                        let key = format!("k{}", number % 4);
                        let body = match operation {
                            "write" => {
                                let session = format!("{operation}{number}");
                                let op = json!({"f": "write", "key": key, "value": sequence});
                                json!({"session": session, "sequence": sequence, "op": op})
                            }
                            _ => json!({"op": {"f": "read", "key": key}}),
                        };
                        let (status, answer) = client.post("/v1/op", &body).expect("an answer");
                        assert_eq!(status, 200, "{answer}");
                    }
                });
            }
        });
        let seconds = start.elapsed().as_secs_f64();
        let rate = (CLIENTS * WRITES) as f64 / seconds;
        // Printed for the curious; not judged, since the machine is shared.
        std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("{CLIENTS} clients: {rate:.0} {operation}s a second\n"),
        )
        .expect("a written line");
    }
    for number in 0..4 {
        assert_eq!(cluster.read(&format!("k{number}")), json!(WRITES));
    }
}
