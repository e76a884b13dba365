//! Writes histories as Jepsen's EDN.

use std::fmt;
use std::io::{self, Write};

use crate::{Event, EventType, FaultEvent, OpEvent, Value};

/// Writes one event as one line: an EDN map. Keys are a field of their own, `:key`; our faults are lines of
/// the process `:nemesis`, of type `:info`, with the details as a map.
///
/// # Errors
/// Those of `output`.
pub fn write(mut output: impl Write, event: &Event) -> io::Result<()> {
    match event {
        Event::Op(event) => writeln!(output, "{}", fmt::from_fn(|f| op(f, event))),
        Event::Fault(event) => {
            let value = serde_json::to_value(&event.value)?;
            writeln!(output, "{}", fmt::from_fn(|f| fault(f, event, &value)))
        }
        Event::Other => Ok(()),
    }
}

fn op(f: &mut fmt::Formatter<'_>, event: &OpEvent) -> fmt::Result {
    let kind = match event.kind {
        EventType::Invoke => "invoke",
        EventType::Ok => "ok",
        EventType::Fail => "fail",
        EventType::Info => "info",
    };
    write!(
        f,
        "{{:index {}, :time {}, :type :{kind}, :process {}, :f ",
        event.index, event.time, event.process
    )?;
    name(f, &event.f)?;
    if let Some(key) = &event.key {
        f.write_str(", :key ")?;
        value(f, key)?;
    }
    f.write_str(", :value ")?;
    value(f, &event.value)?;
    if let Some(observed) = &event.observed {
        f.write_str(", :observed ")?;
        value(f, observed)?;
    }
    for (field, text) in [(":node", &event.node), (":error", &event.error)] {
        if let Some(text) = text {
            write!(f, ", {field} ")?;
            string(f, text)?;
        }
    }
    f.write_str("}")
}

fn fault(f: &mut fmt::Formatter<'_>, event: &FaultEvent, value: &serde_json::Value) -> fmt::Result {
    write!(
        f,
        "{{:index {}, :time {}, :type :info, :process :nemesis, :f ",
        event.index, event.time
    )?;
    name(f, &event.f)?;
    f.write_str(", :value ")?;
    json(f, value)?;
    f.write_str("}")
}

fn value(f: &mut fmt::Formatter<'_>, value_: &Value) -> fmt::Result {
    match value_ {
        Value::Null => f.write_str("nil"),
        Value::Int(int) => write!(f, "{int}"),
        Value::Str(text) => string(f, text),
        Value::List(items) => sequence(f, items, value),
    }
}

fn json(f: &mut fmt::Formatter<'_>, value: &serde_json::Value) -> fmt::Result {
    match value {
        serde_json::Value::Null => f.write_str("nil"),
        serde_json::Value::String(text) => string(f, text),
        serde_json::Value::Array(items) => sequence(f, items, json),
        serde_json::Value::Object(entries) => {
            f.write_str("{")?;
            for (i, (key, value)) in entries.iter().enumerate() {
                f.write_str(if i > 0 { ", " } else { "" })?;
                name(f, key)?;
                f.write_str(" ")?;
                json(f, value)?;
            }
            f.write_str("}")
        }
        serde_json::Value::Bool(_) | serde_json::Value::Number(_) => write!(f, "{value}"),
    }
}

fn sequence<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    write_item: fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_str("[")?;
    for (i, item) in items.iter().enumerate() {
        f.write_str(if i > 0 { " " } else { "" })?;
        write_item(f, item)?;
    }
    f.write_str("]")
}

/// A keyword, or a string where no keyword has that name.
fn name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_?!*+.".contains(&byte);
    if name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.bytes().all(plain) {
        write!(f, ":{name}")
    } else {
        string(f, name)
    }
}

/// A string with its quotes, on one line.
pub(super) fn string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            control if control < ' ' => write!(f, "\\u{:04x}", u32::from(control))?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("\"")
}
