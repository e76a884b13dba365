//! A first-in, first-out queue.

use std::collections::VecDeque;

use super::answer::Refusal;
use super::value::{DEPTH_MAX, LIST_ITEMS_MAX, OBJECT_WEIGHT_MAX, Value};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_unsigned};

/// A queue, and what it weighs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Queue {
    items: VecDeque<Value>,
    weight: usize,
}

impl Queue {
    pub(super) fn enqueue(&mut self, item: Value) -> Result<(), Refusal> {
        let weight = self.weight + item.weight();
        if self.items.len() >= LIST_ITEMS_MAX || weight > OBJECT_WEIGHT_MAX || item.depth() >= DEPTH_MAX {
            return Err(Refusal::TooLarge);
        }
        self.weight = weight;
        self.items.push_back(item);
        Ok(())
    }

    /// The item that was at the front; null if there was none.
    pub(super) fn dequeue(&mut self) -> Value {
        let item = self.items.pop_front();
        self.weight -= item.as_ref().map_or(0, Value::weight);
        item.unwrap_or_default()
    }

    /// The item at the front; null if there is none.
    pub(super) fn peek(&self) -> Value {
        self.items.front().cloned().unwrap_or_default()
    }
}

impl Encode for Queue {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.items.len() as u64);
        for item in &self.items {
            item.encode(out);
        }
    }
}

impl Decode for Queue {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let items = input.list("a queue", LIST_ITEMS_MAX, Value::decode)?;
        Ok(Queue {
            weight: items.iter().map(Value::weight).sum(),
            items: items.into(),
        })
    }
}
