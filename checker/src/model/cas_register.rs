//! A register with compare-and-set.

use super::{Model, cell::Cell};

pub(super) const MODEL: Model = Model {
    name: "cas-register",
    summary: "one value: read, write, compare-and-set",
    specification: |options| Box::new(Cell::new("cas-register", &["read", "write", "cas"], options)),
};
