//! Redis with Sentinel: a master that replicates without waiting for its replicas, and sentinels that agree upon
//! another master when they no longer reach it.
//!
//! A node is a server and a sentinel beside it.

mod client;
mod connection;
mod observer;
mod resp;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use client::RedisClient;
use observer::RedisObserver;

use crate::{Client, ClientError, ClientOptions, Node, Observer, Options, Program, Start, Target};

/// Redis with Sentinel.
pub(crate) struct RedisSentinel;

/// What sentinels call the master and its replicas together.
const MASTER: &str = "partita";
/// Patience as short as on a network without latency is reasonable: a test of half a minute must see many
/// failovers.
const DOWN_AFTER_MS: u32 = 500;
const FAILOVER_TIMEOUT_MS: u32 = 2000;
const REPLICATION_PING_S: u32 = 1;
const REPLICATION_TIMEOUT_S: u32 = 5;

/// Starts a sentinel, and in place of the shell a server: so the server's pid is the node's, whose process group
/// has both. A server program ends with 1 when it can't start: when a node is started right after it was killed,
/// its server is known to be gone, but its sentinel may hold the port for a moment more.
const LAUNCHER: &str = r#"while "$1" "$2" --sentinel; [ $? -eq 1 ]; do sleep 0.1; done & exec "$1" "$3""#;
const SENTINEL_FILE: &str = "sentinel.conf";
const SERVER_FILE: &str = "redis.conf";

impl Target for RedisSentinel {
    fn name(&self) -> &'static str {
        "redis-sentinel"
    }

    fn summary(&self) -> &'static str {
        "Redis 6.2 or later with Sentinel (Debian: apt-get install redis-server; another version: --binary PATH)"
    }

    fn functions(&self, object: &str) -> &'static [&'static str] {
        match object {
            "register" => &["read", "write", "cas"],
            _ => &[],
        }
    }

    fn needs_own_addresses(&self) -> bool {
        // Replicas follow the master over the port that clients use.
        true
    }

    fn locate(&self, options: &Options) -> Result<Program, String> {
        const ADVICE: &str = "(Debian: apt-get install redis-server; or give --binary PATH)";
        let named = options.binary.clone();
        let path = named.unwrap_or_else(|| PathBuf::from("redis-server"));
        let output = Command::new(&path).arg("--version").output().map_err(|error| {
            format!(
                "redis-server can't be run as `{}`: {error} {ADVICE}",
                path.display()
            )
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.strip_prefix("Redis server v=") {
            Some(version) if output.status.success() => Ok(Program {
                path,
                version: format!("Redis {}", version.split(' ').next().unwrap_or(version)),
            }),
            _ => Err(format!(
                "`{} --version` does not answer as redis-server does; it said: {}",
                path.display(),
                text.trim()
            )),
        }
    }

    /// Both programs write into their files who the master is, so that they know it when they are started again.
    fn prepare(&self, cluster: &[Node], node: &Node, data: &Path) -> io::Result<()> {
        std::fs::write(data.join(SERVER_FILE), server_file(cluster, node, data))?;
        std::fs::write(data.join(SENTINEL_FILE), sentinel_file(cluster, node, data))
    }

    fn command(
        &self,
        program: &Program,
        _: &Options,
        _: &[Node],
        _: &Node,
        data: &Path,
        _: Start,
    ) -> Vec<String> {
        let file = |name: &str| data.join(name).display().to_string();
        vec![
            "sh".into(),
            "-c".into(),
            LAUNCHER.into(),
            "redis-node".into(),
            program.path.display().to_string(),
            file(SENTINEL_FILE),
            file(SERVER_FILE),
        ]
    }

    fn client(
        &self,
        cluster: &[Node],
        node: usize,
        _name: &str,
        options: ClientOptions,
    ) -> Result<Box<dyn Client>, ClientError> {
        Ok(Box::new(RedisClient::new(cluster, node, options.timeout)))
    }

    fn observer(
        &self,
        cluster: &[Node],
        source: Option<IpAddr>,
        timeout: Duration,
    ) -> Result<Box<dyn Observer>, ClientError> {
        Ok(Box::new(RedisObserver {
            cluster: cluster.to_vec(),
            source,
            timeout,
        }))
    }
}

/// The first node is the first master. Every write is on its disk before it is acknowledged, so that what is lost
/// is not lost for want of that.
fn server_file(cluster: &[Node], node: &Node, data: &Path) -> String {
    let mut lines = vec![
        format!("bind {}", node.client_listen.ip()),
        format!("port {}", node.client_listen.port()),
        format!("replica-announce-ip {}", node.client.ip()),
        format!("replica-announce-port {}", node.client.port()),
        "appendonly yes".into(),
        "appendfsync always".into(),
        "save \"\"".into(),
        "repl-diskless-sync-delay 0".into(),
        format!("repl-ping-replica-period {REPLICATION_PING_S}"),
        format!("repl-timeout {REPLICATION_TIMEOUT_S}"),
    ];
    lines.extend(common(data));
    if let Some(master) = cluster.first().filter(|master| *master != node) {
        lines.push(format!(
            "replicaof {} {}",
            master.client.ip(),
            master.client.port()
        ));
    }
    lines.join("\n") + "\n"
}

/// Who else there is stands there in the words in which a sentinel notes what it has discovered: so none is ready
/// before it knows of all.
fn sentinel_file(cluster: &[Node], node: &Node, data: &Path) -> String {
    let quorum = cluster.len() / 2 + 1;
    let mut lines = vec![
        format!("bind {}", node.peer_listen.ip()),
        format!("port {}", node.peer_listen.port()),
        format!("sentinel announce-ip {}", node.peer.ip()),
        format!("sentinel announce-port {}", node.peer.port()),
    ];
    lines.extend(common(data));
    let identity = |index: usize| format!("{:040x}", index + 1);
    for (index, other) in cluster.iter().enumerate() {
        let (ip, port) = (other.client.ip(), other.client.port());
        if index == 0 {
            lines.extend([
                format!("sentinel monitor {MASTER} {ip} {port} {quorum}"),
                format!("sentinel down-after-milliseconds {MASTER} {DOWN_AFTER_MS}"),
                format!("sentinel failover-timeout {MASTER} {FAILOVER_TIMEOUT_MS}"),
                format!("sentinel parallel-syncs {MASTER} {}", cluster.len()),
            ]);
        } else {
            lines.push(format!("sentinel known-replica {MASTER} {ip} {port}"));
        }
        let (ip, port) = (other.peer.ip(), other.peer.port());
        lines.push(match other == node {
            true => format!("sentinel myid {}", identity(index)),
            false => format!("sentinel known-sentinel {MASTER} {ip} {port} {}", identity(index)),
        });
    }
    lines.join("\n") + "\n"
}

fn common(data: &Path) -> [String; 3] {
    let path = data.display().to_string();
    let quoted = path.replace('\\', "\\\\").replace('"', "\\\"");
    [
        format!("dir \"{quoted}\""),
        "protected-mode no".into(),
        // A title is written over the environment, by which Partita knows the processes that it made.
        "set-proc-title no".into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::cluster;

    #[test]
    fn the_first_is_the_master_and_the_others_follow_it() {
        let cluster = cluster();
        let file = |node: usize| server_file(&cluster, &cluster[node], Path::new("/a \"b\""));
        assert!(!file(0).contains("replicaof"));
        assert!(file(2).contains("\nreplicaof 10.0.0.1 8000\n"));
        assert!(file(2).starts_with("bind 10.0.0.3\nport 8000\n"));
        assert!(file(2).contains("\ndir \"/a \\\"b\\\"\"\n"));
    }

    #[test]
    fn a_sentinel_knows_of_all_others() {
        let cluster = cluster();
        let file = sentinel_file(&cluster, &cluster[1], Path::new("/data"));
        let lines: Vec<_> = file.lines().collect();
        let starts = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
        assert!(lines.contains(&"sentinel monitor partita 10.0.0.1 8000 2"));
        assert_eq!(starts("sentinel known-replica partita 10.0.0."), 2);
        assert_eq!(starts("sentinel known-sentinel partita 10.0.0."), 2);
        assert!(lines.contains(&"sentinel myid 0000000000000000000000000000000000000002"));
        // A name must be known before anything is said of it.
        let at = |start: &str| lines.iter().position(|line| line.starts_with(start)).unwrap();
        assert!(at("sentinel monitor") < at("sentinel known-sentinel"));
    }
}
