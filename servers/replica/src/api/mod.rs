//! HTTP and JSON: clients post to `/v1/op`, operators to `/v1/admin`, and whoever wants to know gets
//! `/v1/status`.
//!
//! ```json
//! {"session":"s","sequence":1,"op":{"f":"cas","key":"x","from":1,"to":2}}
//! {"action":"add-member","node":"n4"}      {"action":"remove-member","node":"n4"}
//! {"action":"transfer","to":"n2"}          {"action":"snapshot"}
//! ```
//!
//! | status | body | what it means |
//! |---|---|---|
//! | 200 | `{"value":7}`, `{}`, `{"swapped":true}`, `{"swapped":false,"observed":9}` | done |
//! | 400 | `{"error":"malformed","message":..}` | not done, and never will be |
//! | 404, 405 | `{"error":"malformed","message":..}` | no such page or method |
//! | 409 | `{"error":"rejected","message":..}` | not done: the cluster can not do it, or not now |
//! | 421 | `{"error":"not-leader","leader":"n2"}` | not done; ask the leader, if it is known |
//! | 503 | `{"error":"overloaded"}` | not done: too much is waiting |
//! | 504 | `{"error":"unknown","message":..}` | may have been done, or may yet be |

mod admin;
mod json;
mod server;
mod status;

pub(crate) use server::{Api, serve};
