//! What nodes say to each other, and its binary form.

use super::ballot::Ballot;
use super::log::Vote;
use super::value::Value;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_optional, put_unsigned};
use crate::transfer::Chunk;

/// The most slots in one message or record that is decoded.
const SLOTS_MAX: usize = 1 << 20;

/// A message. Phase 1 is `Prepare` and `Promise`, phase 2 `Accept` and `Accepted` (Lamport 2001, 2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// "Would you answer me, if I began a ballot?" Changes nothing at the receiver.
    Canvass {
        /// The slots up to here are known to the sender to be chosen.
        chosen: u64,
    },
    /// The answer to it.
    Willing {
        /// Whether it would.
        willing: bool,
        /// The last ballot that it knows of.
        promised: Option<Ballot>,
        /// The slots up to here are known to it to be chosen.
        chosen: u64,
    },
    /// Phase 1a, for all slots from the first on at once: "accept nothing any more in earlier ballots, and
    /// tell what you have accepted."
    Prepare {
        /// The sender's ballot.
        ballot: Ballot,
        /// The first slot that it does not know to be chosen.
        first: u64,
        /// The ballot whose leader asked the sender to take over, if one did.
        after: Option<Ballot>,
    },
    /// Phase 1b.
    Promise {
        /// The ballot that is answered.
        ballot: Ballot,
        /// The slots up to here are left out, as they are chosen and many: of those it tells when asked. 0 if
        /// none is.
        omitted: u64,
        /// What it has accepted for later ones.
        votes: Vec<(u64, Vote)>,
    },
    /// Phase 2a, for slots from the first on: "accept these."
    Accept {
        /// The leader's ballot.
        ballot: Ballot,
        /// The slot of the first value.
        first: u64,
        /// What to accept.
        values: Vec<Value>,
        /// The slots up to here are known to the leader to be chosen.
        chosen: u64,
    },
    /// Phase 2b: "I have, durably."
    Accepted {
        /// In which ballot.
        ballot: Ballot,
        /// The first slot.
        first: u64,
        /// The last slot.
        last: u64,
    },
    /// "I have promised a later ballot than yours."
    Preempted {
        /// Which.
        promised: Ballot,
    },
    /// "I still lead."
    Heartbeat {
        /// The leader's ballot.
        ballot: Ballot,
        /// The round of heartbeats, to which the answer refers.
        round: u64,
        /// The slots up to here are known to the leader to be chosen.
        chosen: u64,
    },
    /// "I had promised no later ballot than yours when your heartbeat came."
    HeartbeatReply {
        /// The leader's ballot.
        ballot: Ballot,
        /// The round that is answered.
        round: u64,
        /// The slots up to here are known to the sender to be chosen.
        chosen: u64,
    },
    /// "What is chosen from this slot on?"
    Learn {
        /// The first slot that the sender does not know.
        from: u64,
    },
    /// The answer to it: as much as fits.
    Chosen {
        /// The slot of the first vote.
        first: u64,
        /// What is chosen, with a ballot in which it was accepted.
        votes: Vec<Vote>,
        /// The slots up to here are known to the sender to be chosen.
        through: u64,
    },
    /// The answer to it if those slots are gone: part of a snapshot.
    Chunk(Chunk),
    /// "Go on with that snapshot from here."
    WantChunk {
        /// Its last slot.
        index: u64,
        /// The first byte that is missing.
        offset: u64,
    },
    /// "Begin a ballot now, to lead in my place."
    HandOver {
        /// The leader's ballot.
        ballot: Ballot,
    },
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Canvass { chosen } => {
                out.push(0);
                put_unsigned(out, *chosen);
            }
            Message::Willing {
                willing,
                promised,
                chosen,
            } => {
                out.push(1);
                out.push(u8::from(*willing));
                put_optional(out, promised.as_ref(), |out, ballot| ballot.encode(out));
                put_unsigned(out, *chosen);
            }
            Message::Prepare { ballot, first, after } => {
                out.push(2);
                ballot.encode(out);
                put_unsigned(out, *first);
                put_optional(out, after.as_ref(), |out, ballot| ballot.encode(out));
            }
            Message::Promise {
                ballot,
                omitted,
                votes,
            } => {
                out.push(3);
                ballot.encode(out);
                put_unsigned(out, *omitted);
                put_unsigned(out, votes.len() as u64);
                for (slot, vote) in votes {
                    put_unsigned(out, *slot);
                    vote.encode(out);
                }
            }
            Message::Accept {
                ballot,
                first,
                values,
                chosen,
            } => {
                out.push(4);
                ballot.encode(out);
                put_unsigned(out, *first);
                put_unsigned(out, *chosen);
                put_values(out, values);
            }
            Message::Accepted { ballot, first, last } => {
                out.push(5);
                ballot.encode(out);
                put_unsigned(out, *first);
                put_unsigned(out, *last);
            }
            Message::Preempted { promised } => {
                out.push(6);
                promised.encode(out);
            }
            Message::Heartbeat {
                ballot,
                round,
                chosen,
            } => put_round(out, 7, *ballot, *round, *chosen),
            Message::HeartbeatReply {
                ballot,
                round,
                chosen,
            } => put_round(out, 8, *ballot, *round, *chosen),
            Message::Learn { from } => {
                out.push(9);
                put_unsigned(out, *from);
            }
            Message::Chosen {
                first,
                votes,
                through,
            } => {
                out.push(10);
                put_unsigned(out, *first);
                put_unsigned(out, *through);
                put_votes(out, votes);
            }
            Message::Chunk(chunk) => {
                out.push(11);
                chunk.encode(out);
            }
            Message::WantChunk { index, offset } => {
                out.push(12);
                put_unsigned(out, *index);
                put_unsigned(out, *offset);
            }
            Message::HandOver { ballot } => {
                out.push(13);
                ballot.encode(out);
            }
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match input.byte("a message")? {
            0 => Message::Canvass {
                chosen: input.unsigned("a slot")?,
            },
            1 => Message::Willing {
                willing: input.boolean("an answer")?,
                promised: input.optional("a ballot", Ballot::decode)?,
                chosen: input.unsigned("a slot")?,
            },
            2 => Message::Prepare {
                ballot: Ballot::decode(input)?,
                first: input.unsigned("a slot")?,
                after: input.optional("a ballot", Ballot::decode)?,
            },
            3 => Message::Promise {
                ballot: Ballot::decode(input)?,
                omitted: input.unsigned("a slot")?,
                votes: input.list("a list of votes", SLOTS_MAX, |input| {
                    Ok((input.unsigned("a slot")?, Vote::decode(input)?))
                })?,
            },
            4 => Message::Accept {
                ballot: Ballot::decode(input)?,
                first: input.unsigned("a slot")?,
                chosen: input.unsigned("a slot")?,
                values: values(input)?,
            },
            5 => Message::Accepted {
                ballot: Ballot::decode(input)?,
                first: input.unsigned("a slot")?,
                last: input.unsigned("a slot")?,
            },
            6 => Message::Preempted {
                promised: Ballot::decode(input)?,
            },
            7 => Message::Heartbeat {
                ballot: Ballot::decode(input)?,
                round: input.unsigned("a round")?,
                chosen: input.unsigned("a slot")?,
            },
            8 => Message::HeartbeatReply {
                ballot: Ballot::decode(input)?,
                round: input.unsigned("a round")?,
                chosen: input.unsigned("a slot")?,
            },
            9 => Message::Learn {
                from: input.unsigned("a slot")?,
            },
            10 => Message::Chosen {
                first: input.unsigned("a slot")?,
                through: input.unsigned("a slot")?,
                votes: votes(input)?,
            },
            11 => Message::Chunk(Chunk::decode(input)?),
            12 => Message::WantChunk {
                index: input.unsigned("a slot")?,
                offset: input.unsigned("an offset")?,
            },
            13 => Message::HandOver {
                ballot: Ballot::decode(input)?,
            },
            tag => {
                return Err(DecodeError::UnknownTag {
                    what: "a message",
                    tag,
                });
            }
        })
    }
}

fn put_round(out: &mut Vec<u8>, tag: u8, ballot: Ballot, round: u64, chosen: u64) {
    out.push(tag);
    ballot.encode(out);
    put_unsigned(out, round);
    put_unsigned(out, chosen);
}

/// Appends a list of values.
pub(super) fn put_values(out: &mut Vec<u8>, values: &[Value]) {
    put_unsigned(out, values.len() as u64);
    values.iter().for_each(|value| value.encode(out));
}

/// Reads a list of values.
pub(super) fn values(input: &mut Reader<'_>) -> Result<Vec<Value>, DecodeError> {
    input.list("a list of values", SLOTS_MAX, Value::decode)
}

/// Appends a list of votes.
pub(super) fn put_votes(out: &mut Vec<u8>, votes: &[Vote]) {
    put_unsigned(out, votes.len() as u64);
    votes.iter().for_each(|vote| vote.encode(out));
}

/// Reads a list of votes.
pub(super) fn votes(input: &mut Reader<'_>) -> Result<Vec<Vote>, DecodeError> {
    input.list("a list of votes", SLOTS_MAX, Vote::decode)
}
