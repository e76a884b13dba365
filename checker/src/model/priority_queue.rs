//! A priority queue: the largest item comes out first (ALGORITHMS.md 3.10).
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `insert` | the item, not null | anything |
//! | `poll` | anything | the largest item; null: it was empty |
//! | `peek` | anything | the largest item, which stays; null: it was empty |
//!
//! Integers are compared as numbers, and come before strings, which come before lists; lists are compared item by
//! item, so that `[priority, item]` will do. Equal items may be there several times. Each key is a queue by
//! itself. Initially empty, or the list that `initial` gives. An `insert` of unknown outcome may have put the item
//! in; a `poll` of unknown outcome may have removed the largest, whatever that was. A `fail` did nothing; if
//! `fail` means "observed", a failed `poll` found the queue empty.

use super::Model;
use super::collection::{Collection, Kind, Next};

pub(super) const MODEL: Model = Model {
    name: "priority-queue",
    summary: "insert, poll the largest (null: empty), peek",
    specification: |options| Box::new(Collection::new(&KIND, options)),
};

static KIND: Kind = Kind {
    model: "priority-queue",
    noun: "priority queue",
    functions: ["insert", "poll", "peek"],
    next: Next::Largest,
    order: "largest last",
};
