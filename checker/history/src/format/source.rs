//! Bytes with the line and column of each.

use std::io::Read;

use super::{LINE_BYTES_MAX, ReadError};

/// How much is asked of the input at once, in bytes.
const BUFFER_BYTES: usize = 64 << 10;

/// A place in the input: line and column, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

/// A mistake in a part of the input that was taken for itself: line and column within it, from 1.
pub(super) struct Mistake {
    pub(super) line: u64,
    pub(super) column: Option<u64>,
    pub(super) message: String,
}

impl Place {
    pub(super) fn error(self, message: impl Into<String>) -> ReadError {
        ReadError {
            line: self.line,
            column: Some(self.column),
            message: message.into(),
        }
    }

    /// The error for a mistake in the part that begins here.
    pub(super) fn plus(self, mistake: Mistake) -> ReadError {
        let shift = if mistake.line == 1 { self.column - 1 } else { 0 };
        ReadError {
            line: self.line + mistake.line - 1,
            column: mistake.column.map(|column| column + shift),
            message: mistake.message,
        }
    }
}

/// Reads bytes one by one, and knows where it is.
pub(super) struct Source<'a> {
    input: &'a mut dyn Read,
    buffer: Vec<u8>,
    next: usize,
    place: Place,
    /// How many bytes were read since [`Source::begin_item`].
    item_bytes: usize,
    ended: bool,
}

impl<'a> Source<'a> {
    pub(super) fn new(input: &'a mut dyn Read) -> Source<'a> {
        Source {
            input,
            buffer: Vec::new(),
            next: 0,
            place: Place { line: 1, column: 1 },
            item_bytes: 0,
            ended: false,
        }
    }

    /// Says that the input begins at this place of something larger.
    pub(super) fn starting_at(mut self, place: Place) -> Source<'a> {
        self.place = place;
        self
    }

    /// Where the next byte is.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// An error at the next byte.
    pub(super) fn error(&self, message: impl Into<String>) -> ReadError {
        self.place.error(message)
    }

    /// Was the end of the input seen?
    pub(super) fn is_at_end(&self) -> bool {
        self.ended
    }

    /// Begins something that may be [`LINE_BYTES_MAX`] long.
    pub(super) fn begin_item(&mut self) {
        self.item_bytes = 0;
    }

    /// The next byte, which stays the next.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        if self.next == self.buffer.len() {
            self.fill()?;
        }
        Ok(self.buffer.get(self.next).copied())
    }

    /// The next byte, which is then behind us.
    pub(super) fn bump(&mut self) -> Result<Option<u8>, ReadError> {
        let Some(byte) = self.peek()? else {
            return Ok(None);
        };
        self.next += 1;
        self.item_bytes += 1;
        if self.item_bytes > LINE_BYTES_MAX {
            return Err(self.error(format!("this operation is longer than {LINE_BYTES_MAX} bytes")));
        }
        if byte == b'\n' {
            self.place.line += 1;
            self.place.column = 1;
        } else {
            self.place.column += 1;
        }
        Ok(Some(byte))
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        self.buffer.resize(BUFFER_BYTES, 0);
        self.next = 0;
        let read = loop {
            match self.input.read(&mut self.buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.clear();
                    return Err(self.error(format!("can't be read: {error}")));
                }
                Ok(read) => break read,
            }
        };
        self.buffer.truncate(read);
        self.ended = read == 0;
        Ok(())
    }
}
