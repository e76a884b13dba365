//! A register: read and write.

use super::{Model, cell::Cell};

pub(super) const MODEL: Model = Model {
    name: "register",
    summary: "one value: read, write",
    specification: |options| Box::new(Cell::new("register", &["read", "write"], options)),
};
