//! Writes a second and their latency, of our own servers and of etcd, in turn and through the same clients.
//!
//! `cargo run --release -p partita-replica --example speed -- [SECONDS] [CLIENTS] [ROUNDS] [PROTOCOL] [KEYS]`
//!
//! Three nodes on loopback, each a process, fsync on. Every client has a thread and a connection to the
//! leader, and writes one key after the other. The two systems take turns on the same machine, since only the
//! ratio of what was measured side by side means anything. (`etcd` must be on the search path; without it only
//! ours is measured.)

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use partita_replica::NodeOptions;
use serde_json::json;

#[path = "../tests/it/http.rs"]
mod http;

use http::Client;

const NODES: usize = 3;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "node") {
        return node(&arguments[1..]);
    }
    let number = |at: usize, default: u64| match arguments.get(at) {
        Some(text) => text.parse().with_context(|| format!("{text} is no number")),
        None => Ok(default),
    };
    let (seconds, clients, rounds) = (number(0, 10)?, number(1, 64)?, number(2, 2)?);
    let protocol = arguments.get(3).map_or("raft", String::as_str);
    let keys = number(4, 1000)?.max(1);
    let mut out = io::stdout();
    writeln!(
        out,
        "{NODES} nodes, {clients} clients, {keys} keys, {seconds} s, alternating {rounds} times"
    )?;
    let mut totals: BTreeMap<&str, Vec<Load>> = BTreeMap::new();
    for _ in 0..rounds {
        for system in [System::Own(protocol), System::Etcd] {
            let name = system.name();
            match measure(system, clients, keys, Duration::from_secs(seconds)) {
                Ok(load) => {
                    writeln!(out, "{name:12} {load}")?;
                    totals.entry(name).or_default().push(load);
                }
                Err(error) => writeln!(out, "{name:12} not measured: {error:#}")?,
            }
        }
    }
    let mean = |name: &str, of: fn(&Load) -> f64| {
        let loads = totals.get(name)?;
        Some(loads.iter().map(of).sum::<f64>() / loads.len() as f64)
    };
    for (what, of) in [
        ("writes a second", (|load| load.rate) as fn(&Load) -> f64),
        ("median", |load| load.median.as_secs_f64()),
        ("99th percentile", |load| load.p99.as_secs_f64()),
    ] {
        if let (Some(ours), Some(theirs)) = (mean(protocol, of), mean("etcd", of)) {
            writeln!(out, "{what}: {:.2} times that of etcd", ours / theirs)?;
        }
    }
    Ok(())
}

/// What is measured.
#[derive(Clone, Copy)]
enum System<'a> {
    Own(&'a str),
    Etcd,
}

/// What came of it.
struct Load {
    rate: f64,
    median: Duration,
    p99: Duration,
    worst: Duration,
    /// The most memory that a node has had, in MiB.
    memory: u64,
    /// Messages and fsyncs of all nodes, for each operation.
    costs: Option<(f64, f64)>,
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
        write!(
            f,
            "{:7.0} writes a second, median {:.2} ms, 99th percentile {:.2} ms, worst {:.1} ms; {} MiB at most",
            self.rate,
            milliseconds(self.median),
            milliseconds(self.p99),
            milliseconds(self.worst),
            self.memory
        )?;
        match self.costs {
            Some((messages, fsyncs)) => {
                write!(f, "; {messages:.2} messages and {fsyncs:.3} fsyncs an operation")
            }
            None => Ok(()),
        }
    }
}

/// Where a node listens for peers, and for clients.
type Address = (SocketAddr, SocketAddr);

impl<'a> System<'a> {
    fn name(self) -> &'a str {
        match self {
            System::Own(protocol) => protocol,
            System::Etcd => "etcd",
        }
    }

    fn start(self, node: usize, all: &[Address], data: &Path) -> io::Result<Child> {
        let (peer, client) = all[node];
        let name = format!("n{}", node + 1);
        let mut command = match self {
            System::Own(protocol) => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["node", protocol, &name]).arg(data.join(&name));
                command.args([peer.to_string(), client.to_string()]);
                for (number, (peer, _)) in (1..).zip(all) {
                    command.arg(format!("n{number}={peer}"));
                }
                command
            }
            System::Etcd => {
                let url = |address: SocketAddr| format!("http://{address}");
                let cluster: Vec<_> = (1..)
                    .zip(all)
                    .map(|(number, (peer, _))| format!("n{number}={}", url(*peer)))
                    .collect();
                let mut command = Command::new("etcd");
                command.args(["--name", &name, "--logger", "zap", "--data-dir"]);
                command.arg(data.join(&name));
                for (option, value) in [
                    ("--listen-peer-urls", url(peer)),
                    ("--initial-advertise-peer-urls", url(peer)),
                    ("--listen-client-urls", url(client)),
                    ("--advertise-client-urls", url(client)),
                    ("--initial-cluster", cluster.join(",")),
                ] {
                    command.args([option, &value]);
                }
                command
            }
        };
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    }

    fn leads(self, address: SocketAddr) -> io::Result<bool> {
        let mut client = Client::new(address);
        Ok(match self {
            System::Own(_) => client.get("/v1/status")?.1["role"] == "leader",
            System::Etcd => {
                let (_, status) = client.post("/v3/maintenance/status", &json!({}))?;
                status["leader"].is_string() && status["leader"] == status["header"]["member_id"]
            }
        })
    }

    fn write(self, client: &mut Client, keys: u64, me: u64, sequence: u64) -> io::Result<()> {
        // Text that is base64, whatever it decodes to, as etcd wants.
        let key = format!("key{:09}", (me * 999_983 + sequence) % keys);
        let value = format!("value{sequence:027}");
        let (status, answer) = match self {
            System::Own(_) => {
                let op = json!({"f": "write", "key": key, "value": value});
                let session = format!("client{me}");
                client.post(
                    "/v1/op",
                    &json!({"session": session, "sequence": sequence, "op": op}),
                )?
            }
            System::Etcd => client.post("/v3/kv/put", &json!({"key": key, "value": value}))?,
        };
        match status {
            200 => Ok(()),
            _ => Err(io::Error::other(format!("HTTP {status}: {answer}"))),
        }
    }

    /// Messages and fsyncs of all nodes so far.
    fn costs(self, all: &[Address]) -> Option<(u64, u64)> {
        let System::Own(_) = self else { return None };
        let mut sum = (0, 0);
        for (_, client) in all {
            let (_, status) = Client::new(*client).get("/v1/status").ok()?;
            sum.0 += status["messages_sent"].as_u64()?;
            sum.1 += status["fsyncs"].as_u64()?;
        }
        Some(sum)
    }
}

/// Processes that end with it.
struct Processes(Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The most memory that the process has had, in MiB; 0 where that can not be known.
fn peak_memory(process: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) / 1024
}

fn measure(system: System<'_>, clients: u64, keys: u64, length: Duration) -> anyhow::Result<Load> {
    // Beside the program, which is on a disk; a temporary directory may be in memory.
    let beside = std::env::current_exe()?;
    let data = tempfile::tempdir_in(beside.parent().context("a directory")?)?;
    let mut all = Vec::new();
    let mut held = Vec::new();
    for _ in 0..NODES {
        let listeners = [0; 2].map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
        let [peer, client] = listeners;
        let (peer, client) = (peer?, client?);
        all.push((peer.local_addr()?, client.local_addr()?));
        held.push((peer, client));
    }
    drop(held);
    let mut processes = Processes(Vec::new());
    for node in 0..NODES {
        processes.0.push(system.start(node, &all, data.path())?);
    }
    let start = Instant::now();
    let leader = loop {
        let leader = all
            .iter()
            .find(|(_, client)| system.leads(*client).unwrap_or(false));
        match leader {
            Some((_, client)) => break *client,
            None if start.elapsed() > Duration::from_secs(20) => bail!("there is no leader"),
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    // Whatever is done once, it is done before the clock runs.
    run(system, leader, clients, keys, Duration::from_millis(500), 0)?;
    let before = system.costs(&all);
    let mut latencies = run(system, leader, clients, keys, length, 1_000_000)?;
    let after = system.costs(&all);
    latencies.sort_unstable();
    let operations = latencies.len();
    let at = |share: f64| latencies[((operations as f64 * share) as usize).min(operations - 1)];
    let each = |total: u64| total as f64 / operations as f64;
    Ok(Load {
        rate: operations as f64 / length.as_secs_f64(),
        median: at(0.5),
        p99: at(0.99),
        worst: at(1.0),
        memory: processes.0.iter().map(peak_memory).max().unwrap_or(0),
        costs: before
            .zip(after)
            .map(|(before, after)| (each(after.0 - before.0), each(after.1 - before.1))),
    })
}

/// The latencies of all writes. Sequence numbers go on from `sequence`.
fn run(
    system: System<'_>,
    leader: SocketAddr,
    clients: u64,
    keys: u64,
    length: Duration,
    sequence: u64,
) -> anyhow::Result<Vec<Duration>> {
    let end = Instant::now() + length;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|me| {
                scope.spawn(move || {
                    let mut client = Client::new(leader);
                    let mut latencies = Vec::new();
                    let mut sequence = sequence;
                    while Instant::now() < end {
                        let start = Instant::now();
                        sequence += 1;
                        system.write(&mut client, keys, me, sequence)?;
                        latencies.push(start.elapsed());
                    }
                    io::Result::Ok(latencies)
                })
            })
            .collect();
        let mut all = Vec::new();
        for client in clients {
            let Ok(latencies) = client.join() else {
                bail!("a client panicked")
            };
            all.extend(latencies?);
        }
        if all.is_empty() {
            bail!("nothing was written");
        }
        Ok(all)
    })
}

/// One of our own nodes, in this process: PROTOCOL NAME DATA PEER CLIENT and all members.
fn node(arguments: &[String]) -> anyhow::Result<()> {
    let [protocol, name, data, peer, client, members @ ..] = arguments else {
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
