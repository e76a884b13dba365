//! What nodes say to each other, and its binary form.

use super::ballots::{Ballot, Numbered};
use super::node::Key;
use crate::codec::{self, Decode, DecodeError, Encode, Reader, put_bytes, put_optional, put_unsigned};
use crate::protocol::Command;

/// The most bodies in one message that is decoded.
const BODIES_MAX: usize = 1 << 16;
/// The longest key, in bytes, as in the store.
const KEY_BYTES_MAX: usize = 256;
/// The most decisions in one answer that is decoded.
const DECISIONS_MAX: usize = 1 << 16;

/// All that a step has to say to one peer, about whatever instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(pub Vec<Body>);

/// One thing that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Phase 1(a): "Promise to accept nothing below this ballot, and tell what you accepted."
    Prepare {
        /// The instance.
        key: Key,
        /// The ballot.
        ballot: Ballot,
    },
    /// Phase 1(b): "I promise, durably."
    Promise {
        /// The instance.
        key: Key,
        /// The ballot of the request.
        ballot: Ballot,
        /// The accepted proposal with the highest ballot, if any.
        accepted: Option<Numbered>,
    },
    /// Phase 2(a): "Accept this."
    Accept {
        /// The instance.
        key: Key,
        /// The proposal.
        proposal: Numbered,
    },
    /// Phase 2(b): "I have accepted it, durably."
    Accepted {
        /// The instance.
        key: Key,
        /// The proposal's ballot.
        ballot: Ballot,
    },
    /// "Your ballot comes too late" (paper 2.2, end).
    Preempted {
        /// The instance.
        key: Key,
        /// The ballot that comes too late.
        ballot: Ballot,
        /// The one that was promised.
        promised: Ballot,
    },
    /// "This is decided": what a learner tells others (paper 2.3), and the answer to all that is said of an
    /// instance that is over.
    Decided {
        /// The instance.
        key: Key,
        /// The value.
        value: Command,
    },
    /// "What have you accepted?" Changes nothing at the receiver.
    Inquire {
        /// The instance.
        key: Key,
        /// Names the question.
        number: u64,
    },
    /// The answer to it, where nothing is decided.
    Holds {
        /// The instance.
        key: Key,
        /// The question.
        number: u64,
        /// What is accepted, durably.
        accepted: Option<Numbered>,
    },
    /// "Between these keys I have so many decisions; tell me if you have others."
    Compare {
        /// The keys are after this one, or all from the first.
        after: Option<Key>,
        /// They go up to this one, or to the last.
        upto: Option<Key>,
        /// How many there are.
        count: u64,
        /// A digest of them.
        digest: u64,
    },
    /// The answer to it, if there are.
    Differs {
        /// The keys go up to this one, or to the last.
        upto: Option<Key>,
        /// All that is decided up to there.
        decisions: Vec<(Key, Command)>,
    },
}

impl Body {
    /// About how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        let value = match self {
            Body::Promise { accepted, .. } | Body::Holds { accepted, .. } => {
                accepted.as_ref().map_or(0, |accepted| accepted.value.len())
            }
            Body::Accept { proposal, .. } => proposal.value.len(),
            Body::Decided { value, .. } => value.len(),
            Body::Differs { decisions, .. } => decisions.iter().map(|(_, value)| value.len()).sum(),
            _ => 0,
        };
        value + KEY_BYTES_MAX
    }
}

pub(super) fn put_key(out: &mut Vec<u8>, key: &str) {
    put_bytes(out, key.as_bytes());
}

pub(super) fn key(input: &mut Reader<'_>) -> Result<Key, DecodeError> {
    input.string("a key", KEY_BYTES_MAX).map(Key::from)
}

fn put_bound(out: &mut Vec<u8>, key: Option<&Key>) {
    put_optional(out, key, |out, key| put_key(out, key));
}

fn bound(input: &mut Reader<'_>) -> Result<Option<Key>, DecodeError> {
    input.optional("a key", key)
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.0.len() as u64);
        for body in &self.0 {
            body.encode(out);
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.list("a message", BODIES_MAX, Body::decode).map(Message)
    }
}

impl Encode for Body {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Body::Prepare { key, ballot } => {
                out.push(0);
                put_key(out, key);
                ballot.encode(out);
            }
            Body::Promise {
                key,
                ballot,
                accepted,
            } => {
                out.push(1);
                put_key(out, key);
                ballot.encode(out);
                put_optional(out, accepted.as_ref(), |out, accepted| accepted.encode(out));
            }
            Body::Accept { key, proposal } => {
                out.push(2);
                put_key(out, key);
                proposal.encode(out);
            }
            Body::Accepted { key, ballot } => {
                out.push(3);
                put_key(out, key);
                ballot.encode(out);
            }
            Body::Preempted {
                key,
                ballot,
                promised,
            } => {
                out.push(4);
                put_key(out, key);
                ballot.encode(out);
                promised.encode(out);
            }
            Body::Decided { key, value } => {
                out.push(5);
                put_key(out, key);
                put_bytes(out, value);
            }
            Body::Inquire { key, number } => {
                out.push(6);
                put_key(out, key);
                put_unsigned(out, *number);
            }
            Body::Holds {
                key,
                number,
                accepted,
            } => {
                out.push(7);
                put_key(out, key);
                put_unsigned(out, *number);
                put_optional(out, accepted.as_ref(), |out, accepted| accepted.encode(out));
            }
            Body::Compare {
                after,
                upto,
                count,
                digest,
            } => {
                out.push(8);
                put_bound(out, after.as_ref());
                put_bound(out, upto.as_ref());
                put_unsigned(out, *count);
                put_unsigned(out, *digest);
            }
            Body::Differs { upto, decisions } => {
                out.push(9);
                put_bound(out, upto.as_ref());
                put_unsigned(out, decisions.len() as u64);
                for (key, value) in decisions {
                    put_key(out, key);
                    put_bytes(out, value);
                }
            }
        }
    }
}

impl Decode for Body {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let tag = input.byte("a message's body")?;
        Ok(match tag {
            0 => Body::Prepare {
                key: key(input)?,
                ballot: Ballot::decode(input)?,
            },
            1 => Body::Promise {
                key: key(input)?,
                ballot: Ballot::decode(input)?,
                accepted: input.optional("a proposal", Numbered::decode)?,
            },
            2 => Body::Accept {
                key: key(input)?,
                proposal: Numbered::decode(input)?,
            },
            3 => Body::Accepted {
                key: key(input)?,
                ballot: Ballot::decode(input)?,
            },
            4 => Body::Preempted {
                key: key(input)?,
                ballot: Ballot::decode(input)?,
                promised: Ballot::decode(input)?,
            },
            5 => Body::Decided {
                key: key(input)?,
                value: codec::command(input)?,
            },
            6 => Body::Inquire {
                key: key(input)?,
                number: input.unsigned("a question's number")?,
            },
            7 => Body::Holds {
                key: key(input)?,
                number: input.unsigned("a question's number")?,
                accepted: input.optional("a proposal", Numbered::decode)?,
            },
            8 => Body::Compare {
                after: bound(input)?,
                upto: bound(input)?,
                count: input.unsigned("a number of decisions")?,
                digest: input.word("a digest")?,
            },
            9 => Body::Differs {
                upto: bound(input)?,
                decisions: input.list("decisions", DECISIONS_MAX, decision)?,
            },
            tag => {
                return Err(DecodeError::UnknownTag {
                    what: "a message's body",
                    tag,
                });
            }
        })
    }
}

/// A key, and the value that was decided for it.
pub(super) fn decision(input: &mut Reader<'_>) -> Result<(Key, Command), DecodeError> {
    Ok((key(input)?, codec::command(input)?))
}
