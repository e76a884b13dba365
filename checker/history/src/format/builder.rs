//! The history that a reader builds.

use super::Options;
use crate::history::Record;
use crate::{Event, FaultEvent, History, Operation, Value};

/// The function of an operation that names none, if its value can only be a transaction's: as Elle has it.
pub(super) const TRANSACTION: &str = "txn";

/// Is this a list of micro-operations, such as `["append", "x", 1]`?
pub(super) fn is_transaction(value: &Value) -> bool {
    let is_micro_operation = |item: &Value| match item {
        Value::List(parts) => matches!(&parts[..], [Value::Str(_), _, _]),
        _ => false,
    };
    matches!(value, Value::List(items) if items.iter().all(is_micro_operation))
}

/// Takes events one by one.
pub(super) struct Builder {
    history: History,
    independent: bool,
    last_index: Option<u64>,
}

impl Builder {
    pub(super) fn new(options: &Options) -> Builder {
        Builder {
            history: History::default(),
            independent: options.independent,
            last_index: None,
        }
    }

    /// The history of all events so far.
    pub(super) fn finish(self) -> History {
        self.history
    }

    /// The operation that a process has open.
    pub(super) fn open_operation(&self, process: u64) -> Option<Operation<'_>> {
        self.history.open_operation(process)
    }

    /// Adds what a client did next.
    ///
    /// # Errors
    /// In words, if it can't have come next.
    pub(super) fn add_op(&mut self, index: Option<u64>, mut record: Record<'_>) -> Result<(), String> {
        if self.independent && record.key.is_none() {
            split_tuple(&mut record);
        }
        let index = self.next_index(index)?;
        self.history.record(record).map_err(|error| error.to_string())?;
        self.last_index = index;
        Ok(())
    }

    /// Adds a phase of a fault.
    ///
    /// # Errors
    /// As [`Builder::add_op`].
    pub(super) fn add_fault(&mut self, index: Option<u64>, fault: FaultEvent) -> Result<(), String> {
        self.last_index = self.next_index(index)?;
        self.add(Event::Fault(fault))
    }

    /// Counts an event that has no bearing.
    ///
    /// # Errors
    /// As [`Builder::add_op`].
    pub(super) fn add_other(&mut self) -> Result<(), String> {
        self.add(Event::Other)
    }

    fn add(&mut self, event: Event) -> Result<(), String> {
        self.history.push(event).map_err(|error| error.to_string())
    }

    /// The last index if this one is added. Indexes have to increase: the order of events is that in which they are
    /// read, and a file whose lines were sorted, merged or doubled would be judged as something that never happened.
    fn next_index(&self, index: Option<u64>) -> Result<Option<u64>, String> {
        match (index, self.last_index) {
            (Some(index), Some(last)) if index == last => Err(format!(
                "index {index} for the second time: each event has its own, and they increase"
            )),
            (Some(index), Some(last)) if index < last => Err(format!(
                "index {index} comes after index {last}: events are expected in the order in which they happened"
            )),
            (None, last) => Ok(last),
            (index, _) => Ok(index),
        }
    }
}

/// Takes `[key value]` apart.
fn split_tuple(record: &mut Record<'_>) {
    if let Value::List(items) = record.value
        && let [key, value] = &items[..]
    {
        record.key = Some(key).filter(|key| !key.is_null());
        record.value = value;
    }
}
