//! Additions that tell the count after them, and reads.

use partita_generator::{Client, Generator, Op, Random, UntilOk};
use partita_history::{OpEvent, Value};
use rand::RngExt;

use crate::Workload;
use crate::keys::Keys;

/// All amounts are positive, so that a count is told twice only if an addition was lost in between.
pub(crate) struct Counter;

const KEYS: usize = 5;
const OPERATIONS_A_KEY: u32 = 300;
/// Of a hundred operations of a client that also adds, this many are reads.
const READS: u32 = 20;
/// The largest amount.
const AMOUNT_MAX: i64 = 5;

impl Workload for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn summary(&self) -> &'static str {
        "additions to several counters, each telling the count after it, and reads; must be linearizable"
    }

    fn object(&self) -> &'static str {
        "counter"
    }

    fn functions(&self) -> &'static [&'static str] {
        &["add", "read"]
    }

    fn model(&self) -> &'static str {
        "counter"
    }

    fn generator(&self) -> Box<dyn Generator> {
        Box::new(Operations(Keys::new('c', KEYS, OPERATIONS_A_KEY)))
    }
}

struct Operations(Keys);

impl Generator for Operations {
    fn next(&mut self, client: Client, rng: &mut Random) -> Option<Op> {
        if let Some(read) = self.0.look_back(rng) {
            return Some(read);
        }
        let key = self.0.pick(rng).name;
        if client.only_reads() || rng.random_range(0..100) < READS {
            return Some(Op::new("read", key, Value::Null));
        }
        let amount = rng.random_range(1..=AMOUNT_MAX);
        Some(Op::new("add", key, Value::Int(amount)))
    }

    fn update(&mut self, _event: &OpEvent) {}

    /// Two reads of every counter.
    fn finally(self: Box<Self>) -> Box<dyn Generator> {
        let read = |key| Op::new("read", key, Value::Null);
        Box::new(UntilOk::new(self.0.all().map(read), 2))
    }
}
