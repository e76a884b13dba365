//! EDN's forms, and their reader.
//!
//! Source: <https://github.com/edn-format/edn>.

use std::fmt;

use crate::Value;
use crate::format::source::{Place, Source};
use crate::format::{DEPTH_MAX, ReadError};

/// One EDN form.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    Nil,
    Bool(bool),
    Int(i64),
    /// A number that is not a 64-bit integer, as it was written.
    OtherNumber(String),
    /// A string or a character.
    Text(String),
    /// A keyword (without its colon) or a symbol.
    Name(String),
    /// A vector or a list.
    List(Vec<Form>),
    Set(Vec<Form>),
    Map(Vec<(Form, Form)>),
    Tagged(String, Box<Form>),
}

impl Form {
    /// What an operation may carry. Names become strings, sets become sorted lists, and tags are passed over.
    ///
    /// # Errors
    /// For what we have no value for: the kind, in words.
    pub(super) fn into_value(self) -> Result<Value, &'static str> {
        let values =
            |forms: Vec<Form>| -> Result<Vec<Value>, _> { forms.into_iter().map(Form::into_value).collect() };
        match self {
            Form::Nil => Ok(Value::Null),
            Form::Int(int) => Ok(Value::Int(int)),
            Form::Text(text) | Form::Name(text) => Ok(Value::Str(text)),
            Form::List(items) => values(items).map(Value::List),
            Form::Set(items) => values(items).map(|mut items| {
                items.sort();
                Value::List(items)
            }),
            Form::Tagged(_, form) => form.into_value(),
            Form::Bool(_) => Err("a boolean"),
            Form::OtherNumber(_) => Err("a number that is not a 64-bit integer"),
            Form::Map(_) => Err("a map"),
        }
    }
}

/// As EDN, but for a string or a name that stands alone: these are shown bare.
pub(super) fn in_words(form: &Form) -> String {
    match form {
        Form::Text(text) | Form::Name(text) => text.clone(),
        other => other.to_string(),
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sequence = |f: &mut fmt::Formatter<'_>, open, items: &[Form], close| {
            f.write_str(open)?;
            for (i, item) in items.iter().enumerate() {
                write!(f, "{}{item}", if i > 0 { " " } else { "" })?;
            }
            f.write_str(close)
        };
        match self {
            Form::Nil => f.write_str("nil"),
            Form::Bool(it) => it.fmt(f),
            Form::Int(int) => int.fmt(f),
            Form::OtherNumber(text) => f.write_str(text),
            Form::Text(text) => super::write::string(f, text),
            Form::Name(name) => write!(f, ":{name}"),
            Form::List(items) => sequence(f, "[", items, "]"),
            Form::Set(items) => sequence(f, "#{", items, "}"),
            Form::Map(entries) => {
                f.write_str("{")?;
                for (i, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key} {value}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
            Form::Tagged(tag, form) => write!(f, "#{tag} {form}"),
        }
    }
}

/// Reads forms from a source.
pub(in crate::format) struct Reader<'a> {
    pub(in crate::format) source: Source<'a>,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(in crate::format) fn new(source: Source<'a>) -> Reader<'a> {
        Reader { source, depth: 0 }
    }

    /// Passes over white space, commas, comments, and forms discarded by `#_`; the next byte.
    pub(in crate::format) fn skip_blank(&mut self) -> Result<Option<u8>, ReadError> {
        while let Some(byte) = self.source.peek()? {
            match byte {
                b';' => while !matches!(self.bump_blank()?, None | Some(b'\n')) {},
                byte if is_blank(byte) => {
                    self.bump_blank()?;
                }
                byte => return Ok(Some(byte)),
            }
        }
        Ok(None)
    }

    /// Between operations, nothing is kept, and any length is fine.
    fn bump_blank(&mut self) -> Result<Option<u8>, ReadError> {
        if self.depth == 0 {
            self.source.begin_item();
        }
        self.source.bump()
    }

    /// Enters a nested form.
    ///
    /// # Errors
    /// If it is too deep.
    pub(super) fn enter(&mut self) -> Result<(), ReadError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.source.error(format!("nested deeper than {DEPTH_MAX}")));
        }
        Ok(())
    }

    /// Leaves a nested form.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// The next form.
    pub(super) fn form(&mut self) -> Result<Form, ReadError> {
        loop {
            if let Some(form) = self.form_unless_discarded()? {
                return Ok(form);
            }
        }
    }

    /// The next form, or none if it was a discarded one (`#_form`).
    fn form_unless_discarded(&mut self) -> Result<Option<Form>, ReadError> {
        let Some(byte) = self.skip_blank()? else {
            return Err(self.source.error("the input ends where a value was expected"));
        };
        let place = self.source.place();
        Ok(Some(match byte {
            b'[' => Form::List(self.sequence(b']')?),
            b'(' => Form::List(self.sequence(b')')?),
            b'{' => Form::Map(self.map(place)?),
            b'"' => Form::Text(self.string()?),
            b'\\' => Form::Text(self.character(place)?),
            b'#' => return self.dispatch(place),
            b']' | b')' | b'}' => {
                return Err(place.error(format!(
                    "expected a value, and this is a closing `{}`",
                    char::from(byte)
                )));
            }
            _ => atom(&self.token()?, place)?,
        }))
    }

    /// The forms up to `close`; the next byte opens the sequence.
    fn sequence(&mut self, close: u8) -> Result<Vec<Form>, ReadError> {
        self.enter()?;
        self.source.bump()?;
        let mut items = Vec::new();
        while self.skip_blank()? != Some(close) {
            items.extend(self.form_unless_discarded()?);
        }
        self.source.bump()?;
        self.leave();
        Ok(items)
    }

    fn map(&mut self, place: Place) -> Result<Vec<(Form, Form)>, ReadError> {
        let mut forms = self.sequence(b'}')?.into_iter();
        let mut entries = Vec::new();
        while let Some(key) = forms.next() {
            let Some(value) = forms.next() else {
                return Err(place.error("the last key of this map has no value"));
            };
            entries.push((key, value));
        }
        Ok(entries)
    }

    /// What begins with `#`: a set, a discarded form, a tagged form, or `##Inf` and its like.
    fn dispatch(&mut self, place: Place) -> Result<Option<Form>, ReadError> {
        self.source.bump()?;
        match self.source.peek()? {
            Some(b'{') => return self.sequence(b'}').map(|items| Some(Form::Set(items))),
            Some(b'_') => {
                self.source.bump()?;
                self.enter()?;
                self.form()?;
                self.leave();
                return Ok(None);
            }
            Some(b'#') => {
                self.source.bump()?;
                let token = self.token()?;
                return Ok(Some(Form::OtherNumber(format!("##{token}"))));
            }
            _ => {}
        }
        let tag = self.tag(place)?;
        self.enter()?;
        let form = self.form()?;
        self.leave();
        Ok(Some(Form::Tagged(tag, Box::new(form))))
    }

    /// The name of a tag, its `#` being behind us.
    pub(super) fn tag(&mut self, place: Place) -> Result<String, ReadError> {
        let tag = self.token()?;
        if tag.is_empty() {
            return Err(place.error("expected a tag, a set or a discarded value after `#`"));
        }
        Ok(tag)
    }

    /// Bytes up to white space or a delimiter.
    fn token(&mut self) -> Result<String, ReadError> {
        let place = self.source.place();
        text(self.token_bytes()?, place)
    }

    fn token_bytes(&mut self) -> Result<Vec<u8>, ReadError> {
        let mut token = Vec::new();
        while let Some(byte) = self.source.peek()? {
            if is_blank(byte) || b"()[]{}\";\\".contains(&byte) {
                break;
            }
            token.push(byte);
            self.source.bump()?;
        }
        Ok(token)
    }

    fn character(&mut self, place: Place) -> Result<String, ReadError> {
        self.source.bump()?;
        let mut name = Vec::from_iter(self.source.bump()?);
        if name.first().is_some_and(|byte| !b"()[]{}\";\\".contains(byte)) {
            name.extend(self.token_bytes()?);
        }
        let name = text(name, place)?;
        let character = match name.as_str() {
            "newline" => Some('\n'),
            "return" => Some('\r'),
            "space" => Some(' '),
            "tab" => Some('\t'),
            "backspace" => Some('\u{8}'),
            "formfeed" => Some('\u{c}'),
            other => {
                let mut characters = other.chars();
                match (characters.next(), characters.as_str()) {
                    (only, "") => only,
                    (Some('u'), digits) => u32::from_str_radix(digits, 16).ok().and_then(char::from_u32),
                    _ => None,
                }
            }
        };
        character
            .map(String::from)
            .ok_or_else(|| place.error(format!("unknown character `\\{name}`")))
    }

    fn string(&mut self) -> Result<String, ReadError> {
        let begin = self.source.place();
        self.source.bump()?;
        let mut bytes = Vec::new();
        loop {
            let place = self.source.place();
            match self.source.bump()? {
                None => return Err(begin.error("this string has no end: `\"` is missing")),
                Some(b'"') => return text(bytes, begin),
                Some(b'\\') => {
                    let character = self.escaped(place)?;
                    bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(byte) => bytes.push(byte),
            }
        }
    }

    /// The character that an escape stands for, its backslash being behind us.
    fn escaped(&mut self, place: Place) -> Result<char, ReadError> {
        let unknown = || place.error("unknown escape: expected one of \\t \\r \\n \\b \\f \\\\ \\\" \\uXXXX");
        match self.source.bump()? {
            Some(b't') => Ok('\t'),
            Some(b'r') => Ok('\r'),
            Some(b'n') => Ok('\n'),
            Some(b'b') => Ok('\u{8}'),
            Some(b'f') => Ok('\u{c}'),
            Some(b'\\') => Ok('\\'),
            Some(b'"') => Ok('"'),
            Some(b'u') => {
                let first = self.hexadecimal()?.ok_or_else(unknown)?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(u32::from(first)).ok_or_else(unknown);
                }
                // The first half of a character beyond the first 65,536, as Java writes it.
                if (self.source.bump()?, self.source.bump()?) != (Some(b'\\'), Some(b'u')) {
                    return Err(unknown());
                }
                let second = self.hexadecimal()?.ok_or_else(unknown)?;
                char::decode_utf16([first, second])
                    .next()
                    .and_then(Result::ok)
                    .ok_or_else(unknown)
            }
            _ => Err(unknown()),
        }
    }

    /// Four hexadecimal digits.
    fn hexadecimal(&mut self) -> Result<Option<u16>, ReadError> {
        let mut number = 0_u16;
        for _ in 0..4 {
            let digit = self.source.bump()?.and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit.and_then(|digit| u16::try_from(digit).ok()) else {
                return Ok(None);
            };
            number = number << 4 | digit;
        }
        Ok(Some(number))
    }
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b','
}

fn text(bytes: Vec<u8>, place: Place) -> Result<String, ReadError> {
    String::from_utf8(bytes).map_err(|_| place.error("not UTF-8"))
}

fn atom(token: &str, place: Place) -> Result<Form, ReadError> {
    let number = token.strip_prefix(['+', '-']).unwrap_or(token);
    Ok(match token {
        "nil" => Form::Nil,
        "true" => Form::Bool(true),
        "false" => Form::Bool(false),
        _ if number.starts_with(|first: char| first.is_ascii_digit()) => {
            match token.strip_suffix('N').unwrap_or(token).parse() {
                Ok(int) => Form::Int(int),
                Err(_) => Form::OtherNumber(token.to_owned()),
            }
        }
        _ => match token.strip_prefix(':') {
            Some("") => return Err(place.error("a keyword without a name")),
            Some(keyword) => Form::Name(keyword.to_owned()),
            None => Form::Name(token.to_owned()),
        },
    })
}
