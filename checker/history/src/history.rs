//! Events paired into operations.

mod operation;
mod pairing_error;
mod table;

use std::collections::BTreeMap;
use std::fmt;

use rustc_hash::FxHashMap;

use crate::{Event, EventType, FaultEvent, OpEvent, Value};

pub use operation::{Moment, Operation, Outcome};
pub use pairing_error::PairingError;

use table::{ABSENT, NULL, Table};

/// The number of an operation, in the order of their invocations, from 0.
pub type OpId = usize;

/// The name of an operation that has no node.
const NO_NAME: u16 = u16::MAX;

/// What a client's event says, borrowed. As [`OpEvent`], but for the index, which nothing depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) time: u64,
    pub(crate) process: u64,
    pub(crate) kind: EventType,
    pub(crate) f: &'a str,
    pub(crate) key: Option<&'a Value>,
    pub(crate) value: &'a Value,
    pub(crate) observed: Option<&'a Value>,
    pub(crate) node: Option<&'a str>,
    pub(crate) error: Option<&'a str>,
}

impl<'a> From<&'a OpEvent> for Record<'a> {
    fn from(event: &'a OpEvent) -> Self {
        Record {
            time: event.time,
            process: event.process,
            kind: event.kind,
            f: &event.f,
            key: event.key.as_ref(),
            value: &event.value,
            observed: event.observed.as_ref(),
            node: event.node.as_deref(),
            error: event.error.as_deref(),
        }
    }
}

/// A process that may still do something.
#[derive(Clone, Copy)]
struct Client {
    /// Index into [`History::processes`].
    process: u32,
    /// The operation that it has open, or [`ABSENT`].
    open: u32,
}

/// Operations, in the order of their invocations, and the faults between them.
///
/// It is kept in columns, and every value once: an operation takes some fifty bytes, and what was never said before.
#[derive(Clone, Default)]
pub struct History {
    /// All phases of all faults, in order.
    pub faults: Vec<FaultEvent>,
    events: u32,
    clients: FxHashMap<u64, Client>,
    /// What the columns know by number.
    processes: Vec<u64>,
    names: Table,
    values: Table,
    // The columns, each with one entry an operation.
    process: Vec<u32>,
    f: Vec<u16>,
    key: Vec<u32>,
    input: Vec<u32>,
    outcome: Vec<Outcome>,
    output: Vec<u32>,
    observed: Vec<u32>,
    invoked: Vec<u32>,
    invoked_at: Vec<u64>,
    /// 0 if there was no such event: that is the position of an invocation at best.
    completed: Vec<u32>,
    completed_at: Vec<u64>,
    node: Vec<u16>,
    /// Only of those that have one.
    error: FxHashMap<u32, u32>,
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
    /// When a process invokes twice without completing, or completes what it did not invoke; when there are too many
    /// events, values or names to be numbered. The history is then as it was before.
    pub fn push(&mut self, event: Event) -> Result<(), PairingError> {
        match event {
            Event::Op(event) => return self.record(Record::from(&event)),
            Event::Fault(fault) => {
                self.next_position()?;
                self.faults.push(fault);
            }
            Event::Other => {
                self.next_position()?;
            }
        }
        self.events += 1;
        Ok(())
    }

    /// Adds what a client did next; as [`History::push`].
    pub(crate) fn record(&mut self, record: Record<'_>) -> Result<(), PairingError> {
        let position = self.next_position()?;
        match record.kind {
            EventType::Invoke => self.invoke(record, position)?,
            EventType::Ok => self.complete(record, Outcome::Ok, position)?,
            EventType::Fail => self.complete(record, Outcome::Fail, position)?,
            EventType::Info => self.complete(record, Outcome::Info, position)?,
        }
        self.events += 1;
        Ok(())
    }

    fn next_position(&self) -> Result<u32, PairingError> {
        match self.events {
            u32::MAX => Err(PairingError::TooLong),
            position => Ok(position),
        }
    }

    fn invoke(&mut self, record: Record<'_>, position: u32) -> Result<(), PairingError> {
        let client = self.clients.get(&record.process).copied();
        if let Some(open) = client.and_then(Client::open) {
            return Err(PairingError::StillOpen {
                process: record.process,
                f: record.f.to_owned(),
                open: self.operation(open).f.to_owned(),
            });
        }
        let f = self.name(record.f)?;
        let node = self.name_if_present(record.node)?;
        let key = self.value_if_present(record.key)?;
        let input = self.value(record.value)?;
        let process = match client {
            Some(client) => client.process,
            None => {
                self.processes.push(record.process);
                self.processes.len() as u32 - 1
            }
        };
        let open = self.len() as u32;
        self.clients.insert(record.process, Client { process, open });
        self.process.push(process);
        self.f.push(f);
        self.key.push(key);
        self.input.push(input);
        self.outcome.push(Outcome::Info);
        self.output.push(NULL);
        self.observed.push(ABSENT);
        self.invoked.push(position);
        self.invoked_at.push(record.time);
        self.completed.push(0);
        self.completed_at.push(0);
        self.node.push(node);
        Ok(())
    }

    fn complete(&mut self, record: Record<'_>, outcome: Outcome, position: u32) -> Result<(), PairingError> {
        let client = self.clients.get(&record.process).copied();
        let Some(id) = client.and_then(Client::open) else {
            return Err(PairingError::NotInvoked {
                process: record.process,
                f: record.f.to_owned(),
            });
        };
        let open = self.operation(id);
        if open.f != record.f {
            return Err(PairingError::OtherFunction {
                process: record.process,
                f: record.f.to_owned(),
                open: open.f.to_owned(),
            });
        }
        // Mostly what was invoked.
        let output = match open.input == record.value {
            true => self.input[id],
            false => self.value(record.value)?,
        };
        let observed = self.value_if_present(record.observed)?;
        let node = self.name_if_present(record.node)?;
        if let Some(error) = record.error {
            let error = self.values.number_of_text(error).ok_or(PairingError::TooLong)?;
            self.error.insert(id as u32, error);
        }
        self.outcome[id] = outcome;
        self.output[id] = output;
        self.observed[id] = observed;
        self.completed[id] = position;
        self.completed_at[id] = record.time;
        if node != NO_NAME {
            self.node[id] = node;
        }
        // A process is retired after an `info`: there may be any number of those.
        if outcome == Outcome::Info {
            self.clients.remove(&record.process);
        } else if let Some(client) = self.clients.get_mut(&record.process) {
            client.open = ABSENT;
        }
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result<u32, PairingError> {
        self.values.number(value).ok_or(PairingError::TooLong)
    }

    fn value_if_present(&mut self, value: Option<&Value>) -> Result<u32, PairingError> {
        value.map_or(Ok(ABSENT), |value| self.value(value))
    }

    fn name(&mut self, name: &str) -> Result<u16, PairingError> {
        self.names
            .number_of_text(name)
            .and_then(|number| u16::try_from(number).ok())
            .filter(|&number| number != NO_NAME)
            .ok_or(PairingError::TooManyNames)
    }

    fn name_if_present(&mut self, name: Option<&str>) -> Result<u16, PairingError> {
        name.map_or(Ok(NO_NAME), |name| self.name(name))
    }

    /// The operation that a process has open.
    pub(crate) fn open_operation(&self, process: u64) -> Option<Operation<'_>> {
        let id = self.clients.get(&process)?.open()?;
        Some(self.operation(id))
    }

    /// How many events were pushed.
    pub fn events(&self) -> u32 {
        self.events
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.f.len()
    }

    /// Are there no operations?
    pub fn is_empty(&self) -> bool {
        self.f.is_empty()
    }

    /// The operation of that number.
    ///
    /// # Panics
    /// If there is none.
    pub fn operation(&self, id: OpId) -> Operation<'_> {
        Operation {
            process: self.processes[self.process[id] as usize],
            f: self.names.text(self.f[id].into()),
            key: self.values.get_if_present(self.key[id]),
            input: self.values.get(self.input[id]),
            outcome: self.outcome[id],
            output: self.values.get(self.output[id]),
            observed: self.values.get_if_present(self.observed[id]),
            invoked: Moment {
                position: self.invoked[id],
                time: self.invoked_at[id],
            },
            completed: (self.completed[id] > 0).then(|| Moment {
                position: self.completed[id],
                time: self.completed_at[id],
            }),
            node: (self.node[id] != NO_NAME).then(|| self.names.text(self.node[id].into())),
            error: self.error_of(id),
        }
    }

    fn error_of(&self, id: OpId) -> Option<&str> {
        if self.outcome[id] == Outcome::Ok && self.error.is_empty() {
            return None;
        }
        self.error.get(&(id as u32)).map(|&error| self.values.text(error))
    }

    /// The operation of that number, if there is one.
    pub fn get(&self, id: OpId) -> Option<Operation<'_>> {
        (id < self.len()).then(|| self.operation(id))
    }

    /// All operations, in the order of their invocations; each has its [`OpId`] as its place.
    pub fn operations(&self) -> impl ExactSizeIterator<Item = Operation<'_>> + DoubleEndedIterator + Clone {
        (0..self.len()).map(|id| self.operation(id))
    }

    /// The keys that occur, each with its operations in the order of their invocations. Operations without a
    /// key share the key `None`.
    pub fn by_key(&self) -> BTreeMap<Option<&Value>, Vec<OpId>> {
        let mut places: FxHashMap<u32, usize> = FxHashMap::default();
        let mut keys: Vec<(u32, Vec<OpId>)> = Vec::new();
        for (id, &key) in self.key.iter().enumerate() {
            let place = *places.entry(key).or_insert(keys.len());
            if place == keys.len() {
                keys.push((key, Vec::new()));
            }
            keys[place].1.push(id);
        }
        keys.into_iter()
            .map(|(key, operations)| (self.values.get_if_present(key), operations))
            .collect()
    }
}

impl Client {
    fn open(self) -> Option<OpId> {
        (self.open != ABSENT).then_some(self.open as OpId)
    }
}

/// The same events, whatever they are known by within.
impl PartialEq for History {
    fn eq(&self, other: &Self) -> bool {
        self.events == other.events && self.faults == other.faults && self.operations().eq(other.operations())
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("events", &self.events)
            .field("faults", &self.faults)
            .field(
                "operations",
                &fmt::from_fn(|f| f.debug_list().entries(self.operations()).finish()),
            )
            .finish()
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
        let [write, read] = history.operations().collect::<Vec<_>>()[..] else {
            panic!("two operations")
        };
        assert_eq!((write.outcome, write.deadline()), (Outcome::Info, None));
        assert_eq!(
            (read.outcome, read.deadline(), read.output),
            (Outcome::Ok, Some(3), &Value::Int(1))
        );
        assert_eq!((history.get(1), history.get(2)), (Some(read), None));
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

    /// Everything that an event may say comes back, and an event that is refused leaves no trace.
    #[test]
    fn an_operation_is_what_its_events_said() {
        let said = |kind, time, value: Value| OpEvent {
            index: 0,
            time,
            process: u64::MAX,
            kind,
            f: "cas".into(),
            key: Some("x".into()),
            value,
            observed: None,
            node: Some("n1".into()),
            error: None,
        };
        let pair = Value::pair(1.into(), "two".into());
        let mut history = History::default();
        let invoked = said(EventType::Invoke, 5, pair.clone());
        history.push(Event::Op(invoked.clone())).unwrap();
        let before = history.clone();
        assert!(history.push(Event::Op(invoked)).is_err());
        assert_eq!(history, before);
        let refused = OpEvent {
            observed: Some(3.into()),
            node: Some("n2".into()),
            error: Some("compare failed".into()),
            ..said(EventType::Fail, 9, pair.clone())
        };
        history.push(Event::Op(refused)).unwrap();
        assert_ne!(history, before);
        let expected = Operation {
            process: u64::MAX,
            f: "cas",
            key: Some(&"x".into()),
            input: &pair,
            outcome: Outcome::Fail,
            output: &pair,
            observed: Some(&3.into()),
            invoked: Moment { position: 0, time: 5 },
            completed: Some(Moment { position: 1, time: 9 }),
            node: Some("n2"),
            error: Some("compare failed"),
        };
        assert_eq!(history.operation(0), expected);
        assert!(format!("{history:?}").contains("compare failed"));
    }

    #[test]
    fn processes_that_are_retired_are_forgotten() {
        let mut history = History::default();
        for process in 0..1_000 {
            history
                .push(event(process, EventType::Invoke, "read", Value::Null))
                .unwrap();
            history
                .push(event(process, EventType::Info, "read", Value::Null))
                .unwrap();
        }
        assert!(history.clients.is_empty());
        let processes: Vec<u64> = history.operations().map(|it| it.process).collect();
        assert_eq!(processes, Vec::from_iter(0..1_000));
    }

    #[test]
    fn there_are_so_many_events_and_no_more() {
        let mut history = History {
            events: u32::MAX - 1,
            ..History::default()
        };
        history
            .push(event(0, EventType::Invoke, "read", Value::Null))
            .unwrap();
        for one_more in [event(1, EventType::Invoke, "read", Value::Null), Event::Other] {
            assert_eq!(history.push(one_more), Err(PairingError::TooLong));
        }
        assert_eq!((history.events(), history.len()), (u32::MAX, 1));
    }

    #[test]
    fn there_are_so_many_names_and_no_more() {
        let mut history = History::default();
        for process in 0..u64::from(u16::MAX) - 1 {
            let f = process.to_string();
            history
                .push(event(process, EventType::Invoke, &f, Value::Null))
                .unwrap();
        }
        let one_more = event(u64::MAX, EventType::Invoke, "one more", Value::Null);
        assert_eq!(history.push(one_more), Err(PairingError::TooManyNames));
        let known = event(u64::MAX, EventType::Invoke, "7", Value::Null);
        history.push(known).unwrap();
        assert_eq!(history.operations().next_back().map(|it| it.f), Some("7"));
    }
}
