//! The state itself.

use std::sync::Arc;

use super::answer::{Answer, Refusal};
use super::command::Command;
use super::lock::Lock;
use super::object::{Counter, Object, Typed};
use super::operation::Operation;
use super::queue::Queue;
use super::register::Register;
use super::session::Sessions;
use super::set::Set;
use super::shards::Shards;
use super::snapshot::Snapshot;
use super::transaction;
use super::value::Value;
use crate::codec::{Decode as _, DecodeError};
use crate::defect::Defect;

/// A snapshot is taken of the objects, and the sessions are forgotten.
pub const SESSIONS_LOST_IN_SNAPSHOT: Defect = Defect {
    name: "sessions-lost-in-snapshot",
    protocol: None,
    summary: "a snapshot leaves out the client sessions, so that a retry after it applies twice",
    breaks: "the session table is part of the state, and of its snapshots (Ongaro's thesis, section 6.3)",
    seen: "warned of in Ongaro's thesis (2014), section 6.3",
    workload: "list-append",
    faults: &["kill", "partition"],
    anomalies: &["duplicate item", "replicas disagree"],
    invariant: None,
};

/// Every command applies, whether or not it has applied before.
pub const RETRIES_APPLY_TWICE: Defect = Defect {
    name: "retries-apply-twice",
    protocol: None,
    summary: "sessions are not looked at, so that a command that is tried again applies again",
    breaks: "linearizability: each operation appears to execute exactly once (Raft, section 8)",
    seen: "warned of in the Raft paper (2014), section 8",
    workload: "list-append",
    faults: &["partition", "kill", "pause"],
    anomalies: &["duplicate item"],
    invariant: None,
};

/// Objects and sessions.
#[derive(Clone, Debug, Default)]
pub struct Store {
    objects: Objects,
    sessions: Sessions,
    defect: Option<&'static Defect>,
}

/// Objects by key.
#[derive(Clone, Debug, Default)]
pub(super) struct Objects(Shards<Object>);

impl Objects {
    /// The object of this key; none if it was never changed. Refused if it is of another type.
    pub(super) fn get<T: Typed>(&self, key: &str) -> Result<Option<&T>, Refusal> {
        self.0.get(key).map(T::of).transpose().map_err(Refusal::OtherType)
    }

    /// Changes the object of this key, which is made if it is not there.
    pub(super) fn update<T: Typed, R>(
        &mut self,
        key: &str,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, Refusal> {
        if let Some(object) = self.0.get_mut(key) {
            return T::of_mut(object).map(change).map_err(Refusal::OtherType);
        }
        let mut fresh = T::default();
        let result = change(&mut fresh);
        // What changed nothing does not decide what the key holds.
        if fresh != T::default() {
            self.insert(key.into(), fresh.into_object());
        }
        Ok(result)
    }

    /// Sets the object of this key.
    pub(super) fn put<T: Typed>(&mut self, key: &str, value: T) -> Result<(), Refusal> {
        self.update(key, |object| *object = value)
    }

    /// What a snapshot had.
    pub(super) fn insert(&mut self, key: Arc<str>, object: Object) {
        self.0.insert(key, object);
    }
}

impl Store {
    /// An empty store of a node that may have a defect.
    pub fn with_defect(defect: Option<&'static Defect>) -> Store {
        Store {
            defect,
            ..Store::default()
        }
    }

    pub(super) fn of(objects: Objects, sessions: Sessions) -> Store {
        Store {
            objects,
            sessions,
            defect: None,
        }
    }

    /// A copy of the state as it is now, made in no time.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            objects: self.objects.0.clone(),
            sessions: self.sessions.remembered(),
            defect: self.defect,
        }
    }

    /// Replaces the state by that of an encoded snapshot. Fails on bytes that are none, and then changes nothing.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError> {
        *self = Store {
            defect: self.defect,
            ..Store::from_bytes(snapshot)?
        };
        Ok(())
    }

    /// What a register holds; null if there is none.
    pub fn read(&self, key: &str) -> Value {
        match self.objects.get(key) {
            Ok(Some(register)) => Register::value(register).clone(),
            Ok(None) | Err(_) => Value::Null,
        }
    }

    /// What an encoded command that changes nothing gives. Fails on bytes that are none, and on a command
    /// that might change something.
    pub fn query_bytes(&self, command: &[u8]) -> Result<Answer, DecodeError> {
        let operation = Command::from_bytes(command)?.operation;
        match self.query(&operation) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(DecodeError::Impossible("a query that changes something")),
            Err(refusal) => Ok(Answer::Refused(refusal)),
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
            return self.perform(command.operation);
        };
        if let Some(answer) = self.sessions.settled(&session)
            && self.defect != Some(&RETRIES_APPLY_TWICE)
        {
            return answer;
        }
        let answer = self.perform(command.operation);
        self.sessions.remember(&session, &answer);
        answer
    }

    fn perform(&mut self, operation: Operation) -> Answer {
        match self.query(&operation) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => self.change(operation),
            Err(refusal) => Err(refusal),
        }
        .unwrap_or_else(Answer::Refused)
    }

    /// What an operation that changes nothing gives; none if it may change something.
    fn query(&self, operation: &Operation) -> Result<Option<Answer>, Refusal> {
        let objects = &self.objects;
        Ok(Some(match operation {
            Operation::Read { key } => {
                let register: Option<&Register> = objects.get(key)?;
                Answer::Value(
                    register
                        .map(|register| register.value().clone())
                        .unwrap_or_default(),
                )
            }
            Operation::SetContains { key, element } => {
                let set: Option<&Set> = objects.get(key)?;
                Answer::Truth(set.is_some_and(|set| set.contains(element)))
            }
            Operation::SetRead { key } => {
                let set: Option<&Set> = objects.get(key)?;
                Answer::Value(set.map_or_else(|| Value::List(Vec::new()), Set::read))
            }
            Operation::CounterRead { key } => {
                let counter: Option<&Counter> = objects.get(key)?;
                Answer::Value(Value::Int(counter.map_or(0, Counter::count)))
            }
            Operation::Peek { key } => {
                let queue: Option<&Queue> = objects.get(key)?;
                Answer::Value(queue.map(Queue::peek).unwrap_or_default())
            }
            Operation::Holder { key } => {
                let lock: Option<&Lock> = objects.get(key)?;
                Answer::Holder(lock.and_then(Lock::holder))
            }
            Operation::Transaction(parts) if operation.only_reads() => transaction::query(objects, parts)?,
            _ => return Ok(None),
        }))
    }

    fn change(&mut self, operation: Operation) -> Result<Answer, Refusal> {
        let objects = &mut self.objects;
        match operation {
            Operation::Write { key, value } => {
                objects.put(&key, Register::new(value))?;
                Ok(Answer::Done)
            }
            Operation::CompareAndSet { key, from, to } => {
                let register: Option<&Register> = objects.get(&key)?;
                let observed = register.map_or(&Value::Null, Register::value);
                if *observed != from {
                    return Ok(Answer::Kept {
                        observed: observed.clone(),
                    });
                }
                objects.put(&key, Register::new(to))?;
                Ok(Answer::Swapped)
            }
            Operation::Append { key, value } => {
                objects.update(&key, |register: &mut Register| register.append(value))??;
                Ok(Answer::Done)
            }
            Operation::Propose { key, value } => {
                let register: Option<&Register> = objects.get(&key)?;
                if let Some(decided) = register
                    .map(Register::value)
                    .filter(|&value| *value != Value::Null)
                {
                    return Ok(Answer::Value(decided.clone()));
                }
                objects.put(&key, Register::new(value.clone()))?;
                Ok(Answer::Value(value))
            }
            Operation::SetAdd { key, element } => objects
                .update(&key, |set: &mut Set| set.add(element))?
                .map(Answer::Truth),
            Operation::SetRemove { key, element } => objects
                .update(&key, |set: &mut Set| set.remove(&element))
                .map(Answer::Truth),
            Operation::CounterAdd { key, amount } => objects
                .update(&key, |counter: &mut Counter| counter.add(amount))
                .map(|count| Answer::Value(Value::Int(count))),
            Operation::Enqueue { key, item } => {
                objects.update(&key, |queue: &mut Queue| queue.enqueue(item))??;
                Ok(Answer::Done)
            }
            Operation::Dequeue { key } => objects.update(&key, Queue::dequeue).map(Answer::Value),
            Operation::Acquire { key, owner } => objects.update(&key, |lock: &mut Lock| lock.acquire(owner)),
            Operation::Release { key, token } => objects.update(&key, |lock: &mut Lock| lock.release(token)),
            Operation::Transaction(parts) => transaction::transact(objects, parts),
            Operation::Read { .. }
            | Operation::SetContains { .. }
            | Operation::SetRead { .. }
            | Operation::CounterRead { .. }
            | Operation::Peek { .. }
            | Operation::Holder { .. } => Ok(self.perform(operation)),
        }
    }
}
