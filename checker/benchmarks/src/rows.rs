//! The rows of the table, and how each checker is asked about one.

use partita_checker::{Model, Options, Verdict};
use partita_history::History;

use crate::generate::{self, Object, Shape};
use crate::peers::{self, Peer};
use crate::plain;

/// A row: a history.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, for a reader.
    pub title: &'static str,
    /// What the history is like.
    pub shape: Shape,
    /// The row of the same kind with fewer operations: what did not end there is not asked about this one.
    pub smaller: Option<&'static str>,
}

/// The checkers, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checker {
    Partita,
    Plain,
    Peer(Peer),
}

/// All checkers with their names.
pub const CHECKERS: [(Checker, &str); 5] = [
    (Checker::Partita, "partita"),
    (Checker::Plain, "plain-wgl"),
    (Checker::Peer(Peer::Porcupine), "porcupine-rs"),
    (Checker::Peer(Peer::Todc), "todc-utils"),
    (Checker::Peer(Peer::Stateright), "stateright"),
];

/// What came of one check.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The verdict in a word.
    pub verdict: String,
    /// How many configurations were visited, where that is known.
    pub configurations: Option<u64>,
}

impl Checker {
    /// Whether it can be asked about such objects.
    pub fn knows(self, object: Object) -> bool {
        !matches!(self, Checker::Peer(_)) || object == Object::Register
    }

    /// Judges a history; only ours can be told to stop.
    pub fn check(self, row: &Row, history: &History, stop: &(dyn Fn() -> bool + Sync)) -> Answer {
        let (model, options) = (row.model(), row.options());
        let word = |valid| if valid { "valid" } else { "invalid" }.to_owned();
        match self {
            Checker::Partita => {
                let analysis = partita_checker::check(history, model, &options, stop)
                    .expect("the history fits the model");
                let verified = analysis.keys.iter().map(|key| key.verified_events).min();
                Answer {
                    verdict: match verified {
                        Some(verified) if analysis.verdict == Verdict::Unknown => {
                            format!("unknown after {verified} of {} events", history.events())
                        }
                        _ => analysis.verdict.to_string(),
                    },
                    configurations: Some(analysis.keys.iter().map(|key| key.configurations).sum()),
                }
            }
            Checker::Plain => {
                let (valid, visited) = plain::check(history, model, &options);
                Answer {
                    verdict: word(valid),
                    configurations: Some(visited),
                }
            }
            Checker::Peer(peer) => Answer {
                verdict: word(peers::check(peer, history)),
                configurations: None,
            },
        }
    }
}

impl Row {
    /// Its history.
    pub fn history(&self) -> History {
        generate::history(self.shape, 1)
    }

    /// The model of its object.
    pub fn model(&self) -> &'static Model {
        let name = match self.shape.object {
            Object::Register => "cas-register",
            Object::Strings => "kv",
            Object::Registers => "multi-register",
            Object::Counter => "counter",
            Object::Set => "set",
            Object::Queue => "fifo-queue",
            Object::Stack => "stack",
            Object::PriorityQueue => "priority-queue",
        };
        Model::by_name(name).expect("it is in the registry")
    }

    /// What its check assumes.
    pub fn options(&self) -> Options {
        Options {
            fail: partita_checker::FailMeaning::Observed,
            ..Options::default()
        }
    }

    /// What the verdict must be, where it is known from how the history was made.
    pub fn expected(&self) -> Option<Verdict> {
        (self.shape.wrong == 0).then_some(Verdict::Valid)
    }
}

const BASE: Shape = Shape {
    object: Object::Register,
    keys: 1,
    operations: 0,
    clients: 10,
    values: Some(5),
    crashed_permille: 0,
    wrong: 0,
};

const fn row(name: &'static str, title: &'static str, smaller: Option<&'static str>, shape: Shape) -> Row {
    Row {
        name,
        title,
        shape,
        smaller,
    }
}

/// All rows, in the order of the table.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    row("register-unique-100k", "register, unique values, 10 clients, 100,000 operations", None,
        Shape { values: None, operations: 100_000, ..BASE }),
    row("register-unique-1m", "the same, 100 clients, 1,000,000 operations", Some("register-unique-100k"),
        Shape { values: None, operations: 1_000_000, clients: 100, ..BASE }),
    row("register-unique-10m", "the same, 100 clients, 10,000,000 operations", Some("register-unique-1m"),
        Shape { values: None, operations: 10_000_000, clients: 100, ..BASE }),
    row("set-1m", "set of 1,000 elements, 10 clients, 1,000,000 operations", None,
        Shape { object: Object::Set, values: None, operations: 1_000_000, ..BASE }),
    row("counter-1m", "counter, increments only, 10 clients, 1,000,000 operations", None,
        Shape { object: Object::Counter, values: None, operations: 1_000_000, ..BASE }),
    row("queue-1m", "FIFO queue, unique values, 10 clients, 1,000,000 operations", None,
        Shape { object: Object::Queue, values: None, operations: 1_000_000, ..BASE }),
    row("stack-1m", "stack, unique values, 10 clients, 1,000,000 operations", None,
        Shape { object: Object::Stack, values: None, operations: 1_000_000, ..BASE }),
    row("priority-queue-1m", "priority queue, unique values, 10 clients, 1,000,000 operations", None,
        Shape { object: Object::PriorityQueue, values: None, operations: 1_000_000, ..BASE }),
    row("repeated-1k", "register, 5 values, 10 clients, 1,000 operations", None,
        Shape { operations: 1_000, ..BASE }),
    row("repeated-10k", "the same, 10,000 operations", Some("repeated-1k"),
        Shape { operations: 10_000, ..BASE }),
    row("repeated-100k", "the same, 100,000 operations", Some("repeated-10k"),
        Shape { operations: 100_000, ..BASE }),
    row("repeated-10k-20", "the same, 20 clients, 10,000 operations", Some("repeated-10k"),
        Shape { operations: 10_000, clients: 20, ..BASE }),
    row("repeated-10k-30", "the same, 30 clients, 10,000 operations", Some("repeated-10k-20"),
        Shape { operations: 10_000, clients: 30, ..BASE }),
    row("repeated-10k-wrong", "10 clients, 10,000 operations, 20 wrong reads", Some("repeated-10k"),
        Shape { operations: 10_000, wrong: 20, ..BASE }),
    row("repeated-1m-wrong", "10 clients, 1,000,000 operations, 20 wrong reads", Some("repeated-100k"),
        Shape { operations: 1_000_000, wrong: 20, ..BASE }),
    row("repeated-10k-20-wrong", "20 clients, 10,000 operations, 20 wrong reads", Some("repeated-10k-20"),
        Shape { operations: 10_000, clients: 20, wrong: 20, ..BASE }),
    row("crashed-1", "register, 5 values, 10 clients, 10,000 operations, 1 % of changes crash", Some("repeated-10k"),
        Shape { operations: 10_000, crashed_permille: 10, ..BASE }),
    row("crashed-5", "the same, 5 % of changes crash", Some("crashed-1"),
        Shape { operations: 10_000, crashed_permille: 50, ..BASE }),
    row("crashed-60k", "one key with more than 60,000 crashed changes", Some("crashed-5"),
        Shape { operations: 150_000, crashed_permille: 600, ..BASE }),
    row("queue-repeated", "FIFO queue, 5 values, 10 clients, 10,000 operations", None,
        Shape { object: Object::Queue, operations: 10_000, ..BASE }),
    row("queue-repeated-wrong", "the same, 5 wrong answers", Some("queue-repeated"),
        Shape { object: Object::Queue, operations: 10_000, wrong: 5, ..BASE }),
    row("strings", "key-value store with appends, 10 clients, 10,000 operations", None,
        Shape { object: Object::Strings, operations: 10_000, ..BASE }),
    row("registers", "multi-register, 5 values, 10 clients, 10,000 operations", None,
        Shape { object: Object::Registers, operations: 10_000, ..BASE }),
    row("registers-wrong", "the same, 5 wrong reads", Some("registers"),
        Shape { object: Object::Registers, operations: 10_000, wrong: 5, ..BASE }),
    row("counter-both", "counter with increments and decrements, 10 clients, 10,000 operations", None,
        Shape { object: Object::Counter, operations: 10_000, ..BASE }),
    row("counter-both-wrong", "the same, 5 wrong reads", Some("counter-both"),
        Shape { object: Object::Counter, operations: 10_000, wrong: 5, ..BASE }),
    row("keys-1k", "1,000 keys of 100 operations, 5 values, 10 clients", None,
        Shape { keys: 1_000, operations: 100_000, ..BASE }),
    row("keys-10k", "10,000 keys of 100 operations, 5 values, 10 clients", Some("keys-1k"),
        Shape { keys: 10_000, operations: 1_000_000, ..BASE }),
];
