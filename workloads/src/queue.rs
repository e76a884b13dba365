//! Items that go into queues and come out again.

use std::collections::{BTreeMap, VecDeque};

use partita_generator::{Client, Generator, Op, Random};
use partita_history::{EventType, OpEvent, Value};
use rand::RngExt;

use crate::Workload;
use crate::keys::Keys;

/// Every item is enqueued once. In the end all queues are emptied: what was lost does not come out.
pub(crate) struct Queue;

const KEYS: usize = 4;
const OPERATIONS_A_KEY: u32 = 100;
/// Of a hundred operations this many put an item in; the rest take one out.
const ENQUEUES: u32 = 52;

impl Workload for Queue {
    fn name(&self) -> &'static str {
        "queue"
    }

    fn summary(&self) -> &'static str {
        "unique items through several first-in, first-out queues, emptied in the end; must be linearizable"
    }

    fn object(&self) -> &'static str {
        "queue"
    }

    fn functions(&self) -> &'static [&'static str] {
        &["enqueue", "dequeue"]
    }

    fn model(&self) -> &'static str {
        "fifo-queue"
    }

    fn generator(&self) -> Box<dyn Generator> {
        Box::new(Operations {
            keys: Keys::new('q', KEYS, OPERATIONS_A_KEY),
            last_item: 0,
        })
    }
}

struct Operations {
    keys: Keys,
    last_item: i64,
}

impl Generator for Operations {
    fn next(&mut self, _client: Client, rng: &mut Random) -> Option<Op> {
        let key = self.keys.pick(rng).name;
        if rng.random_range(0..100) >= ENQUEUES {
            return Some(Op::new("dequeue", key, Value::Null));
        }
        self.last_item += 1;
        Some(Op::new("enqueue", key, Value::Int(self.last_item)))
    }

    fn update(&mut self, _event: &OpEvent) {}

    fn finally(self: Box<Self>) -> Box<dyn Generator> {
        Box::new(Drain {
            left: self.keys.all().collect(),
            begun: BTreeMap::new(),
        })
    }
}

/// Dequeues from every queue, by one client at a time, until it is found empty.
#[derive(Debug)]
struct Drain {
    left: VecDeque<Value>,
    /// Which queue is being dequeued from, by process.
    begun: BTreeMap<u64, Value>,
}

impl Generator for Drain {
    fn next(&mut self, client: Client, _rng: &mut Random) -> Option<Op> {
        let key = self.left.pop_front()?;
        self.begun.insert(client.process, key.clone());
        Some(Op::new("dequeue", key, Value::Null))
    }

    fn update(&mut self, event: &OpEvent) {
        if event.kind == EventType::Invoke {
            return;
        }
        let was_empty = event.kind == EventType::Ok && event.value.is_null();
        if let Some(key) = self.begun.remove(&event.process)
            && !was_empty
        {
            self.left.push_front(key);
        }
    }

    fn finally(self: Box<Self>) -> Box<dyn Generator> {
        self
    }
}

#[cfg(test)]
mod tests {
    use partita_generator::random;

    use super::*;

    #[test]
    fn a_queue_is_emptied_until_it_is_seen_to_be_empty() {
        let mut generator = Drain {
            left: ["q0".into(), "q1".into()].into(),
            begun: BTreeMap::new(),
        };
        let mut rng = random(1, "operations");
        let mut dequeued = Vec::new();
        let answers = [
            (EventType::Ok, Value::Int(1)),
            (EventType::Info, Value::Null),
            (EventType::Fail, Value::Null),
            (EventType::Ok, Value::Null),
            (EventType::Ok, Value::Null),
        ];
        for (process, (kind, value)) in (0..).zip(answers) {
            let op = generator.next(Client { process, seat: 0 }, &mut rng).unwrap();
            dequeued.push(op.key.clone().unwrap().to_string());
            generator.update(&OpEvent {
                index: 0,
                time: 0,
                process,
                kind,
                f: op.f.into(),
                key: op.key,
                value,
                observed: None,
                node: None,
                error: None,
            });
        }
        assert_eq!(dequeued, ["q0", "q0", "q0", "q0", "q1"]);
        let next = generator.next(Client { process: 9, seat: 0 }, &mut rng);
        assert_eq!(next, None);
    }
}
