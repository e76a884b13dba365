//! The compact binary form of everything that crosses a socket or reaches a disk.
//!
//! Integers are LEB128 varints (small terms, indexes and lengths are one byte), signed ones zig-zagged first;
//! strings and lists carry their length; variants a one-byte tag. It is written out here, instead of taken
//! from a serde back-end, because the bytes come from outside: nothing is allocated on the word of a length
//! that the input cannot back, and nesting is bounded, whatever a peer or a damaged disk says.

use std::sync::Arc;

/// The largest number that is counted up to.
const COUNTED_MAX: u64 = 1 << 60;

/// Why bytes could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input ended inside a value.
    #[error("the input ends inside {0}")]
    Truncated(&'static str),
    /// A varint longer than 64 bits.
    #[error("an integer is longer than 64 bits")]
    IntegerTooLong,
    /// A tag that no variant has.
    #[error("{tag} is no kind of {what}")]
    UnknownTag {
        /// What was being decoded.
        what: &'static str,
        /// The tag that was found.
        tag: u8,
    },
    /// A length over its limit.
    #[error("{what} has length {length}, over the limit {limit}")]
    TooLong {
        /// What was being decoded.
        what: &'static str,
        /// The length that was found.
        length: u64,
        /// The limit, in the same unit.
        limit: u64,
    },
    /// Values nested deeper than the limit.
    #[error("values are nested deeper than {0} levels")]
    TooDeep(usize),
    /// A string that is not UTF-8.
    #[error("{0} is not UTF-8")]
    NotUtf8(&'static str),
    /// Bytes after the end of the value.
    #[error("{0} bytes follow the value")]
    TrailingBytes(usize),
    /// Well-formed, but not something that can be.
    #[error("{0}")]
    Impossible(&'static str),
}

/// Can be written as bytes.
pub trait Encode {
    /// Appends the encoded form.
    fn encode(&self, out: &mut Vec<u8>);

    /// The encoded form.
    fn to_bytes(&self) -> Vec<u8> {
        // Most of what is encoded is small; growing to that byte by byte costs more than the bytes.
        let mut out = Vec::with_capacity(64);
        self.encode(&mut out);
        out
    }
}

/// Can be read back from bytes.
pub trait Decode: Sized {
    /// Takes one value off the front of the input.
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Decodes a value that takes up all of `bytes`.
    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader { rest: bytes };
        let value = Self::decode(&mut input)?;
        match input.rest.len() {
            0 => Ok(value),
            trailing => Err(DecodeError::TrailingBytes(trailing)),
        }
    }
}

/// Input not yet decoded.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// One byte.
    pub fn byte(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        let (&first, rest) = self.rest.split_first().ok_or(DecodeError::Truncated(what))?;
        self.rest = rest;
        Ok(first)
    }

    /// An unsigned integer that is counted up to: a length, an index, a term. So far from the largest that none
    /// is ever reached, so that no sum of some of them is too large, whatever a peer or a damaged disk says.
    pub fn unsigned(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        match self.word(what)? {
            value @ ..=COUNTED_MAX => Ok(value),
            value => Err(DecodeError::TooLong {
                what,
                length: value,
                limit: COUNTED_MAX,
            }),
        }
    }

    /// Any unsigned integer.
    pub fn word(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for the 64th bit alone.
            if shift == 63 && bits > 1 {
                return Err(DecodeError::IntegerTooLong);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::IntegerTooLong)
    }

    /// A signed integer.
    pub fn signed(&mut self, what: &'static str) -> Result<i64, DecodeError> {
        let zigzag = self.word(what)?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    /// A length, at most `limit`, and backed by at least as many bytes of input.
    pub fn length(&mut self, what: &'static str, limit: usize) -> Result<usize, DecodeError> {
        let length = self.word(what)?;
        if length > limit as u64 {
            return Err(DecodeError::TooLong {
                what,
                length,
                limit: limit as u64,
            });
        }
        if length > self.rest.len() as u64 {
            return Err(DecodeError::Truncated(what));
        }
        Ok(length as usize)
    }

    /// Length-prefixed bytes, at most `limit` of them.
    pub fn bytes(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], DecodeError> {
        let length = self.length(what, limit)?;
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(bytes)
    }

    /// A length-prefixed string of at most `limit` bytes.
    pub fn string(&mut self, what: &'static str, limit: usize) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes(what, limit)?).map_err(|_| DecodeError::NotUtf8(what))
    }

    /// A boolean.
    pub fn boolean(&mut self, what: &'static str) -> Result<bool, DecodeError> {
        match self.byte(what)? {
            0 => Ok(false),
            1 => Ok(true),
            tag => Err(DecodeError::UnknownTag { what, tag }),
        }
    }

    /// Something that may be absent.
    pub fn optional<T>(
        &mut self,
        what: &'static str,
        decode: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.boolean(what)? {
            decode(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A length-prefixed list of at most `limit` items, each of at least one byte.
    pub fn list<T>(
        &mut self,
        what: &'static str,
        limit: usize,
        mut decode: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let length = self.length(what, limit)?;
        (0..length).map(|_| decode(self)).collect()
    }
}

/// Appends an unsigned integer.
pub fn put_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed integer.
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_unsigned(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Appends length-prefixed bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_unsigned(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends something that may be absent.
pub fn put_optional<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

/// The longest client command, in bytes. The client API refuses longer ones before they are proposed.
pub const COMMAND_BYTES_MAX: usize = 256 * 1024;

/// Reads a client command.
pub(crate) fn command(input: &mut Reader<'_>) -> Result<Arc<[u8]>, DecodeError> {
    input.bytes("a command", COMMAND_BYTES_MAX).map(Arc::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Unsigned(u64);
    impl Decode for Unsigned {
        fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
            input.word("a number").map(Unsigned)
        }
    }

    #[test]
    fn integers_survive_the_round_trip() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            put_unsigned(&mut out, value);
            assert_eq!(Unsigned::from_bytes(&out).map(|unsigned| unsigned.0), Ok(value));
            for shorter in 0..out.len() {
                assert!(
                    Unsigned::from_bytes(&out[..shorter]).is_err(),
                    "{value} cut to {shorter} bytes"
                );
            }
        }
        for value in [0, -1, 1, 63, -64, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            assert_eq!(Reader { rest: &out }.signed("a number"), Ok(value));
        }
    }

    #[test]
    fn what_is_counted_up_to_is_far_from_the_largest_number() {
        let read = |value| {
            let mut out = Vec::new();
            put_unsigned(&mut out, value);
            Reader { rest: &out }.unsigned("an index")
        };
        assert_eq!(read(COUNTED_MAX), Ok(COUNTED_MAX));
        for value in [COUNTED_MAX + 1, u64::MAX] {
            assert!(matches!(read(value), Err(DecodeError::TooLong { .. })), "{value}");
        }
    }

    #[test]
    fn a_65_bit_integer_is_refused() {
        let mut bytes = vec![0xff; 9];
        bytes.push(0x02);
        assert!(matches!(
            Unsigned::from_bytes(&bytes),
            Err(DecodeError::IntegerTooLong)
        ));
        assert!(matches!(
            Unsigned::from_bytes(&[0xff; 11]),
            Err(DecodeError::IntegerTooLong)
        ));
    }

    #[test]
    fn a_length_is_not_believed_beyond_its_input() {
        let mut bytes = Vec::new();
        put_unsigned(&mut bytes, 1 << 40);
        let mut input = Reader { rest: &bytes };
        assert!(matches!(
            input.clone().bytes("a blob", usize::MAX),
            Err(DecodeError::Truncated(_))
        ));
        assert!(matches!(
            input.list("a list", 10, |input| input.byte("x")),
            Err(DecodeError::TooLong { .. })
        ));
    }
}
