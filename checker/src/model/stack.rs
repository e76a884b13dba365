//! A stack (ALGORITHMS.md 3.9).
//!
//! | f | value invoked | value completed |
//! |---|---|---|
//! | `push` | the item, not null | anything |
//! | `pop` | anything | the item; null: it was empty |
//! | `peek` | anything | the item on top, which stays; null: it was empty |
//!
//! Each key is a stack by itself. Initially empty, or the list that `initial` gives, the top last. A `push` of
//! unknown outcome may have put the item on top; a `pop` of unknown outcome may have removed what was on top,
//! whatever that was. A `fail` did nothing; if `fail` means "observed", a failed `pop` found the stack empty.

use super::Model;
use super::collection::{Collection, Kind, Next};

pub(super) const MODEL: Model = Model {
    name: "stack",
    summary: "push, pop (null: empty), peek; last in, first out",
    specification: |options| Box::new(Collection::new(&KIND, options)),
};

static KIND: Kind = Kind {
    model: "stack",
    noun: "stack",
    functions: ["push", "pop", "peek"],
    next: Next::Last,
    order: "top last",
};
