//! Elements that come and go.

use partita_generator::{Client, Generator, Op, Random, UntilOk};
use partita_history::{OpEvent, Value};
use rand::RngExt;

use crate::Workload;
use crate::keys::Keys;

/// Additions and removals tell whether they changed anything; sets are read as a whole now and then, and in the
/// end.
pub(crate) struct Set;

const KEYS: usize = 5;
const OPERATIONS_A_KEY: u32 = 150;
/// Few elements, so that they meet.
const ELEMENTS: i64 = 10;
/// Of a hundred operations of a client that also changes sets, this many are additions,
const ADDITIONS: u32 = 45;
/// and this many removals; the rest are questions whether an element is there.
const REMOVALS: u32 = 30;
/// Of a hundred operations of a client that only reads, this many read the whole set.
const WHOLE_READS: u32 = 30;

impl Workload for Set {
    fn name(&self) -> &'static str {
        "set"
    }

    fn summary(&self) -> &'static str {
        "additions and removals of elements that tell whether they changed anything, and reads; must be linearizable"
    }

    fn object(&self) -> &'static str {
        "set"
    }

    fn functions(&self) -> &'static [&'static str] {
        &["add", "remove", "contains", "read"]
    }

    fn model(&self) -> &'static str {
        "set"
    }

    fn generator(&self) -> Box<dyn Generator> {
        Box::new(Operations(Keys::new('s', KEYS, OPERATIONS_A_KEY)))
    }
}

struct Operations(Keys);

impl Generator for Operations {
    fn next(&mut self, client: Client, rng: &mut Random) -> Option<Op> {
        if let Some(read) = self.0.look_back(rng) {
            return Some(read);
        }
        let key = self.0.pick(rng).name;
        let die = rng.random_range(0..100);
        let f = match client.only_reads() {
            true if die < WHOLE_READS => return Some(Op::new("read", key, Value::Null)),
            true => "contains",
            false if die < ADDITIONS => "add",
            false if die < ADDITIONS + REMOVALS => "remove",
            false => "contains",
        };
        Some(Op::new(f, key, Value::Int(rng.random_range(0..ELEMENTS))))
    }

    fn update(&mut self, _event: &OpEvent) {}

    /// Two reads of every set.
    fn finally(self: Box<Self>) -> Box<dyn Generator> {
        let read = |key| Op::new("read", key, Value::Null);
        Box::new(UntilOk::new(self.0.all().map(read), 2))
    }
}
