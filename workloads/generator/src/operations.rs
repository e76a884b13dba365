//! Sources of operations.

use std::collections::{BTreeMap, VecDeque};

use partita_history::{EventType, OpEvent, Value};

use crate::Random;

/// An operation that a client is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// The function: `read`, `write`, `cas`, ...
    pub f: &'static str,
    /// The object to act upon.
    pub key: Option<Value>,
    /// The argument.
    pub value: Value,
}

impl Op {
    /// An operation on an object.
    pub fn new(f: &'static str, key: Value, value: Value) -> Op {
        Op {
            f,
            key: Some(key),
            value,
        }
    }
}

/// Who asks for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The logical client.
    pub process: u64,
    /// Which of the clients of its node it is, from 0: so that a workload can see to it that every node has
    /// clients of every kind.
    pub seat: u32,
}

impl Client {
    /// Every second client of a node only reads, where a workload has it so. One that writes waits from the moment
    /// its node is cut off; it takes one that reads to see what a deposed leader still answers.
    pub fn only_reads(self) -> bool {
        self.seat % 2 == 1
    }
}

/// A source of operations. It learns of every event, and so may follow what clients saw.
///
/// Pure: the same calls with the same randomness give the same operations, in a real run and in a simulated
/// one.
pub trait Generator: Send {
    /// The next operation for `client`; none when there is nothing left to do.
    fn next(&mut self, client: Client, rng: &mut Random) -> Option<Op>;

    /// An operation was invoked, or completed.
    fn update(&mut self, event: &OpEvent);

    /// What is to be done once all faults are healed: to look at what was done.
    fn finally(self: Box<Self>) -> Box<dyn Generator>;
}

/// Operations each of which is to end ok so many times: what fails is asked for again.
#[derive(Clone, Debug)]
pub struct UntilOk {
    left: VecDeque<(Op, u32)>,
    /// What is being done, by process.
    begun: BTreeMap<u64, (Op, u32)>,
}

impl UntilOk {
    /// Each of these, `times` times.
    pub fn new(operations: impl IntoIterator<Item = Op>, times: u32) -> Self {
        let left = operations.into_iter().map(|op| (op, times)).collect();
        UntilOk {
            left,
            begun: BTreeMap::new(),
        }
    }
}

impl Generator for UntilOk {
    fn next(&mut self, client: Client, _rng: &mut Random) -> Option<Op> {
        let (op, times) = self.left.pop_front()?;
        self.begun.insert(client.process, (op.clone(), times));
        Some(op)
    }

    fn update(&mut self, event: &OpEvent) {
        if event.kind == EventType::Invoke {
            return;
        }
        let Some((op, times)) = self.begun.remove(&event.process) else {
            return;
        };
        let times = if event.kind == EventType::Ok {
            times - 1
        } else {
            times
        };
        if times > 0 {
            self.left.push_back((op, times));
        }
    }

    fn finally(self: Box<Self>) -> Box<dyn Generator> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn what_fails_is_asked_for_again_until_it_is_ok_often_enough() {
        let op = |key: &str| Op {
            f: "read",
            key: Some(key.into()),
            value: Value::Null,
        };
        let mut generator = UntilOk::new([op("a"), op("b")], 2);
        let mut rng = random(1, "operations");
        let mut ok = BTreeMap::new();
        for process in 0.. {
            let Some(op) = generator.next(Client { process, seat: 0 }, &mut rng) else {
                break;
            };
            // Every third one fails.
            let kind = if process % 3 == 0 {
                EventType::Info
            } else {
                EventType::Ok
            };
            if kind == EventType::Ok {
                *ok.entry(op.key.clone().unwrap()).or_insert(0) += 1;
            }
            let event = |kind| OpEvent {
                index: 0,
                time: 0,
                process,
                kind,
                f: op.f.into(),
                key: op.key.clone(),
                value: Value::Null,
                observed: None,
                node: None,
                error: None,
            };
            generator.update(&event(EventType::Invoke));
            generator.update(&event(kind));
        }
        assert_eq!(ok, BTreeMap::from([("a".into(), 2), ("b".into(), 2)]));
    }
}
