//! How fast the replicated store applies commands, and for how long a copy of it stops the node.
//!
//! `cargo run --release -p partita-replica --example store_speed -- [KEYS]`

#![expect(clippy::print_stdout, reason = "a measurement is for whoever runs it")]

use std::time::{Duration, Instant};

use partita_protocols::Encode as _;
use partita_protocols::store::{Command, Operation, SessionSequence, Store, Value};

/// Sessions that take turns.
const SESSIONS: u64 = 1_000;

/// The command of this number, for a key that a multiplicative generator scatters.
fn command(number: u64, keys: u64) -> Vec<u8> {
    let key = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % keys;
    let command = Command {
        session: Some(SessionSequence {
            session: format!("client-{}", number % SESSIONS),
            sequence: 1 + number / SESSIONS,
        }),
        operation: Operation::Write {
            key: format!("key-{key:08}"),
            value: Value::Int(number.cast_signed()),
        },
    };
    command.to_bytes()
}

/// Applies these commands; gives how long all took, and the longest.
fn apply(store: &mut Store, commands: &[Vec<u8>]) -> (Duration, Duration) {
    let began = Instant::now();
    let mut longest = Duration::ZERO;
    let mut last = began;
    for command in commands {
        store.apply_bytes(command).expect("a good command");
        let now = Instant::now();
        longest = longest.max(now - last);
        last = now;
    }
    (began.elapsed(), longest)
}

fn main() {
    let keys = std::env::args()
        .nth(1)
        .map_or(1_000_000, |keys| keys.parse().expect("a number of keys"));
    let mut store = Store::default();
    let mut next = 0;
    let mut more = |count: u64| {
        let commands: Vec<_> = (next..next + count).map(|number| command(number, keys)).collect();
        next += count;
        commands
    };
    let mut round = |what: &str, store: &mut Store, count: u64| {
        let commands = more(count);
        let (all, longest) = apply(store, &commands);
        let rate = commands.len() as f64 / all.as_secs_f64();
        println!("{what}: {rate:.0} commands a second, the longest took {longest:?}");
    };
    round("fill", &mut store, 2 * keys);
    round("steady", &mut store, keys);
    let began = Instant::now();
    let copy = store.clone();
    println!("copy: {:?}", began.elapsed());
    round("after the copy", &mut store, keys);
    let began = Instant::now();
    let bytes = copy.to_bytes();
    println!("encode the copy: {:?}, {} bytes", began.elapsed(), bytes.len());
}
