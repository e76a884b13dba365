//! Jepsen's lines of text: process, type, function, value, and perhaps an error.
//!
//! ```text
//! INFO  jepsen.util - 4 :invoke :read nil
//! INFO  jepsen.util - 4 :ok :read 3
//! INFO  jepsen.util - 1 :info :cas :timed-out
//! ```
//! That is how Jepsen's log had them in 2014, and so has the test data of
//! <https://github.com/anishathalye/porcupine>. Lines of other loggers and of the nemesis have no bearing. Where
//! a `:fail` or `:info` has a name for a value, as `:timed-out`, it is the error, and the value is the one invoked.
//! Jepsen's `history.txt` has the same columns and nothing before them.

use std::io::BufRead;

use super::builder::Builder;
use super::edn::{self, Read, Reader};
use super::source::{Place, Source};
use super::{Format, LINE_BYTES_MAX, Options, ReadError};
use crate::history::Record;
use crate::{EventType, History, OpEvent, Value};

pub(super) const PORCUPINE_ETCD: Format = Format {
    name: "porcupine-etcd",
    summary: "lines of Jepsen's log: `INFO  jepsen.util - 4 :invoke :read nil`",
    sniff: |first_bytes| lines(first_bytes).any(|line| matches!(message(line), Some((_, true)))),
    read: |input, options| read(input, options, true),
};

pub(super) const JEPSEN_TXT: Format = Format {
    name: "jepsen-txt",
    summary: "Jepsen's history.txt: `4 :invoke :read nil`",
    sniff: |first_bytes| {
        lines(first_bytes).next().is_some_and(|line| {
            let (process, rest) = word(line);
            let is_process = process.starts_with(b":") || number(process).is_some();
            is_process && rest.starts_with(b":")
        })
    },
    read: |input, options| read(input, options, false),
};

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty())
}

/// The first word, and what follows it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(u8::is_ascii_whitespace);
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (word, rest.trim_ascii_start())
}

fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// What a logger says after `LEVEL  logger - `, and whether it is the one that logs operations.
fn message(line: &[u8]) -> Option<(&[u8], bool)> {
    let (level, rest) = word(line);
    let (logger, rest) = word(rest);
    let (dash, rest) = word(rest);
    let levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    let is_logged = dash == b"-" && levels.iter().any(|known| known.as_bytes() == level);
    is_logged.then_some((rest, logger == b"jepsen.util"))
}

fn read(input: &mut dyn BufRead, options: &Options, logged: bool) -> Result<History, ReadError> {
    let mut builder = Builder::new(options);
    let mut line = Vec::new();
    let mut place = Place { line: 0, column: 1 };
    loop {
        place.line += 1;
        line.clear();
        // One byte more than allowed tells a line that is too long from one that just fits.
        std::io::Read::take(&mut *input, LINE_BYTES_MAX as u64 + 1)
            .read_until(b'\n', &mut line)
            .map_err(|error| place.error(format!("can't be read: {error}")))?;
        if line.len() > LINE_BYTES_MAX {
            return Err(place.error(format!("is longer than {LINE_BYTES_MAX} bytes")));
        }
        if line.is_empty() {
            return Ok(builder.finish());
        }
        let torn = line.last() != Some(&b'\n');
        if line.trim_ascii().is_empty() {
            continue;
        }
        let event = match parse(&line, place.line, logged, &builder) {
            Err(_) if options.cut_short && torn => return Ok(builder.finish()),
            parsed => parsed?,
        };
        let added = match &event {
            Some(event) => builder.add_op(None, Record::from(event)),
            None => builder.add_other(),
        };
        added.map_err(|message| place.error(message))?;
    }
}

/// What of a line is not yet read.
struct Rest<'a> {
    line: &'a [u8],
    number: u64,
    bytes: &'a [u8],
}

impl<'a> Rest<'a> {
    fn place(&self) -> Place {
        Place {
            line: self.number,
            column: (self.line.len() - self.bytes.len()) as u64 + 1,
        }
    }

    /// Reads the next word into what `parse` makes of it.
    fn word<T>(&mut self, expected: &str, parse: impl Fn(&'a [u8]) -> Option<T>) -> Result<T, ReadError> {
        let (word, rest) = word(self.bytes);
        let parsed = parse(word).ok_or_else(|| self.place().error(format!("expected {expected}")))?;
        self.bytes = rest;
        Ok(parsed)
    }
}

/// Reads the event of one line, which is not empty; none if it is not a client's.
fn parse(
    line: &[u8],
    number_of_line: u64,
    logged: bool,
    builder: &Builder,
) -> Result<Option<OpEvent>, ReadError> {
    let line = line.trim_ascii_end();
    let mut rest = Rest {
        line,
        number: number_of_line,
        bytes: line.trim_ascii_start(),
    };
    if logged {
        let (message, of_operations) = message(rest.bytes).ok_or_else(|| {
            rest.place()
                .error("expected a line of Jepsen's log, such as `INFO  jepsen.util - 4 :invoke :read nil`")
        })?;
        rest.bytes = message;
        if !of_operations || number(word(message).0).is_none() {
            return Ok(None);
        }
    } else if rest.bytes.starts_with(b":") {
        return Ok(None);
    }
    let process = rest.word("the number of a process, or a name such as :nemesis", number)?;
    let kind = rest.word(":invoke, :ok, :fail or :info", |word| match word {
        b":invoke" => Some(EventType::Invoke),
        b":ok" => Some(EventType::Ok),
        b":fail" => Some(EventType::Fail),
        b":info" => Some(EventType::Info),
        _ => None,
    })?;
    let f = rest.word("the name of a function, such as :read", |word| {
        let name = word.strip_prefix(b":").filter(|name| !name.is_empty())?;
        std::str::from_utf8(name).ok()
    })?;
    let (read, mut error) = value_and_error(&rest)?;
    let (mut key, mut value) = (None, read.value);
    if read.is_name && matches!(kind, EventType::Fail | EventType::Info) {
        error = Some(match error {
            Some(more) => format!("{value} {more}"),
            None => value.to_string(),
        });
        let open = builder.open_operation(process);
        (key, value) = open.map_or((None, Value::Null), |open| {
            (open.key.cloned(), open.input.clone())
        });
    }
    Ok(Some(OpEvent {
        index: 0,
        time: 0,
        process,
        kind,
        f: f.to_owned(),
        key,
        value,
        observed: None,
        node: None,
        error,
    }))
}

/// The value, and what follows it: an error.
fn value_and_error(rest: &Rest<'_>) -> Result<(Read, Option<String>), ReadError> {
    let mut input = rest.bytes;
    let begin = rest.place();
    let mut reader = Reader::new(Source::new(&mut input).starting_at(begin));
    let value = edn::read_value(&mut reader)?;
    reader.skip_blank()?;
    // A line has no line ends within, so that columns count bytes.
    let read = (reader.source.place().column - begin.column) as usize;
    let words = rest.bytes.get(read..).map(String::from_utf8_lossy);
    let words = words.filter(|words| !words.is_empty());
    Ok((value, words.map(|words| words.trim_start_matches(':').to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;

    fn read_text(text: &str, logged: bool) -> Result<History, String> {
        read(&mut text.as_bytes(), &Options::default(), logged).map_err(|error| error.to_string())
    }

    #[test]
    fn what_timed_out_keeps_the_value_that_was_invoked() {
        let history = read_text(
            concat!(
                "INFO  jepsen.core - Worker 4 starting\n",
                "INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n",
                "INFO  jepsen.util - 4\t:invoke\t:cas\t[1 2]\n",
                "INFO  jepsen.util - 17  :invoke :read   nil\r\n",
                "INFO  jepsen.util - 4\t:info\t:cas\t:timed-out\n",
                "INFO  jepsen.util - 17  :fail   :read   :timed-out\n",
            ),
            true,
        )
        .unwrap();
        let [cas, read] = history.operations().collect::<Vec<_>>()[..] else {
            panic!("two operations")
        };
        assert_eq!((cas.outcome, cas.output), (Outcome::Info, cas.input));
        assert_eq!(cas.error, Some("timed-out"));
        assert_eq!((read.outcome, read.output), (Outcome::Fail, &Value::Null));
    }

    #[test]
    fn history_txt_has_errors_after_the_values() {
        let history = read_text(
            "0\t:invoke\t:write\t\"a\tb\"\n:nemesis\t:info\t:start\t{\"n1\" #{\"n2\"}}\n0\t:info\t:write\t\"a\tb\"\t:timeout\n",
            false,
        )
        .unwrap();
        assert_eq!(history.operation(0).output, &"a\tb".into());
        assert_eq!(history.operation(0).error, Some("timeout"));
        assert_eq!(history.events(), 3);
    }

    #[test]
    fn names_are_values_of_what_was_done() {
        let text = "0 :invoke :write :a\n0 :ok :write :a\n1 :invoke :read nil\n1 :ok :read :a\n";
        let history = read_text(text, false).unwrap();
        let values: Vec<_> = history.operations().map(|it| (it.input, it.output)).collect();
        assert_eq!(values, [(&"a".into(), &"a".into()), (&Value::Null, &"a".into())]);
        assert!(history.operations().all(|it| it.error.is_none()));
    }

    #[test]
    fn what_timed_out_keeps_key_and_value_of_a_tuple() {
        let options = Options {
            independent: true,
            ..Options::default()
        };
        let text = "0 :invoke :cas [5 [1 2]]\n0 :info :cas :timed-out\n";
        let history = read(&mut text.as_bytes(), &options, false).unwrap();
        let operation = history.operation(0);
        assert_eq!(operation.key, Some(&5.into()));
        assert_eq!(operation.output, operation.input);
    }

    #[test]
    fn mistakes_are_told_by_line_and_column() {
        let check = |text: &str, logged, expected: &str| {
            assert_eq!(read_text(text, logged).unwrap_err(), expected);
        };
        let good = "INFO  jepsen.util - 4\t:invoke\t:read\tnil\n";
        check(
            &format!("{good}INFO  jepsen.util - 4\t:done\t:read\tnil\n"),
            true,
            "line 2, column 23: expected :invoke, :ok, :fail or :info",
        );
        check(
            &format!("{good}INFO  jepsen.util - 4\t:ok\t:read\t[1 \n"),
            true,
            "line 2, column 35: the input ends where a value was expected",
        );
        check(
            &format!("{good}{good}"),
            true,
            "line 2, column 1: process 4 invokes `read` while its `read` is still open (a process does one thing at a time)",
        );
        check(
            "hello\n",
            true,
            "line 1, column 1: expected a line of Jepsen's log, such as `INFO  jepsen.util - 4 :invoke :read nil`",
        );
        check(
            "\n  4 :ok read nil\n",
            false,
            "line 2, column 9: expected the name of a function, such as :read",
        );
    }
}
