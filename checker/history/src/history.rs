//! Events paired into operations.

use std::collections::BTreeMap;

use crate::{Event, EventType, FaultEvent, OpEvent, Value};

/// The index of an operation in [`History::operations`].
pub type OpId = usize;

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

/// An invocation together with its completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The logical client that did it.
    pub process: u64,
    /// The function: `read`, `write`, `cas`, ...
    pub f: String,
    /// The object acted upon, where there are several.
    pub key: Option<Value>,
    /// The argument, as invoked.
    pub input: Value,
    /// How it ended.
    pub outcome: Outcome,
    /// The result, as completed; null without a completion.
    pub output: Value,
    /// The value that a refused compare-and-set saw.
    pub observed: Option<Value>,
    /// When it was invoked.
    pub invoked: Moment,
    /// The event that ended it, `info` included; none if there was no such event.
    pub completed: Option<Moment>,
    /// The node that the client spoke to.
    pub node: Option<String>,
    /// Why it ended in `fail` or `info`.
    pub error: Option<String>,
}

impl Operation {
    /// The position after which the operation can no longer take effect: none for an unknown outcome, which
    /// may take effect at any later time.
    pub fn deadline(&self) -> Option<u32> {
        match self.outcome {
            Outcome::Info => None,
            Outcome::Ok | Outcome::Fail => self.completed.map(|moment| moment.position),
        }
    }
}

/// Why events could not be paired.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PairingError {
    /// A second invocation while one is open.
    #[error(
        "process {process} invokes `{f}` while its `{open}` is still open (a process does one thing at a time)"
    )]
    StillOpen {
        /// The process.
        process: u64,
        /// The function invoked.
        f: String,
        /// The function still open.
        open: String,
    },
    /// A completion with nothing to complete.
    #[error("process {process} completes `{f}`, which it had not invoked")]
    NotInvoked {
        /// The process.
        process: u64,
        /// The function completed.
        f: String,
    },
    /// A completion of another function than the open one.
    #[error("process {process} completes `{f}`, but the operation it has open is `{open}`")]
    OtherFunction {
        /// The process.
        process: u64,
        /// The function completed.
        f: String,
        /// The function open.
        open: String,
    },
    /// More events than positions.
    #[error("a history holds at most {} events", u32::MAX)]
    TooLong,
}

/// Operations, in the order of their invocations, and the faults between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// All operations; an [`OpId`] is an index into it.
    pub operations: Vec<Operation>,
    /// All phases of all faults, in order.
    pub faults: Vec<FaultEvent>,
    open: BTreeMap<u64, OpId>,
    events: u32,
}

impl History {
    /// Pairs events that are in the order in which they happened.
    ///
    /// # Errors
    /// See [`History::push`].
    pub fn from_events(events: impl IntoIterator<Item = Event>) -> Result<History, PairingError> {
        let mut history = History::default();
        for event in events {
            history.push(event)?;
        }
        Ok(history)
    }

    /// Adds the next event.
    ///
    /// # Errors
    /// When a process invokes twice without completing, or completes what it did not invoke. The history is
    /// then as it was before.
    pub fn push(&mut self, event: Event) -> Result<(), PairingError> {
        let position = self.events;
        if position == u32::MAX {
            return Err(PairingError::TooLong);
        }
        match event {
            Event::Op(event) if event.kind == EventType::Invoke => self.invoke(event, position)?,
            Event::Op(event) => self.complete(event, position)?,
            Event::Fault(fault) => self.faults.push(fault),
            Event::Other => {}
        }
        self.events += 1;
        Ok(())
    }

    fn invoke(&mut self, event: OpEvent, position: u32) -> Result<(), PairingError> {
        if let Some(&open) = self.open.get(&event.process) {
            return Err(PairingError::StillOpen {
                process: event.process,
                f: event.f,
                open: self.operations[open].f.clone(),
            });
        }
        self.open.insert(event.process, self.operations.len());
        self.operations.push(Operation {
            process: event.process,
            f: event.f,
            key: event.key,
            input: event.value,
            outcome: Outcome::Info,
            output: Value::Null,
            observed: None,
            invoked: Moment {
                position,
                time: event.time,
            },
            completed: None,
            node: event.node,
            error: None,
        });
        Ok(())
    }

    fn complete(&mut self, event: OpEvent, position: u32) -> Result<(), PairingError> {
        let Some(&id) = self.open.get(&event.process) else {
            return Err(PairingError::NotInvoked {
                process: event.process,
                f: event.f,
            });
        };
        let operation = &mut self.operations[id];
        if operation.f != event.f {
            return Err(PairingError::OtherFunction {
                process: event.process,
                f: event.f,
                open: operation.f.clone(),
            });
        }
        self.open.remove(&event.process);
        operation.outcome = match event.kind {
            EventType::Ok => Outcome::Ok,
            EventType::Fail => Outcome::Fail,
            EventType::Info | EventType::Invoke => Outcome::Info,
        };
        operation.output = event.value;
        operation.observed = event.observed;
        operation.error = event.error;
        operation.node = event.node.or(operation.node.take());
        operation.completed = Some(Moment {
            position,
            time: event.time,
        });
        Ok(())
    }

    /// The operation that a process has open.
    pub(crate) fn open_operation(&self, process: u64) -> Option<&Operation> {
        self.open.get(&process).map(|&id| &self.operations[id])
    }

    /// How many events were pushed.
    pub fn events(&self) -> u32 {
        self.events
    }

    /// The keys that occur, each with its operations in the order of their invocations. Operations without a
    /// key share the key `None`.
    pub fn by_key(&self) -> BTreeMap<Option<&Value>, Vec<OpId>> {
        let mut keys: BTreeMap<Option<&Value>, Vec<OpId>> = BTreeMap::new();
        for (id, operation) in self.operations.iter().enumerate() {
            keys.entry(operation.key.as_ref()).or_default().push(id);
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(process: u64, kind: EventType, f: &str, value: Value) -> Event {
        Event::Op(OpEvent {
            index: 0,
            time: 0,
            process,
            kind,
            f: f.into(),
            key: None,
            value,
            observed: None,
            node: None,
            error: None,
        })
    }

    #[test]
    fn pairs_by_process_and_leaves_the_rest_unknown() {
        let history = History::from_events([
            event(0, EventType::Invoke, "write", 1.into()),
            event(1, EventType::Invoke, "read", Value::Null),
            Event::Other,
            event(1, EventType::Ok, "read", 1.into()),
        ])
        .unwrap();
        let [write, read] = &history.operations[..] else {
            panic!("two operations")
        };
        assert_eq!((write.outcome, write.deadline()), (Outcome::Info, None));
        assert_eq!(
            (read.outcome, read.deadline(), &read.output),
            (Outcome::Ok, Some(3), &Value::Int(1))
        );
    }

    #[test]
    fn refuses_what_no_client_can_have_done() {
        let twice = [
            event(0, EventType::Invoke, "read", Value::Null),
            event(0, EventType::Invoke, "read", Value::Null),
        ];
        assert!(matches!(
            History::from_events(twice),
            Err(PairingError::StillOpen { .. })
        ));
        let from_nothing = [event(0, EventType::Ok, "read", Value::Null)];
        assert!(matches!(
            History::from_events(from_nothing),
            Err(PairingError::NotInvoked { .. })
        ));
        let other = [
            event(0, EventType::Invoke, "read", Value::Null),
            event(0, EventType::Ok, "write", Value::Null),
        ];
        assert!(matches!(
            History::from_events(other),
            Err(PairingError::OtherFunction { .. })
        ));
    }
}
