//! What a register holds.

use serde::{Deserialize, Serialize};

use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_signed, put_unsigned};

/// Lists in lists in lists: as deep as this and no deeper, since decoding recurses.
pub(super) const DEPTH_MAX: usize = 16;

/// The longest string, in bytes.
const STRING_BYTES_MAX: usize = 64 * 1024;

/// The longest list.
pub(super) const LIST_ITEMS_MAX: usize = 100_000;

/// The most that one object may weigh: it must be answered whole, and copied when it is changed while a snapshot
/// is being encoded.
pub(super) const OBJECT_WEIGHT_MAX: usize = 4 * 1024 * 1024;

/// What a register holds. In JSON: null, an integer, a string, or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a value is null, a 64-bit integer, a string, or a list of them"
)]
pub enum Value {
    /// Nothing, as in a register that was never written.
    #[default]
    Null,
    /// An integer.
    Int(i64),
    /// A string.
    Str(String),
    /// A list.
    List(Vec<Value>),
}

impl Value {
    /// Is it small enough, and not too deeply nested, to be stored and decoded again?
    pub fn is_within_limits(&self) -> bool {
        fn within(value: &Value, depth: usize) -> bool {
            match value {
                Value::Null | Value::Int(_) => true,
                Value::Str(string) => string.len() <= STRING_BYTES_MAX,
                Value::List(items) => {
                    depth < DEPTH_MAX
                        && items.len() <= LIST_ITEMS_MAX
                        && items.iter().all(|item| within(item, depth + 1))
                }
            }
        }
        within(self, 0)
    }

    /// How many lists deep it is.
    pub(super) fn depth(&self) -> usize {
        match self {
            Value::List(items) => 1 + items.iter().map(Value::depth).max().unwrap_or(0),
            Value::Null | Value::Int(_) | Value::Str(_) => 0,
        }
    }

    /// What it counts against the limits on sizes: about its bytes, as they are stored. Null weighs as much as
    /// the empty list, which it counts as where something is appended: so what a list weighs does not depend on
    /// how it came to be.
    pub(super) fn weight(&self) -> usize {
        match self {
            Value::Null => 1,
            Value::Int(_) => 8,
            Value::Str(string) => 2 + string.len(),
            Value::List(items) => 1 + items.iter().map(Value::weight).sum::<usize>(),
        }
    }

    fn decode_within(input: &mut Reader<'_>, depth: usize) -> Result<Value, DecodeError> {
        match input.byte("a value")? {
            0 => Ok(Value::Null),
            1 => input.signed("an integer").map(Value::Int),
            2 => input
                .string("a string", STRING_BYTES_MAX)
                .map(|string| Value::Str(string.to_owned())),
            3 if depth == DEPTH_MAX => Err(DecodeError::TooDeep(DEPTH_MAX)),
            3 => input
                .list("a list", LIST_ITEMS_MAX, |input| {
                    Self::decode_within(input, depth + 1)
                })
                .map(Value::List),
            tag => Err(DecodeError::UnknownTag { what: "a value", tag }),
        }
    }
}

impl Encode for Value {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.push(0),
            Value::Int(int) => {
                out.push(1);
                put_signed(out, *int);
            }
            Value::Str(string) => {
                out.push(2);
                put_bytes(out, string.as_bytes());
            }
            Value::List(items) => {
                out.push(3);
                put_unsigned(out, items.len() as u64);
                for item in items {
                    item.encode(out);
                }
            }
        }
    }
}

impl Decode for Value {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::decode_within(input, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(Value::Int(1), |inner, _| Value::List(vec![inner]))
    }

    #[test]
    fn values_survive_both_round_trips() {
        for json in [
            "null",
            "-7",
            "9223372036854775807",
            "\"é\"",
            "[]",
            "[1,[null,\"x\"],[[]]]",
        ] {
            let value: Value = serde_json::from_str(json).expect(json);
            assert_eq!(serde_json::to_string(&value).expect(json), json);
            assert_eq!(Value::from_bytes(&value.to_bytes()), Ok(value));
        }
        for bad in ["1.5", "true", "{}", "9223372036854775808"] {
            let error = serde_json::from_str::<Value>(bad).expect_err(bad).to_string();
            assert!(error.contains("a value is null"), "{bad}: {error}");
        }
    }

    #[test]
    fn depth_is_bounded_alike_before_and_after() {
        assert!(nested(DEPTH_MAX).is_within_limits());
        assert_eq!(
            Value::from_bytes(&nested(DEPTH_MAX).to_bytes()),
            Ok(nested(DEPTH_MAX))
        );
        assert!(!nested(DEPTH_MAX + 1).is_within_limits());
        assert_eq!(
            Value::from_bytes(&nested(DEPTH_MAX + 1).to_bytes()),
            Err(DecodeError::TooDeep(DEPTH_MAX))
        );
    }
}
