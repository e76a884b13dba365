//! HTTP and JSON for clients.
//!
//! | status | body | what it means |
//! |---|---|---|
//! | 200 | `{"value":7}`, `{}`, `{"swapped":true}`, `{"swapped":false,"observed":9}` | done |
//! | 400 | `{"error":"malformed","message":..}` | not done, and never will be |
//! | 404, 405 | `{"error":"malformed","message":..}` | no such page or method |
//! | 421 | `{"error":"not-leader","leader":"n2"}` | not done; ask the leader, if it is known |
//! | 503 | `{"error":"overloaded"}` | not done: too much is waiting |
//! | 504 | `{"error":"unknown","message":..}` | may have been done, or may yet be |

mod json;
mod server;

pub(crate) use server::{Api, serve};
