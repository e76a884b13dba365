//! What clients ask to be applied.

use super::operation::Operation;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_optional, put_unsigned};

/// The longest key, session name or owner, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 256;

/// Which command of which client session this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSequence {
    /// Names the session; chosen by the client, never to be used again by another.
    pub session: String,
    /// Numbers its commands, upwards. A retry has the number of the first try.
    pub sequence: u64,
}

/// An operation, and the session it belongs to. Without one, a command sent twice applies twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Which command of which session this is.
    pub session: Option<SessionSequence>,
    /// What to do.
    pub operation: Operation,
}

impl Command {
    /// Is it small enough, in all its parts, to be stored and decoded again?
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn check(&self) -> Result<(), &'static str> {
        match &self.session {
            Some(session) if session.session.len() > NAME_BYTES_MAX => {
                Err("a session's name is longer than 256 bytes")
            }
            _ => self.operation.problem().map_or(Ok(()), Err),
        }
    }
}

impl Encode for Command {
    fn encode(&self, out: &mut Vec<u8>) {
        put_optional(out, self.session.as_ref(), |out, session| {
            put_bytes(out, session.session.as_bytes());
            put_unsigned(out, session.sequence);
        });
        self.operation.encode(out);
    }
}

impl Decode for Command {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let session = input.optional("a session", |input| {
            Ok(SessionSequence {
                session: input.string("a session", NAME_BYTES_MAX)?.to_owned(),
                sequence: input.word("a sequence number")?,
            })
        })?;
        let operation = Operation::decode(input)?;
        Ok(Command { session, operation })
    }
}
