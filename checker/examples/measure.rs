//! How long a check takes: a register with reads, writes and compare-and-sets of unique values, on one key. With the
//! history in memory; and from a file, beside the time that serde_json takes to pass over all of its values.
//!
//! ```sh
//! cargo run --release -p partita-checker --example measure -- OPERATIONS CLIENTS
//! ```
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it measures, and tells"
)]

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use partita_checker::{Model, Options, Verdict, check};
use partita_history::{Event, EventType, History, OpEvent, Value, format, jsonl};
use rand::{RngExt, SeedableRng};

/// How often each thing is done; the fastest counts.
const ROUNDS: usize = 3;

type Error = Box<dyn std::error::Error>;

/// What a client is at.
#[derive(Clone)]
enum Client {
    Idle,
    Begun(&'static str, Value),
    /// It took effect, and this is the answer.
    Done(&'static str, EventType, Value, Option<Value>),
}

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |text| text.parse());
    let (operations, clients) = (number(1_000_000)?, number(100)?);
    let events = linearizable(operations, clients);
    let path = std::env::temp_dir().join(format!("partita-measure-{}.jsonl", std::process::id()));
    let measured = write(&path, &events)
        .map_err(Error::from)
        .and_then(|()| measure(&path, operations, clients));
    std::fs::remove_file(&path)?;
    measured
}

fn measure(path: &Path, operations: usize, clients: usize) -> Result<(), Error> {
    let bytes = std::fs::metadata(path)?.len();
    println!("{operations} operations, {clients} clients, {bytes} bytes");
    let (_, passed_over) = fastest(|| pass_over(path))?;
    let before = resident_bytes();
    let (history, read) = fastest(|| {
        Ok(format::read(
            BufReader::new(File::open(path)?),
            None,
            &Default::default(),
        )?)
    })?;
    let after = resident_bytes();
    let (verdict, judged) = fastest(|| judge(&history))?;
    let both = read + judged;
    let ratio = |time: Duration| time.as_secs_f64() / passed_over.as_secs_f64();
    let line = |what, time: Duration| println!("{what:<44} {:>6} ms {:>6.2}", time.as_millis(), ratio(time));
    line("passing over the file's lines (serde_json)", passed_over);
    line("reading it into a history", read);
    line("judging that", judged);
    line("check, from file to verdict", both);
    if let (Some(before), Some(after)) = (before, after) {
        let each = after.saturating_sub(before) / operations as u64;
        println!("the history takes some {each} bytes an operation; the verdict is {verdict}");
    }
    Ok(())
}

/// What it gave, and the time of the fastest of some rounds.
fn fastest<T>(mut act: impl FnMut() -> Result<T, Error>) -> Result<(T, Duration), Error> {
    let (mut best, began) = (Duration::MAX, Instant::now());
    let mut timed = || {
        let start = processor_time(began);
        let given = act()?;
        best = best.min(processor_time(began) - start);
        Ok::<_, Error>(given)
    };
    for _ in 1..ROUNDS {
        timed()?;
    }
    let given = timed()?;
    Ok((given, best))
}

/// The time that the processor has spent on us, or where the system does not tell, the time since we began.
fn processor_time(began: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|told| told.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| began.elapsed(), Duration::from_nanos)
}

/// The least that a reader of JSON lines does.
fn pass_over(path: &Path) -> Result<(), Error> {
    let mut input = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        serde_json::from_slice::<serde::de::IgnoredAny>(&line)?;
        line.clear();
    }
    Ok(())
}

fn judge(history: &History) -> Result<Verdict, Error> {
    let model = Model::by_name("cas-register").ok_or("no such model")?;
    Ok(check(history, model, &Options::default(), &|| false)?.verdict)
}

/// The memory that the process holds, where the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes << 10)
}

fn write(path: &Path, events: &[Event]) -> std::io::Result<()> {
    let mut output = BufWriter::new(File::create(path)?);
    for event in events {
        jsonl::write(&mut output, event)?;
    }
    output.flush()
}

/// Clients begin, take effect and end at random: so the order in which they took effect is a linearization.
fn linearizable(operations: usize, clients: usize) -> Vec<Event> {
    let mut rng = rand_chacha::ChaCha12Rng::seed_from_u64(1);
    let (mut events, mut invoked) = (Vec::new(), 0);
    let mut at = vec![Client::Idle; clients];
    let (mut state, mut last_value) = (Value::Null, 0);
    let mut index = 0;
    while invoked < operations {
        let process = rng.random_range(0..clients);
        let mut event = |kind, f: &str, value, observed| {
            index += 1;
            Event::Op(OpEvent {
                index,
                time: index * 10_007,
                process: process as u64,
                kind,
                f: f.to_owned(),
                key: None,
                value,
                observed,
                node: None,
                error: None,
            })
        };
        at[process] = match at[process].clone() {
            Client::Idle => {
                last_value += 1;
                let (f, value) = match rng.random_range(0..4) {
                    0 => ("write", Value::Int(last_value)),
                    1 => ("cas", Value::pair(state.clone(), Value::Int(last_value))),
                    _ => ("read", Value::Null),
                };
                events.push(event(EventType::Invoke, f, value.clone(), None));
                invoked += 1;
                Client::Begun(f, value)
            }
            Client::Begun(f, value) => match value.as_pair() {
                Some((from, _)) if *from != state => {
                    Client::Done(f, EventType::Fail, value, Some(state.clone()))
                }
                Some((_, to)) => {
                    state = to.clone();
                    Client::Done(f, EventType::Ok, value, None)
                }
                None if f == "write" => {
                    state = value.clone();
                    Client::Done(f, EventType::Ok, value, None)
                }
                None => Client::Done(f, EventType::Ok, state.clone(), None),
            },
            Client::Done(f, kind, value, observed) => {
                events.push(event(kind, f, value, observed));
                Client::Idle
            }
        };
    }
    events
}
