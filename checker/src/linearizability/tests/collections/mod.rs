//! The monitors of queues, stacks, priority queues and bags, against the oracle and the search.

mod by_hand;
mod exhaustive;
mod large;
mod random;

use partita_history::Value;

use crate::model::{Model, Options};

/// A collection, and what its functions are called.
#[derive(Clone, Copy, Debug)]
struct Kind {
    model: &'static str,
    put: &'static str,
    take: &'static str,
    /// None if it can't be looked at.
    peek: Option<&'static str>,
}

const QUEUE: Kind = Kind {
    model: "fifo-queue",
    put: "enqueue",
    take: "dequeue",
    peek: Some("peek"),
};
const STACK: Kind = Kind {
    model: "stack",
    put: "push",
    take: "pop",
    peek: Some("peek"),
};
const PRIORITY_QUEUE: Kind = Kind {
    model: "priority-queue",
    put: "insert",
    take: "poll",
    peek: Some("peek"),
};
const BAG: Kind = Kind {
    model: "bag",
    put: "enqueue",
    take: "dequeue",
    peek: None,
};

impl Kind {
    fn model(&self) -> &'static Model {
        Model::by_name(self.model).expect("a model")
    }

    /// Which of the items is the next to come out; `any` chooses one.
    fn next(&self, items: &[i64], any: impl FnOnce(usize) -> usize) -> Option<usize> {
        if items.is_empty() {
            return None;
        }
        Some(match self.model {
            "fifo-queue" => 0,
            "stack" => items.len() - 1,
            "priority-queue" => (0..items.len()).max_by_key(|&i| items[i]).expect("some"),
            _ => any(items.len()),
        })
    }
}

/// With items that are there from the beginning.
fn options(initial: &[i64]) -> Options {
    Options {
        initial: Value::List(initial.iter().map(|&item| item.into()).collect()),
        ..Options::default()
    }
}
