//! How long a node takes to read its log when it starts, beside how long it takes to read the file.
//!
//! `cargo run --release -p partita-replica --example recovery -- [MIB] [COMMAND_BYTES] [ROUNDS] [PROTOCOL]`
//!
//! The log is made by a cluster of one node without its network, and is one long log: no snapshot is taken.
//! Recovery and the plain reading take turns, each in a process of its own, so that neither has memory that
//! the other has warmed; the files are in the page cache. Without a protocol all are measured that keep a log.

#![expect(clippy::print_stdout, reason = "a measurement is for whoever runs it")]

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use partita_protocols::store::{self, Operation, Value};
use partita_protocols::{
    Config, Effect, Encode as _, Input, NodeId, OnDisk, Proposal, Protocol, ProtocolKind, ProtocolVisitor,
    Random, RequestId, Role,
};
use partita_replica::offline;
use rand::SeedableRng as _;

/// How many bytes of commands are proposed together, as a busy node does it.
const GROUP_BYTES: usize = 256 * 1024;
/// How many bytes of records are written before one fsync.
const COMMIT_BYTES: usize = 2 * 1024 * 1024;
/// How much is read at once where a file is only read.
const READ_BYTES: usize = 128 * 1024;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("read") => return once(|| read(&segments(Path::new(&arguments[1]))?)),
        Some("recover") => {
            let kind: ProtocolKind = arguments[1].parse()?;
            let data = PathBuf::from(&arguments[2]);
            return once(|| kind.visit(Recover { data: &data }));
        }
        _ => {}
    }
    let number = |at: usize, default: u64| match arguments.get(at) {
        Some(text) => text.parse().with_context(|| format!("{text} is no number")),
        None => Ok(default),
    };
    let (mebibytes, command_bytes, rounds) = (number(0, 1024)?, number(1, 1024)?, number(2, 7)?);
    let kinds = match arguments.get(3) {
        Some(name) => vec![name.parse()?],
        // Single-decree Paxos keeps decisions, and no log.
        None => ProtocolKind::ALL
            .iter()
            .copied()
            .filter(|&kind| kind != ProtocolKind::Paxos)
            .collect(),
    };
    println!("a log of {mebibytes} MiB, commands of {command_bytes} bytes, the median of {rounds} rounds");
    for kind in kinds {
        // Beside the program, which is on a disk; a temporary directory may be in memory.
        let beside = std::env::current_exe()?;
        let data = tempfile::tempdir_in(beside.parent().context("a directory")?)?;
        kind.visit(Fill {
            data: data.path(),
            bytes: mebibytes << 20,
            command_bytes: command_bytes as usize,
        })?;
        measure(kind, data.path(), rounds)?;
    }
    Ok(())
}

/// Runs it, and says how long it took, in microseconds, and how much memory this process needed, in MiB.
fn once(what: impl FnOnce() -> anyhow::Result<u64>) -> anyhow::Result<()> {
    let began = Instant::now();
    let entries = what()?;
    let took = began.elapsed();
    println!("{} {} {entries}", took.as_micros(), peak_memory());
    Ok(())
}

/// The most memory that this process has had, in MiB; 0 where that can not be known.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) / 1024
}

fn measure(kind: ProtocolKind, data: &Path, rounds: u64) -> anyhow::Result<()> {
    let mut times = [Vec::new(), Vec::new()];
    let (mut memory, mut entries) = (0, 0);
    for _ in 0..rounds.max(1) {
        let (read, ..) = child(&["read".as_ref(), data.as_os_str()])?;
        let (recover, peak, found) = child(&["recover".as_ref(), kind.name().as_ref(), data.as_os_str()])?;
        times[0].push(read);
        times[1].push(recover);
        (memory, entries) = (memory.max(peak), found);
    }
    let mut ratios: Vec<f64> = times[1]
        .iter()
        .zip(&times[0])
        .map(|(a, b)| a.as_secs_f64() / b.as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    times.iter_mut().for_each(|times| times.sort_unstable());
    let [read, recover] = times.map(|times| times[times.len() / 2]);
    println!(
        "{:12} {entries} entries: read {:.0} ms, recover {:.0} ms, {:.2} times ({:.2} to {:.2}); {memory} MiB at most",
        kind.name(),
        read.as_secs_f64() * 1000.0,
        recover.as_secs_f64() * 1000.0,
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1],
    );
    Ok(())
}

/// What [`once`] said in a process of its own.
fn child(arguments: &[&std::ffi::OsStr]) -> anyhow::Result<(Duration, u64, u64)> {
    let output = Command::new(std::env::current_exe()?).args(arguments).output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<u64> = text
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [took, memory, entries] = numbers[..] else {
        bail!("{text:?}")
    };
    Ok((Duration::from_micros(took), memory, entries))
}

/// The files of the log.
fn segments(data: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(data.join("wal"))?;
    let paths: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    Ok(paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "wal"))
        .collect())
}

/// Reads the files and does nothing with what they hold.
fn read(paths: &[PathBuf]) -> anyhow::Result<u64> {
    let mut buffer = vec![0; READ_BYTES];
    let mut bytes = 0;
    for path in paths {
        let mut file = File::open(path)?;
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => bytes += count as u64,
            }
        }
    }
    Ok(bytes)
}

fn config() -> anyhow::Result<Config> {
    let mut config = Config::new(NodeId::new("n1")?, [], 5, 50)?;
    (config.snapshot_entries, config.snapshot_log_bytes) = (u64::MAX / 2, u64::MAX);
    Ok(config)
}

struct Recover<'a> {
    data: &'a Path,
}

impl ProtocolVisitor for Recover<'_> {
    type Output = anyhow::Result<u64>;

    fn visit<P>(self) -> Self::Output
    where
        P: Protocol<Message: Send> + Send + 'static,
    {
        let status = offline::examine::<P>(self.data, config()?, Random::seed_from_u64(1))?;
        Ok(status.last_index)
    }
}

/// Fills a log by a cluster of one.
struct Fill<'a> {
    data: &'a Path,
    bytes: u64,
    command_bytes: usize,
}

impl ProtocolVisitor for Fill<'_> {
    type Output = anyhow::Result<()>;

    fn visit<P>(self) -> Self::Output
    where
        P: Protocol<Message: Send> + Send + 'static,
    {
        let mut effects = Vec::new();
        let mut core = P::recover(
            config()?,
            OnDisk::default(),
            Random::seed_from_u64(1),
            &mut effects,
        )?;
        let mut proposed = 0;
        let mut next = 0;
        offline::append(
            self.data,
            std::iter::from_fn(|| {
                let (mut records, mut bytes) = (Vec::new(), 0);
                while proposed < self.bytes && bytes < COMMIT_BYTES {
                    if core.status().role == Role::Leader {
                        let batch: Vec<Proposal> = (0..(GROUP_BYTES / self.command_bytes).max(1))
                            .map(|_| {
                                next += 1;
                                Proposal {
                                    request: RequestId(next),
                                    command: command(next, self.command_bytes),
                                }
                            })
                            .collect();
                        proposed += (batch.len() * self.command_bytes) as u64;
                        core.step(Input::Propose(batch), &mut effects);
                    } else {
                        core.step(Input::Tick, &mut effects);
                    }
                    for record in carry_out(&mut core, &mut effects) {
                        bytes += record.len();
                        records.push(record);
                    }
                }
                (!records.is_empty()).then_some(records)
            }),
        )
    }
}

/// A write whose encoding has about this length.
fn command(number: u64, bytes: usize) -> partita_protocols::Command {
    let key = format!("key{:09}", number % 1_000_000);
    let value = Value::Str(format!(
        "{number:0width$}",
        width = bytes.saturating_sub(20).max(1)
    ));
    let command = store::Command {
        session: None,
        operation: Operation::Write { key, value },
    };
    command.to_bytes().into()
}

/// Takes the records that are to be written, and says at once that they are durable.
fn carry_out<P: Protocol>(core: &mut P, effects: &mut Vec<Effect<P::Message>>) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let mut last = None;
    for effect in effects.drain(..) {
        if let Effect::Persist { write, record } = effect {
            last = Some(write);
            records.push(record);
        }
    }
    if let Some(write) = last {
        core.step(Input::Persisted(write), effects);
    }
    records
}
