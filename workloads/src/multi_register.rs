//! Transactions that read and write several registers.

use partita_generator::{Client, Generator, Op, Random, UntilOk};
use partita_history::{OpEvent, Value};
use rand::RngExt;

use crate::Workload;
use crate::keys::Keys;

/// Registers come in groups, each judged by itself, since the work of judging grows fast with what belongs
/// together. Every write writes a value of its own.
pub(crate) struct MultiRegister;

/// Groups in use at a time.
const GROUPS: usize = 5;
const OPERATIONS_A_GROUP: u32 = 100;
/// Registers of a group.
const REGISTERS: [&str; 3] = ["x", "y", "z"];

impl Workload for MultiRegister {
    fn name(&self) -> &'static str {
        "multi-register"
    }

    fn summary(&self) -> &'static str {
        "transactions that read and write several registers at a time; must be linearizable, nothing coming between"
    }

    fn object(&self) -> &'static str {
        "multi-register"
    }

    fn functions(&self) -> &'static [&'static str] {
        &["txn"]
    }

    fn model(&self) -> &'static str {
        "multi-register"
    }

    fn generator(&self) -> Box<dyn Generator> {
        Box::new(Operations {
            groups: Keys::new('g', GROUPS, OPERATIONS_A_GROUP),
            last_value: 0,
        })
    }
}

struct Operations {
    groups: Keys,
    last_value: i64,
}

fn part(f: &str, register: &str, value: Value) -> Value {
    Value::List(vec![f.into(), register.into(), value])
}

/// A transaction that reads all registers of a group.
fn read_all(group: Value) -> Op {
    let parts = REGISTERS.map(|register| part("r", register, Value::Null));
    Op::new("txn", group, Value::List(parts.to_vec()))
}

impl Generator for Operations {
    fn next(&mut self, client: Client, rng: &mut Random) -> Option<Op> {
        let group = self.groups.pick(rng).name;
        if client.only_reads() {
            return Some(read_all(group));
        }
        let parts = (0..rng.random_range(1..=3)).map(|_| {
            let register = REGISTERS[rng.random_range(0..REGISTERS.len())];
            if rng.random_bool(0.4) {
                return part("r", register, Value::Null);
            }
            self.last_value += 1;
            part("w", register, Value::Int(self.last_value))
        });
        let parts = parts.collect();
        Some(Op::new("txn", group, Value::List(parts)))
    }

    fn update(&mut self, _event: &OpEvent) {}

    /// Two reads of every group.
    fn finally(self: Box<Self>) -> Box<dyn Generator> {
        Box::new(UntilOk::new(self.groups.all().map(read_all), 2))
    }
}
