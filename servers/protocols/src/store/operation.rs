//! What can be done to the objects of the store.

use super::command::NAME_BYTES_MAX;
use super::transaction::{Access, PARTS_MAX, Part};
use super::value::Value;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_signed, put_unsigned};

/// What is done to one object, or to several registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reads a register; null if it was never written.
    Read {
        /// Which register.
        key: String,
    },
    /// Sets a register.
    Write {
        /// Which register.
        key: String,
        /// To what.
        value: Value,
    },
    /// Sets a register if it holds what is expected.
    CompareAndSet {
        /// Which register.
        key: String,
        /// What it must hold.
        from: Value,
        /// What it will then hold.
        to: Value,
    },
    /// Appends to the list that a register holds; null counts as the empty list.
    Append {
        /// Which register.
        key: String,
        /// The new last item.
        value: Value,
    },
    /// Sets a register if it holds null, and gives what it holds then: a register that is written once.
    Propose {
        /// Which register.
        key: String,
        /// To what, if nothing was decided before.
        value: Value,
    },
    /// Puts an element into a set; says whether it was not there.
    SetAdd {
        /// Which set.
        key: String,
        /// The element.
        element: Value,
    },
    /// Takes an element out of a set; says whether it was there.
    SetRemove {
        /// Which set.
        key: String,
        /// The element.
        element: Value,
    },
    /// Says whether an element is in a set.
    SetContains {
        /// Which set.
        key: String,
        /// The element.
        element: Value,
    },
    /// Reads all elements of a set.
    SetRead {
        /// Which set.
        key: String,
    },
    /// Adds to a counter, which begins at 0 and wraps around at 64 bits; gives the count after it.
    CounterAdd {
        /// Which counter.
        key: String,
        /// How much, which may be negative.
        amount: i64,
    },
    /// Reads a counter.
    CounterRead {
        /// Which counter.
        key: String,
    },
    /// Puts an item at the end of a queue.
    Enqueue {
        /// Which queue.
        key: String,
        /// The item. Null is what an empty queue answers, so it is none.
        item: Value,
    },
    /// Takes the item at the front of a queue; null if it is empty.
    Dequeue {
        /// Which queue.
        key: String,
    },
    /// Looks at the item at the front of a queue; null if it is empty.
    Peek {
        /// Which queue.
        key: String,
    },
    /// Acquires a lock that is free; gives a token that is larger than all before.
    Acquire {
        /// Which lock.
        key: String,
        /// Who is to hold it.
        owner: String,
    },
    /// Releases a lock.
    Release {
        /// Which lock.
        key: String,
        /// The token that its acquisition gave.
        token: i64,
    },
    /// Says who holds a lock.
    Holder {
        /// Which lock.
        key: String,
    },
    /// Reads, writes and appends to several registers, nothing coming between; all of it or nothing.
    Transaction(Vec<Part>),
}

impl Operation {
    /// The object that it is about, if it is one and no more.
    pub fn key(&self) -> Option<&str> {
        let mut keys = self.keys();
        let first = keys.next()?;
        keys.all(|key| key == first).then_some(first)
    }

    /// The objects that it is about, in no particular order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let (key, parts): (Option<&str>, &[Part]) = match self {
            Operation::Read { key }
            | Operation::Write { key, .. }
            | Operation::CompareAndSet { key, .. }
            | Operation::Append { key, .. }
            | Operation::Propose { key, .. }
            | Operation::SetAdd { key, .. }
            | Operation::SetRemove { key, .. }
            | Operation::SetContains { key, .. }
            | Operation::SetRead { key }
            | Operation::CounterAdd { key, .. }
            | Operation::CounterRead { key }
            | Operation::Enqueue { key, .. }
            | Operation::Dequeue { key }
            | Operation::Peek { key }
            | Operation::Acquire { key, .. }
            | Operation::Release { key, .. }
            | Operation::Holder { key } => (Some(key), &[]),
            Operation::Transaction(parts) => (None, parts),
        };
        key.into_iter().chain(parts.iter().map(|part| part.key.as_str()))
    }

    /// Does it change nothing, whatever it finds? Then it need not go through the log.
    pub fn only_reads(&self) -> bool {
        match self {
            Operation::Read { .. }
            | Operation::SetContains { .. }
            | Operation::SetRead { .. }
            | Operation::CounterRead { .. }
            | Operation::Peek { .. }
            | Operation::Holder { .. } => true,
            Operation::Transaction(parts) => parts.iter().all(|part| part.access == Access::Read),
            _ => false,
        }
    }

    /// What makes it too large to be stored and decoded again, or otherwise nothing to be applied.
    pub(super) fn problem(&self) -> Option<&'static str> {
        if self.keys().any(|key| key.len() > NAME_BYTES_MAX) {
            return Some("a key is longer than 256 bytes");
        }
        match self {
            Operation::Transaction(parts) if parts.is_empty() => Some("a transaction without parts"),
            Operation::Transaction(parts) if parts.len() > PARTS_MAX => {
                Some("a transaction of more than 256 parts")
            }
            Operation::Enqueue {
                item: Value::Null, ..
            } => Some("null can not be enqueued: it is what an empty queue answers"),
            Operation::Acquire { owner, .. } if owner.len() > NAME_BYTES_MAX => {
                Some("an owner is longer than 256 bytes")
            }
            _ if !self.values().all(Value::is_within_limits) => {
                Some("a value is too large or too deeply nested")
            }
            _ => None,
        }
    }

    fn values(&self) -> impl Iterator<Item = &Value> {
        let (values, parts): ([Option<&Value>; 2], &[Part]) = match self {
            Operation::Write { value, .. }
            | Operation::Append { value, .. }
            | Operation::Propose { value, .. } => ([Some(value), None], &[]),
            Operation::CompareAndSet { from, to, .. } => ([Some(from), Some(to)], &[]),
            Operation::SetAdd { element, .. }
            | Operation::SetRemove { element, .. }
            | Operation::SetContains { element, .. } => ([Some(element), None], &[]),
            Operation::Enqueue { item, .. } => ([Some(item), None], &[]),
            Operation::Transaction(parts) => ([None, None], parts),
            _ => ([None, None], &[]),
        };
        values
            .into_iter()
            .flatten()
            .chain(parts.iter().map(|part| &part.value))
    }

    fn tag(&self) -> u8 {
        match self {
            Operation::Write { .. } => 0,
            Operation::CompareAndSet { .. } => 1,
            Operation::Append { .. } => 2,
            Operation::Read { .. } => 3,
            Operation::SetAdd { .. } => 4,
            Operation::SetRemove { .. } => 5,
            Operation::SetContains { .. } => 6,
            Operation::SetRead { .. } => 7,
            Operation::CounterAdd { .. } => 8,
            Operation::CounterRead { .. } => 9,
            Operation::Enqueue { .. } => 10,
            Operation::Dequeue { .. } => 11,
            Operation::Peek { .. } => 12,
            Operation::Acquire { .. } => 13,
            Operation::Release { .. } => 14,
            Operation::Holder { .. } => 15,
            Operation::Propose { .. } => 16,
            Operation::Transaction(_) => TRANSACTION,
        }
    }
}

/// The one tag that no key follows.
const TRANSACTION: u8 = 17;

impl Encode for Operation {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.tag());
        if let Operation::Transaction(parts) = self {
            put_unsigned(out, parts.len() as u64);
            for part in parts {
                part.encode(out);
            }
            return;
        }
        for key in self.keys() {
            put_bytes(out, key.as_bytes());
        }
        for value in self.values() {
            value.encode(out);
        }
        match self {
            Operation::CounterAdd { amount: number, .. } | Operation::Release { token: number, .. } => {
                put_signed(out, *number);
            }
            Operation::Acquire { owner, .. } => put_bytes(out, owner.as_bytes()),
            _ => {}
        }
    }
}

impl Decode for Operation {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let tag = input.byte("an operation")?;
        if tag == TRANSACTION {
            return input
                .list("a transaction", PARTS_MAX, Part::decode)
                .map(Operation::Transaction);
        }
        let key = input.string("a key", NAME_BYTES_MAX)?.to_owned();
        Ok(match tag {
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
            4 => Operation::SetAdd {
                key,
                element: Value::decode(input)?,
            },
            5 => Operation::SetRemove {
                key,
                element: Value::decode(input)?,
            },
            6 => Operation::SetContains {
                key,
                element: Value::decode(input)?,
            },
            7 => Operation::SetRead { key },
            8 => Operation::CounterAdd {
                key,
                amount: input.signed("an amount")?,
            },
            9 => Operation::CounterRead { key },
            10 => Operation::Enqueue {
                key,
                item: Value::decode(input)?,
            },
            11 => Operation::Dequeue { key },
            12 => Operation::Peek { key },
            13 => Operation::Acquire {
                key,
                owner: input.string("an owner", NAME_BYTES_MAX)?.to_owned(),
            },
            14 => Operation::Release {
                key,
                token: input.signed("a token")?,
            },
            15 => Operation::Holder { key },
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
        })
    }
}
