//! The checkers that others publish as Rust crates, each given the register in the way it asks for.
//!
//! `todc-utils` and `stateright` know no operation whose outcome is unknown: it is given to all alike, as one that
//! returns at the very end and may have done nothing.

use partita_history::{EventType, History, Outcome, Value};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::Action;

/// What an operation on a register was, with its outcome. The initial value is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Read(i64),
    Write(i64),
    Cas(i64, i64),
    /// A refused compare-and-set.
    Differs(i64),
    /// A compare-and-set of unknown outcome.
    MaybeCas(i64, i64),
}

fn step(state: i64, op: Op) -> Option<i64> {
    match op {
        Op::Read(value) => (state == value).then_some(state),
        Op::Write(value) => Some(value),
        Op::Cas(from, to) => (state == from).then_some(to),
        Op::Differs(value) => (state != value).then_some(state),
        Op::MaybeCas(from, to) => Some(if state == from { to } else { state }),
    }
}

/// An operation on one key's register: who did it, and from when to when.
struct Record {
    process: u64,
    op: Op,
    invoked: i64,
    returned: i64,
}

fn number(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        _ => 0,
    }
}

fn records(history: &History, ids: &[usize]) -> Vec<Record> {
    let mut records = Vec::with_capacity(ids.len());
    for &id in ids {
        let operation = history.operation(id);
        let op = match (operation.f, operation.input.as_pair(), operation.outcome) {
            ("read", _, Outcome::Ok) => Op::Read(number(operation.output)),
            ("write", _, Outcome::Ok | Outcome::Info) => Op::Write(number(operation.input)),
            ("cas", Some((from, to)), Outcome::Ok) => Op::Cas(number(from), number(to)),
            ("cas", Some((from, to)), Outcome::Info) => Op::MaybeCas(number(from), number(to)),
            ("cas", Some((from, _)), Outcome::Fail) => match &operation.observed {
                Some(seen) => Op::Read(number(seen)),
                None => Op::Differs(number(from)),
            },
            _ => continue,
        };
        let invoked = i64::from(operation.invoked.position);
        records.push(Record {
            process: operation.process,
            op,
            invoked,
            returned: operation
                .deadline()
                .map_or(i64::from(history.events()) + invoked, i64::from),
        });
    }
    records
}

/// The peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Porcupine,
    Todc,
    Stateright,
}

/// Whether all keys are linearizable.
pub fn check(peer: Peer, history: &History) -> bool {
    history.by_key().into_iter().all(|(_, ids)| {
        let records = records(history, &ids);
        match peer {
            Peer::Porcupine => porcupine(&records),
            Peer::Todc => todc(&records),
            Peer::Stateright => stateright(&records),
        }
    })
}

#[derive(Clone)]
struct Register;

impl porcupine_rs::Model for Register {
    type State = i64;
    type Op = Op;
    type Metadata = ();

    fn init() -> i64 {
        0
    }

    fn step(state: &i64, op: &Op) -> (bool, i64) {
        step(*state, *op).map_or((false, *state), |next| (true, next))
    }
}

fn porcupine(records: &[Record]) -> bool {
    let operations: Vec<porcupine_rs::Operation<Register>> = records
        .iter()
        .map(|record| porcupine_rs::Operation {
            client_id: None,
            call_time: record.invoked,
            return_time: record.returned,
            op: record.op,
            metadata: None,
        })
        .collect();
    porcupine_rs::check_operations(&operations)
}

/// The events of the records in their order: the record, and whether it begins or ends.
fn events(records: &[Record]) -> Vec<(&Record, EventType)> {
    let mut events: Vec<_> = records
        .iter()
        .flat_map(|record| {
            [
                (record.invoked, record, EventType::Invoke),
                (record.returned, record, EventType::Ok),
            ]
        })
        .collect();
    events.sort_by_key(|&(position, ..)| position);
    events
        .into_iter()
        .map(|(_, record, kind)| (record, kind))
        .collect()
}

impl todc_utils::Specification for Register {
    type State = i64;
    type Operation = Op;

    fn init() -> i64 {
        0
    }

    fn apply(op: &Op, state: &i64) -> (bool, i64) {
        step(*state, *op).map_or((false, *state), |next| (true, next))
    }
}

fn todc(records: &[Record]) -> bool {
    let actions: Vec<_> = events(records)
        .into_iter()
        .map(|(record, kind)| {
            let action = match kind {
                EventType::Invoke => Action::Call(record.op),
                _ => Action::Response(record.op),
            };
            (record.process as usize, action)
        })
        .collect();
    actions.is_empty() || WGLChecker::<Register>::is_linearizable(todc_utils::History::from_actions(actions))
}

#[derive(Clone)]
struct Cell(i64);

impl SequentialSpec for Cell {
    type Op = Op;
    /// The operation has its outcome in it, and this says whether that was possible.
    type Ret = bool;

    fn invoke(&mut self, op: &Op) -> bool {
        match step(self.0, *op) {
            Some(next) => {
                self.0 = next;
                true
            }
            None => false,
        }
    }
}

fn stateright(records: &[Record]) -> bool {
    let mut tester = LinearizabilityTester::new(Cell(0));
    for (record, kind) in events(records) {
        let told = match kind {
            EventType::Invoke => tester.on_invoke(record.process, record.op),
            _ => tester.on_return(record.process, true),
        };
        told.expect("a client does one thing at a time");
    }
    tester.is_consistent()
}
