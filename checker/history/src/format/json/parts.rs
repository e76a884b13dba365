//! The fields of an event that are no values.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, Visitor};

use super::{Kind, Process};
use crate::EventType;

pub(super) struct ProcessSeed;

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

pub(super) struct KindSeed<'s> {
    pub(super) odd: &'s mut String,
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
pub(super) struct Text<'s> {
    pub(super) buffer: &'s mut String,
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
pub(super) struct OptionalText<'s> {
    pub(super) buffer: &'s mut String,
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
pub(super) struct Words<'s> {
    pub(super) buffer: &'s mut String,
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
