//! What nodes say to each other, and its binary form.

use super::log::{Entry, Position, entries, outline, put_entries, put_outline};
use super::view::{Group, View};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_optional, put_unsigned};
use crate::transfer::Chunk;

/// A message. Each carries its sender's view and epoch, by which stale ones are known (sections 4 and 7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The sender's view.
    pub view: View,
    /// What it says.
    pub body: Body,
}

/// What a message says. The names are the paper's, where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// "These operations have these op-numbers" (section 4.1).
    Prepare {
        /// The op-number of the first.
        first: u64,
        /// The operations.
        entries: Vec<Entry>,
        /// The primary's commit-number.
        commit: u64,
    },
    /// "All up to here is in my log, durably" (section 4.1).
    PrepareOk {
        /// The op-number.
        op: u64,
    },
    /// "This is committed, and I am still the primary" (section 4.1).
    Commit {
        /// The round, to which the answer refers: reads wait for a round.
        round: u64,
        /// The primary's op-number.
        op: u64,
        /// Its commit-number.
        commit: u64,
    },
    /// "I know of no later view." The paper has no answer to Commit; reads and the check for a quorum need
    /// one.
    CommitOk {
        /// The round.
        round: u64,
        /// What the sender holds durably of the view's log.
        op: u64,
        /// In which life the sender waits to be given a vote, if it has none.
        nonce: Option<u64>,
    },
    /// "I want this view, at least" (section 4.2).
    StartViewChange {
        /// The sender's view if it has moved to it, or a later one if it would like to.
        wanted: View,
    },
    /// "Take me along into this view, with this log" (section 4.2).
    DoViewChange {
        /// The last view in which the sender's status was normal.
        normal_view: View,
        /// What comes before the entries. With them it gives the op-number.
        previous: Position,
        /// The end of the sender's log (section 5.3: not all of it).
        entries: Vec<Entry>,
        /// The sender's commit-number.
        commit: u64,
    },
    /// "This view has begun, with this log" (section 4.2).
    StartView {
        /// What comes before the entries.
        previous: Position,
        /// The end of the log.
        entries: Vec<Entry>,
        /// The commit-number.
        commit: u64,
    },
    /// "What comes after this?" (section 5.2).
    GetState {
        /// The sender's commit-number: up to there all logs are the same.
        commit: u64,
        /// The outline of its log.
        outline: Vec<Position>,
    },
    /// The answer to it.
    NewState(NewState),
    /// "More of that snapshot" (section 5.1).
    GetSnapshot {
        /// The last op-number of the snapshot.
        index: u64,
        /// The first byte wanted.
        offset: u64,
    },
    /// Part of a snapshot: the answer to the last two where what was asked for is not in the log any more.
    Snapshot(Chunk),
    /// "I have forgotten everything, or am new. How do matters stand?" (section 4.3).
    Recovery {
        /// Names this life of the sender.
        nonce: u64,
        /// It knows that the cluster is not new, and wants a vote.
        waits: bool,
    },
    /// The answer to it.
    RecoveryResponse {
        /// The nonce that was asked with.
        nonce: u64,
        /// How matters stand at the sender.
        condition: Condition,
    },
    /// "There is a new epoch" (section 7.1).
    StartEpoch {
        /// Its group.
        group: Group,
    },
    /// "I am part of the new epoch, with all that was before it" (section 7.1).
    EpochStarted,
}

/// Part of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewState {
    /// What comes before the entries.
    pub previous: Position,
    /// Part of the sender's log.
    pub entries: Vec<Entry>,
    /// The last op-number that the sender would tell of.
    pub last: u64,
    /// With what op-number its view began, if it speaks for its view; or else only what is committed is of
    /// use.
    pub start: Option<u64>,
    /// Its commit-number.
    pub commit: u64,
}

/// How far a node has come in its first start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// Its disk is empty.
    Empty,
    /// It knows that the cluster is new.
    Founded,
    /// It takes part, or has.
    Started,
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        self.view.encode(out);
        match &self.body {
            Body::Prepare {
                first,
                entries,
                commit,
            } => {
                out.push(0);
                put_unsigned(out, *first);
                put_entries(out, entries);
                put_unsigned(out, *commit);
            }
            Body::PrepareOk { op } => {
                out.push(1);
                put_unsigned(out, *op);
            }
            Body::Commit { round, op, commit } => {
                out.push(2);
                for number in [round, op, commit] {
                    put_unsigned(out, *number);
                }
            }
            Body::CommitOk { round, op, nonce } => {
                out.push(3);
                put_unsigned(out, *round);
                put_unsigned(out, *op);
                put_optional(out, *nonce, put_unsigned);
            }
            Body::StartViewChange { wanted } => {
                out.push(4);
                wanted.encode(out);
            }
            Body::DoViewChange {
                normal_view,
                previous,
                entries,
                commit,
            } => {
                out.push(5);
                normal_view.encode(out);
                previous.encode(out);
                put_entries(out, entries);
                put_unsigned(out, *commit);
            }
            Body::StartView {
                previous,
                entries,
                commit,
            } => {
                out.push(6);
                previous.encode(out);
                put_entries(out, entries);
                put_unsigned(out, *commit);
            }
            Body::GetState { commit, outline } => {
                out.push(7);
                put_unsigned(out, *commit);
                put_outline(out, outline);
            }
            Body::NewState(state) => {
                out.push(8);
                state.previous.encode(out);
                put_entries(out, &state.entries);
                put_unsigned(out, state.last);
                put_optional(out, state.start, put_unsigned);
                put_unsigned(out, state.commit);
            }
            Body::GetSnapshot { index, offset } => {
                out.push(9);
                put_unsigned(out, *index);
                put_unsigned(out, *offset);
            }
            Body::Snapshot(chunk) => {
                out.push(10);
                chunk.encode(out);
            }
            Body::Recovery { nonce, waits } => {
                out.push(11);
                put_unsigned(out, *nonce);
                out.push(u8::from(*waits));
            }
            Body::RecoveryResponse { nonce, condition } => {
                out.push(12);
                put_unsigned(out, *nonce);
                out.push(*condition as u8);
            }
            Body::StartEpoch { group } => {
                out.push(13);
                group.encode(out);
            }
            Body::EpochStarted => out.push(14),
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let view = View::decode(input)?;
        let body = match input.byte("a message")? {
            0 => Body::Prepare {
                first: input.unsigned("an op-number")?,
                entries: entries(input)?,
                commit: input.unsigned("a commit-number")?,
            },
            1 => Body::PrepareOk {
                op: input.unsigned("an op-number")?,
            },
            2 => Body::Commit {
                round: input.unsigned("a round")?,
                op: input.unsigned("an op-number")?,
                commit: input.unsigned("a commit-number")?,
            },
            3 => Body::CommitOk {
                round: input.unsigned("a round")?,
                op: input.unsigned("an op-number")?,
                nonce: input.optional("a nonce", |input| input.word("a nonce"))?,
            },
            4 => Body::StartViewChange {
                wanted: View::decode(input)?,
            },
            5 => Body::DoViewChange {
                normal_view: View::decode(input)?,
                previous: Position::decode(input)?,
                entries: entries(input)?,
                commit: input.unsigned("a commit-number")?,
            },
            6 => Body::StartView {
                previous: Position::decode(input)?,
                entries: entries(input)?,
                commit: input.unsigned("a commit-number")?,
            },
            7 => Body::GetState {
                commit: input.unsigned("a commit-number")?,
                outline: outline(input)?,
            },
            8 => Body::NewState(NewState {
                previous: Position::decode(input)?,
                entries: entries(input)?,
                last: input.unsigned("an op-number")?,
                start: input.optional("an op-number", |input| input.unsigned("an op-number"))?,
                commit: input.unsigned("a commit-number")?,
            }),
            9 => Body::GetSnapshot {
                index: input.unsigned("an op-number")?,
                offset: input.unsigned("an offset")?,
            },
            10 => Body::Snapshot(Chunk::decode(input)?),
            11 => Body::Recovery {
                nonce: input.word("a nonce")?,
                waits: input.boolean("whether it waits")?,
            },
            12 => Body::RecoveryResponse {
                nonce: input.word("a nonce")?,
                condition: condition(input)?,
            },
            13 => Body::StartEpoch {
                group: Group::decode(input)?,
            },
            14 => Body::EpochStarted,
            tag => {
                return Err(DecodeError::UnknownTag {
                    what: "a message",
                    tag,
                });
            }
        };
        Ok(Message { view, body })
    }
}

fn condition(input: &mut Reader<'_>) -> Result<Condition, DecodeError> {
    match input.byte("a condition")? {
        0 => Ok(Condition::Empty),
        1 => Ok(Condition::Founded),
        2 => Ok(Condition::Started),
        tag => Err(DecodeError::UnknownTag {
            what: "a condition",
            tag,
        }),
    }
}
