//! What must be so of every reader, whatever bytes it is given.
//!
//! `checker/fuzz` lets a fuzzer choose the bytes; a test here replays the seeds beside it, and thousands of mutations of
//! them.

use crate::format::{self, Options, edn, jsonl};
use crate::{Event, EventType, History, OpEvent, Operation, Outcome, Value};

/// The deepest values that every format takes.
const DEPTH_MAX: usize = 90;

/// Reads bytes in the format of that name, or in the one that they seem to have. A mistake must have a place and words;
/// a history must be no larger than what it was read from, and the same when it is written and read again.
///
/// # Panics
/// If anything of this is not so, or if there is no such format.
pub fn read(name: Option<&str>, bytes: &[u8]) {
    let format = name.map(|name| format::find(name).expect("a format"));
    for (cut_short, independent) in [(false, false), (true, true)] {
        let options = Options {
            cut_short,
            independent,
        };
        match format::read(bytes, format, &options) {
            Ok(history) => {
                // What is compressed may hold more than its size.
                let is_plain = !bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
                assert!(!is_plain || history.events() as usize <= bytes.len());
                write_and_read(&history);
            }
            Err(error) => {
                assert!(error.line >= 1 && error.column != Some(0) && !error.message.is_empty());
            }
        }
    }
}

fn write_and_read(history: &History) {
    let events = events(history);
    let paired = History::from_events(events.iter().cloned().map(Event::Op)).expect("they were paired");
    type Write = fn(&mut Vec<u8>, &Event) -> std::io::Result<()>;
    let formats: [(&str, Write); 2] = [
        ("jsonl", |output, event| jsonl::write(output, event)),
        ("edn", |output, event| edn::write(output, event)),
    ];
    if !events.iter().all(is_common) {
        return;
    }
    for (name, write) in formats {
        let mut written = Vec::new();
        for event in &events {
            write(&mut written, &Event::Op(event.clone())).expect("memory takes it");
        }
        let read = format::read(&written[..], format::find(name), &Options::default());
        assert_eq!(
            read.as_ref(),
            Ok(&paired),
            "{}",
            String::from_utf8_lossy(&written)
        );
    }
}

/// Whether an event can be written in every format: some go deeper than others, or know smaller numbers.
fn is_common(event: &OpEvent) -> bool {
    fn depth(value: &Value) -> usize {
        match value {
            Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }
    let values = [event.key.as_ref(), Some(&event.value), event.observed.as_ref()];
    let fits = |number: u64| i64::try_from(number).is_ok();
    values
        .into_iter()
        .flatten()
        .all(|value| depth(value) <= DEPTH_MAX)
        && fits(event.process)
        && fits(event.time)
}

/// The clients' events that a history came from, numbered anew.
fn events(history: &History) -> Vec<OpEvent> {
    let mut events: Vec<(u32, OpEvent)> = Vec::new();
    for operation in history.operations() {
        let Operation {
            invoked, completed, ..
        } = operation;
        events.push((invoked.position, event(operation, EventType::Invoke)));
        if let Some(completed) = completed {
            let kind = match operation.outcome {
                Outcome::Ok => EventType::Ok,
                Outcome::Fail => EventType::Fail,
                Outcome::Info => EventType::Info,
            };
            events.push((completed.position, event(operation, kind)));
        }
    }
    events.sort_by_key(|&(position, _)| position);
    let numbered = (0..).zip(events);
    numbered
        .map(|(index, (_, event))| OpEvent { index, ..event })
        .collect()
}

fn event(operation: Operation<'_>, kind: EventType) -> OpEvent {
    let begins = kind == EventType::Invoke;
    let moment = operation
        .completed
        .filter(|_| !begins)
        .unwrap_or(operation.invoked);
    OpEvent {
        index: 0,
        time: moment.time,
        process: operation.process,
        kind,
        f: operation.f.to_owned(),
        key: operation.key.cloned(),
        value: if begins { operation.input } else { operation.output }.clone(),
        observed: operation.observed.filter(|_| !begins).cloned(),
        node: operation.node.map(str::to_owned),
        error: operation.error.filter(|_| !begins).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// How often each seed is mutated.
    const MUTATIONS: u64 = 400;

    /// Bytes that mean something to some reader.
    const ODD_BYTES: &[u8] = b"{}[]()\"\\:,#;0-9n \n\r\0\xff";

    struct Mutator(ChaCha8Rng);

    impl Mutator {
        fn below(&mut self, end: usize) -> usize {
            self.0.random_range(0..end.max(1))
        }

        /// Flips, cuts, splices, and lines that are doubled, moved or lost.
        fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
            for _ in 0..=self.below(3) {
                let (at, to) = (self.below(bytes.len()), self.below(other.len()));
                match self.below(7) {
                    0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                    1 if !bytes.is_empty() => bytes[at] = ODD_BYTES[self.below(ODD_BYTES.len())],
                    2 => bytes.truncate(at),
                    3 => {
                        bytes.truncate(at);
                        bytes.extend(&other[to..]);
                    }
                    4 => {
                        let end = (to + self.below(20)).min(other.len());
                        bytes.splice(at..at, other[to..end].iter().copied());
                    }
                    5 => {
                        let end = (at + 1 + self.below(12)).min(bytes.len());
                        bytes.drain(at.min(end)..end);
                    }
                    _ => {
                        let mut lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
                        let (from, to) = (self.below(lines.len()), self.below(lines.len()));
                        let line = lines[from];
                        match self.below(3) {
                            0 => lines.insert(to, line),
                            1 => lines.swap(from, to),
                            _ => {
                                lines.remove(from);
                            }
                        }
                        *bytes = lines.join(&b'\n');
                    }
                }
            }
        }
    }

    #[test]
    fn mutated_seeds_are_read_or_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        let mut targets = Vec::new();
        for name in format::ALL.iter().map(|format| Some(format.name)).chain([None]) {
            let folder = folder.join(name.map_or("detect".to_owned(), |name| format!("read-{name}")));
            let mut paths: Vec<_> = std::fs::read_dir(&folder)
                .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
                .map(|entry| entry.unwrap().path())
                .collect();
            paths.sort();
            assert!(!paths.is_empty(), "no seeds in {}", folder.display());
            for path in paths {
                targets.push((name, std::fs::read(path).unwrap()));
            }
        }
        for (i, (name, seed)) in targets.iter().enumerate() {
            read(*name, seed);
            let Ok(history) = format::read(&seed[..], name.and_then(format::find), &Options::default())
            else {
                panic!(
                    "a seed of {name:?} can't be read: {}",
                    String::from_utf8_lossy(seed)
                );
            };
            assert!(!history.is_empty());
            for round in 0..MUTATIONS {
                let mut mutator = Mutator(ChaCha8Rng::seed_from_u64((i as u64) << 32 | round));
                let other = &targets[mutator.below(targets.len())].1;
                let mut bytes = seed.clone();
                mutator.mutate(&mut bytes, other);
                let caught = std::panic::catch_unwind(|| read(*name, &bytes));
                assert!(
                    caught.is_ok(),
                    "target {i} ({name:?}), round {round}: {:?}",
                    String::from_utf8_lossy(&bytes)
                );
            }
        }
    }
}
