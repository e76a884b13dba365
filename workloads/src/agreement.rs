//! Proposals and reads on registers that are written once.

use std::collections::BTreeSet;

use partita_generator::{Client, Generator, Op, Random, UntilOk};
use partita_history::{OpEvent, Value};
use rand::RngExt;

use crate::Workload;

/// Several registers at a time, each replaced by a new one after a bounded number of operations. Clients of all nodes
/// propose values of their own for the same register at about the same time, most of all for the newest; what they
/// and the readers are told must be one value (agreement) that somebody proposed (validity), now and later (integrity),
/// and no read that begins after that may find nothing.
pub(crate) struct Agreement;

/// Registers in use at a time.
const KEYS: u64 = 6;
/// Operations on one register before a new one comes: long enough for every client to have its say.
const OPERATIONS_A_KEY: u32 = 40;
/// Of a hundred operations this many are about the newest register, the one that is most likely not decided,
const NEWEST: u32 = 50;
/// and this many about one that has not been in use for some time: it must be what it was.
const OLD: u32 = 5;
/// Of a hundred operations of a client that also proposes, this many are reads.
const READS: u32 = 25;
/// How many registers are read at the end, the last that were used.
const FINAL_KEYS_MAX: u64 = 1_000;

/// Every second client of a node only reads. One that proposes goes elsewhere when its node is cut off; it takes one
/// that reads to see what such a node still answers.
fn only_reads(client: Client) -> bool {
    client.seat % 2 == 1
}

impl Workload for Agreement {
    fn name(&self) -> &'static str {
        "agreement"
    }

    fn summary(&self) -> &'static str {
        "proposals of different values for registers that are written once, and reads: agreement, validity, integrity"
    }

    fn object(&self) -> &'static str {
        "write-once-register"
    }

    fn functions(&self) -> &'static [&'static str] {
        &["propose", "read"]
    }

    fn model(&self) -> &'static str {
        "write-once-register"
    }

    fn generator(&self) -> Box<dyn Generator> {
        Box::new(Operations::default())
    }
}

#[derive(Default)]
struct Operations {
    /// The newest register, and how many operations began since it came.
    newest: u64,
    begun: u32,
    /// The registers that were named.
    used: BTreeSet<u64>,
    last_value: i64,
}

impl Operations {
    fn key(&mut self, rng: &mut Random) -> u64 {
        // A register leaves when KEYS newer ones have come.
        self.begun += 1;
        if self.begun > OPERATIONS_A_KEY {
            (self.newest, self.begun) = (self.newest + 1, 1);
        }
        let die = rng.random_range(0..100);
        let key = if die < NEWEST {
            self.newest
        } else if die < NEWEST + OLD {
            rng.random_range(0..=self.newest)
        } else {
            self.newest.saturating_sub(rng.random_range(0..KEYS))
        };
        self.used.insert(key);
        while self.used.len() as u64 > FINAL_KEYS_MAX {
            self.used.pop_first();
        }
        key
    }
}

impl Generator for Operations {
    fn next(&mut self, client: Client, rng: &mut Random) -> Option<Op> {
        let key = Some(name(self.key(rng)));
        if only_reads(client) || rng.random_range(0..100) < READS {
            return Some(Op {
                f: "read",
                key,
                value: Value::Null,
            });
        }
        // Each value once: what is decided then tells which proposal it was.
        self.last_value += 1;
        Some(Op {
            f: "propose",
            key,
            value: Value::Int(self.last_value),
        })
    }

    fn update(&mut self, _event: &OpEvent) {}

    /// Two reads of every register that was used: what was decided must still be so.
    fn finally(self: Box<Self>) -> Box<dyn Generator> {
        let read = |key| Op {
            f: "read",
            key: Some(name(key)),
            value: Value::Null,
        };
        Box::new(UntilOk::new(self.used.into_iter().map(read), 2))
    }
}

/// The name of the register of this number.
fn name(key: u64) -> Value {
    Value::Str(format!("d{key}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use partita_generator::random;

    use super::*;

    #[test]
    fn many_clients_propose_values_of_their_own_for_the_same_register() {
        let mut generator = Agreement.generator();
        let mut rng = random(7, "operations");
        let mut proposed: BTreeMap<Value, BTreeSet<Value>> = BTreeMap::new();
        let mut values = BTreeSet::new();
        for process in 0..20_000 {
            let seat = u32::from(process % 4 == 3);
            let op = generator.next(Client { process, seat }, &mut rng).unwrap();
            if op.f == "propose" {
                assert_eq!(seat, 0, "every second client only reads");
                assert!(values.insert(op.value.clone()), "proposed twice");
                proposed.entry(op.key.unwrap()).or_default().insert(op.value);
            }
        }
        assert!(proposed.len() > 400, "{} registers", proposed.len());
        let contended = proposed.values().filter(|values| values.len() >= 10).count();
        assert!(
            contended * 10 > proposed.len() * 9,
            "{contended} of {}",
            proposed.len()
        );
    }

    #[test]
    fn at_the_end_the_last_registers_are_read() {
        let mut generator = Agreement.generator();
        let mut rng = random(7, "operations");
        let client = Client { process: 0, seat: 0 };
        for _ in 0..100_000 {
            generator.next(client, &mut rng);
        }
        let mut last = generator.finally();
        let mut read = 0;
        while let Some(op) = last.next(client, &mut rng) {
            assert_eq!(op.f, "read");
            read += 1;
        }
        assert_eq!(read, FINAL_KEYS_MAX);
    }
}
