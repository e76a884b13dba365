//! A node in this process, for stories that do not need it killed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use partita_protocols::ProtocolKind;
use partita_replica::NodeOptions;

use crate::cluster::{PATIENCE, free, own_host};
use crate::http::Client;

/// A node of two, whose peer is not there. Ends with its runtime.
pub(crate) struct Node {
    /// Where it listens for peers.
    pub(crate) peer: SocketAddr,
    /// Where it listens for clients.
    pub(crate) client: SocketAddr,
    _runtime: tokio::runtime::Runtime,
    _directory: tempfile::TempDir,
}

impl Node {
    pub(crate) fn start(change: impl FnOnce(&mut NodeOptions)) -> Node {
        let host = own_host();
        let (peer, client) = (free(host), free(host));
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut options = NodeOptions::new(ProtocolKind::Raft, "n1", directory.path(), peer, client);
        options.peers.insert("n2".into(), free(host).to_string());
        change(&mut options);
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.spawn(partita_replica::run(options));
        let start = Instant::now();
        while Client::new(client).get("/v1/status").is_err() {
            assert!(start.elapsed() < PATIENCE, "the node does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
        Node {
            peer,
            client,
            _runtime: runtime,
            _directory: directory,
        }
    }
}

/// A frame with this content.
pub(crate) fn frame(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32).to_le_bytes()[..], content].concat()
}

/// The greeting of a peer.
pub(crate) fn hello(from: &str, to: &str) -> Vec<u8> {
    let strings = [
        b"partita-peer\x01",
        "raft".as_bytes(),
        from.as_bytes(),
        to.as_bytes(),
    ];
    frame(
        &strings
            .map(|string| [&[string.len() as u8], string].concat())
            .concat(),
    )
}
