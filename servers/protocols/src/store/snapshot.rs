//! The whole state in bytes.
//!
//! The objects, each with its key, in an order that follows from the keys alone; then the sessions, oldest
//! first.

use super::command::NAME_BYTES_MAX;
use super::object::Object;
use super::session::{Remembered, Sessions};
use super::shards::Shards;
use super::state::{Objects, SESSIONS_LOST_IN_SNAPSHOT, Store};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_unsigned};
use crate::defect::Defect;

/// A copy of a store's state. It shares what does not change meanwhile, so it is made in no time, and can be
/// encoded on another thread.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(super) objects: Shards<Object>,
    pub(super) sessions: Remembered,
    pub(super) defect: Option<&'static Defect>,
}

impl Snapshot {
    /// The same, all of it, whatever the defect leaves out: for comparing nodes.
    #[must_use]
    pub fn whole(self) -> Snapshot {
        Snapshot { defect: None, ..self }
    }
}

impl Encode for Snapshot {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.objects.len() as u64);
        for (key, object) in self.objects.iter() {
            put_bytes(out, key.as_bytes());
            object.encode(out);
        }
        // The sessions are part of the state: without them nobody knows what has been applied already (Ongaro's
        // thesis, section 6.3).
        if self.defect == Some(&SESSIONS_LOST_IN_SNAPSHOT) {
            Remembered::default().encode(out);
        } else {
            self.sessions.encode(out);
        }
    }
}

impl Encode for Store {
    fn encode(&self, out: &mut Vec<u8>) {
        self.snapshot().encode(out);
    }
}

impl Decode for Store {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut objects = Objects::default();
        for _ in 0..input.unsigned("a number of objects")? {
            let key = input.string("a key", NAME_BYTES_MAX)?.into();
            objects.insert(key, Object::decode(input)?);
        }
        Ok(Store::of(objects, Sessions::decode(input)?))
    }
}
