//! Jepsen's JSON: one array of operations. (One map a line is what [`super::jsonl`] reads.)

use std::io::BufRead;

use super::builder::Builder;
use super::json::Reader;
use super::source::Source;
use super::{Format, Options, ReadError};
use crate::History;

pub(super) const FORMAT: Format = Format {
    name: "jepsen-json",
    summary: "one JSON array of operations, as Jepsen and elle-cli write it",
    sniff,
    read,
};

fn sniff(first_bytes: &[u8]) -> bool {
    let rest = first_bytes.trim_ascii_start();
    rest.strip_prefix(b"[")
        .and_then(|rest| rest.trim_ascii_start().strip_prefix(b"{"))
        .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"\""))
}

fn read(input: &mut dyn BufRead, options: &Options) -> Result<History, ReadError> {
    let mut source = Source::new(input);
    let mut builder = Builder::new(options);
    match read_array(&mut source, &mut builder) {
        Err(_) if options.cut_short && source.is_at_end() => Ok(builder.finish()),
        result => result.map(|()| builder.finish()),
    }
}

fn read_array(source: &mut Source<'_>, builder: &mut Builder) -> Result<(), ReadError> {
    let begin = skip_space(source)?;
    if begin != Some(b'[') {
        return Err(source.error("expected `[`, the beginning of a list of operations"));
    }
    source.bump()?;
    let mut reader = Reader::default();
    let mut element = Vec::new();
    let mut first = true;
    loop {
        match skip_space(source)? {
            Some(b']') => break,
            Some(b',') if !first => {
                source.bump()?;
                skip_space(source)?;
            }
            Some(_) if first => {}
            Some(_) => return Err(source.error("expected `,` or `]` after an operation")),
            None => return Err(source.error("the list of operations has no end: `]` is missing")),
        }
        first = false;
        read_object(source, builder, &mut reader, &mut element)?;
    }
    source.bump()?;
    match skip_space(source)? {
        None => Ok(()),
        Some(_) => Err(source.error("expected nothing after the list of operations")),
    }
}

/// Reads the object that begins here into `element`, and adds its event to the history.
fn read_object(
    source: &mut Source<'_>,
    builder: &mut Builder,
    reader: &mut Reader,
    element: &mut Vec<u8>,
) -> Result<(), ReadError> {
    let place = source.place();
    if source.peek()? != Some(b'{') {
        return Err(source.error("expected an operation: an object, `{...}`"));
    }
    element.clear();
    source.begin_item();
    let (mut depth, mut in_string) = (0_usize, false);
    loop {
        let Some(byte) = source.bump()? else {
            return Err(source.error("the operation has no end: `}` is missing"));
        };
        element.push(byte);
        match byte {
            b'\\' if in_string => element.extend(source.bump()?),
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    let parsed = reader.parse(element).map_err(|mistake| place.plus(mistake))?;
    parsed.add_to(builder).map_err(|message| place.error(message))
}

fn skip_space(source: &mut Source<'_>) -> Result<Option<u8>, ReadError> {
    while let Some(byte) = source.peek()? {
        if !byte.is_ascii_whitespace() {
            return Ok(Some(byte));
        }
        source.bump()?;
        source.begin_item();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jsonl;

    fn read_text(text: &str) -> Result<History, String> {
        read(&mut text.as_bytes(), &Options::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_array_is_read_as_lines_are() {
        let lines = [
            r#"{"process":0,"type":"invoke","f":"write","value":"]}\""}"#,
            r#"{"process":"nemesis","type":"info","f":"kill","value":{"a":[1.5]}}"#,
            r#"{"process":0,"type":"ok","f":"write","value":"]}\""}"#,
        ];
        let array = format!("\n[{}]\n", lines.join(" ,\n "));
        assert!(sniff(array.as_bytes()));
        let expected = jsonl::read(lines.join("\n").as_bytes(), false).unwrap();
        assert_eq!(read_text(&array).unwrap(), expected);
        assert_eq!(read_text("[]").unwrap(), History::default());
    }

    #[test]
    fn mistakes_are_told_by_line_and_column() {
        let check = |text: &str, expected: &str| assert_eq!(read_text(text).unwrap_err(), expected);
        check(
            "{}",
            "line 1, column 1: expected `[`, the beginning of a list of operations",
        );
        check(
            "[{\"process\":0,\n \"type\":\"ok\",\n \"f\" 3}]",
            "line 3, column 6: expected `:`",
        );
        check(
            "[\n  {\"process\":0,\"type\":\"ok\",\"f\":\"read\"}]",
            "line 2, column 3: process 0 completes `read`, which it had not invoked",
        );
        check(
            "[{\"process\":0",
            "line 1, column 14: the operation has no end: `}` is missing",
        );
        check(
            "[{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"} {}",
            "line 1, column 43: expected `,` or `]` after an operation",
        );
        check(
            "[] []",
            "line 1, column 4: expected nothing after the list of operations",
        );
        check(
            "[7]",
            "line 1, column 2: expected an operation: an object, `{...}`",
        );
    }
}
