//! The formats in which histories are read.
//!
//! [`read`] finds out by looking which of [`ALL`] it has before it, or is told; compressed input (gzip, zstd)
//! is decompressed on the way. All readers stream, hold one operation at a time beside the history that they
//! build, and say the line and column of a mistake. An operation may be [`LINE_BYTES_MAX`] long; decompressing takes at
//! most 128 MiB (frames that ask for more are refused); a history of more than 2^32 - 1 events is an error.

mod builder;
pub mod edn;
mod error;
mod jepsen_json;
mod json;
pub mod jsonl;
mod porcupine_kv;
mod source;
mod text;

use std::io::{BufRead, BufReader, Cursor, Read};

pub use error::ReadError;
use flate2::bufread::MultiGzDecoder;

use crate::History;

/// The longest line, or the longest operation where lines don't matter, that is read, in bytes: longer ones
/// are an error, not a reason to run out of memory.
pub const LINE_BYTES_MAX: usize = 16 << 20;

/// How deep values may be nested.
pub const DEPTH_MAX: usize = 100;

/// How much of a file is looked at to find its format, in bytes.
const SNIFFED_BYTES: usize = 8 << 10;

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// How much of what is decompressed is held, in bytes.
const DECOMPRESSED_BYTES: usize = 128 << 10;

/// The mark that some editors put before UTF-8.
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// What can't be read, and why, by how it begins.
const FOREIGN: &[(&[u8], &str)] = &[
    (&[0xff, 0xfe], "is UTF-16, and histories are UTF-8"),
    (&[0xfe, 0xff], "is UTF-16, and histories are UTF-8"),
    (
        b"\xfd7zXZ\0",
        "is compressed with xz: of compressed files, only gzip and zstd are read",
    ),
    (
        b"BZh",
        "is compressed with bzip2: of compressed files, only gzip and zstd are read",
    ),
];

/// A format of histories.
#[derive(Debug)]
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// Can a file that begins with these bytes be of this format?
    pub sniff: fn(&[u8]) -> bool,
    /// Reads a whole history.
    pub read: fn(&mut dyn BufRead, &Options) -> Result<History, ReadError>,
}

/// How a history is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Drop an operation at the very end that was not written whole, as a killed recorder leaves it.
    pub cut_short: bool,
    /// Values are `[key value]`, as tests with `jepsen.independent` write them. Such a pair looks like any
    /// other (say, a compare-and-set's `[from to]`), so this has to be said, unless the pair is tagged.
    pub independent: bool,
}

/// All formats. Where two could be meant, the first is.
pub const ALL: &[Format] = &[
    jsonl::FORMAT,
    jepsen_json::FORMAT,
    porcupine_kv::FORMAT,
    edn::FORMAT,
    text::PORCUPINE_ETCD,
    text::JEPSEN_TXT,
];

/// The format of that name.
pub fn find(name: &str) -> Option<&'static Format> {
    ALL.iter().find(|format| format.name == name)
}

/// The format of a file that begins with these bytes, which must not be compressed. Nothing but white space
/// is an empty history in our own format.
pub fn detect(first_bytes: &[u8]) -> Option<&'static Format> {
    ALL.iter().find(|format| (format.sniff)(first_bytes))
}

/// Reads a whole history, in the format named or else in the one that it seems to have, compressed or not.
///
/// # Errors
/// On input whose format can't be told, that does not parse, or that does not pair.
pub fn read(input: impl BufRead, format: Option<&Format>, options: &Options) -> Result<History, ReadError> {
    let unreadable = |error: std::io::Error| ReadError {
        line: 1,
        column: None,
        message: format!("can't be read: {error}"),
    };
    read_plain(decompressed(input).map_err(unreadable)?, format, options)
}

/// The input itself, or what comes of it if it begins as compressed files do: gzip (RFC 1952, any number of members)
/// or zstd (RFC 8878, any number of frames).
///
/// # Errors
/// When it can't be read. What is wrong further on is an error of the reader that is given back.
pub fn decompressed<'a>(input: impl BufRead + 'a) -> std::io::Result<Box<dyn BufRead + 'a>> {
    let (magic, input) = peek(input, ZSTD_MAGIC.len())?;
    let decoder: Box<dyn Read + 'a> = if magic.starts_with(&GZIP_MAGIC) {
        Box::new(MultiGzDecoder::new(input))
    } else if magic == ZSTD_MAGIC {
        Box::new(zstd::stream::read::Decoder::with_buffer(input)?)
    } else {
        return Ok(Box::new(input));
    };
    Ok(Box::new(BufReader::with_capacity(DECOMPRESSED_BYTES, decoder)))
}

fn read_plain(input: impl BufRead, format: Option<&Format>, options: &Options) -> Result<History, ReadError> {
    let fail = |message| ReadError {
        line: 1,
        column: None,
        message,
    };
    let (first_bytes, mut input) =
        peek(input, SNIFFED_BYTES).map_err(|error| fail(format!("can't be read: {error}")))?;
    if let Some((_, why)) = FOREIGN.iter().find(|(begin, _)| first_bytes.starts_with(begin)) {
        return Err(fail((*why).to_owned()));
    }
    let mut first_bytes = &first_bytes[..];
    if let Some(rest) = first_bytes.strip_prefix(&BYTE_ORDER_MARK) {
        first_bytes = rest;
        input.consume(BYTE_ORDER_MARK.len());
    }
    let format = format.or_else(|| detect(first_bytes)).ok_or_else(|| {
        let names: Vec<_> = ALL.iter().map(|format| format.name).collect();
        fail(format!(
            "does not look like a history in any known format; there are: {}",
            names.join(", ")
        ))
    })?;
    (format.read)(&mut input, options)
}

/// The first bytes of `input`, at most so many, and an input that still begins with them.
fn peek(mut input: impl BufRead, bytes: usize) -> std::io::Result<(Vec<u8>, impl BufRead)> {
    let mut first = Vec::new();
    input.by_ref().take(bytes as u64).read_to_end(&mut first)?;
    Ok((first.clone(), Cursor::new(first).chain(input)))
}
