//! HTTP and JSON: clients post to `/v1/op`, operators to `/v1/admin`, and whoever wants to know gets
//! `/v1/status`, or `/v1/checksum`: `{"applied":812,"checksum":"5f0a11c3"}`, the same at every node that has applied
//! as much.
//!
//! ```json
//! {"session":"s","sequence":1,"op":{"f":"cas","key":"x","from":1,"to":2}}
//! {"action":"add-member","node":"n4"}      {"action":"remove-member","node":"n4"}
//! {"action":"transfer","to":"n2"}          {"action":"snapshot"}
//! ```
//!
//! `POST /v1/op` performs one operation on the store:
//!
//! ```json
//! {"session":"c17","sequence":4,"op":{"f":"cas","key":"x","from":7,"to":8}}
//! ```
//!
//! A session numbers its operations upwards from 1, and one that comes again is applied once and answered as
//! the first time. Without a session, one that is sent twice is applied twice. Operations that only read need
//! none; with `"consistency":"local"` beside `"op"`, they are answered at once from what this node has applied,
//! which may be old.
//!
//! | `type` | `f` | fields besides `key` | answer |
//! |---|---|---|---|
//! | `register` (if none is named) | `read` | | `{"value":7}`; null if it was never written |
//! | | `write`, `append` | `value` | `{}` |
//! | | `cas` | `from`, `to` | `{"swapped":true}` or `{"swapped":false,"observed":9}` |
//! | | `propose` | `value` | `{"value":7}`: what was proposed first |
//! | | `txn` | `value`, and no key: `[["r","x",null],["w","y",1],["append","z",2]]` | `{"value":..}`: the same, with what was read |
//! | `set` | `add`, `remove`, `contains` | `value` | `{"value":1}` or `{"value":0}`: was it added, removed, there? |
//! | | `read` | | `{"value":[1,2]}` |
//! | `counter` | `add` | `value` | `{"value":5}`: the count after it |
//! | | `read` | | `{"value":5}` |
//! | `queue` | `enqueue` | `value` | `{}` |
//! | | `dequeue`, `peek` | | `{"value":7}`; null if it is empty |
//! | `lock` | `acquire` | `owner` | `{"acquired":true,"token":3}` or `{"acquired":false,"holder":"c4","token":2}` |
//! | | `release` | `token` | `{"released":true}` or `{"released":false,"holder":"c4","token":2}` |
//! | | `holder` | | `{"holder":"c4","token":2}`; `{"holder":null}` if it is free |
//!
//! A key holds one type of object, as its first change decides.
//!
//! | status | body | what it means |
//! |---|---|---|
//! | 200 | as above | done |
//! | 400 | `{"error":"malformed","message":..}` | not done, and never will be: the request is not understood |
//! | 400 | `{"error":"refused","message":..}` | not done: the key holds another type, or something would become too large |
//! | 404, 405 | `{"error":"malformed","message":..}` | no such page or method |
//! | 409 | `{"error":"rejected","message":..}` | not done: the cluster can not do it, or not now |
//! | 421 | `{"error":"not-leader","leader":"n2"}` | not done; ask the leader, if it is known |
//! | 503 | `{"error":"overloaded"}` | not done: too much is waiting |
//! | 504 | `{"error":"unknown","message":..}` | may have been done, or may yet be |

mod admin;
mod json;
mod request;
mod server;
mod status;

pub(crate) use server::{Api, serve};

use crate::event::Request;

/// The command of the operation in this body, if it is one.
pub(crate) fn parse(body: &[u8]) -> Option<partita_protocols::Command> {
    let _ = admin::parse(body);
    match request::parse(body).ok()? {
        Request::Read(command) | Request::ReadLocal(command) | Request::Apply(command) => Some(command),
        Request::Administer(_) | Request::Checksum => None,
    }
}
