//! What nodes say to each other, and its binary form.

use super::log::{Entry, Position};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_unsigned};
use crate::transfer::Chunk;

/// The most entries in one message or record that is decoded.
pub(super) const ENTRIES_MAX: usize = 1 << 20;

/// A message. Each carries its sender's term, by which stale ones are known (paper 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The sender's term.
    pub term: u64,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// "Would you vote for me in the next term?" Changes nothing at the receiver (thesis 9.6).
    PreVote {
        /// The end of the sender's log.
        last: Position,
    },
    /// The answer to it.
    PreVoteReply {
        /// Whether it would.
        granted: bool,
    },
    /// "Vote for me in this term" (paper 5.2).
    RequestVote {
        /// The end of the candidate's log.
        last: Position,
        /// The leader itself wants it to be replaced (thesis 3.10), so that there is no harm in it.
        handover: bool,
    },
    /// The answer to it.
    Vote {
        /// Whether the vote is the candidate's.
        granted: bool,
    },
    /// "Put these after that entry" (paper 5.3).
    Append {
        /// The entry before them.
        previous: Position,
        /// What to append.
        entries: Vec<Entry>,
        /// The leader's commit index.
        commit: u64,
    },
    /// "My log is the same as yours up to here, durably."
    Appended {
        /// The last index of what was sent.
        matched: u64,
    },
    /// "I do not have that previous entry" (paper 5.3, the optimization at its end).
    Conflict {
        /// The index of the previous entry that is not there.
        previous: u64,
        /// Where to go on: the entry at that index if its log is that long, with the first index that it has
        /// of that entry's term; else the place just after its log, with term 0.
        hint: Position,
    },
    /// "I still lead." Apart from `Append`, so that its answer does not wait for a disk.
    Heartbeat {
        /// The round of heartbeats, to which the answer refers: reads wait for a round (thesis 6.4).
        round: u64,
        /// What the receiver is known to hold of what is committed.
        commit: u64,
    },
    /// "In this term I know of no later one." Also what a node says to a leader of an earlier term.
    HeartbeatReply {
        /// The round that is answered.
        round: u64,
    },
    /// "What you need is gone from my log; here is part of a snapshot" (paper section 7).
    Chunk(Chunk),
    /// "Send me more of that snapshot."
    ChunkWanted {
        /// The last index of the snapshot.
        index: u64,
        /// The first byte that is missing.
        offset: u64,
    },
    /// "Stand for election now, and take over from me" (thesis 3.10).
    TimeoutNow,
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match &self.body {
            Body::PreVote { .. } => 0,
            Body::PreVoteReply { .. } => 1,
            Body::RequestVote { .. } => 2,
            Body::Vote { .. } => 3,
            Body::Append { .. } => 4,
            Body::Appended { .. } => 5,
            Body::Conflict { .. } => 6,
            Body::Heartbeat { .. } => 7,
            Body::HeartbeatReply { .. } => 8,
            Body::Chunk(_) => 9,
            Body::ChunkWanted { .. } => 10,
            Body::TimeoutNow => 11,
        });
        put_unsigned(out, self.term);
        match &self.body {
            Body::PreVote { last } => last.encode(out),
            Body::RequestVote { last, handover } => {
                last.encode(out);
                out.push(u8::from(*handover));
            }
            Body::PreVoteReply { granted } | Body::Vote { granted } => out.push(u8::from(*granted)),
            Body::Append {
                previous,
                entries,
                commit,
            } => {
                previous.encode(out);
                put_unsigned(out, *commit);
                put_entries(out, entries);
            }
            Body::Appended { matched } => put_unsigned(out, *matched),
            Body::Conflict { previous, hint } => {
                put_unsigned(out, *previous);
                hint.encode(out);
            }
            Body::Heartbeat { round, commit } => {
                put_unsigned(out, *round);
                put_unsigned(out, *commit);
            }
            Body::HeartbeatReply { round } => put_unsigned(out, *round),
            Body::Chunk(chunk) => chunk.encode(out),
            Body::ChunkWanted { index, offset } => {
                put_unsigned(out, *index);
                put_unsigned(out, *offset);
            }
            Body::TimeoutNow => {}
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let tag = input.byte("a message")?;
        let term = input.unsigned("a term")?;
        let body = match tag {
            0 => Body::PreVote {
                last: Position::decode(input)?,
            },
            1 => Body::PreVoteReply {
                granted: input.boolean("an answer")?,
            },
            2 => Body::RequestVote {
                last: Position::decode(input)?,
                handover: input.boolean("a handover")?,
            },
            3 => Body::Vote {
                granted: input.boolean("an answer")?,
            },
            4 => Body::Append {
                previous: Position::decode(input)?,
                commit: input.unsigned("an index")?,
                entries: entries(input)?,
            },
            5 => Body::Appended {
                matched: input.unsigned("an index")?,
            },
            6 => Body::Conflict {
                previous: input.unsigned("an index")?,
                hint: Position::decode(input)?,
            },
            7 => Body::Heartbeat {
                round: input.unsigned("a round")?,
                commit: input.unsigned("an index")?,
            },
            8 => Body::HeartbeatReply {
                round: input.unsigned("a round")?,
            },
            9 => Body::Chunk(Chunk::decode(input)?),
            10 => Body::ChunkWanted {
                index: input.unsigned("an index")?,
                offset: input.unsigned("an offset")?,
            },
            11 => Body::TimeoutNow,
            tag => {
                return Err(DecodeError::UnknownTag {
                    what: "a message",
                    tag,
                });
            }
        };
        Ok(Message { term, body })
    }
}

/// Appends a list of entries.
pub(super) fn put_entries(out: &mut Vec<u8>, entries: &[Entry]) {
    put_unsigned(out, entries.len() as u64);
    for entry in entries {
        entry.encode(out);
    }
}

/// Reads a list of entries.
pub(super) fn entries(input: &mut Reader<'_>) -> Result<Vec<Entry>, DecodeError> {
    input.list("a list of entries", ENTRIES_MAX, Entry::decode)
}
