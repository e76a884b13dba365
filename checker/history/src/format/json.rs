//! One event as a JSON object, read without a detour: text and values go into buffers that are used again.

mod scan;

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

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

struct ProcessSeed;

impl<'de> DeserializeSeed<'de> for ProcessSeed {
    type Value = Process;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Process, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for ProcessSeed {
    type Value = Process;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number of a process, from 0, or a name such as \"nemesis\"")
    }

    fn visit_u64<E: de::Error>(self, process: u64) -> Result<Process, E> {
        Ok(Process::Client(process))
    }

    fn visit_str<E: de::Error>(self, _name: &str) -> Result<Process, E> {
        Ok(Process::Named)
    }
}

struct KindSeed<'s> {
    odd: &'s mut String,
}

impl<'de> DeserializeSeed<'de> for KindSeed<'_> {
    type Value = Kind;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KindSeed<'_> {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string: invoke, ok, fail, info or fault")
    }

    fn visit_str<E: de::Error>(self, kind: &str) -> Result<Kind, E> {
        Ok(match kind {
            "invoke" => Kind::Of(EventType::Invoke),
            "ok" => Kind::Of(EventType::Ok),
            "fail" => Kind::Of(EventType::Fail),
            "info" => Kind::Of(EventType::Info),
            "fault" => Kind::Fault,
            _ => {
                kind.clone_into(self.odd);
                Kind::Odd
            }
        })
    }
}

/// A string.
struct Text<'s> {
    buffer: &'s mut String,
}

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Text<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        text.clone_into(self.buffer);
        Ok(())
    }
}

/// A string, or null; whether it was one.
struct OptionalText<'s> {
    buffer: &'s mut String,
}

impl<'de> DeserializeSeed<'de> for OptionalText<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for OptionalText<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or null")
    }

    fn visit_none<E: de::Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        let OptionalText { buffer } = self;
        Text { buffer }.deserialize(deserializer).map(|()| true)
    }
}

/// Anything, in words; whether it was not null. Jepsen's clients give errors as lists and maps too; they are only
/// shown.
struct Words<'s> {
    buffer: &'s mut String,
}

impl<'de> DeserializeSeed<'de> for Words<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Null => return Ok(false),
            serde_json::Value::String(message) => *self.buffer = message,
            other => *self.buffer = other.to_string(),
        }
        Ok(true)
    }
}

/// A place for a value, which keeps the memory of the values that were there before.
#[derive(Default)]
struct Slot {
    value: Value,
    text: String,
    items: Vec<Value>,
}

impl Slot {
    /// The place for a value whose JSON begins with this byte.
    fn place(&mut self, first: u8) -> &mut Value {
        match std::mem::take(&mut self.value) {
            Value::Str(text) => self.text = text,
            Value::List(items) => self.items = items,
            Value::Null | Value::Int(_) => {}
        }
        match first {
            b'"' => self.value = Value::Str(std::mem::take(&mut self.text)),
            b'[' => self.value = Value::List(std::mem::take(&mut self.items)),
            _ => {}
        }
        &mut self.value
    }
}

/// Puts a value into a slot, or passes over something that can't be a client's value, such as a map; whether it was
/// one.
impl<'de> DeserializeSeed<'de> for &mut Slot {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        self.place(b'n');
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Slot {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_i64<E: de::Error>(self, int: i64) -> Result<bool, E> {
        self.value = Value::Int(int);
        Ok(true)
    }

    fn visit_u64<E: de::Error>(self, int: u64) -> Result<bool, E> {
        Ok(match i64::try_from(int) {
            Ok(int) => self.visit_i64(int)?,
            Err(_) => false,
        })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<bool, E> {
        text.clone_into(&mut self.text);
        self.value = Value::Str(std::mem::take(&mut self.text));
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        let mut items = std::mem::take(&mut self.items);
        let mut slot = Slot::default();
        let (mut len, mut is_value) = (0, true);
        loop {
            // An item takes the place, and the memory, of the one that was there.
            if let Some(place) = items.get_mut(len) {
                slot.value = std::mem::take(place);
            }
            let Some(item_is_value) = seq.next_element_seed(&mut slot)? else {
                break;
            };
            is_value &= item_is_value;
            let item = std::mem::take(&mut slot.value);
            match items.get_mut(len) {
                Some(place) => *place = item,
                None => items.push(item),
            }
            len += 1;
        }
        items.truncate(len);
        self.value = Value::List(items);
        Ok(is_value)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a reader makes of a line, in words, by the short cut or without it.
    fn told(fields: &Fields) -> String {
        let process = match fields.process {
            Process::Client(process) => process,
            Process::Named => return "not a client's".to_owned(),
        };
        let Kind::Of(kind) = fields.kind else {
            return "of no type".to_owned();
        };
        let record = fields.record(
            process,
            fields.time.filter(|_| fields.seen.time).unwrap_or(0),
            kind,
        );
        let index = fields.index.filter(|_| fields.seen.index);
        format!("{index:?} {record:?} {}", fields.are_values)
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "null",
            "0",
            "7",
            "-3",
            "-0",
            "01",
            "1.5",
            "1e3",
            "999999999999999999",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "\"\"",
            "\"x\"",
            "\"a b\"",
            "\"\\n\"",
            "\"é\"",
            "\"\u{7f}\"",
            "\"\t\"",
            "true",
            "{}",
            "{\"a\":1}",
            "[",
            "-",
            "",
        ]);
        leaf.prop_map(str::to_owned).prop_recursive(6, 20, 3, |inner| {
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(",")))
        })
    }

    fn field() -> impl Strategy<Value = String> {
        let name = prop::sample::select(vec![
            "index", "time", "process", "type", "f", "key", "value", "observed", "node", "error", "more",
        ]);
        (name, json()).prop_map(|(name, value)| format!("\"{name}\":{value}"))
    }

    fn line() -> impl Strategy<Value = String> {
        let kind = prop::sample::select(vec!["invoke", "ok", "fail", "info", "fault", "o\\u006b"]);
        let (space, tail) = (
            prop::sample::select(vec!["", " ", "  "]),
            prop::sample::select(vec!["", " ", "x"]),
        );
        (kind, prop::collection::vec(field(), 0..4), space, tail).prop_map(|(kind, more, space, tail)| {
            let mut fields = vec![
                "\"process\":3".to_owned(),
                format!("\"type\":\"{kind}\""),
                "\"f\":\"cas\"".to_owned(),
            ];
            fields.extend(more);
            format!("{{{}}}{tail}", fields.join(&format!("{space},{space}")))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// The short cut is never wrong, whatever was in the buffers before.
        #[test]
        fn what_the_short_cut_takes_is_what_is_there(lines in prop::collection::vec(line(), 1..4)) {
            let mut short = Fields::default();
            for line in lines {
                let taken = scan::scan(line.as_bytes(), &mut short).is_some();
                let mut long = Fields::default();
                let read = long.read(line.as_bytes());
                if taken {
                    prop_assert!(read.is_ok(), "{line}: {read:?}");
                    prop_assert_eq!(told(&short), told(&long), "{}", line);
                }
                // The other path, with buffers in use.
                if read.is_ok() {
                    short.read(line.as_bytes()).unwrap();
                    prop_assert_eq!(told(&short), told(&long), "{}", line);
                }
            }
        }
    }

    #[test]
    fn the_short_cut_takes_what_our_recorder_writes() {
        for line in [
            r#"{"index":0,"time":1203944,"process":3,"type":"invoke","f":"cas","key":"x","value":[1,2]}"#,
            r#"{"index":1,"time":2110001,"process":3,"type":"fail","f":"cas","key":"x","value":[1,null],"observed":null,"node":"n1","error":"compare failed"}"#,
            r#"{"process": 0, "type": "ok", "f": "txn", "value": [["append", "x", -1], ["r", "y", [1, 2]], []]}"#,
        ] {
            let mut fields = Fields::default();
            assert!(scan::scan(line.as_bytes(), &mut fields).is_some(), "{line}");
        }
    }
}
