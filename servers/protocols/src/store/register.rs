//! A register, which may hold a list.

use super::answer::Refusal;
use super::value::{DEPTH_MAX, LIST_ITEMS_MAX, OBJECT_WEIGHT_MAX, Value};
use crate::codec::{Decode, DecodeError, Encode, Reader};

/// A register: its value, and what that weighs, so that an append need not weigh the whole list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Register {
    value: Value,
    weight: usize,
}

impl Default for Register {
    fn default() -> Self {
        Register::new(Value::Null)
    }
}

/// As much of a register as tells what may be appended to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// How many items there are, in a list or in null; nothing in what is no list.
    items: Option<usize>,
    weight: usize,
}

impl Register {
    pub(super) fn new(value: Value) -> Register {
        let weight = value.weight();
        Register { value, weight }
    }

    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    pub(super) fn shape(&self) -> Shape {
        Shape {
            items: items(&self.value),
            weight: self.weight,
        }
    }

    pub(super) fn append(&mut self, item: Value) -> Result<(), Refusal> {
        self.weight = self.shape().append(&item)?.weight;
        match &mut self.value {
            Value::List(items) => items.push(item),
            value => *value = Value::List(vec![item]),
        }
        Ok(())
    }
}

/// How many items the list has; null counts as the empty one.
fn items(value: &Value) -> Option<usize> {
    match value {
        Value::Null => Some(0),
        Value::List(items) => Some(items.len()),
        Value::Int(_) | Value::Str(_) => None,
    }
}

impl Shape {
    /// The shape of a register that holds this.
    pub(super) fn of(value: &Value) -> Shape {
        Shape {
            items: items(value),
            weight: value.weight(),
        }
    }

    /// What the register weighs.
    pub(super) fn weight(self) -> usize {
        self.weight
    }

    /// The shape after an append.
    pub(super) fn append(self, item: &Value) -> Result<Shape, Refusal> {
        let items = self.items.ok_or(Refusal::NotAList)?;
        let weight = self.weight + item.weight();
        // A value as deep as may be can be stored, but not one level deeper.
        if items >= LIST_ITEMS_MAX || weight > OBJECT_WEIGHT_MAX || item.depth() >= DEPTH_MAX {
            return Err(Refusal::TooLarge);
        }
        Ok(Shape {
            items: Some(items + 1),
            weight,
        })
    }
}

impl Encode for Register {
    fn encode(&self, out: &mut Vec<u8>) {
        self.value.encode(out);
    }
}

impl Decode for Register {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Value::decode(input).map(Register::new)
    }
}
