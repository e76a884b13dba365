//! Where and why a history could not be read.

use std::fmt;

/// Why a history could not be read: where, and what was expected there.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub struct ReadError {
    /// The line, from 1. In a compressed file, of what it holds.
    pub line: u64,
    /// The column, from 1, in bytes, where it is known.
    pub column: Option<u64>,
    /// What was wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "line {}, column {column}: {}", self.line, self.message),
            None => write!(f, "line {}: {}", self.line, self.message),
        }
    }
}
