//! One operation, as it is seen in a history.

use crate::Value;

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// It happened.
    Ok,
    /// It certainly did not happen.
    Fail,
    /// We can't know: it ended in `info`, or it never ended.
    Info,
}

/// When an event happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Position among all events of the history. Order is judged by position and never by time, because a
    /// clock may read the same twice.
    pub position: u32,
    /// Nanoseconds since the start of the run; 0 where the source has no times.
    pub time: u64,
}

/// An invocation together with its completion: a view of one row of a [`History`](crate::History).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operation<'a> {
    /// The logical client that did it.
    pub process: u64,
    /// The function: `read`, `write`, `cas`, ...
    pub f: &'a str,
    /// The object acted upon, where there are several.
    pub key: Option<&'a Value>,
    /// The argument, as invoked.
    pub input: &'a Value,
    /// How it ended.
    pub outcome: Outcome,
    /// The result, as completed; null without a completion.
    pub output: &'a Value,
    /// The value that a refused compare-and-set saw.
    pub observed: Option<&'a Value>,
    /// When it was invoked.
    pub invoked: Moment,
    /// The event that ended it, `info` included; none if there was no such event.
    pub completed: Option<Moment>,
    /// The node that the client spoke to.
    pub node: Option<&'a str>,
    /// Why it ended in `fail` or `info`.
    pub error: Option<&'a str>,
}

impl Operation<'_> {
    /// The position after which the operation can no longer take effect: none for an unknown outcome, which
    /// may take effect at any later time.
    pub fn deadline(&self) -> Option<u32> {
        match self.outcome {
            Outcome::Info => None,
            Outcome::Ok | Outcome::Fail => self.completed.map(|moment| moment.position),
        }
    }
}
