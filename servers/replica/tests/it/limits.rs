//! What a node does not put up with. The node runs in this process: no story here needs it killed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::json;

use crate::cluster::PATIENCE;
use crate::http::Client;
use crate::node::{Node, frame, hello};

#[test]
fn more_requests_than_may_wait_are_refused_at_once() {
    let node = Node::start(|options| options.requests_max = 0);
    let read = json!({"op": {"f": "read", "key": "x"}});
    let answer = Client::new(node.client).post("/v1/op", &read).expect("an answer");
    assert_eq!(answer, (503, json!({"error": "overloaded"})));
}

#[test]
fn one_connection_too_many_is_refused_at_once() {
    let node = Node::start(|options| options.connections_max = 1);
    let mut first = Client::new(node.client);
    // The connection by which the node's start was seen may not be gone yet.
    let start = Instant::now();
    while !matches!(first.get("/v1/status"), Ok((200, _))) {
        assert!(start.elapsed() < PATIENCE, "the first connection is not served");
        first = Client::new(node.client);
    }
    let mut second = TcpStream::connect(node.client).expect("a connection");
    second.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut told = String::new();
    second.read_to_string(&mut told).expect("a refusal");
    assert!(told.starts_with("HTTP/1.1 503 "), "{told}");
    assert!(told.ends_with("\r\n\r\n{\"error\":\"overloaded\"}"), "{told}");
    assert!(matches!(first.get("/v1/status"), Ok((200, _))));
}

#[test]
fn without_a_leader_a_request_is_refused_for_certain() {
    let node = Node::start(|_| {});
    let write = json!({"op": {"f": "write", "key": "x", "value": 1}});
    let answer = Client::new(node.client)
        .post("/v1/op", &write)
        .expect("an answer");
    assert_eq!(answer, (421, json!({"error": "not-leader", "leader": null})));
}

#[test]
fn a_log_of_many_bytes_in_few_entries_is_cut_all_the_same() {
    let node = Node::start(|options| {
        options.peers.clear();
        options.snapshot_log_bytes = Some(1 << 20);
    });
    let mut client = Client::new(node.client);
    let large = json!({"op": {"f": "write", "key": "x", "value": "v".repeat(60_000)}});
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < PATIENCE, "no snapshot was taken");
        // Before there is a leader it is refused.
        client.post("/v1/op", &large).expect("an answer");
        let (_, status) = client.get("/v1/status").expect("a status");
        if status["snapshot_index"].as_u64() > Some(0) && status["snapshot_bytes"].as_u64() > Some(60_000) {
            assert!(status["log_bytes"].as_u64() < Some(2 << 20), "{status}");
            break;
        }
    }
}

#[test]
fn what_is_no_peer_is_cut_off_and_does_no_harm() {
    let node = Node::start(|_| {});
    for (what, sent) in [
        ("a frame of 4 GiB", u32::MAX.to_le_bytes().to_vec()),
        ("another protocol", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a long greeting", frame(&[1; 200])),
        (
            "another version",
            [&hello("n2", "n1")[..17], b"\x02", &hello("n2", "n1")[18..]].concat(),
        ),
        ("a stranger", hello("n9", "n1")),
        ("a peer of somebody else", hello("n2", "n3")),
        (
            "a malformed message",
            [hello("n2", "n1"), frame(b"\xff\xff")].concat(),
        ),
        (
            "too long a frame",
            [hello("n2", "n1"), u32::MAX.to_le_bytes().to_vec()].concat(),
        ),
    ] {
        let mut stream = TcpStream::connect(node.peer).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(&sent).expect("a sent greeting");
        // Closed, or reset because something was left unread.
        let closed = match stream.read(&mut [0]) {
            Ok(bytes) => bytes == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        };
        assert!(closed, "{what} is cut off");
    }
    let (status, answer) = Client::new(node.client).get("/v1/status").expect("a status");
    assert_eq!((status, &answer["node"]), (200, &json!("n1")));
}
