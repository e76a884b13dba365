//! Jepsen's EDN histories: one map a line, or one vector or list of maps.
//!
//! ```text
//! {:type :invoke, :f :read, :value nil, :process 0, :time 123, :index 4}
//! #jepsen.history.Op{:index 5, :time 240, :type :ok, :process 0, :f :read, :value 3}
//! {:type :info, :process :nemesis, :f :start, :value {"n1" #{"n2" "n3"}}}
//! ```
//! An operation without a function is a transaction if its value is one, `[[:append 9 1] [:r 8 nil]]`, as Elle has it.
//! Keywords and strings are text, and tags are passed over, but for that of `jepsen.independent`'s tuples:
//! `#jepsen.independent/tuple [key value]`. Fields that are not known are passed over.

mod form;
mod write;

use std::io::BufRead;

pub(super) use form::Reader;
pub use write::write;

use form::{Form, in_words};

use super::builder::{Builder, TRANSACTION, is_transaction};
use super::source::{Place, Source};
use super::{Format, Options, ReadError};
use crate::history::Record;
use crate::{Event, EventType, FaultEvent, FaultValue, History, OpEvent, Value};

pub(super) const FORMAT: Format = Format {
    name: "edn",
    summary: "Jepsen's EDN: one map a line, or one vector or list of maps",
    sniff,
    read: |input, options| read_renamed(input, options, |f| f),
};

/// After comments: a map that begins with a keyword, a tag, or a sequence of these.
fn sniff(first_bytes: &[u8]) -> bool {
    let mut rest = first_bytes;
    loop {
        let skip = rest
            .iter()
            .position(|byte| !byte.is_ascii_whitespace() && *byte != b',');
        rest = &rest[skip.unwrap_or(rest.len())..];
        match rest.first() {
            Some(b';') => match rest.iter().position(|&byte| byte == b'\n') {
                Some(end) => rest = &rest[end..],
                None => return true,
            },
            Some(b'[' | b'(') => match rest[1..].trim_ascii_start().first() {
                Some(b'{') | Some(b'"') => rest = &rest[1..],
                _ => return true,
            },
            Some(b'{') => return !rest[1..].trim_ascii_start().starts_with(b"\""),
            Some(b'#') => return true,
            _ => return false,
        }
    }
}

/// Reads a history, and gives functions other names.
pub(super) fn read_renamed(
    input: &mut dyn BufRead,
    options: &Options,
    rename: fn(&str) -> &str,
) -> Result<History, ReadError> {
    let mut input = input;
    let mut reader = Reader::new(Source::new(&mut input));
    let mut builder = Builder::new(options);
    match read_all(&mut reader, &mut builder, rename) {
        Err(_) if options.cut_short && reader.source.is_at_end() => Ok(builder.finish()),
        result => result.map(|()| builder.finish()),
    }
}

fn read_all(
    reader: &mut Reader<'_>,
    builder: &mut Builder,
    rename: fn(&str) -> &str,
) -> Result<(), ReadError> {
    // Where the vector or list around the operations began, and the byte that ends it.
    let mut around: Option<(Place, u8)> = None;
    let mut tagged = false;
    loop {
        let next = reader.skip_blank()?;
        let place = reader.source.place();
        reader.source.begin_item();
        if tagged && !matches!(next, Some(b'#' | b'{' | b'[' | b'(')) {
            return Err(place.error("expected what the tag is about: an operation, or a list of them"));
        }
        tagged = false;
        match next {
            None => {
                return match around {
                    None => Ok(()),
                    Some((place, close)) => Err(reader.source.error(format!(
                        "the sequence that began on line {} has no end: `{}` is missing",
                        place.line,
                        char::from(close)
                    ))),
                };
            }
            Some(b'#') => {
                reader.source.bump()?;
                if reader.source.peek()? == Some(b'_') {
                    reader.source.bump()?;
                    reader.form()?;
                } else {
                    reader.tag(place)?;
                    tagged = true;
                }
            }
            Some(b'{') => {
                let (index, event) = read_event(reader)?;
                let added = match event {
                    Event::Op(event) => {
                        let f = rename(&event.f);
                        builder.add_op(
                            index,
                            Record {
                                f,
                                ..Record::from(&event)
                            },
                        )
                    }
                    Event::Fault(fault) => builder.add_fault(index, fault),
                    Event::Other => builder.add_other(),
                };
                added.map_err(|message| place.error(message))?;
            }
            Some(open @ (b'[' | b'(')) if around.is_none() => {
                reader.source.bump()?;
                around = Some((place, if open == b'[' { b']' } else { b')' }));
            }
            Some(byte) if around.is_some_and(|(_, close)| close == byte) => {
                reader.source.bump()?;
                around = None;
            }
            Some(_) => return Err(place.error("expected an operation: a map, `{...}`")),
        }
    }
}

/// The fields of an operation, each with its place.
#[derive(Default)]
struct Fields {
    kind: Option<(Place, Form)>,
    process: Option<(Place, Form)>,
    f: Option<(Place, Form)>,
    value: Option<(Place, Form)>,
    key: Option<(Place, Form)>,
    observed: Option<(Place, Form)>,
    node: Option<(Place, Form)>,
    error: Option<(Place, Form)>,
    time: Option<(Place, Form)>,
    index: Option<(Place, Form)>,
}

/// Reads the event whose `{` comes next, and its index.
fn read_event(reader: &mut Reader<'_>) -> Result<(Option<u64>, Event), ReadError> {
    let begin = reader.source.place();
    reader.enter()?;
    reader.source.bump()?;
    let mut fields = Fields::default();
    while reader.skip_blank()? != Some(b'}') {
        let place = reader.source.place();
        let name = reader.form()?;
        reader.skip_blank()?;
        let value = (reader.source.place(), reader.form()?);
        let Form::Name(name) = name else {
            continue;
        };
        let field = match name.as_str() {
            "type" => &mut fields.kind,
            "process" => &mut fields.process,
            "f" => &mut fields.f,
            "value" => &mut fields.value,
            "key" => &mut fields.key,
            "observed" => &mut fields.observed,
            "node" => &mut fields.node,
            "error" => &mut fields.error,
            "time" => &mut fields.time,
            "index" => &mut fields.index,
            _ => continue,
        };
        if field.replace(value).is_some() {
            return Err(place.error(format!("`:{name}` for the second time in one operation")));
        }
    }
    reader.source.bump()?;
    reader.leave();
    event(fields, begin)
}

fn event(fields: Fields, begin: Place) -> Result<(Option<u64>, Event), ReadError> {
    let missing = |name: &str| begin.error(format!("this operation has no `:{name}`"));
    let (place, process) = fields.process.ok_or_else(|| missing("process"))?;
    let process = match process {
        Form::Int(process) if process >= 0 => process.unsigned_abs(),
        Form::Name(_) | Form::Text(_) => {
            // What is odd about such a line has no bearing.
            let index = fields.index.and_then(|index| natural(index).ok().flatten());
            return Ok((index, fault(fields.f, fields.value, fields.time, index)));
        }
        _ => return Err(place.error("expected a number from 0 or a name such as :nemesis")),
    };
    let (place, kind) = fields.kind.ok_or_else(|| missing("type"))?;
    let kind = match in_words(&kind).as_str() {
        "invoke" => EventType::Invoke,
        "ok" => EventType::Ok,
        "fail" => EventType::Fail,
        "info" => EventType::Info,
        other => {
            return Err(place.error(format!(
                "unknown type `{other}`, expected :invoke, :ok, :fail or :info"
            )));
        }
    };
    let mut key = fields.key.map(value).transpose()?;
    let mut argument = Value::Null;
    if let Some((place, form)) = fields.value {
        argument = match tuple(form) {
            Ok((in_key, in_value)) => {
                key = Some(value((place, in_key))?);
                value((place, in_value))?
            }
            Err(form) => value((place, form))?,
        };
    }
    let f = match fields.f {
        Some((_, Form::Name(f) | Form::Text(f))) => f,
        Some((place, _)) => return Err(place.error("expected the name of a function, such as :read")),
        None if is_transaction(&argument) => TRANSACTION.to_owned(),
        None => return Err(missing("f")),
    };
    let index = fields.index.map(natural).transpose()?.flatten();
    let event = OpEvent {
        index: index.unwrap_or(0),
        time: fields.time.map(natural).transpose()?.flatten().unwrap_or(0),
        process,
        kind,
        f,
        key: key.filter(|key| !key.is_null()),
        value: argument,
        observed: fields.observed.map(value).transpose()?,
        node: fields.node.and_then(|(_, form)| words(&form)),
        error: fields.error.and_then(|(_, form)| words(&form)),
    };
    Ok((index, Event::Op(event)))
}

fn value((place, form): (Place, Form)) -> Result<Value, ReadError> {
    form.into_value().map_err(|kind| {
        place.error(format!(
            "{kind}, and values are integers, strings, nil, or lists of them"
        ))
    })
}

/// The key and value of a tagged tuple, or the form itself if it is none.
fn tuple(form: Form) -> Result<(Form, Form), Form> {
    const TAGS: [&str; 3] = [
        "jepsen.independent/tuple",
        "jepsen.independent.Tuple",
        "clojure.lang.MapEntry",
    ];
    match form {
        Form::Tagged(tag, inner) if TAGS.contains(&tag.as_str()) => match *inner {
            Form::List(items) => match <[Form; 2]>::try_from(items) {
                Ok([key, value]) => Ok((key, value)),
                Err(items) => Err(Form::List(items)),
            },
            // A record prints its fields.
            Form::Map(entries) => match &entries[..] {
                [(_, key), (_, value)] => Ok((key.clone(), value.clone())),
                _ => Err(Form::Map(entries)),
            },
            other => Err(other),
        },
        other => Err(other),
    }
}

fn natural((place, form): (Place, Form)) -> Result<Option<u64>, ReadError> {
    match form {
        Form::Nil => Ok(None),
        Form::Int(number) if number >= 0 => Ok(Some(number.unsigned_abs())),
        _ => Err(place.error("expected a number from 0")),
    }
}

fn words(form: &Form) -> Option<String> {
    match form {
        Form::Nil => None,
        other => Some(in_words(other)),
    }
}

/// A line of a process that is not a client: a fault if it is one of ours, else nothing that matters.
fn fault(
    f: Option<(Place, Form)>,
    value: Option<(Place, Form)>,
    time: Option<(Place, Form)>,
    index: Option<u64>,
) -> Event {
    let details = value.and_then(|(_, form)| json(form));
    let details = details.and_then(|json| serde_json::from_value::<FaultValue>(json).ok());
    let (Some(value), Some((_, Form::Name(f) | Form::Text(f)))) = (details, f) else {
        return Event::Other;
    };
    Event::Fault(FaultEvent {
        index: index.unwrap_or(0),
        time: time.and_then(|time| natural(time).ok().flatten()).unwrap_or(0),
        f,
        value,
    })
}

fn json(form: Form) -> Option<serde_json::Value> {
    Some(match form {
        Form::Nil => serde_json::Value::Null,
        Form::Bool(it) => it.into(),
        Form::Int(int) => int.into(),
        Form::Text(text) | Form::Name(text) => text.into(),
        Form::List(items) | Form::Set(items) => {
            serde_json::Value::Array(items.into_iter().map(json).collect::<Option<_>>()?)
        }
        Form::Map(entries) => {
            let entries = entries.into_iter().map(|(key, value)| match key {
                Form::Text(key) | Form::Name(key) => Some((key, json(value)?)),
                _ => None,
            });
            serde_json::Value::Object(entries.collect::<Option<_>>()?)
        }
        Form::Tagged(_, form) => json(*form)?,
        // Beyond 63 bits, and no fault of ours.
        Form::OtherNumber(_) => return None,
    })
}

/// A value that stands alone, as in a line of text.
pub(super) struct Read {
    pub(super) value: Value,
    /// Was it written as a name, such as `:timed-out`?
    pub(super) is_name: bool,
}

/// Reads the next value.
pub(super) fn read_value(reader: &mut Reader<'_>) -> Result<Read, ReadError> {
    reader.skip_blank()?;
    let place = reader.source.place();
    let form = reader.form()?;
    Ok(Read {
        is_name: matches!(form, Form::Name(_)),
        value: value((place, form))?,
    })
}

#[cfg(test)]
mod tests;
