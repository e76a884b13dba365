//! Whatever comes at either port, a node goes on serving. What is sent follows from a seed.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use partita_protocols::Random;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use serde_json::json;

use crate::cluster::{PATIENCE, free, own_host};
use crate::http::Client;
use crate::node::{Node, frame, hello};

/// How many connections are tried at each port.
const CONNECTIONS: u64 = 150;

/// Panics of the threads on which nodes run. A connection's task may panic without anybody else noticing.
fn node_panics() -> usize {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    static COUNTED: Mutex<bool> = Mutex::new(false);
    let mut counted = COUNTED.lock().expect("a lock");
    if !*counted {
        *counted = true;
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let of_node = std::thread::current()
                .name()
                .is_some_and(|name| name.contains("tokio"));
            PANICS.fetch_add(usize::from(of_node), Ordering::Relaxed);
            before(panic);
        }));
    }
    PANICS.load(Ordering::Relaxed)
}

/// Cuts, flips, inserts or doubles something.
fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.random()),
            2 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            3 if at < bytes.len() => bytes[at] = 0xff,
            _ => bytes.extend_from_within(at..),
        }
    }
}

/// Sends it in one go or in pieces, says that there is no more, and waits until the node has had enough.
fn throw(random: &mut Random, at: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(at).expect("the node listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let cut = random.random_range(0..=bytes.len());
    let sent = stream.write_all(&bytes[..cut]).and_then(|()| {
        if random.random_bool(0.1) {
            std::thread::sleep(Duration::from_millis(2));
        }
        stream.write_all(&bytes[cut..])
    });
    // The node may have closed it by now.
    if sent.and_then(|()| stream.shutdown(Shutdown::Write)).is_ok()
        && let Err(error) = io::copy(&mut (&stream).take(1 << 20), &mut io::sink())
    {
        assert_ne!(
            error.kind(),
            io::ErrorKind::WouldBlock,
            "the node neither answers nor closes"
        );
    }
}

/// What the node says to its peer: its greeting, and messages.
fn overhear(listener: &TcpListener) -> Vec<Vec<u8>> {
    let (mut stream, _) = listener.accept().expect("the node connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut frames = Vec::new();
    while frames.len() < 4 {
        let mut length = [0; 4];
        stream.read_exact(&mut length).expect("a frame");
        let mut content = vec![0; u32::from_le_bytes(length) as usize];
        stream.read_exact(&mut content).expect("its content");
        frames.push(content);
    }
    frames
}

#[test]
fn frames_of_all_kinds_do_no_harm() {
    let panics = node_panics();
    let peer = TcpListener::bind(free(own_host())).expect("a listener");
    let address = peer.local_addr().expect("its address").to_string();
    let node = Node::start(|options| {
        options.peers.insert("n2".into(), address);
    });
    let messages = overhear(&peer).split_off(1);
    for seed in 0..CONNECTIONS {
        let mut random = Random::seed_from_u64(seed);
        let mut bytes = match seed % 8 {
            0 => Vec::new(),
            _ => hello("n2", "n1"),
        };
        for _ in 0..random.random_range(0..4) {
            let mut content = match random.random_range(0..3) {
                0 => {
                    let mut garbage = vec![0; random.random_range(0..600)];
                    random.fill_bytes(&mut garbage);
                    garbage
                }
                _ => messages[random.random_range(0..messages.len())].clone(),
            };
            mutate(&mut random, &mut content);
            bytes.extend(frame(&content));
        }
        if random.random_bool(0.3) {
            mutate(&mut random, &mut bytes);
        }
        throw(&mut random, node.peer, &bytes);
    }
    let (status, answer) = Client::new(node.client).get("/v1/status").expect("a status");
    assert_eq!((status, &answer["node"]), (200, &json!("n1")));
    assert_eq!(node_panics(), panics);
}

#[test]
fn requests_of_all_kinds_do_no_harm() {
    let panics = node_panics();
    let node = Node::start(|_| {});
    for seed in 0..CONNECTIONS {
        let mut random = Random::seed_from_u64(seed);
        let bodies = [
            json!({"session": "s", "sequence": 1, "op": {"f": "cas", "key": "x", "from": 1, "to": [2, "a"]}}),
            json!({"op": {"f": "append", "key": "l", "value": 7}}),
            json!({"action": "transfer", "to": "n2"}),
            json!({"action": "add-member", "node": "n3"}),
        ];
        let mut body = bodies[random.random_range(0..bodies.len())]
            .to_string()
            .into_bytes();
        if random.random_bool(0.7) {
            mutate(&mut random, &mut body);
        }
        let path = ["/v1/op", "/v1/admin", "/v1/status"][random.random_range(0..3)];
        let length = match random.random_range(0..6) {
            0 => random.random(),
            1 => body.len() as u64 + 1,
            _ => body.len() as u64,
        };
        let head = format!("POST {path} HTTP/1.1\r\nHost: n1\r\nContent-Length: {length}\r\n\r\n");
        let mut bytes = [head.as_bytes(), &body].concat();
        if random.random_bool(0.5) {
            mutate(&mut random, &mut bytes);
        }
        throw(&mut random, node.client, &bytes);
    }
    let endless = [b"GET /v1/status HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; 1 << 20]].concat();
    throw(&mut Random::seed_from_u64(0), node.client, &endless);
    let (status, answer) = Client::new(node.client).get("/v1/status").expect("a status");
    assert_eq!((status, &answer["node"]), (200, &json!("n1")));
    assert_eq!(node_panics(), panics);
}
