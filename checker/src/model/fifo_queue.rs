//! A first-in, first-out queue (ALGORITHMS.md 3.8).
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `enqueue` | the item, not null | anything |
//! | `dequeue` | anything | the item; null: it was empty |
//! | `peek` | anything | the item at the front, which stays; null: it was empty |
//!
//! Each key is a queue by itself. Initially empty, or the list that `initial` gives, front first. An `enqueue`
//! of unknown outcome may have put the item in; a `dequeue` of unknown outcome may have removed what was at the
//! front, whatever that was. A `fail` did nothing; if `fail` means "observed", a failed `dequeue` found the
//! queue empty.

use super::Model;
use super::collection::{Collection, Kind, Next};

pub(super) const MODEL: Model = Model {
    name: "fifo-queue",
    summary: "enqueue, dequeue (null: empty), peek; first in, first out",
    specification: |options| Box::new(Collection::new(&KIND, options)),
};

static KIND: Kind = Kind {
    model: "fifo-queue",
    noun: "queue",
    functions: ["enqueue", "dequeue", "peek"],
    next: Next::First,
    order: "front first",
};
