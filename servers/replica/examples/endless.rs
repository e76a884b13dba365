//! What three nodes need in memory and on disk, while a log goes on for ever over many keys.
//!
//! `cargo run --release -p partita-replica --example endless -- [KEYS] [SECONDS] [VALUE_BYTES] [PROTOCOL]`
//!
//! First every key is written, many with each operation; then all again and again, for so many seconds. What
//! is shown every few seconds should come to a plateau.

#![expect(clippy::print_stdout, reason = "a measurement is for whoever runs it")]

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::json;

#[path = "nodes/memory.rs"]
mod memory;
#[path = "nodes/mod.rs"]
mod nodes;

use nodes::{Address, Client, Processes};

const CLIENTS: u64 = 8;
/// How many bytes of values one operation writes, about.
const OPERATION_BYTES: u64 = 16 * 1024;
/// The most keys that one operation writes.
const OPERATION_KEYS_MAX: u64 = 100;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if nodes::is_node(&arguments) {
        return nodes::run(&arguments);
    }
    let number = |at: usize, default: u64| match arguments.get(at) {
        Some(text) => text.parse().with_context(|| format!("{text} is no number")),
        None => Ok(default),
    };
    let (keys, seconds, value_bytes) = (number(0, 100_000)?.max(1), number(1, 20)?, number(2, 32)?);
    let protocol = arguments.get(3).map_or("raft", String::as_str);
    println!("{protocol}, {keys} keys, values of {value_bytes} bytes, {seconds} s after all keys are there");

    let data = nodes::directory()?;
    let all = nodes::addresses()?;
    let mut processes = Processes::default();
    for node in 0..nodes::NODES {
        processes.0.push(nodes::start(protocol, node, &all, data.path())?);
    }
    let leader = nodes::wait_for(&all, |address| nodes::leads(protocol, address))?;
    let load = Load {
        keys,
        value_bytes,
        next: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| load.write(leader))).collect();
        let shown = show(&load, seconds, &all, &processes, data.path());
        load.stop.store(true, Ordering::Relaxed);
        for client in clients {
            match client.join() {
                Ok(written) => written.context("a client gave up")?,
                Err(_) => bail!("a client panicked"),
            }
        }
        shown
    })
}

/// Shows what the nodes need, until all keys are there and so many seconds have passed.
fn show(
    load: &Load,
    seconds: u64,
    all: &[Address],
    processes: &Processes,
    data: &Path,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let step = Duration::from_secs((seconds / 10).max(1));
    let mut filled = None;
    println!(
        "| s | keys written | per node: memory, MiB | log, MiB | snapshot, MiB | on disk, MiB | snapshot at index |"
    );
    println!("|---|---|---|---|---|---|---|");
    loop {
        std::thread::sleep(step);
        let written = load.next.load(Ordering::Relaxed);
        let mut columns = [const { Vec::new() }; 5];
        for (node, (process, (_, client))) in processes.0.iter().zip(all).enumerate() {
            let (_, status) = Client::new(*client).get("/v1/status")?;
            let count = |field: &str| status[field].as_u64().unwrap_or(0);
            let row = [
                memory::of(process, "VmRSS:"),
                count("log_bytes") >> 20,
                count("snapshot_bytes") >> 20,
                bytes_in(&nodes::data_of(data, node).join("wal"))? >> 20,
                count("snapshot_index"),
            ];
            for (column, number) in columns.iter_mut().zip(row) {
                column.push(number.to_string());
            }
        }
        let columns = columns.map(|column| column.join(" "));
        println!(
            "| {} | {written} | {} |",
            began.elapsed().as_secs(),
            columns.join(" | ")
        );
        if filled.is_none() && written >= load.keys {
            filled = Some(Instant::now());
        }
        if filled.is_some_and(|filled: Instant| filled.elapsed().as_secs() >= seconds) {
            return Ok(());
        }
        if load.stop.load(Ordering::Relaxed) {
            bail!("the clients stopped");
        }
    }
}

/// How much of the disk the files of a directory take.
fn bytes_in(directory: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let entries = std::fs::read_dir(directory)?;
    // A file may be removed meanwhile.
    let blocks = entries.map(|entry| {
        entry
            .and_then(|entry| entry.metadata())
            .map_or(0, |its| its.blocks())
    });
    Ok(blocks.sum::<u64>() * 512)
}

/// What the clients do together.
struct Load {
    keys: u64,
    value_bytes: u64,
    /// How many keys were written, or are being.
    next: AtomicU64,
    stop: AtomicBool,
}

impl Load {
    fn write(&self, leader: SocketAddr) -> io::Result<()> {
        let written = self.write_until_stopped(leader);
        self.stop.store(true, Ordering::Relaxed);
        written
    }

    fn write_until_stopped(&self, leader: SocketAddr) -> io::Result<()> {
        let mut client = Client::new(leader);
        let together = (OPERATION_BYTES / (self.value_bytes + 32)).clamp(1, OPERATION_KEYS_MAX);
        while !self.stop.load(Ordering::Relaxed) {
            let first = self.next.fetch_add(together, Ordering::Relaxed);
            let part = |number: u64| {
                let value = format!("{number:0width$}", width = self.value_bytes as usize);
                json!(["w", format!("key{:09}", number % self.keys), value])
            };
            let parts: Vec<_> = (first..first + together).map(part).collect();
            let op = json!({"f": "txn", "value": parts});
            let (status, answer) = client.post("/v1/op", &json!({"op": op}))?;
            // Refused, or not answered in time: the next may be luckier.
            if !matches!(status, 200 | 503 | 504) {
                return Err(io::Error::other(format!("HTTP {status}: {answer}")));
            }
        }
        Ok(())
    }
}
