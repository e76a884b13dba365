//! Our own nodes as processes, for the measurements that need a cluster.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use partita_replica::NodeOptions;
use tempfile::TempDir;

#[path = "../../tests/it/http.rs"]
mod http;

pub(crate) use http::Client;

/// How many nodes a cluster has.
pub(crate) const NODES: usize = 3;
/// How long a cluster may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a node listens for peers, and for clients.
pub(crate) type Address = (SocketAddr, SocketAddr);

/// Processes that end with it.
#[derive(Default)]
pub(crate) struct Processes(pub(crate) Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A new directory beside the program, which is on a disk; a temporary directory may be in memory.
pub(crate) fn directory() -> anyhow::Result<TempDir> {
    let beside = std::env::current_exe()?;
    Ok(tempfile::tempdir_in(beside.parent().context("a directory")?)?)
}

/// Addresses that nobody has.
pub(crate) fn addresses() -> io::Result<Vec<Address>> {
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners: Vec<TcpListener> = (0..2 * NODES).map(bind).collect::<io::Result<_>>()?;
    listeners
        .chunks_exact(2)
        .map(|pair| Ok((pair[0].local_addr()?, pair[1].local_addr()?)))
        .collect()
}

/// Where a node keeps its log.
pub(crate) fn data_of(data: &Path, node: usize) -> PathBuf {
    data.join(format!("n{}", node + 1))
}

/// Starts the program that is running as a node of ours.
pub(crate) fn start(protocol: &str, node: usize, all: &[Address], data: &Path) -> io::Result<Child> {
    let (peer, client) = all[node];
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["node", protocol, &format!("n{}", node + 1)]);
    command.arg(data_of(data, node));
    command.args([peer.to_string(), client.to_string()]);
    for (number, (peer, _)) in (1..).zip(all) {
        command.arg(format!("n{number}={peer}"));
    }
    spawn(command)
}

/// Starts a process that says nothing.
pub(crate) fn spawn(mut command: Command) -> io::Result<Child> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// The first node of which this is so, as soon as there is one.
pub(crate) fn wait_for(all: &[Address], is_it: impl Fn(SocketAddr) -> bool) -> anyhow::Result<SocketAddr> {
    let start = Instant::now();
    loop {
        match all.iter().find(|(_, client)| is_it(*client)) {
            Some((_, client)) => return Ok(*client),
            None if start.elapsed() > PATIENCE => bail!("there is no leader"),
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Does this node lead? In single-decree Paxos none does, and each is as good.
pub(crate) fn leads(protocol: &str, address: SocketAddr) -> bool {
    let status = Client::new(address).get("/v1/status");
    status.is_ok_and(|(_, status)| protocol == "paxos" || status["role"] == "leader")
}

/// Is this process to be a node?
pub(crate) fn is_node(arguments: &[String]) -> bool {
    arguments.first().is_some_and(|first| first == "node")
}

/// One of our own nodes, in this process: `node` PROTOCOL NAME DATA PEER CLIENT and all members.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [_, protocol, name, data, peer, client, members @ ..] = arguments else {
        bail!("a node is told more")
    };
    let mut options = NodeOptions::new(protocol.parse()?, name, data, peer.parse()?, client.parse()?);
    let members = members.iter().filter_map(|member| member.split_once('='));
    options.peers = members
        .filter(|(member, _)| member != name)
        .map(|(member, address)| (member.to_owned(), address.to_owned()))
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(partita_replica::run(options))
}
