//! Messages and fsyncs for each operation of each protocol, beside what its paper says.
//!
//! `cargo run --release -p partita-replica --example costs -- [SECONDS]`
//!
//! Three nodes on loopback, each a process, fsync on; writes to the leader, by one client and then by 64. What
//! idle nodes send is measured first, and shown: heartbeats are in the figures, too.

#![expect(clippy::print_stdout, reason = "a measurement is for whoever runs it")]

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::json;

#[path = "nodes/mod.rs"]
mod nodes;

use nodes::{Address, Client, Processes};

/// What a paper says of one operation with three nodes, where the client is at the leader, nothing is lost, and
/// nothing is batched.
struct Textbook {
    protocol: &'static str,
    messages: &'static str,
    fsyncs: &'static str,
    source: &'static str,
}

const TEXTBOOK: &[Textbook] = &[
    Textbook {
        protocol: "raft",
        messages: "4",
        fsyncs: "3",
        source: "AppendEntries and its answer, to and from each follower; all log before they answer (Ongaro and \
                 Ousterhout 2014, 5.3 and figure 2)",
    },
    Textbook {
        protocol: "paxos",
        messages: "10",
        fsyncs: "7",
        source: "prepare, promise, accept, accepted, and the decision to two learners; the proposer's number, and \
                 each acceptor's promise and acceptance (Lamport 2001, 2.2, 2.3 and 2.5)",
    },
    Textbook {
        protocol: "multi-paxos",
        messages: "4",
        fsyncs: "3",
        source: "phase 2 alone; each acceptor's acceptance (Lamport 2001, 3 and 2.5)",
    },
    Textbook {
        protocol: "viewstamped",
        messages: "4",
        fsyncs: "0",
        source: "Prepare and PrepareOK; the paper keeps nothing on disk, and ours does (Liskov and Cowling 2012, 4.1)",
    },
    Textbook {
        protocol: "zab",
        messages: "6",
        fsyncs: "3",
        source: "propose, acknowledge and commit; all log before they acknowledge (Junqueira et al. 2011, 4)",
    },
];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if nodes::is_node(&arguments) {
        return nodes::run(&arguments);
    }
    let seconds = arguments.first().map_or(Ok(5), |text| text.parse())?;
    println!(
        "| protocol | messages: textbook | 1 client | 64 clients | fsyncs: textbook | 1 client | 64 clients | idle |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for textbook in TEXTBOOK {
        let [one, many] =
            [1, 64].map(|clients| measure(textbook.protocol, clients, Duration::from_secs(seconds)));
        let (one, many) = (one?, many?);
        println!(
            "| {} | {} | {:.2} | {:.2} | {} | {:.2} | {:.2} | {:.0} messages a second |",
            textbook.protocol,
            textbook.messages,
            one.messages,
            many.messages,
            textbook.fsyncs,
            one.fsyncs,
            many.fsyncs,
            one.idle
        );
    }
    for textbook in TEXTBOOK {
        println!("{}: {}", textbook.protocol, textbook.source);
    }
    Ok(())
}

/// What one operation cost all nodes together.
struct Costs {
    messages: f64,
    fsyncs: f64,
    /// Messages a second without a client.
    idle: f64,
}

fn measure(protocol: &'static str, clients: u64, length: Duration) -> anyhow::Result<Costs> {
    let data = nodes::directory()?;
    let all = nodes::addresses()?;
    let mut processes = Processes::default();
    for node in 0..nodes::NODES {
        processes.0.push(nodes::start(protocol, node, &all, data.path())?);
    }
    let leader = nodes::wait_for(&all, |address| nodes::leads(protocol, address))?;
    // Whatever is done once, it is done before the clock runs.
    write(protocol, leader, clients, Duration::from_millis(500), 1)?;
    let idle_for = Duration::from_secs(1);
    let before = counters(&all)?;
    std::thread::sleep(idle_for);
    let idle = counters(&all)?.0 - before.0;
    let before = counters(&all)?;
    let operations = write(protocol, leader, clients, length, 1_000_000)?;
    let after = counters(&all)?;
    let each = |total: u64| total as f64 / operations as f64;
    Ok(Costs {
        messages: each(after.0 - before.0),
        fsyncs: each(after.1 - before.1),
        idle: idle as f64 / idle_for.as_secs_f64(),
    })
}

/// Messages and fsyncs of all nodes so far.
fn counters(all: &[Address]) -> anyhow::Result<(u64, u64)> {
    let mut sum = (0, 0);
    for (_, client) in all {
        let (_, status) = Client::new(*client).get("/v1/status")?;
        let number = |field: &str| status[field].as_u64().with_context(|| format!("no {field}"));
        sum.0 += number("messages_sent")?;
        sum.1 += number("fsyncs")?;
    }
    Ok(sum)
}

/// Has clients write, each one key after the other; gives how many writes there were.
fn write(
    protocol: &str,
    leader: SocketAddr,
    clients: u64,
    length: Duration,
    first: u64,
) -> anyhow::Result<u64> {
    let end = Instant::now() + length;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|me| {
                scope.spawn(move || {
                    let mut client = Client::new(leader);
                    let mut number = first;
                    while Instant::now() < end {
                        // A register of single-decree Paxos is written once.
                        let f = if protocol == "paxos" { "propose" } else { "write" };
                        let op = json!({"f": f, "key": format!("k{me}-{number}"), "value": number});
                        let (status, answer) = client.post("/v1/op", &json!({"op": op}))?;
                        if status != 200 {
                            return Err(io::Error::other(format!("HTTP {status}: {answer}")));
                        }
                        number += 1;
                    }
                    Ok(number - first)
                })
            })
            .collect();
        let mut done = 0;
        for client in clients {
            match client.join() {
                Ok(written) => done += written?,
                Err(_) => bail!("a client panicked"),
            }
        }
        Ok(done.max(1))
    })
}
