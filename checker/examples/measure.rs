//! How long a check takes: a register with reads, writes and compare-and-sets of unique values, on one key.
//!
//! ```sh
//! cargo run --release -p partita-checker --example measure -- OPERATIONS CLIENTS
//! ```
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it measures, and tells"
)]

use std::time::Instant;

use partita_checker::{Model, Options, check};
use partita_history::{Event, EventType, History, OpEvent, Value};
use rand::{RngExt, SeedableRng};

/// What a client is at.
#[derive(Clone)]
enum Client {
    Idle,
    Begun(&'static str, Value),
    /// It took effect, and this is the answer.
    Done(&'static str, EventType, Value, Option<Value>),
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |text| text.parse());
    let (operations, clients) = (number(1_000_000)?, number(100)?);
    let history = linearizable(operations, clients)?;
    let model = Model::by_name("cas-register").ok_or("no such model")?;
    let start = Instant::now();
    let analysis = check(&history, model, &Options::default(), &|| false)?;
    println!(
        "{operations} operations, {clients} clients: {} in {:.0?}",
        analysis.verdict,
        start.elapsed()
    );
    Ok(())
}

/// Clients begin, take effect and end at random: so the order in which they took effect is a linearization.
fn linearizable(operations: usize, clients: usize) -> Result<History, Box<dyn std::error::Error>> {
    let mut rng = rand_chacha::ChaCha12Rng::seed_from_u64(1);
    let mut history = History::default();
    let mut at = vec![Client::Idle; clients];
    let (mut state, mut last_value) = (Value::Null, 0);
    let mut index = 0;
    while history.len() < operations {
        let process = rng.random_range(0..clients);
        let mut event = |kind, f: &str, value, observed| {
            index += 1;
            Event::Op(OpEvent {
                index,
                time: 0,
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
                history.push(event(EventType::Invoke, f, value.clone(), None))?;
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
                history.push(event(kind, f, value, observed))?;
                Client::Idle
            }
        };
    }
    Ok(history)
}
