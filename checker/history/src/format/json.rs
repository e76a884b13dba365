//! One event as a JSON object, read without a detour: text and values go into buffers that are used again.

mod parts;
mod scan;
mod slot;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use parts::{KindSeed, OptionalText, ProcessSeed, Text, Words};
use slot::Slot;

use super::builder::{Builder, TRANSACTION, is_transaction};
use super::source::Mistake;
use crate::history::Record;
use crate::{EventType, FaultEvent, FaultValue, Value};

/// What a JSON object says.
pub(super) enum Parsed<'a> {
    Op {
        index: Option<u64>,
        record: Record<'a>,
    },
    Fault {
        index: Option<u64>,
        fault: FaultEvent,
    },
    /// Of a process that is not a client.
    Other,
}

impl Parsed<'_> {
    /// Adds it to a history.
    ///
    /// # Errors
    /// In words, if it can't have come next.
    pub(super) fn add_to(self, builder: &mut Builder) -> Result<(), String> {
        match self {
            Parsed::Op { index, record } => builder.add_op(index, record),
            Parsed::Fault { index, fault } => builder.add_fault(index, fault),
            Parsed::Other => builder.add_other(),
        }
    }
}

/// Reads events, one after the other.
#[derive(Default)]
pub(super) struct Reader {
    fields: Fields,
}

/// The fields of an event. The buffers keep what they held; whether it is meant is said beside them.
#[derive(Default)]
struct Fields {
    seen: Seen,
    index: Option<u64>,
    time: Option<u64>,
    process: Process,
    kind: Kind,
    odd_kind: String,
    f: String,
    key: Slot,
    value: Slot,
    observed: Slot,
    node: String,
    error: String,
    /// Are all values what a client's may be? A map is not.
    are_values: bool,
}

/// Which fields were there; those that may be null: and were not.
#[derive(Clone, Copy, Default)]
struct Seen {
    index: bool,
    time: bool,
    process: bool,
    kind: bool,
    f: bool,
    key: bool,
    value: bool,
    observed: bool,
    node: bool,
    error: bool,
}

#[derive(Clone, Copy, Default)]
enum Process {
    Client(u64),
    #[default]
    Named,
}

#[derive(Clone, Copy, Default)]
enum Kind {
    Of(EventType),
    Fault,
    /// It is in [`Fields::odd_kind`]; of processes that are not clients, any will do.
    #[default]
    Odd,
}

impl Reader {
    /// Reads one event from one JSON object.
    pub(super) fn parse(&mut self, text: &[u8]) -> Result<Parsed<'_>, Mistake> {
        if scan::scan(text, &mut self.fields).is_none() {
            self.fields.read(text).map_err(mistake)?;
        }
        let Fields { seen, index, .. } = self.fields;
        let index = index.filter(|_| seen.index);
        let time = self.fields.time.filter(|_| seen.time).unwrap_or(0);
        match (self.fields.process, self.fields.kind) {
            (Process::Client(process), Kind::Of(kind)) => {
                if !self.fields.are_values {
                    return Err(why_odd(text));
                }
                Ok(Parsed::Op {
                    index,
                    record: self.fields.record(process, time, kind),
                })
            }
            (Process::Client(_), Kind::Fault) => Err(somewhere(
                "a fault of a client: `process` is expected to be a name such as \"nemesis\"".to_owned(),
            )),
            (Process::Client(_), Kind::Odd) => Err(somewhere(format!(
                "unknown type `{}`, expected invoke, ok, fail, info or fault",
                self.fields.odd_kind
            ))),
            (Process::Named, Kind::Of(_) | Kind::Odd) => Ok(Parsed::Other),
            (Process::Named, Kind::Fault) => {
                let line: FaultLine = serde_json::from_slice(text).map_err(mistake)?;
                Ok(Parsed::Fault {
                    index,
                    fault: FaultEvent {
                        index: index.unwrap_or(0),
                        time,
                        f: line.f,
                        value: line.value,
                    },
                })
            }
        }
    }
}

impl Fields {
    fn read(&mut self, text: &[u8]) -> serde_json::Result<()> {
        let mut json = serde_json::Deserializer::from_slice(text);
        FieldsSeed(self).deserialize(&mut json)?;
        json.end()
    }

    fn record(&self, process: u64, time: u64, kind: EventType) -> Record<'_> {
        static NULL: Value = Value::Null;
        let seen = self.seen;
        let value = if seen.value { &self.value.value } else { &NULL };
        Record {
            time,
            process,
            kind,
            f: &self.f,
            key: Some(&self.key.value).filter(|key| seen.key && !key.is_null()),
            value,
            observed: Some(&self.observed.value).filter(|_| seen.observed),
            node: Some(self.node.as_str()).filter(|_| seen.node),
            error: Some(self.error.as_str()).filter(|_| seen.error),
        }
    }
}

/// The details of a fault, which are read in a second pass: faults are rare.
#[derive(Deserialize)]
struct FaultLine {
    f: String,
    value: FaultValue,
}

/// Why the values of a client's event are refused.
fn why_odd(text: &[u8]) -> Mistake {
    #[derive(Deserialize)]
    struct Values {
        #[serde(default, rename = "key")]
        _key: Value,
        #[serde(default, rename = "value")]
        _value: Value,
        #[serde(default, rename = "observed")]
        _observed: Value,
    }
    match serde_json::from_slice::<Values>(text) {
        Err(error) => mistake(error),
        Ok(_) => somewhere("the value is not what a client's may be".to_owned()),
    }
}

fn somewhere(message: String) -> Mistake {
    Mistake {
        line: 1,
        column: None,
        message,
    }
}

fn mistake(error: serde_json::Error) -> Mistake {
    let full = error.to_string();
    Mistake {
        line: error.line().max(1) as u64,
        column: Some(error.column() as u64).filter(|&column| column > 0),
        message: full.split(" at line ").next().unwrap_or_default().to_owned(),
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Index,
    Time,
    Process,
    Type,
    F,
    Key,
    Value,
    Observed,
    Node,
    Error,
    #[serde(other)]
    Unknown,
}

struct FieldsSeed<'s>(&'s mut Fields);

impl<'de> DeserializeSeed<'de> for FieldsSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

/// Notes that a field was there.
fn once<E: de::Error>(seen: &mut bool, name: &'static str) -> Result<(), E> {
    if std::mem::replace(seen, true) {
        return Err(E::duplicate_field(name));
    }
    Ok(())
}

impl<'de> Visitor<'de> for FieldsSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an operation: an object, `{...}`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let fields = self.0;
        fields.seen = Seen::default();
        fields.are_values = true;
        let mut seen = Seen::default();
        while let Some(field) = map.next_key()? {
            match field {
                Field::Index => {
                    once(&mut seen.index, "index")?;
                    fields.index = map.next_value()?;
                }
                Field::Time => {
                    once(&mut seen.time, "time")?;
                    fields.time = map.next_value()?;
                }
                Field::Process => {
                    once(&mut seen.process, "process")?;
                    fields.process = map.next_value_seed(ProcessSeed)?;
                }
                Field::Type => {
                    once(&mut seen.kind, "type")?;
                    fields.kind = map.next_value_seed(KindSeed {
                        odd: &mut fields.odd_kind,
                    })?;
                }
                Field::F => {
                    once(&mut seen.f, "f")?;
                    map.next_value_seed(Text {
                        buffer: &mut fields.f,
                    })?;
                }
                Field::Key => {
                    once(&mut seen.key, "key")?;
                    fields.are_values &= map.next_value_seed(&mut fields.key)?;
                }
                Field::Value => {
                    once(&mut seen.value, "value")?;
                    fields.are_values &= map.next_value_seed(&mut fields.value)?;
                }
                Field::Observed => {
                    once(&mut seen.observed, "observed")?;
                    fields.are_values &= map.next_value_seed(&mut fields.observed)?;
                }
                Field::Node => {
                    once(&mut seen.node, "node")?;
                    let buffer = &mut fields.node;
                    fields.seen.node = map.next_value_seed(OptionalText { buffer })?;
                }
                Field::Error => {
                    once(&mut seen.error, "error")?;
                    let buffer = &mut fields.error;
                    fields.seen.error = map.next_value_seed(Words { buffer })?;
                }
                Field::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !seen.f && seen.value && is_transaction(&fields.value.value) {
            TRANSACTION.clone_into(&mut fields.f);
            seen.f = true;
        }
        for (there, name) in [(seen.process, "process"), (seen.kind, "type"), (seen.f, "f")] {
            if !there {
                return Err(de::Error::missing_field(name));
            }
        }
        fields.seen = Seen {
            node: fields.seen.node,
            error: fields.seen.error,
            ..seen
        };
        Ok(())
    }
}
