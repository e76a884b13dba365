//! The columns, before they are compressed.

use partita_history::{History, Operation, Outcome, Value};
use rustc_hash::FxHashMap;
use serde::Serialize;

use super::TEXTS;
use super::thin::{Keep, Level};
use super::values::{self, Texts, number, zigzag};
use crate::words;

/// Functions, nodes and errors are cut beyond this, in characters.
const NAME_CHARS_MAX: usize = 120;
/// How many different errors are kept apart.
const ERRORS_MAX: usize = 2_000;

/// Columns of numbers.
pub(super) struct Rows {
    pub(super) kept: usize,
    pub(super) clipped: bool,
    pub(super) timed: bool,
    pub(super) columns: Vec<(&'static str, Vec<u8>)>,
}

/// Names by their places.
struct Names<K> {
    places: FxHashMap<K, u64>,
    list: Vec<String>,
}

impl<K: std::hash::Hash + Eq> Names<K> {
    fn new() -> Self {
        Names {
            places: FxHashMap::default(),
            list: Vec::new(),
        }
    }

    fn place(&mut self, name: K, text: impl FnOnce() -> String) -> u64 {
        let next = self.list.len() as u64;
        let place = *self.places.entry(name).or_insert(next);
        if place == next {
            self.list.push(text());
        }
        place
    }
}

#[derive(Serialize)]
struct Lists<'a> {
    f: &'a [String],
    key: &'a [String],
    node: &'a [String],
    error: &'a [String],
    value: &'a [String],
}

/// Where the writer of columns stands.
struct Writer<'a> {
    timed: bool,
    tick_ns: u64,
    f: Names<&'a str>,
    key: Names<&'a Value>,
    node: Names<&'a str>,
    error: Names<&'a str>,
    texts: Texts,
    /// The last integer on each key; operations without a key share the first place.
    last: Vec<i64>,
    begun: i64,
    out: Columns,
}

#[derive(Default)]
struct Columns {
    id: Vec<u8>,
    process: Vec<u8>,
    f: Vec<u8>,
    key: Vec<u8>,
    node: Vec<u8>,
    outcome: Vec<u8>,
    begin: Vec<u8>,
    took: Vec<u8>,
    input: Vec<u8>,
    output: Vec<u8>,
    error: Vec<u8>,
}

/// Writes the operations that are kept.
pub(super) fn rows(history: &History, keep: &Keep<'_>, level: &Level) -> Rows {
    let timed = history.operations().any(|operation| operation.invoked.time > 0);
    let mut writer = Writer {
        timed,
        tick_ns: level.tick_ns,
        f: Names::new(),
        key: Names::new(),
        node: Names::new(),
        error: Names::new(),
        texts: Texts::new(level.value_chars),
        last: vec![0],
        begun: 0,
        out: Columns::default(),
    };
    let (mut kept, mut next) = (0, 0);
    for (id, operation) in history.operations().enumerate() {
        if !keep.keeps(id) {
            continue;
        }
        if keep.is_partial() {
            number(&mut writer.out.id, (id - next) as u64);
        }
        next = id + 1;
        kept += 1;
        writer.write(&operation);
    }
    writer.into_rows(kept)
}

impl<'a> Writer<'a> {
    fn write(&mut self, operation: &Operation<'a>) {
        let out = &mut self.out;
        number(&mut out.process, operation.process);
        number(&mut out.f, self.f.place(operation.f, || clip(operation.f)));
        let key = operation
            .key
            .map_or(0, |key| self.key.place(key, || words::key(key)) + 1);
        number(&mut out.key, key);
        if key as usize >= self.last.len() {
            self.last.push(0);
        }
        let node = operation
            .node
            .map_or(0, |node| self.node.place(node, || clip(node)) + 1);
        number(&mut out.node, node);
        number(&mut out.outcome, outcome(operation));
        let tick = |moment: partita_history::Moment| match self.timed {
            true => ((moment.time + self.tick_ns / 2) / self.tick_ns) as i64,
            false => i64::from(moment.position),
        };
        let begin = tick(operation.invoked);
        number(&mut out.begin, zigzag(begin - self.begun));
        self.begun = begin;
        let took = operation
            .completed
            .map_or(0, |completed| (tick(completed) - begin).max(0));
        number(&mut out.took, took as u64);
        let last = &mut self.last[key as usize];
        values::value(&mut out.input, operation.input, None, last, &mut self.texts);
        let result = operation.observed.unwrap_or(operation.output);
        values::value(
            &mut out.output,
            result,
            Some(operation.input),
            last,
            &mut self.texts,
        );
        let error = match operation.error {
            None => 0,
            Some(error) if self.error.list.len() < ERRORS_MAX || self.error.places.contains_key(error) => {
                self.error.place(error, || clip(error)) + 1
            }
            Some(_) => self.error.place("", || "another error".to_owned()) + 1,
        };
        number(&mut out.error, error);
    }

    fn into_rows(self, kept: usize) -> Rows {
        let lists = Lists {
            f: &self.f.list,
            key: &self.key.list,
            node: &self.node.list,
            error: &self.error.list,
            value: &self.texts.list,
        };
        // Lists of strings always have a JSON form.
        let texts = serde_json::to_vec(&lists).unwrap_or_default();
        let out = self.out;
        Rows {
            kept,
            clipped: self.texts.clipped,
            timed: self.timed,
            columns: vec![
                ("id", out.id),
                ("process", out.process),
                ("f", out.f),
                ("key", out.key),
                ("node", out.node),
                ("outcome", out.outcome),
                ("begin", out.begin),
                ("took", out.took),
                ("input", out.input),
                ("output", out.output),
                ("error", out.error),
                (TEXTS, texts),
            ],
        }
    }
}

fn clip(text: &str) -> String {
    words::clip(text, NAME_CHARS_MAX)
}

fn outcome(operation: &Operation) -> u64 {
    match (operation.outcome, operation.completed) {
        (_, None) => 3,
        (Outcome::Ok, _) => 0,
        (Outcome::Fail, _) => 1,
        (Outcome::Info, _) => 2,
    }
}
