//! The state itself.

use std::collections::BTreeMap;

use super::command::{Answer, Command, NAME_BYTES_MAX, Operation, Refusal};
use super::session::{SESSIONS_MAX, Sessions};
use super::value::{DEPTH_MAX, LIST_ITEMS_MAX, Value};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_unsigned};

/// Registers and sessions.
#[derive(Clone, Debug)]
pub struct Store {
    registers: BTreeMap<String, Value>,
    sessions: Sessions,
}

impl Default for Store {
    fn default() -> Self {
        Store {
            registers: BTreeMap::new(),
            sessions: Sessions::new(SESSIONS_MAX),
        }
    }
}

impl Store {
    /// What the register holds; null if it was never written.
    pub fn read(&self, key: &str) -> Value {
        self.registers.get(key).cloned().unwrap_or_default()
    }

    /// What an encoded command that changes nothing gives. Fails on bytes that are none, and on a command
    /// that would change something.
    pub fn query_bytes(&self, command: &[u8]) -> Result<Answer, DecodeError> {
        match Command::from_bytes(command)?.operation {
            Operation::Read { key } => Ok(Answer::Value(self.read(&key))),
            _ => Err(DecodeError::Impossible("a query that changes something")),
        }
    }

    /// Applies an encoded command. Fails only on bytes that no node of this version proposes.
    pub fn apply_bytes(&mut self, command: &[u8]) -> Result<Answer, DecodeError> {
        Command::from_bytes(command).map(|command| self.apply(command))
    }

    /// Applies a command, unless its session shows that it was applied before; the answer is then that of the
    /// first time.
    pub fn apply(&mut self, command: Command) -> Answer {
        let Some(session) = command.session else {
            return self.change(command.operation);
        };
        if let Some(answer) = self.sessions.settled(&session) {
            return answer;
        }
        let answer = self.change(command.operation);
        self.sessions.remember(&session, &answer);
        answer
    }

    fn change(&mut self, operation: Operation) -> Answer {
        match operation {
            Operation::Read { key } => Answer::Value(self.read(&key)),
            Operation::Write { key, value } => {
                self.registers.insert(key, value);
                Answer::Done
            }
            Operation::CompareAndSet { key, from, to } => {
                let observed = self.read(&key);
                if observed != from {
                    return Answer::Kept { observed };
                }
                self.registers.insert(key, to);
                Answer::Swapped
            }
            Operation::Append { key, value } => match self.registers.entry(key).or_default() {
                register @ Value::Null => {
                    // A value as deep as may be can be stored, but not one level deeper.
                    if !Value::List(vec![value.clone()]).is_within_limits() {
                        return Answer::Refused(Refusal::ListFull);
                    }
                    *register = Value::List(vec![value]);
                    Answer::Done
                }
                Value::List(items) => {
                    let fits = items.len() < LIST_ITEMS_MAX && depth(&value) < DEPTH_MAX;
                    if !fits {
                        return Answer::Refused(Refusal::ListFull);
                    }
                    items.push(value);
                    Answer::Done
                }
                _ => Answer::Refused(Refusal::NotAList),
            },
            Operation::Propose { key, value } => {
                let register = self.registers.entry(key).or_default();
                if *register == Value::Null {
                    *register = value;
                }
                Answer::Value(register.clone())
            }
        }
    }
}

/// The whole state, as a snapshot has it.
impl Encode for Store {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unsigned(out, self.registers.len() as u64);
        for (key, value) in &self.registers {
            put_bytes(out, key.as_bytes());
            value.encode(out);
        }
        self.sessions.encode(out);
    }
}

impl Decode for Store {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut store = Store::default();
        for _ in 0..input.unsigned("a number of registers")? {
            let key = input.string("a key", NAME_BYTES_MAX)?.to_owned();
            store.registers.insert(key, Value::decode(input)?);
        }
        store.sessions = Sessions::decode(input)?;
        Ok(store)
    }
}

/// How many lists deep the value is.
fn depth(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::command::SessionSequence;
    use super::*;

    fn apply(store: &mut Store, sequence: u64, operation: Operation) -> Answer {
        store.apply(Command {
            session: Some(SessionSequence {
                session: "c1".into(),
                sequence,
            }),
            operation,
        })
    }

    fn compare_and_set(from: i64, to: i64) -> Operation {
        Operation::CompareAndSet {
            key: "x".into(),
            from: Value::Int(from),
            to: Value::Int(to),
        }
    }

    fn append(key: &str, value: i64) -> Operation {
        Operation::Append {
            key: key.into(),
            value: Value::Int(value),
        }
    }

    #[test]
    fn a_snapshot_holds_registers_and_sessions() {
        let mut store = Store::default();
        let append = || Operation::Append {
            key: "x".into(),
            value: Value::Int(1),
        };
        apply(&mut store, 1, append());
        let mut copy = Store::from_bytes(&store.to_bytes()).expect("a good snapshot");
        assert_eq!(copy.read("x"), Value::List(vec![Value::Int(1)]));
        apply(&mut copy, 1, append());
        assert_eq!(
            copy.read("x"),
            store.read("x"),
            "what was applied before the snapshot is not applied again"
        );
        let bytes = store.to_bytes();
        for shorter in 0..bytes.len() {
            assert!(Store::from_bytes(&bytes[..shorter]).is_err(), "cut to {shorter}");
        }
    }

    #[test]
    fn a_refused_compare_and_set_says_what_it_saw() {
        let mut store = Store::default();
        let write = Operation::Write {
            key: "x".into(),
            value: Value::Int(9),
        };
        assert_eq!(apply(&mut store, 1, write), Answer::Done);
        assert_eq!(
            apply(&mut store, 2, compare_and_set(1, 2)),
            Answer::Kept {
                observed: Value::Int(9)
            }
        );
        assert_eq!(apply(&mut store, 3, compare_and_set(9, 2)), Answer::Swapped);
        assert_eq!(store.read("x"), Value::Int(2));
        assert_eq!(store.read("never"), Value::Null);
    }

    #[test]
    fn a_retry_applies_once_and_gets_the_same_answer() {
        let mut store = Store::default();
        assert_eq!(apply(&mut store, 1, append("l", 7)), Answer::Done);
        assert_eq!(apply(&mut store, 1, append("l", 7)), Answer::Done);
        assert_eq!(store.read("l"), Value::List(vec![Value::Int(7)]));

        let write = Operation::Write {
            key: "x".into(),
            value: Value::Int(1),
        };
        assert_eq!(apply(&mut store, 2, write), Answer::Done);
        assert_eq!(apply(&mut store, 3, compare_and_set(1, 2)), Answer::Swapped);
        assert_eq!(apply(&mut store, 3, compare_and_set(1, 2)), Answer::Swapped);
        assert_eq!(apply(&mut store, 2, append("l", 8)), Answer::Superseded);

        let unnumbered = Command {
            session: None,
            operation: append("l", 9),
        };
        store.apply(unnumbered.clone());
        store.apply(unnumbered);
        assert_eq!(store.read("l"), Value::List([7, 9, 9].map(Value::Int).to_vec()));
    }

    #[test]
    fn what_was_proposed_first_is_decided_and_every_later_proposal_is_told() {
        let mut store = Store::default();
        let propose = |value| Operation::Propose {
            key: "w".into(),
            value: Value::Int(value),
        };
        for (sequence, value) in [(1, 7), (2, 8), (3, 7)] {
            assert_eq!(
                apply(&mut store, sequence, propose(value)),
                Answer::Value(Value::Int(7))
            );
        }
        assert_eq!(store.read("w"), Value::Int(7));
    }

    #[test]
    fn an_append_wants_a_list_with_room() {
        let mut store = Store::default();
        let write = |key: &str, value| Operation::Write {
            key: key.into(),
            value,
        };
        apply(&mut store, 1, write("x", Value::Int(1)));
        assert_eq!(
            apply(&mut store, 2, append("x", 2)),
            Answer::Refused(Refusal::NotAList)
        );
        apply(
            &mut store,
            3,
            write("l", Value::List(vec![Value::Null; LIST_ITEMS_MAX])),
        );
        assert_eq!(
            apply(&mut store, 4, append("l", 2)),
            Answer::Refused(Refusal::ListFull)
        );
        let deep = (0..DEPTH_MAX).fold(Value::Null, |inner, _| Value::List(vec![inner]));
        for (sequence, key) in [(5, "absent"), (6, "empty")] {
            if key == "empty" {
                apply(&mut store, 50, write(key, Value::List(vec![])));
            }
            let operation = Operation::Append {
                key: key.into(),
                value: deep.clone(),
            };
            assert_eq!(
                apply(&mut store, sequence * 100, operation),
                Answer::Refused(Refusal::ListFull)
            );
        }
    }
}
