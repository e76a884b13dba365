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
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::json;

#[path = "nodes/memory.rs"]
mod memory;
#[path = "nodes/mod.rs"]
mod nodes;

use nodes::{Address, Client, NODES, Processes};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if nodes::is_node(&arguments) {
        return nodes::run(&arguments);
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

impl<'a> System<'a> {
    fn name(self) -> &'a str {
        match self {
            System::Own(protocol) => protocol,
            System::Etcd => "etcd",
        }
    }

    fn start(self, node: usize, all: &[Address], data: &Path) -> io::Result<Child> {
        let (peer, client) = all[node];
        match self {
            System::Own(protocol) => nodes::start(protocol, node, all, data),
            System::Etcd => {
                let url = |address: SocketAddr| format!("http://{address}");
                let cluster: Vec<_> = (1..)
                    .zip(all)
                    .map(|(number, (peer, _))| format!("n{number}={}", url(*peer)))
                    .collect();
                let mut command = Command::new("etcd");
                let name = format!("n{}", node + 1);
                command.args(["--name", &name, "--logger", "zap", "--data-dir"]);
                command.arg(nodes::data_of(data, node));
                for (option, value) in [
                    ("--listen-peer-urls", url(peer)),
                    ("--initial-advertise-peer-urls", url(peer)),
                    ("--listen-client-urls", url(client)),
                    ("--advertise-client-urls", url(client)),
                    ("--initial-cluster", cluster.join(",")),
                ] {
                    command.args([option, &value]);
                }
                nodes::spawn(command)
            }
        }
    }

    fn leads(self, address: SocketAddr) -> io::Result<bool> {
        Ok(match self {
            System::Own(protocol) => nodes::leads(protocol, address),
            System::Etcd => {
                let mut client = Client::new(address);
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

fn measure(system: System<'_>, clients: u64, keys: u64, length: Duration) -> anyhow::Result<Load> {
    let data = nodes::directory()?;
    let all = nodes::addresses()?;
    let mut processes = Processes::default();
    for node in 0..NODES {
        processes.0.push(system.start(node, &all, data.path())?);
    }
    let leader = nodes::wait_for(&all, |address| system.leads(address).unwrap_or(false))?;
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
        memory: processes
            .0
            .iter()
            .map(|process| memory::of(process, "VmHWM:"))
            .max()
            .unwrap_or(0),
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
