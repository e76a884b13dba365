//! Apache ZooKeeper, over its own binary protocol.

mod client;
mod jute;
mod session;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use client::ZooKeeperClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    BoxFuture, Client, ClientError, ClientOptions, Node, Observer, Options, Program, Start, Status, Target,
    tcp,
};

/// Apache ZooKeeper.
pub(crate) struct ZooKeeper;

/// Where Debian's package puts it. (Not the whole directory belongs on the class path.)
const JAR: &str = "/usr/share/java/zookeeper.jar";
/// ZooKeeper measures its patience in ticks. On a network without latency they can be short, and a test of half a
/// minute must see many elections.
const TICK_MS: u32 = 200;
const INIT_TICKS: u32 = 10;
const SYNC_TICKS: u32 = 5;
/// The longest answer of a server about itself.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

impl Target for ZooKeeper {
    fn name(&self) -> &'static str {
        "zookeeper"
    }

    fn summary(&self) -> &'static str {
        "Apache ZooKeeper 3.5 or later (Debian: apt-get install zookeeper; another version: --binary JAR)"
    }

    fn functions(&self, object: &str) -> &'static [&'static str] {
        match object {
            "register" => &["read", "write", "cas"],
            _ => &[],
        }
    }

    fn reads_locally(&self) -> bool {
        true
    }

    fn needs_own_addresses(&self) -> bool {
        // Leaders are elected over a port of their own.
        true
    }

    fn locate(&self, options: &Options) -> Result<Program, String> {
        const ADVICE: &str = "(Debian: apt-get install zookeeper; or give --binary JAR)";
        let path = options.binary.clone().unwrap_or_else(|| PathBuf::from(JAR));
        if !path.is_file() {
            return Err(format!("ZooKeeper is not at {} {ADVICE}", path.display()));
        }
        let output = java(&path)
            .arg("org.apache.zookeeper.version.VersionInfoMain")
            .output()
            .map_err(|error| format!("java can't be run: {error} {ADVICE}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text
            .lines()
            .find_map(|line| line.strip_prefix("Apache ZooKeeper, version "));
        match version {
            Some(version) if output.status.success() => Ok(Program {
                path,
                version: format!(
                    "ZooKeeper {}",
                    version.split([' ', ',', '-']).next().unwrap_or(version)
                ),
            }),
            _ => Err(format!(
                "{} does not answer as ZooKeeper does; it said: {}{}",
                path.display(),
                text.trim(),
                String::from_utf8_lossy(&output.stderr).trim()
            )),
        }
    }

    fn prepare(&self, cluster: &[Node], node: &Node, data: &Path) -> io::Result<()> {
        let number = |node: &Node| 1 + cluster.iter().position(|other| other == node).unwrap_or(0);
        std::fs::write(data.join("myid"), format!("{}\n", number(node)))?;
        let mut lines = vec![
            format!("dataDir={}", data.display()),
            format!("tickTime={TICK_MS}"),
            format!("initLimit={INIT_TICKS}"),
            format!("syncLimit={SYNC_TICKS}"),
            format!("clientPortAddress={}", node.client_listen.ip()),
            format!("clientPort={}", node.client_listen.port()),
            "maxClientCnxns=0".into(),
            "maxSessionTimeout=60000".into(),
            "admin.enableServer=false".into(),
            "4lw.commands.whitelist=srvr".into(),
            "standaloneEnabled=false".into(),
            "skipACL=yes".into(),
        ];
        lines.extend(cluster.iter().map(|other| {
            let (ip, port) = (other.peer.ip(), other.peer.port());
            format!("server.{}={ip}:{port}:{}", number(other), port + 1)
        }));
        std::fs::write(data.join("zoo.cfg"), lines.join("\n") + "\n")
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
        let java = java(&program.path);
        let words = std::iter::once(java.get_program()).chain(java.get_args());
        let mut command: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        command.extend([
            "org.apache.zookeeper.server.quorum.QuorumPeerMain".into(),
            data.join("zoo.cfg").display().to_string(),
        ]);
        command
    }

    fn client(
        &self,
        cluster: &[Node],
        node: usize,
        _name: &str,
        options: ClientOptions,
    ) -> Result<Box<dyn Client>, ClientError> {
        Ok(Box::new(ZooKeeperClient {
            at: cluster[node].client,
            reads: options.reads,
            timeout: options.timeout,
            session: None,
        }))
    }

    fn observer(
        &self,
        cluster: &[Node],
        source: Option<IpAddr>,
        timeout: Duration,
    ) -> Result<Box<dyn Observer>, ClientError> {
        Ok(Box::new(ZooKeeperObserver {
            leads: Mutex::new(vec![None; cluster.len()]),
            cluster: cluster.to_vec(),
            source,
            timeout,
        }))
    }
}

/// A small virtual machine that starts soon.
fn java(jar: &Path) -> Command {
    let mut command = Command::new("java");
    command.args([
        "-Xmx128m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
    ]);
    command.arg("-cp").arg(jar);
    command
}

struct ZooKeeperObserver {
    cluster: Vec<Node>,
    source: Option<IpAddr>,
    timeout: Duration,
    /// The epoch in which each node leads, if it last said that it does.
    leads: Mutex<Vec<Option<u64>>>,
}

impl ZooKeeperObserver {
    async fn status_of(&self, node: usize) -> Result<Status, String> {
        let answer = tokio::time::timeout(self.timeout, self.ask(self.cluster[node].control))
            .await
            .map_err(|_| "timed out".to_owned())?
            .map_err(|error| error.to_string())?;
        let mut status = status(&answer)?;
        let mut leads = self.leads.lock().unwrap_or_else(PoisonError::into_inner);
        leads[node] = (status.role == "leader").then_some(status.term);
        // A follower does not say whom it follows. It follows someone, so that must be the newest leader.
        if matches!(status.role.as_str(), "leader" | "follower") {
            let newest = leads
                .iter()
                .zip(&self.cluster)
                .filter(|(term, _)| term.is_some())
                .max_by_key(|(term, _)| **term);
            status.leader = newest.map(|(_, node)| node.name.clone());
        }
        Ok(status)
    }

    /// The answer to the four letters `srvr`.
    async fn ask(&self, at: SocketAddr) -> io::Result<String> {
        let mut stream = tcp::connect(at, self.source).await?;
        stream.write_all(b"srvr").await?;
        let mut answer = String::new();
        stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await?;
        Ok(answer)
    }
}

impl Observer for ZooKeeperObserver {
    fn status(&self, node: usize) -> BoxFuture<'_, Result<Status, String>> {
        Box::pin(self.status_of(node))
    }
}

/// Lines such as `Zxid: 0x100000002` and `Mode: leader`; a server without a quorum says that it does not serve.
fn status(answer: &str) -> Result<Status, String> {
    let field = |name: &str| {
        answer
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let Some(role) = field("Mode") else {
        return match answer.contains("not currently serving requests") {
            true => Ok(Status {
                role: "candidate".into(),
                ..Status::default()
            }),
            false => Err(format!("an answer that can't be read: {}", answer.trim())),
        };
    };
    // The upper half is the epoch, the lower half counts its transactions (Junqueira et al. 2011, section IV.B).
    let zxid = field("Zxid")
        .and_then(|zxid| u64::from_str_radix(zxid.trim_start_matches("0x"), 16).ok())
        .unwrap_or(0);
    Ok(Status {
        role: role.to_owned(),
        term: zxid >> 32,
        commit: zxid & u64::from(u32::MAX),
        applied: zxid & u64::from(u32::MAX),
        ..Status::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_serves_and_one_that_does_not() {
        let answer = "Zookeeper version: 3.8.0\nLatency min/avg/max: 0/0.0/0\nReceived: 1\nSent: 0\n\
                      Connections: 1\nOutstanding: 0\nZxid: 0x30000000a\nMode: leader\nNode count: 5\n";
        let led = status(answer).unwrap();
        assert_eq!((led.role.as_str(), led.term, led.commit), ("leader", 3, 10));
        let alone = status("This ZooKeeper instance is not currently serving requests\n").unwrap();
        assert_eq!((alone.role.as_str(), alone.term), ("candidate", 0));
        assert!(status("HTTP/1.1 400").is_err());
    }

    #[test]
    fn each_node_finds_itself_in_its_configuration() {
        let cluster = crate::tests::cluster();
        let data = std::env::temp_dir().join(format!("partita-zookeeper-{}", std::process::id()));
        std::fs::create_dir_all(&data).unwrap();
        ZooKeeper.prepare(&cluster, &cluster[1], &data).unwrap();
        let read = |name: &str| std::fs::read_to_string(data.join(name)).unwrap();
        assert_eq!(read("myid"), "2\n");
        assert!(read("zoo.cfg").contains("\nserver.2=10.0.0.2:7000:7001\n"));
        assert!(read("zoo.cfg").contains("\nclientPortAddress=10.0.0.2\n"));
        std::fs::remove_dir_all(&data).unwrap();
    }
}
