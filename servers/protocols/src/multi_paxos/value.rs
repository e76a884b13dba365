//! What a slot can hold.

use crate::codec::{self, Decode, DecodeError, Encode, Reader, put_bytes, put_unsigned};
use crate::config::NodeId;
use crate::protocol::Command;

/// The most members that a decoded configuration has.
const MEMBERS_MAX: usize = 1024;

/// What is proposed for a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Leaves the state unchanged: fills a gap (Lamport 2001, section 3).
    Noop,
    /// A client's command.
    Command(Command),
    /// These are the members, from a window of slots later on (Lamport 2001, end of section 3).
    Members(Vec<NodeId>),
}

impl Value {
    /// Roughly how many bytes it takes in a message.
    pub(super) fn size(&self) -> usize {
        match self {
            Value::Noop => 1,
            Value::Command(command) => 4 + command.len(),
            Value::Members(members) => 4 + 16 * members.len(),
        }
    }

    /// The command, if it is one.
    pub(super) fn command(&self) -> Option<Command> {
        match self {
            Value::Command(command) => Some(command.clone()),
            _ => None,
        }
    }
}

impl Encode for Value {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Value::Noop => out.push(0),
            Value::Command(command) => {
                out.push(1);
                put_bytes(out, command);
            }
            Value::Members(members) => {
                out.push(2);
                put_members(out, members);
            }
        }
    }
}

impl Decode for Value {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.byte("a value")? {
            0 => Ok(Value::Noop),
            1 => codec::command(input).map(Value::Command),
            2 => members(input).map(Value::Members),
            tag => Err(DecodeError::UnknownTag { what: "a value", tag }),
        }
    }
}

/// Appends a list of members.
pub(super) fn put_members(out: &mut Vec<u8>, members: &[NodeId]) {
    put_unsigned(out, members.len() as u64);
    members.iter().for_each(|member| member.encode(out));
}

/// Reads a list of members.
pub(super) fn members(input: &mut Reader<'_>) -> Result<Vec<NodeId>, DecodeError> {
    input.list("a list of members", MEMBERS_MAX, NodeId::decode)
}
