//! Operations that make no sense to a model.

use std::fmt;

use partita_history::{OpId, Operation};

/// A history does not fit the model: bad input, and no verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct InputError {
    /// The operation.
    pub operation: OpId,
    /// The position of its invocation in the history, from 0.
    pub position: u32,
    process: u64,
    f: String,
    message: String,
}

impl InputError {
    pub(crate) fn new(id: OpId, operation: &Operation, message: String) -> Self {
        InputError {
            operation: id,
            position: operation.invoked.position,
            process: operation.process,
            f: operation.f.to_owned(),
            message,
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "event {} (`{}` by process {}): {}",
            self.position, self.f, self.process, self.message
        )
    }
}
