//! Reads and writes of registers, and compare-and-sets.

use std::collections::BTreeMap;

use partita_generator::{Client, Generator, Op, Random, UntilOk};
use partita_history::{EventType, OpEvent, Value};
use rand::RngExt;

use crate::Workload;
use crate::keys::Keys;

/// Every write writes a value of its own: what a read returned then tells which write it saw.
pub(crate) struct Register {
    /// Does it also compare and set?
    compares: bool,
}

pub(crate) const REGISTER: Register = Register { compares: true };
/// For targets that can't compare and set, or can't do it well.
pub(crate) const PLAIN: Register = Register { compares: false };

/// Registers in use at a time.
const KEYS: usize = 5;
/// Operations on one register before the next takes its place: long enough to outlive most faults.
const OPERATIONS_A_KEY: u32 = 600;
/// Of a hundred operations of a client that also writes, this many are reads,
const READS: u32 = 10;
/// and this many writes; the rest are compare-and-sets.
const WRITES: u32 = 45;

impl Workload for Register {
    fn name(&self) -> &'static str {
        match self.compares {
            true => "register",
            false => "plain-register",
        }
    }

    fn summary(&self) -> &'static str {
        match self.compares {
            true => {
                "reads, writes of unique values and compare-and-sets on several registers; must be linearizable"
            }
            false => "reads and writes of unique values on several registers; must be linearizable",
        }
    }

    fn object(&self) -> &'static str {
        "register"
    }

    fn functions(&self) -> &'static [&'static str] {
        match self.compares {
            true => &["read", "write", "cas"],
            false => &["read", "write"],
        }
    }

    fn model(&self) -> &'static str {
        match self.compares {
            true => "cas-register",
            false => "register",
        }
    }

    fn generator(&self) -> Box<dyn Generator> {
        Box::new(Operations::new(self.compares))
    }
}

struct Operations {
    compares: bool,
    keys: Keys,
    last_value: i64,
    /// The last value that anybody saw or wrote, by key: what a compare-and-set expects.
    seen: BTreeMap<Value, Value>,
}

impl Operations {
    fn new(compares: bool) -> Self {
        Operations {
            compares,
            keys: Keys::new('r', KEYS, OPERATIONS_A_KEY),
            last_value: 0,
            seen: BTreeMap::new(),
        }
    }

    fn unique_value(&mut self) -> Value {
        self.last_value += 1;
        Value::Int(self.last_value)
    }
}

impl Generator for Operations {
    fn next(&mut self, client: Client, rng: &mut Random) -> Option<Op> {
        if let Some(read) = self.keys.look_back(rng) {
            return Some(read);
        }
        let key = self.keys.pick(rng);
        if key.is_done {
            self.seen.remove(&key.name);
        }
        let key = key.name;
        let die = rng.random_range(0..100);
        let (f, value) = if client.only_reads() || die < READS {
            ("read", Value::Null)
        } else if !self.compares || die < READS + WRITES {
            ("write", self.unique_value())
        } else {
            let from = self.seen.get(&key).cloned().unwrap_or_default();
            ("cas", Value::pair(from, self.unique_value()))
        };
        Some(Op::new(f, key, value))
    }

    fn update(&mut self, event: &OpEvent) {
        let Some(key) = &event.key else { return };
        let seen = match (event.kind, event.f.as_str()) {
            (EventType::Ok, "read" | "write") => &event.value,
            (EventType::Ok, "cas") => event.value.as_pair().map_or(&Value::Null, |(_, to)| to),
            (EventType::Fail, "cas") => match &event.observed {
                Some(observed) => observed,
                None => return,
            },
            _ => return,
        };
        self.seen.insert(key.clone(), seen.clone());
    }

    /// Two reads of every register that was used: what was acknowledged must still be there.
    fn finally(self: Box<Self>) -> Box<dyn Generator> {
        let read = |key| Op::new("read", key, Value::Null);
        Box::new(UntilOk::new(self.keys.all().map(read), 2))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use partita_generator::random;

    use super::*;

    const WRITER: Client = Client { process: 0, seat: 0 };

    #[test]
    fn every_second_client_of_a_node_only_reads() {
        let mut generator = REGISTER.generator();
        let mut rng = random(7, "operations");
        let reader = Client { process: 5, seat: 1 };
        assert!((0..500).all(|_| generator.next(reader, &mut rng).unwrap().f == "read"));
        assert!((0..500).any(|_| generator.next(WRITER, &mut rng).unwrap().f == "write"));
    }

    #[test]
    fn values_are_unique_and_keys_bounded() {
        let mut generator = REGISTER.generator();
        let mut rng = random(7, "operations");
        let mut written = BTreeSet::new();
        let mut keys: BTreeMap<_, u32> = BTreeMap::new();
        for _ in 0..20_000 {
            let op = generator.next(WRITER, &mut rng).unwrap();
            *keys.entry(op.key.clone().unwrap()).or_default() += 1;
            let value = match op.f {
                "write" => op.value,
                "cas" => op.value.as_pair().unwrap().1.clone(),
                _ => continue,
            };
            assert!(written.insert(value), "written twice");
        }
        // And some looks back.
        assert!(
            keys.values()
                .all(|&operations| operations <= 2 * OPERATIONS_A_KEY)
        );
        assert!(keys.len() >= 30);
    }

    #[test]
    fn compare_and_sets_expect_what_was_last_seen() {
        let mut generator = Operations::new(true);
        let event = |key: &str, kind, f: &str, value, observed| OpEvent {
            index: 0,
            time: 0,
            process: 0,
            kind,
            f: f.into(),
            key: Some(key.into()),
            value,
            observed,
            node: None,
            error: None,
        };
        generator.update(&event("r0", EventType::Ok, "read", 5.into(), None));
        generator.update(&event(
            "r1",
            EventType::Ok,
            "cas",
            Value::pair(1.into(), 6.into()),
            None,
        ));
        generator.update(&event(
            "r2",
            EventType::Fail,
            "cas",
            Value::pair(1.into(), 2.into()),
            Some(7.into()),
        ));
        generator.update(&event("r3", EventType::Info, "write", 8.into(), None));
        let mut rng = random(1, "operations");
        let mut expected = BTreeMap::new();
        for _ in 0..200 {
            let op = generator.next(WRITER, &mut rng).unwrap();
            if op.f == "cas" {
                expected.insert(op.key.unwrap().to_string(), op.value.as_pair().unwrap().0.clone());
            }
        }
        assert_eq!(expected["r0"], 5.into());
        assert_eq!(expected["r1"], 6.into());
        assert_eq!(expected["r2"], 7.into());
        assert_eq!(expected["r3"], Value::Null);
    }
}
