//! The history format: one event a line, as JSON.
//!
//! ```text
//! {"index":0,"time":1203944,"process":3,"type":"invoke","f":"cas","key":"x","value":[1,2]}
//! {"index":1,"time":2110001,"process":3,"type":"ok","f":"cas","key":"x","value":[1,2]}
//! {"index":2,"time":2200000,"process":"nemesis","type":"fault","f":"partition","value":{"phase":"injected",...}}
//! ```
//! Fields that are not known are passed over. `time`, `index` and `key` may be absent or null; where there are indexes,
//! they increase. An operation without `f` is a transaction (`txn`) if its value is one, as Elle has it:
//! `[["append",9,1],["r",8,null]]`.

use std::io::{self, BufRead, Write};

use serde::Serialize;

use super::builder::Builder;
use super::json::Reader;
use super::source::Place;
use super::{Format, Options};
use crate::{Event, FaultValue, History};

pub use super::{LINE_BYTES_MAX, ReadError};

pub(super) const FORMAT: Format = Format {
    name: "jsonl",
    summary: "ours, and Jepsen's JSON lines: one JSON object a line",
    sniff: |first_bytes| match first_bytes.trim_ascii_start() {
        [] => true,
        [b'{', rest @ ..] => {
            let rest = rest.trim_ascii_start();
            rest.is_empty() || rest.starts_with(b"\"")
        }
        _ => false,
    },
    read: |input, options| read_with(input, options),
};

/// Reads a whole history.
///
/// # Errors
/// On input that does not parse or does not pair. If `cut_short` is set, a last line that does not parse and
/// has no newline is dropped rather than refused: it is what a killed recorder leaves.
pub fn read(input: impl BufRead, cut_short: bool) -> Result<History, ReadError> {
    let options = Options {
        cut_short,
        ..Options::default()
    };
    read_with(input, &options)
}

fn read_with(mut input: impl BufRead, options: &Options) -> Result<History, ReadError> {
    let mut builder = Builder::new(options);
    let mut reader = Reader::default();
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        number += 1;
        let fail = |message| ReadError {
            line: number,
            column: None,
            message,
        };
        line.clear();
        // One byte more than allowed tells a line that is too long from one that just fits.
        io::Read::take(&mut input, LINE_BYTES_MAX as u64 + 1)
            .read_until(b'\n', &mut line)
            .map_err(|error| fail(format!("can't be read: {error}")))?;
        if line.len() > LINE_BYTES_MAX {
            return Err(fail(format!("is longer than {LINE_BYTES_MAX} bytes")));
        }
        if line.is_empty() {
            return Ok(builder.finish());
        }
        let torn = line.last() != Some(&b'\n');
        let indent = line.len() - line.trim_ascii_start().len();
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let parsed = match reader.parse(text) {
            Err(_) if options.cut_short && torn => return Ok(builder.finish()),
            parsed => parsed.map_err(|mistake| {
                let place = Place {
                    line: number,
                    column: indent as u64 + 1,
                };
                place.plus(mistake)
            })?,
        };
        parsed.add_to(&mut builder).map_err(fail)?;
    }
}

/// Writes one event as one line.
///
/// # Errors
/// Those of `output`.
pub fn write(mut output: impl Write, event: &Event) -> io::Result<()> {
    match event {
        Event::Op(event) => serde_json::to_writer(&mut output, event)?,
        Event::Fault(event) => serde_json::to_writer(
            &mut output,
            &FaultLine {
                index: event.index,
                time: event.time,
                process: "nemesis",
                kind: "fault",
                f: &event.f,
                value: &event.value,
            },
        )?,
        Event::Other => return Ok(()),
    }
    output.write_all(b"\n")
}

#[derive(Serialize)]
struct FaultLine<'a> {
    index: u64,
    time: u64,
    process: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    f: &'a str,
    value: &'a FaultValue,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{EventType, FaultEvent, FaultOutcome, FaultPhase, OpEvent, Value};

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Int),
            ".{0,12}".prop_map(Value::Str)
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop::collection::vec(inner, 0..4).prop_map(Value::List)
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in value(), key in value(), observed in prop::option::of(value())) {
            let event = OpEvent {
                index: 0, time: 5, process: 3, kind: EventType::Invoke, f: "write".into(),
                key: Some(key).filter(|key| !key.is_null()),
                value, observed, node: Some("n1".into()), error: None,
            };
            let mut line = Vec::new();
            write(&mut line, &Event::Op(event.clone())).unwrap();
            let mut history = History::default();
            history.push(Event::Op(event)).unwrap();
            prop_assert_eq!(read(&line[..], false).unwrap(), history);
        }

        #[test]
        fn no_input_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes[..], false);
            let _ = read(&bytes[..], true);
        }
    }

    #[test]
    fn faults_are_read_back() {
        let fault = Event::Fault(FaultEvent {
            index: 2,
            time: 9,
            f: "partition".into(),
            value: FaultValue {
                id: 1,
                phase: FaultPhase::Injected,
                outcome: Some(FaultOutcome::Took),
                what: "isolate the leader".into(),
                started: 8,
                nodes: vec!["n1".into()],
                roles: [("n1".to_owned(), "leader".to_owned())].into(),
                links: vec!["n1>n2".into()],
                evidence: "2 of 2 probes were lost".into(),
            },
        });
        let mut line = Vec::new();
        write(&mut line, &fault).unwrap();
        let history = read(&line[..], false).unwrap();
        assert_eq!(
            history.faults.into_iter().map(Event::Fault).collect::<Vec<_>>(),
            [fault]
        );
    }

    #[test]
    fn mistakes_are_told_by_line_and_column() {
        let good = r#"{"process":0,"type":"invoke","f":"read","value":null}"#;
        let check = |second: &str, expected: &str| {
            let error = read(format!("{good}\n{second}\n").as_bytes(), false)
                .unwrap_err()
                .to_string();
            assert_eq!(error, expected);
        };
        check(
            r#"{"process":0,"type":"ok""#,
            "line 2, column 24: EOF while parsing an object",
        );
        check(
            r#"{"process":0,"type":"done","f":"read"}"#,
            "line 2: unknown type `done`, expected invoke, ok, fail, info or fault",
        );
        check(
            r#"{"process":0,"type":"ok","f":"read","value":1.5}"#,
            "line 2, column 47: invalid type: floating point `1.5`, expected an integer, a string, null, or a list of them",
        );
        check(
            r#"{"process":1,"type":"ok","f":"read"}"#,
            "line 2: process 1 completes `read`, which it had not invoked",
        );
        check(
            r#"{"type":"ok","f":"read"}"#,
            "line 2, column 24: missing field `process`",
        );
    }

    #[test]
    fn errors_of_any_form_are_kept_as_text() {
        let history = read(
            concat!(
                r#"{"process":0,"type":"invoke","f":"read"}"#,
                "\n",
                r#"{"process":0,"type":"info","f":"read","error":["timeout",1.5]}"#,
                "\n",
                r#"{"process":1,"type":"invoke","f":"read"}"#,
                "\n",
                r#"{"process":1,"type":"info","f":"read","error":null}"#,
            )
            .as_bytes(),
            false,
        )
        .unwrap();
        assert_eq!(history.operation(0).error, Some(r#"["timeout",1.5]"#));
        assert_eq!(history.operation(1).error, None);
    }

    #[test]
    fn a_torn_last_line_is_dropped_only_when_asked() {
        let torn = concat!(
            r#"{"process":0,"type":"invoke","f":"read"}"#,
            "\n",
            r#"{"process":0,"ty"#
        );
        assert_eq!(read(torn.as_bytes(), true).unwrap().len(), 1);
        assert!(read(torn.as_bytes(), false).is_err());
        let whole = r#"{"process":0,"type":"invoke","f":"read"}"#;
        assert_eq!(read(whole.as_bytes(), true).unwrap().len(), 1);
    }
}
