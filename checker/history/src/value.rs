//! The values that operations carry.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// An argument or a result of an operation. In JSON: an integer, a string, null, or a list of values.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Nothing: a register that was never written, an argument that is not there.
    #[default]
    Null,
    /// A 64-bit integer.
    Int(i64),
    /// A string.
    Str(String),
    /// A list, as in compare-and-set's `[from, to]`.
    List(Vec<Value>),
}

impl Value {
    /// Is this [`Value::Null`]?
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The two elements of a list of exactly two, as compare-and-set's `[from, to]`.
    pub fn as_pair(&self) -> Option<(&Value, &Value)> {
        match self {
            Value::List(items) => match items.as_slice() {
                [first, second] => Some((first, second)),
                _ => None,
            },
            _ => None,
        }
    }

    /// `[first, second]`.
    pub fn pair(first: Value, second: Value) -> Value {
        Value::List(vec![first, second])
    }

    /// The kind of value, in words, for error messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Int(_) => "an integer",
            Value::Str(_) => "a string",
            Value::List(_) => "a list",
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Str(value.to_owned())
    }
}

/// Strings are shown without quotes: values appear in prose ("read x = 7").
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Int(int) => int.fmt(f),
            Value::Str(string) => f.write_str(string),
            Value::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    item.fmt(f)?;
                }
                f.write_str("]")
            }
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Int(int) => serializer.serialize_i64(*int),
            Value::Str(string) => serializer.serialize_str(string),
            Value::List(items) => items.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;

        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer, a string, null, or a list of them")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_i64<E: de::Error>(self, int: i64) -> Result<Value, E> {
                Ok(Value::Int(int))
            }

            fn visit_u64<E: de::Error>(self, int: u64) -> Result<Value, E> {
                i64::try_from(int)
                    .map(Value::Int)
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(int), &"a 64-bit signed integer"))
            }

            fn visit_str<E: de::Error>(self, string: &str) -> Result<Value, E> {
                Ok(Value::Str(string.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Value::List(items))
            }
        }

        deserializer.deserialize_any(ValueVisitor)
    }
}
