//! Several registers at a time.
//!
//! A transaction is one command, so nothing comes between its parts. That it is all or nothing takes some care:
//! the shapes of its registers are followed through all parts first, and only if none is refused are the values
//! touched.

use std::collections::BTreeMap;

use super::answer::{Answer, Refusal};
use super::command::NAME_BYTES_MAX;
use super::register::{Register, Shape};
use super::state::Objects;
use super::value::{OBJECT_WEIGHT_MAX, Value};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes};

/// The most parts that a transaction has.
pub(super) const PARTS_MAX: usize = 256;

/// What a part of a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads a register.
    Read,
    /// Sets a register.
    Write,
    /// Appends to the list that a register holds.
    Append,
}

/// A part of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it does.
    pub access: Access,
    /// To which register.
    pub key: String,
    /// What it writes or appends; of a read, null in the command and what it saw in the answer.
    pub value: Value,
}

impl Part {
    /// What it weighs in memory, about.
    pub(super) fn weight(&self) -> usize {
        self.key.len() + self.value.weight()
    }
}

/// Does all parts in their order, or none.
pub(super) fn transact(objects: &mut Objects, mut parts: Vec<Part>) -> Result<Answer, Refusal> {
    check(objects, &parts)?;
    for part in &mut parts {
        match part.access {
            Access::Read => part.value = read(objects, &part.key)?,
            Access::Write => objects.put(&part.key, Register::new(part.value.clone()))?,
            Access::Append => {
                objects.update(&part.key, |register: &mut Register| {
                    register.append(part.value.clone())
                })??;
            }
        }
    }
    Ok(Answer::Transaction(parts))
}

/// Does a transaction that only reads.
pub(super) fn query(objects: &Objects, parts: &[Part]) -> Result<Answer, Refusal> {
    check(objects, parts)?;
    let mut parts = parts.to_vec();
    for part in &mut parts {
        part.value = read(objects, &part.key)?;
    }
    Ok(Answer::Transaction(parts))
}

fn read(objects: &Objects, key: &str) -> Result<Value, Refusal> {
    let register: Option<&Register> = objects.get(key)?;
    Ok(register
        .map(|register| register.value().clone())
        .unwrap_or_default())
}

/// Could all parts be done, and is the answer small enough to be remembered?
fn check(objects: &Objects, parts: &[Part]) -> Result<(), Refusal> {
    let mut shapes: BTreeMap<&str, Shape> = BTreeMap::new();
    let mut answer = 0;
    for part in parts {
        let key = part.key.as_str();
        let before = match shapes.get(key) {
            Some(shape) => *shape,
            None => {
                let register: Option<&Register> = objects.get(key)?;
                register.map_or_else(|| Register::default().shape(), Register::shape)
            }
        };
        let after = match part.access {
            Access::Read => before,
            Access::Write => Shape::of(&part.value),
            Access::Append => before.append(&part.value)?,
        };
        answer += match part.access {
            Access::Read => before.weight(),
            Access::Write | Access::Append => part.weight(),
        };
        shapes.insert(key, after);
    }
    if answer > OBJECT_WEIGHT_MAX {
        return Err(Refusal::TooLarge);
    }
    Ok(())
}

impl Encode for Part {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.access {
            Access::Read => 0,
            Access::Write => 1,
            Access::Append => 2,
        });
        put_bytes(out, self.key.as_bytes());
        self.value.encode(out);
    }
}

impl Decode for Part {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let access = match input.byte("a part")? {
            0 => Access::Read,
            1 => Access::Write,
            2 => Access::Append,
            tag => return Err(DecodeError::UnknownTag { what: "a part", tag }),
        };
        Ok(Part {
            access,
            key: input.string("a key", NAME_BYTES_MAX)?.to_owned(),
            value: Value::decode(input)?,
        })
    }
}
