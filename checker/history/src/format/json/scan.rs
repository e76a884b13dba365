//! A short cut for the plainest of JSON objects, such as our own recorder writes: known fields, each once; strings of
//! ASCII without escapes; integers, nulls and lists of these. Whatever else comes, right or wrong, is left to
//! serde_json.

use super::{Fields, Kind, Process, Seen};
use crate::{EventType, Value};

/// How deep lists may be nested here.
const DEPTH_MAX: usize = 4;

/// Reads the fields of an object; none if it is not one of the plainest.
pub(super) fn scan(text: &[u8], fields: &mut Fields) -> Option<()> {
    let mut rest = Rest(text);
    let mut seen = Seen::default();
    rest.byte(b'{')?;
    loop {
        rest.space();
        let name = rest.bytes()?;
        rest.byte(b':')?;
        rest.space();
        let seen_before = match name {
            b"index" => {
                fields.index = Some(rest.natural()?);
                &mut seen.index
            }
            b"time" => {
                fields.time = Some(rest.natural()?);
                &mut seen.time
            }
            b"process" => {
                fields.process = Process::Client(rest.natural()?);
                &mut seen.process
            }
            b"type" => {
                fields.kind = Kind::Of(match rest.bytes()? {
                    b"invoke" => EventType::Invoke,
                    b"ok" => EventType::Ok,
                    b"fail" => EventType::Fail,
                    b"info" => EventType::Info,
                    _ => return None,
                });
                &mut seen.kind
            }
            b"f" => {
                rest.string()?.clone_into(&mut fields.f);
                &mut seen.f
            }
            b"key" => {
                let place = fields.key.place(*rest.0.first()?);
                rest.value(place, DEPTH_MAX)?;
                &mut seen.key
            }
            b"value" => {
                let place = fields.value.place(*rest.0.first()?);
                rest.value(place, DEPTH_MAX)?;
                &mut seen.value
            }
            b"observed" => {
                let place = fields.observed.place(*rest.0.first()?);
                rest.value(place, DEPTH_MAX)?;
                &mut seen.observed
            }
            b"node" => {
                rest.string()?.clone_into(&mut fields.node);
                &mut seen.node
            }
            b"error" => {
                rest.string()?.clone_into(&mut fields.error);
                &mut seen.error
            }
            _ => return None,
        };
        if std::mem::replace(seen_before, true) {
            return None;
        }
        rest.space();
        match rest.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    if !rest.0.is_empty() || !seen.process || !seen.kind || !seen.f {
        return None;
    }
    fields.seen = seen;
    fields.are_values = true;
    Some(())
}

/// What is not yet read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn byte(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    fn space(&mut self) {
        while let [b' ', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    /// A string, without its quotes.
    fn string(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// The bytes of a string, which are ASCII.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        self.byte(b'"')?;
        let is_end = |&byte: &u8| byte == b'"' || byte == b'\\' || !(b' '..0x7f).contains(&byte);
        let end = self.0.iter().position(is_end)?;
        let (text, rest) = self.0.split_at(end);
        self.0 = rest;
        self.byte(b'"')?;
        Some(text)
    }

    /// A number from 0 of at most 18 digits, which fits in any integer of 64 bits.
    fn natural(&mut self) -> Option<u64> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at(digits);
        // JSON has no leading zeros.
        if digits == 0 || digits > 18 || digits > 1 && number[0] == b'0' {
            return None;
        }
        self.0 = rest;
        Some(
            number
                .iter()
                .fold(0, |sum, byte| 10 * sum + u64::from(byte - b'0')),
        )
    }

    /// Puts a value where another one was, using the memory of that.
    fn value(&mut self, place: &mut Value, depth: usize) -> Option<()> {
        match self.0.first()? {
            b'"' => {
                let text = self.string()?;
                match place {
                    Value::Str(buffer) => text.clone_into(buffer),
                    _ => *place = Value::Str(text.to_owned()),
                }
            }
            b'n' => {
                self.0 = self.0.strip_prefix(b"null")?;
                *place = Value::Null;
            }
            b'[' => {
                if !matches!(place, Value::List(_)) {
                    *place = Value::List(Vec::new());
                }
                if let Value::List(items) = place {
                    self.items(items, depth.checked_sub(1)?)?;
                }
            }
            b'-' => {
                self.0 = &self.0[1..];
                // "-0" is a float to serde_json.
                let number = self.natural().filter(|&number| number > 0)?;
                *place = Value::Int(-i64::try_from(number).ok()?);
            }
            _ => *place = Value::Int(i64::try_from(self.natural()?).ok()?),
        }
        Some(())
    }

    fn items(&mut self, items: &mut Vec<Value>, depth: usize) -> Option<()> {
        self.byte(b'[')?;
        self.space();
        let mut len = 0;
        if self.0.first() == Some(&b']') {
            self.next();
        } else {
            loop {
                self.space();
                if len == items.len() {
                    items.push(Value::Null);
                }
                self.value(&mut items[len], depth)?;
                len += 1;
                self.space();
                match self.next()? {
                    b',' => {}
                    b']' => break,
                    _ => return None,
                }
            }
        }
        items.truncate(len);
        Some(())
    }
}
