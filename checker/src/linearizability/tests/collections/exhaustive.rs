//! All histories of a few operations.

use partita_history::{EventType, History, Outcome, Value};

use super::{BAG, Kind, PRIORITY_QUEUE, QUEUE, STACK, options};
use crate::linearizability::entry::Entry;
use crate::linearizability::tests::differential::is_linearizable;
use crate::linearizability::tests::monitored::{in_order, object};
use crate::linearizability::tests::vocabulary::event;
use crate::monitor::Finding;

/// An operation: put, take, peek, find empty, remove; of an item.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Put(i64),
    Take(i64),
    Peek(i64),
    Empty,
    Crash,
}

pub(super) fn to_history(kind: Kind, ops: &[Op]) -> History {
    let mut history = History::default();
    for (process, op) in (0..).zip(ops) {
        let (f, input, outcome, output) = match *op {
            Op::Put(item) => (kind.put, item.into(), Outcome::Ok, item.into()),
            Op::Take(item) => (kind.take, Value::Null, Outcome::Ok, item.into()),
            Op::Peek(item) => (
                kind.peek.unwrap_or(kind.take),
                Value::Null,
                Outcome::Ok,
                item.into(),
            ),
            Op::Empty => (kind.take, Value::Null, Outcome::Ok, Value::Null),
            Op::Crash => (kind.take, Value::Null, Outcome::Info, Value::Null),
        };
        let completed = match outcome {
            Outcome::Info => EventType::Info,
            _ => EventType::Ok,
        };
        history
            .push(event(process, EventType::Invoke, f, input))
            .expect("processes of their own");
        history
            .push(event(process, completed, f, output))
            .expect("just invoked");
    }
    history
}

/// Is shown, for each operation, when it begins and ends.
type Visit<'a> = &'a mut dyn FnMut(&[(u32, u32)]);

/// All orders of the events of so many operations, up to the order of neighbouring invocations and of neighbouring
/// returns.
fn all_intervals(count: usize, visit: Visit<'_>) {
    fn go(intervals: &mut Vec<(u32, u32)>, at: u32, last: (bool, usize), visit: Visit<'_>) {
        if at as usize == 2 * intervals.len() {
            visit(intervals);
            return;
        }
        for i in 0..intervals.len() {
            let before = intervals[i];
            let returns = before.0 != u32::MAX;
            let is_ascending = last.0 != returns || last.1 <= i;
            if before.1 != u32::MAX || !is_ascending {
                continue;
            }
            if returns {
                intervals[i].1 = at;
            } else {
                intervals[i].0 = at;
            }
            go(intervals, at + 1, (returns, i), visit);
            intervals[i] = before;
        }
    }
    go(&mut vec![(u32::MAX, u32::MAX); count], 0, (false, 0), visit);
}

/// Every way in which these operations can overlap, each of them pending in turn; gives how many were linearizable, how
/// many not, and how many the monitor did not judge.
fn judge_all(kind: Kind, ops: &[Op], initial: &[i64]) -> [u32; 3] {
    let history = to_history(kind, ops);
    let options = options(initial);
    let specification = (kind.model().specification)(&options);
    let object = object(&history, kind.model(), &*specification);
    assert_eq!(object.entries.len(), ops.len());
    let monitor = object.monitor.as_ref().expect("a monitor");
    let mut tally = [0; 3];
    all_intervals(ops.len(), &mut |intervals| {
        for pending in 0..=ops.len() {
            let mut entries: Vec<Entry> = (0..)
                .zip(&object.entries)
                .zip(intervals)
                .map(|((i, entry), &(invoked, returned))| Entry {
                    invoked,
                    deadline: entry.deadline.filter(|_| i != pending).map(|_| returned),
                    ..*entry
                })
                .collect();
            entries.sort_unstable_by_key(|entry| entry.invoked);
            let expected = is_linearizable(&object, &entries);
            let pick = |some: &[u32]| -> Vec<Entry> { some.iter().map(|&i| entries[i as usize]).collect() };
            let found = monitor.judge(&entries);
            let is_right = match &found {
                Finding::Pass(order) => expected && in_order(&object, &entries, &pick(order)).is_ok(),
                Finding::Fail(core) => !expected && !is_linearizable(&object, &pick(core)),
                Finding::NotApplicable(_) => {
                    tally[2] += 1;
                    true
                }
            };
            assert!(
                is_right,
                "{}, {ops:?}, initially {initial:?}: {found:?}, the oracle says {expected}\n{entries:#?}",
                kind.model
            );
            tally[usize::from(!expected)] += 1;
        }
    });
    tally
}

#[test]
fn all_histories_of_five_operations_are_judged_as_by_the_oracle() {
    use Op::{Crash, Empty, Peek, Put, Take};
    let all: &[(&[Op], &[i64])] = &[
        (&[Put(1), Put(2), Take(1), Take(2), Empty], &[]),
        (&[Put(1), Put(2), Take(1), Take(2), Peek(1)], &[]),
        (&[Put(1), Put(2), Take(1), Take(2), Peek(2)], &[]),
        (&[Put(1), Put(2), Take(1), Peek(2), Crash], &[]),
        (&[Put(1), Put(2), Take(2), Empty, Crash], &[]),
        (&[Put(2), Take(1), Take(2), Peek(1), Crash], &[1]),
        (&[Put(2), Take(2), Peek(1), Take(1)], &[1, 3]),
    ];
    for kind in [QUEUE, STACK, PRIORITY_QUEUE, BAG] {
        let mut total = [0; 3];
        for &(ops, initial) in all {
            let has_peek = ops.iter().any(|op| matches!(op, Peek(_)));
            if kind.peek.is_some() || !has_peek {
                let tally = judge_all(kind, ops, initial);
                total = std::array::from_fn(|i| total[i] + tally[i]);
            }
        }
        let [passed, failed, unjudged] = total;
        assert!(passed.min(failed) > 1_000, "{}: {total:?}", kind.model);
        assert!(unjudged < (passed + failed) / 50, "{}: {total:?}", kind.model);
    }
}
