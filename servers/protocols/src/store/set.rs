//! A set.

use std::collections::BTreeSet;

use super::answer::Refusal;
use super::value::{DEPTH_MAX, LIST_ITEMS_MAX, OBJECT_WEIGHT_MAX, Value};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_unsigned};

/// A set, and what it weighs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Set {
    elements: BTreeSet<Value>,
    weight: usize,
}

impl Set {
    /// Was it not there?
    pub(super) fn add(&mut self, element: Value) -> Result<bool, Refusal> {
        if self.elements.contains(&element) {
            return Ok(false);
        }
        let weight = self.weight + element.weight();
        // A read gives all elements in one list, which must not be nested too deeply either.
        if self.elements.len() >= LIST_ITEMS_MAX || weight > OBJECT_WEIGHT_MAX || element.depth() >= DEPTH_MAX
        {
            return Err(Refusal::TooLarge);
        }
        self.weight = weight;
        Ok(self.elements.insert(element))
    }

    /// Was it there?
    pub(super) fn remove(&mut self, element: &Value) -> bool {
        let was_there = self.elements.remove(element);
        if was_there {
            self.weight -= element.weight();
        }
        was_there
    }

    pub(super) fn contains(&self, element: &Value) -> bool {
        self.elements.contains(element)
    }

    /// All elements, in order.
    pub(super) fn read(&self) -> Value {
        Value::List(self.elements.iter().cloned().collect())
    }
}

impl Encode for Set {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.elements.len() as u64);
        for element in &self.elements {
            element.encode(out);
        }
    }
}

impl Decode for Set {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let elements = input.list("a set", LIST_ITEMS_MAX, Value::decode)?;
        let elements: BTreeSet<_> = elements.into_iter().collect();
        Ok(Set {
            weight: elements.iter().map(Value::weight).sum(),
            elements,
        })
    }
}
