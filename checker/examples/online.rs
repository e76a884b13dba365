//! How fast events are followed while they happen, and how much is remembered: a register with reads, writes and
//! compare-and-sets of unique values, on one key.
//!
//! ```sh
//! cargo run --release -p partita-checker --example online -- OPERATIONS CLIENTS
//! ```
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it measures, and tells"
)]

use std::time::{Duration, Instant};

use partita_checker::online::{Online, Standing};
use partita_checker::{Model, Options};
use partita_history::{EventType, OpEvent, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// Events are made so many at a time, and only following them is timed.
const BATCH: usize = 100_000;

/// What a client is at.
enum Client {
    Idle,
    Begun(&'static str, Value),
    /// It took effect, and this is the answer.
    Done(&'static str, EventType, Value, Option<Value>),
}

/// Clients begin, take effect and end at random: so the order in which they took effect is a linearization.
struct Clients {
    rng: ChaCha12Rng,
    all: Vec<Client>,
    state: Value,
    last_value: i64,
    index: u64,
}

impl Clients {
    fn new(clients: usize) -> Clients {
        Clients {
            rng: ChaCha12Rng::seed_from_u64(1),
            all: (0..clients).map(|_| Client::Idle).collect(),
            state: Value::Null,
            last_value: 0,
            index: 0,
        }
    }

    fn event(&mut self) -> OpEvent {
        loop {
            let process = self.rng.random_range(0..self.all.len());
            let (kind, f, value, observed) = match std::mem::replace(&mut self.all[process], Client::Idle) {
                Client::Idle => {
                    let (f, value) = self.operation();
                    self.all[process] = Client::Begun(f, value.clone());
                    (EventType::Invoke, f, value, None)
                }
                Client::Begun(f, value) => {
                    self.all[process] = self.effect(f, value);
                    continue;
                }
                Client::Done(f, kind, value, observed) => (kind, f, value, observed),
            };
            self.index += 1;
            return OpEvent {
                index: self.index - 1,
                time: 0,
                process: process as u64,
                kind,
                f: f.to_owned(),
                key: None,
                value,
                observed,
                node: None,
                error: None,
            };
        }
    }

    fn operation(&mut self) -> (&'static str, Value) {
        self.last_value += 1;
        let value = Value::Int(self.last_value);
        match self.rng.random_range(0..4) {
            0 => ("write", value),
            1 => ("cas", Value::pair(self.state.clone(), value)),
            _ => ("read", Value::Null),
        }
    }

    fn effect(&mut self, f: &'static str, value: Value) -> Client {
        match value.as_pair() {
            Some((from, _)) if *from != self.state => {
                Client::Done(f, EventType::Fail, value, Some(self.state.clone()))
            }
            Some((_, to)) => {
                self.state = to.clone();
                Client::Done(f, EventType::Ok, value, None)
            }
            None if f == "write" => {
                self.state = value.clone();
                Client::Done(f, EventType::Ok, value, None)
            }
            None => Client::Done(f, EventType::Ok, self.state.clone(), None),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |text| text.parse());
    let (operations, clients) = (number(10_000_000)?, number(100)?);
    let model = Model::by_name("cas-register").ok_or("no such model")?;
    let mut online = Online::new(model, &Options::default());
    let mut source = Clients::new(clients);
    let (mut spent, mut most, mut followed) = (Duration::ZERO, 0, 0);
    let mut next_line = BATCH;
    while followed < 2 * operations {
        let events: Vec<OpEvent> = (0..BATCH).map(|_| source.event()).collect();
        let start = Instant::now();
        for event in &events {
            online.push(u32::try_from(event.index)?, event)?;
        }
        spent += start.elapsed();
        followed += events.len();
        most = most.max(online.size());
        if followed >= next_line {
            println!(
                "{followed:>9} events, {clients} clients: {:.0} events/s, at most {most} things remembered",
                followed as f64 / spent.as_secs_f64()
            );
            next_line *= 10;
        }
    }
    println!(
        "{followed:>9} events, {clients} clients: {:.0} events/s, at most {most} things remembered, {} KiB resident",
        followed as f64 / spent.as_secs_f64(),
        resident_kib().unwrap_or(0)
    );
    match online.finish().as_slice() {
        [(None, Standing::Linearizable)] => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// The most memory that was resident at any time, in KiB.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}
