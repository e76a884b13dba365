//! What clients are answered.

use super::lock::Hold;
use super::object::Kind;
use super::transaction::{PARTS_MAX, Part};
use super::value::Value;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_optional, put_signed, put_unsigned};

/// Why an operation was not done. It then changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The key holds an object of another type.
    OtherType(Kind),
    /// An append to a register that holds neither a list nor null.
    NotAList,
    /// Something would become too large or nested too deeply.
    TooLarge,
}

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What was read, counted, or taken.
    Value(Value),
    /// Written, appended or enqueued.
    Done,
    /// The compare-and-set took place.
    Swapped,
    /// The compare-and-set did not, since the register holds something else.
    Kept {
        /// What it holds.
        observed: Value,
    },
    /// Was the element added, or removed, or is it there?
    Truth(bool),
    /// The lock is acquired, with this token.
    Acquired(i64),
    /// The lock could not be acquired: somebody holds it.
    Held(Hold),
    /// The lock is released.
    Released,
    /// The lock could not be released: it is not held with that token. Who holds it, if anybody.
    NotHeld(Option<Hold>),
    /// Who holds the lock, if anybody.
    Holder(Option<Hold>),
    /// The transaction was done; its reads have their values.
    Transaction(Vec<Part>),
    /// It could not be done, and changed nothing.
    Refused(Refusal),
    /// The session has gone on to later commands: whether this one ever applied is forgotten.
    Superseded,
    /// The session is not known any more: whether this command applied is forgotten with it.
    SessionExpired,
}

impl Answer {
    /// What it weighs in memory, about.
    pub(super) fn weight(&self) -> usize {
        match self {
            Answer::Value(value) | Answer::Kept { observed: value } => value.weight(),
            Answer::Transaction(parts) => parts.iter().map(Part::weight).sum(),
            _ => 0,
        }
    }
}

impl Encode for Answer {
    fn encode(&self, out: &mut Vec<u8>) {
        let put_hold = |out: &mut Vec<u8>, hold: Option<&Hold>| {
            put_optional(out, hold, |out, hold| hold.encode(out));
        };
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
            Answer::Refused(Refusal::TooLarge) => out.push(5),
            Answer::Superseded => out.push(6),
            Answer::SessionExpired => out.push(7),
            Answer::Refused(Refusal::OtherType(kind)) => out.extend([8, kind.tag()]),
            Answer::Truth(truth) => out.extend([9, u8::from(*truth)]),
            Answer::Acquired(token) => {
                out.push(10);
                put_signed(out, *token);
            }
            Answer::Held(hold) => {
                out.push(11);
                hold.encode(out);
            }
            Answer::NotHeld(hold) => {
                out.push(12);
                put_hold(out, hold.as_ref());
            }
            Answer::Released => out.push(15),
            Answer::Holder(hold) => {
                out.push(13);
                put_hold(out, hold.as_ref());
            }
            Answer::Transaction(parts) => {
                out.push(14);
                put_unsigned(out, parts.len() as u64);
                for part in parts {
                    part.encode(out);
                }
            }
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
            5 => Answer::Refused(Refusal::TooLarge),
            6 => Answer::Superseded,
            7 => Answer::SessionExpired,
            8 => Answer::Refused(Refusal::OtherType(Kind::of_tag(input.byte("a type")?)?)),
            9 => Answer::Truth(input.boolean("a truth")?),
            10 => Answer::Acquired(input.signed("a token")?),
            11 => Answer::Held(Hold::decode(input)?),
            12 => Answer::NotHeld(input.optional("a holder", Hold::decode)?),
            13 => Answer::Holder(input.optional("a holder", Hold::decode)?),
            14 => Answer::Transaction(input.list("a transaction", PARTS_MAX, Part::decode)?),
            15 => Answer::Released,
            tag => {
                return Err(DecodeError::UnknownTag {
                    what: "an answer",
                    tag,
                });
            }
        })
    }
}
