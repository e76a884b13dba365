//! Every operation of a history, small enough to be carried in a page.
//!
//! Operations are kept in columns; each column is a string of variable-length numbers, mostly differences to what
//! came before, and is compressed by itself, the first bytes of numbers apart from their other bytes. The page's `columns.js` is the other half: it must read what is written
//! here, number by number.
//!
//! ```text
//! id        difference to the operation before, less one; only where operations were left out
//! process   the client's number
//! f         place in the list of functions
//! key       0: none; else place in the list of keys, and one
//! node      0: none; else place in the list of nodes, and one
//! outcome   0 ok, 1 failed, 2 unknown, 3 never ended
//! begin     ticks since the operation before began, zigzag
//! took      ticks until it ended; 0 if it never did
//! input     a value (see `values`)
//! output    a value: the result, or what a refused operation saw
//! error     0: none; else place in the list of errors, and one
//! texts     functions, keys, nodes, errors and other values, as JSON
//! ```
//!
//! - `rows`: the columns. `values`: values as numbers. `thin`: what to leave out where not all fits.

mod rows;
mod thin;
mod values;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::deflate::core::{
    CompressionStrategy, CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params,
};
use partita_history::{History, OpId};
use serde::Serialize;

use rows::{Rows, rows};
use thin::{Keep, LEVELS, Level};

/// How hard to compress: beyond this, time grows and the size hardly shrinks.
const EFFORT: i32 = 6;
/// The column that holds no numbers.
const TEXTS: &str = "texts";
/// Histories of more operations are tried on a part first.
const SAMPLED_FROM: usize = 200_000;
/// The part: one operation of so many.
const SAMPLE_PART: usize = 16;
/// How much of the room a guess may fill.
const MARGIN: f64 = 0.93;

/// Where operations must all be kept: positions of the history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// What the page has to know before it reads the columns.
#[derive(Debug, Serialize)]
pub(crate) struct Meta {
    /// How many operations the history has, and how many are here.
    operations: usize,
    kept: usize,
    /// Of the operations outside of the anomalies' windows, one in so many was kept.
    one_in: usize,
    /// How long a tick is, in seconds; in a history without times a tick is an event.
    tick: f64,
    timed: bool,
    /// Longer values were cut to so many characters, and whether any was.
    value_chars: usize,
    clipped: bool,
    /// The columns, in their order.
    columns: Vec<&'static str>,
}

/// Operations as a text for a page.
pub(crate) struct Columns {
    pub(crate) meta: Meta,
    /// Two chunks of base64 for each column, with a point between, and blanks between columns.
    pub(crate) text: String,
}

/// The operations of a history in at most about `bytes_max` bytes of text, or as few of them as fit.
pub(crate) fn columns(history: &History, windows: &[Window], bytes_max: usize) -> Columns {
    let packed_max = bytes_max / 4 * 3;
    let mut level = first_level(history, packed_max);
    loop {
        let packed = pack(rows(history, &Keep::All, &LEVELS[level]));
        if packed.bytes() <= packed_max {
            return packed.into_columns(history, &LEVELS[level], 1);
        }
        if level + 1 == LEVELS.len() {
            return thinned(history, windows, packed_max, packed.bytes());
        }
        level += 1;
    }
}

/// The finest level at which a part of the history says that all of it fits.
fn first_level(history: &History, packed_max: usize) -> usize {
    if history.len() < SAMPLED_FROM {
        return 0;
    }
    let part = Keep::First(history.len() / SAMPLE_PART);
    let fits = |level: &Level| {
        let bytes = pack(rows(history, &part, level)).bytes() * SAMPLE_PART;
        (bytes as f64) < packed_max as f64 * MARGIN
    };
    LEVELS.iter().position(fits).unwrap_or(LEVELS.len() - 1)
}

/// Keeps the windows whole, and of the rest as many as there is room for.
fn thinned(history: &History, windows: &[Window], packed_max: usize, all_bytes: usize) -> Columns {
    let level = &LEVELS[LEVELS.len() - 1];
    let always = thin::inside(history, windows);
    let thinned = |one_in| {
        let keep = Keep::OneIn {
            one_in,
            always: &always,
        };
        pack(rows(history, &keep, level))
    };
    let none_else = history.len() + 1;
    let alone = thinned(none_else);
    // What is in the windows is kept, whatever the size.
    if alone.bytes() > packed_max {
        return alone.into_columns(history, level, none_else);
    }
    let mut one_in = all_bytes / packed_max.max(1) + 1;
    loop {
        let packed = thinned(one_in);
        if packed.bytes() <= packed_max || one_in > history.len() {
            return packed.into_columns(history, level, one_in);
        }
        one_in = one_in * 3 / 2 + 1;
    }
}

struct Packed {
    kept: usize,
    clipped: bool,
    timed: bool,
    columns: Vec<Pressed>,
}

/// A column, compressed: the first byte of every number, and apart from them the others. Together they would spoil
/// each other's statistics.
struct Pressed {
    name: &'static str,
    first: Vec<u8>,
    rest: Vec<u8>,
}

fn pack(rows: Rows) -> Packed {
    let pressed = |(name, bytes): (&'static str, Vec<u8>)| {
        let (first, rest) = match name {
            TEXTS => (bytes, Vec::new()),
            _ => split(&bytes),
        };
        Pressed {
            name,
            first: deflated(&first),
            rest: deflated(&rest),
        }
    };
    Packed {
        kept: rows.kept,
        clipped: rows.clipped,
        timed: rows.timed,
        columns: rows.columns.into_iter().map(pressed).collect(),
    }
}

/// The first bytes of all numbers, and all others.
fn split(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut first, mut rest) = (Vec::with_capacity(bytes.len()), Vec::new());
    let mut begins = true;
    for &byte in bytes {
        if begins {
            first.push(byte);
        } else {
            rest.push(byte);
        }
        begins = byte & values::MORE == 0;
    }
    (first, rest)
}

/// Compressed, without a header. Short repetitions are chance, and not worth telling.
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let flags = create_comp_flags_from_zip_params(EFFORT, 0, CompressionStrategy::Filtered.into());
    let mut out = Vec::with_capacity(bytes.len() / 2);
    let take = |part: &[u8]| {
        out.extend_from_slice(part);
        true
    };
    compress_to_output(&mut CompressorOxide::new(flags), bytes, TDEFLFlush::Finish, take);
    out
}

impl Packed {
    fn bytes(&self) -> usize {
        let sizes = self
            .columns
            .iter()
            .map(|column| column.first.len() + column.rest.len());
        sizes.sum()
    }

    fn into_columns(self, history: &History, level: &Level, one_in: usize) -> Columns {
        let chunks: Vec<String> = self
            .columns
            .iter()
            .map(|column| {
                format!(
                    "{}.{}",
                    STANDARD.encode(&column.first),
                    STANDARD.encode(&column.rest)
                )
            })
            .collect();
        Columns {
            meta: Meta {
                operations: history.len(),
                kept: self.kept,
                one_in,
                tick: if self.timed {
                    level.tick_ns as f64 / 1e9
                } else {
                    1.0
                },
                timed: self.timed,
                value_chars: level.value_chars,
                clipped: self.clipped,
                columns: self.columns.iter().map(|column| column.name).collect(),
            },
            text: chunks.join(" "),
        }
    }
}

/// A text, compressed as the columns are.
pub(crate) fn press(text: &str) -> String {
    STANDARD.encode(deflated(text.as_bytes()))
}

/// Windows around the begin and the end of an operation: what happened shortly before and after either. What lies
/// between may be most of the run.
pub(crate) fn around(history: &History, id: OpId, events: u32) -> Vec<Window> {
    let Some(operation) = history.get(id) else {
        return Vec::new();
    };
    let ends = [Some(operation.invoked.position), operation.deadline()];
    let window = |position: u32| Window {
        from: position.saturating_sub(events),
        to: position.saturating_add(events),
    };
    ends.into_iter().flatten().map(window).collect()
}

#[cfg(test)]
mod tests;
