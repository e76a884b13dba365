//! Appends to lists, and reads of whole lists.

use partita_generator::{Client, Generator, Op, Random, UntilOk};
use partita_history::{OpEvent, Value};
use rand::RngExt;

use crate::Workload;
use crate::keys::Keys;

/// Every item is appended once, and a list shows all that ever happened to it: what is lost, doubled or out of
/// order is there to be seen.
pub(crate) struct ListAppend;

const KEYS: usize = 5;
const OPERATIONS_A_KEY: u32 = 150;
/// Of a hundred operations of a client that also appends, this many are reads.
const READS: u32 = 30;

impl Workload for ListAppend {
    fn name(&self) -> &'static str {
        "list-append"
    }

    fn summary(&self) -> &'static str {
        "appends of unique items to several lists, and reads of whole lists; must be linearizable"
    }

    fn object(&self) -> &'static str {
        "list"
    }

    fn functions(&self) -> &'static [&'static str] {
        &["append", "read"]
    }

    fn model(&self) -> &'static str {
        "list"
    }

    fn generator(&self) -> Box<dyn Generator> {
        Box::new(Operations {
            keys: Keys::new('l', KEYS, OPERATIONS_A_KEY),
            last_item: 0,
        })
    }
}

struct Operations {
    keys: Keys,
    last_item: i64,
}

impl Generator for Operations {
    fn next(&mut self, client: Client, rng: &mut Random) -> Option<Op> {
        if let Some(read) = self.keys.look_back(rng) {
            return Some(read);
        }
        let key = self.keys.pick(rng).name;
        if client.only_reads() || rng.random_range(0..100) < READS {
            return Some(Op::new("read", key, Value::Null));
        }
        self.last_item += 1;
        Some(Op::new("append", key, Value::Int(self.last_item)))
    }

    fn update(&mut self, _event: &OpEvent) {}

    /// Two reads of every list.
    fn finally(self: Box<Self>) -> Box<dyn Generator> {
        let read = |key| Op::new("read", key, Value::Null);
        Box::new(UntilOk::new(self.keys.all().map(read), 2))
    }
}
