//! What clients ask to be applied, and what they are answered.

use super::value::Value;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_optional, put_unsigned};

/// The longest key or session name, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 256;

/// Which command of which client session this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSequence {
    /// Names the session; chosen by the client, never to be used again by another.
    pub session: String,
    /// Numbers its commands, upwards. A retry has the number of the first try.
    pub sequence: u64,
}

/// What is done to one register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reads the register. Changes nothing, so that it need not go through the log.
    Read {
        /// Which register.
        key: String,
    },
    /// Sets the register.
    Write {
        /// Which register.
        key: String,
        /// To what.
        value: Value,
    },
    /// Sets the register if it holds what is expected.
    CompareAndSet {
        /// Which register.
        key: String,
        /// What it must hold.
        from: Value,
        /// What it will then hold.
        to: Value,
    },
    /// Appends to the list that the register holds; null counts as the empty list.
    Append {
        /// Which register.
        key: String,
        /// The new last item.
        value: Value,
    },
    /// Sets the register if it holds null, and gives what it holds then: a register that is written once.
    Propose {
        /// Which register.
        key: String,
        /// To what, if nothing was decided before.
        value: Value,
    },
}

impl Operation {
    /// The register it is about.
    pub fn key(&self) -> &str {
        match self {
            Operation::Read { key }
            | Operation::Write { key, .. }
            | Operation::CompareAndSet { key, .. }
            | Operation::Append { key, .. }
            | Operation::Propose { key, .. } => key,
        }
    }

    fn values(&self) -> impl Iterator<Item = &Value> {
        match self {
            Operation::Write { value, .. }
            | Operation::Append { value, .. }
            | Operation::Propose { value, .. } => [Some(value), None],
            Operation::CompareAndSet { from, to, .. } => [Some(from), Some(to)],
            Operation::Read { .. } => [None, None],
        }
        .into_iter()
        .flatten()
    }
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
    /// Are its names and values small enough to be stored and decoded again?
    pub fn is_within_limits(&self) -> bool {
        self.operation.key().len() <= NAME_BYTES_MAX
            && self
                .session
                .as_ref()
                .is_none_or(|session| session.session.len() <= NAME_BYTES_MAX)
            && self.operation.values().all(Value::is_within_limits)
    }
}

/// Why an operation was not done. It then changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An append to a register that holds neither a list nor null.
    NotAList,
    /// An append that would make a list too long or nested too deeply.
    ListFull,
}

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What the register holds.
    Value(Value),
    /// Written or appended.
    Done,
    /// The compare-and-set took place.
    Swapped,
    /// The compare-and-set did not, since the register holds something else.
    Kept {
        /// What it holds.
        observed: Value,
    },
    /// It could not be done, and changed nothing.
    Refused(Refusal),
    /// The session has gone on to later commands: whether this one ever applied is forgotten.
    Superseded,
    /// The session is not known any more: whether this command applied is forgotten with it.
    SessionExpired,
}

impl Encode for Command {
    fn encode(&self, out: &mut Vec<u8>) {
        put_optional(out, self.session.as_ref(), |out, session| {
            put_bytes(out, session.session.as_bytes());
            put_unsigned(out, session.sequence);
        });
        out.push(match self.operation {
            Operation::Write { .. } => 0,
            Operation::CompareAndSet { .. } => 1,
            Operation::Append { .. } => 2,
            Operation::Read { .. } => 3,
            Operation::Propose { .. } => 16,
        });
        put_bytes(out, self.operation.key().as_bytes());
        for value in self.operation.values() {
            value.encode(out);
        }
    }
}

impl Decode for Command {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let session = input.optional("a session", |input| {
            Ok(SessionSequence {
                session: input.string("a session", NAME_BYTES_MAX)?.to_owned(),
                sequence: input.unsigned("a sequence number")?,
            })
        })?;
        let tag = input.byte("an operation")?;
        let key = input.string("a key", NAME_BYTES_MAX)?.to_owned();
        let operation = match tag {
            0 => Operation::Write {
                key,
                value: Value::decode(input)?,
            },
            1 => Operation::CompareAndSet {
                key,
                from: Value::decode(input)?,
                to: Value::decode(input)?,
            },
            2 => Operation::Append {
                key,
                value: Value::decode(input)?,
            },
            3 => Operation::Read { key },
            16 => Operation::Propose {
                key,
                value: Value::decode(input)?,
            },
            tag => {
                return Err(DecodeError::UnknownTag {
                    what: "an operation",
                    tag,
                });
            }
        };
        Ok(Command { session, operation })
    }
}

impl Encode for Answer {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Answer::Value(value) => {
                out.push(0);
                value.encode(out);
            }
            Answer::Done => out.push(1),
            Answer::Swapped => out.push(2),
            Answer::Kept { observed } => {
                out.push(3);
                observed.encode(out);
            }
            Answer::Refused(Refusal::NotAList) => out.push(4),
            Answer::Refused(Refusal::ListFull) => out.push(5),
            Answer::Superseded => out.push(6),
            Answer::SessionExpired => out.push(7),
        }
    }
}

impl Decode for Answer {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match input.byte("an answer")? {
            0 => Answer::Value(Value::decode(input)?),
            1 => Answer::Done,
            2 => Answer::Swapped,
            3 => Answer::Kept {
                observed: Value::decode(input)?,
            },
            4 => Answer::Refused(Refusal::NotAList),
            5 => Answer::Refused(Refusal::ListFull),
            6 => Answer::Superseded,
            7 => Answer::SessionExpired,
            tag => {
                return Err(DecodeError::UnknownTag {
                    what: "an answer",
                    tag,
                });
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_survive_the_round_trip_and_no_prefix_of_one_is_another() {
        let operations = [
            Operation::Read { key: "x".into() },
            Operation::Write {
                key: "x".into(),
                value: Value::Int(-3),
            },
            Operation::CompareAndSet {
                key: "y".into(),
                from: Value::Null,
                to: Value::Str("b".into()),
            },
            Operation::Append {
                key: String::new(),
                value: Value::List(vec![Value::Int(1)]),
            },
            Operation::Propose {
                key: "w".into(),
                value: Value::Int(7),
            },
        ];
        for operation in operations {
            for session in [
                None,
                Some(SessionSequence {
                    session: "c17".into(),
                    sequence: 4,
                }),
            ] {
                let command = Command {
                    session,
                    operation: operation.clone(),
                };
                let bytes = command.to_bytes();
                assert_eq!(Command::from_bytes(&bytes).as_ref(), Ok(&command));
                for shorter in 0..bytes.len() {
                    assert!(
                        Command::from_bytes(&bytes[..shorter]).is_err(),
                        "{command:?} cut to {shorter}"
                    );
                }
            }
        }
    }
}
