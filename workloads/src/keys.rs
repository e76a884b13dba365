//! Several objects at a time, each replaced by a new one after a bounded number of operations, so that the
//! checker's work stays bounded too.

use partita_generator::{Op, Random};
use partita_history::Value;
use rand::RngExt;

/// Of a hundred operations, this many are reads of any object that was ever used.
const LOOKS_BACK: u32 = 5;

/// The objects in use, and all that ever were.
#[derive(Debug)]
pub(crate) struct Keys {
    prefix: char,
    at_a_time: usize,
    operations_a_key: u32,
    /// The number of each key in use, and of the operations on it.
    in_use: Vec<(u64, u32)>,
    next: u64,
}

/// An object to do something to.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: Value,
    /// It is replaced after this operation.
    pub(crate) is_done: bool,
}

impl Keys {
    pub(crate) fn new(prefix: char, at_a_time: usize, operations_a_key: u32) -> Keys {
        Keys {
            prefix,
            at_a_time,
            operations_a_key,
            in_use: Vec::new(),
            next: 0,
        }
    }

    /// One of those in use.
    pub(crate) fn pick(&mut self, rng: &mut Random) -> Key {
        while self.in_use.len() < self.at_a_time {
            self.in_use.push((self.next, 0));
            self.next += 1;
        }
        let slot = rng.random_range(0..self.at_a_time);
        let (number, operations) = &mut self.in_use[slot];
        *operations += 1;
        let name = name(self.prefix, *number);
        let is_done = *operations == self.operations_a_key;
        if is_done {
            self.in_use.swap_remove(slot);
        }
        Key { name, is_done }
    }

    /// Now and then a read of one that was used before: what was lost, or is held by one node alone, may show long
    /// after, when that node leads.
    pub(crate) fn look_back(&self, rng: &mut Random) -> Option<Op> {
        if rng.random_range(0..100) >= LOOKS_BACK {
            return None;
        }
        let key = name(self.prefix, rng.random_range(0..self.next.max(1)));
        Some(Op::new("read", key, Value::Null))
    }

    /// Every one that was ever used.
    pub(crate) fn all(&self) -> impl Iterator<Item = Value> + use<> {
        let prefix = self.prefix;
        (0..self.next).map(move |number| name(prefix, number))
    }
}

fn name(prefix: char, number: u64) -> Value {
    Value::Str(format!("{prefix}{number}"))
}
