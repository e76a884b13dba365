//! What was written, and what was seen of it.

use partita_history::{OpId, Operation, Outcome, Value};
use rustc_hash::FxHashMap;

use super::{Finding, FindingKind, Test, about};
use crate::model::FailMeaning;

/// The models whose operations leave, and find, single values or items.
const WITH_VALUES: &[&str] = &[
    "register",
    "cas-register",
    "set",
    "grow-only-set",
    "list",
    "append-log",
    "fifo-queue",
    "bag",
    "stack",
    "priority-queue",
];

/// Those of them that are judged in near-linear time as long as no value repeats.
const UNIQUE_VALUES_HELP: &[&str] = &[
    "register",
    "cas-register",
    "fifo-queue",
    "bag",
    "stack",
    "priority-queue",
];

/// A value under a key.
type Place<'a> = (Option<&'a Value>, &'a Value);

/// The value that an operation leaves, or the item that it puts in, if it happens.
fn left(operation: Operation<'_>) -> Option<Place<'_>> {
    let value = match operation.f {
        "write" | "append" | "add" | "enqueue" | "push" | "insert" => operation.input,
        "cas" => operation.input.as_pair()?.1,
        _ => return None,
    };
    Some((operation.key, value))
}

/// The values that an operation says it saw.
fn seen(operation: Operation<'_>) -> Vec<Place<'_>> {
    let at_key = |value| (operation.key, value);
    match (operation.outcome, operation.f) {
        (Outcome::Ok, "read" | "dequeue" | "pop" | "poll" | "peek") => match operation.output {
            Value::List(items) => {
                let whole = std::iter::once(operation.output);
                whole.chain(items).map(at_key).collect()
            }
            value => vec![at_key(value)],
        },
        (Outcome::Ok, "cas") => operation
            .input
            .as_pair()
            .map(|(from, _)| at_key(from))
            .into_iter()
            .collect(),
        (Outcome::Fail, "cas") => operation.observed.map(at_key).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// For each value, the first operation that may have left it.
fn writers<'a>(test: &Test<'a>) -> FxHashMap<Place<'a>, OpId> {
    let mut writers = FxHashMap::default();
    for (id, operation) in test.operations().filter(|(_, op)| op.outcome != Outcome::Fail) {
        if let Some(place) = left(operation) {
            writers.entry(place).or_insert(id);
        }
    }
    writers
}

pub(super) fn failed_but_seen(test: &Test<'_>) -> Option<Finding> {
    if !WITH_VALUES.contains(&test.model) {
        return None;
    }
    let mut failed: FxHashMap<Place<'_>, OpId> = FxHashMap::default();
    for (id, operation) in test.operations().filter(|(_, op)| op.outcome == Outcome::Fail) {
        if let Some(place) = left(operation) {
            failed.entry(place).or_insert(id);
        }
    }
    if failed.is_empty() {
        return None;
    }
    let writers = writers(test);
    let initial = test.specification.initial();
    let is_initial =
        |value: &Value| *value == initial || matches!(&initial, Value::List(items) if items.contains(value));
    // For each failed operation, the first that saw what it would have left.
    let mut found: Vec<(OpId, OpId)> = Vec::new();
    for (reader, operation) in test.operations() {
        for place in seen(operation) {
            if writers.contains_key(&place) || is_initial(place.1) {
                continue;
            }
            let writer = failed.get(&place).copied();
            let writer = writer.filter(|&w| test.operation(w).invoked.position < end(operation));
            if let Some(writer) = writer {
                found.push((writer, reader));
                failed.remove(&place);
            }
        }
    }
    found.sort_unstable();
    let readers: FxHashMap<OpId, OpId> = found.iter().copied().collect();
    let ids = found.into_iter().map(|(writer, _)| writer).collect();
    about(FindingKind::FailedButSeen, ids, |first, others| {
        let writer = test.operation(first);
        let reader = test.operation(readers[&first]);
        let error = writer
            .error
            .map_or(String::new(), |error| format!(" (\"{error}\")"));
        format!(
            "The {} of {} by {} ended in `fail`{error}, which says that it did not happen; but {} saw the value, and \
             nobody else wrote it. Either the system does what it says it has not done, or the client says `fail` \
             where it should say `info`.{others}",
            writer.f,
            left(writer).map_or_else(String::new, |(_, value)| value.to_string()),
            test.who_and_when(writer),
            test.who_and_when(reader),
        )
    })
}

fn end(operation: Operation<'_>) -> u32 {
    operation.completed.map_or(u32::MAX, |end| end.position)
}

pub(super) fn other_value_completed(test: &Test<'_>) -> Option<Finding> {
    if !["register", "cas-register"].contains(&test.model) {
        return None;
    }
    let is_other = |operation: &Operation<'_>| {
        matches!(operation.f, "write" | "cas")
            && operation.outcome == Outcome::Ok
            && matches!(operation.output, Value::Int(_) | Value::List(_))
            && operation.output != operation.input
    };
    let ids = test
        .operations()
        .filter(|(_, op)| is_other(op))
        .map(|(id, _)| id)
        .collect();
    about(FindingKind::OtherValueCompleted, ids, |first, others| {
        let operation = test.operation(first);
        format!(
            "The {} by {} was invoked with {} and completed with {}. It is judged by the former; a completion repeats \
             its value, or has none.{others}",
            operation.f,
            test.who_and_when(operation),
            operation.input,
            operation.output,
        )
    })
}

pub(super) fn repeated_values(test: &Test<'_>) -> Option<Finding> {
    if !UNIQUE_VALUES_HELP.contains(&test.model) {
        return None;
    }
    let mut writers: FxHashMap<Place<'_>, (OpId, usize)> = FxHashMap::default();
    let mut repeated = Vec::new();
    for (id, operation) in test.operations().filter(|(_, op)| op.outcome != Outcome::Fail) {
        let Some(place) = left(operation) else { continue };
        let (_, count) = writers
            .entry(place)
            .and_modify(|(_, count)| *count += 1)
            .or_insert((id, 1));
        if *count == 2 {
            repeated.push(id);
        }
    }
    let values = writers.len();
    let repeats = repeated.len();
    about(FindingKind::RepeatedValues, repeated, |second, _| {
        let again = test.operation(second);
        let place = left(again);
        let first = place
            .and_then(|place| writers.get(&place))
            .map_or(second, |&(first, _)| first);
        format!(
            "{repeats} of {values} values come from more than one operation: {} from {} and from {}. Unique values are \
             judged in near-linear time, and show more: it is then known which operation each was read from. Let every \
             operation write another value.",
            place.map_or_else(String::new, |(_, value)| value.to_string()),
            test.who_and_when(test.operation(first)),
            test.who_and_when(again),
        )
    })
}

pub(super) fn refused_without_observed(test: &Test<'_>, fail: FailMeaning) -> Option<Finding> {
    if !["cas-register", "versioned-register"].contains(&test.model) {
        return None;
    }
    let is_silent = |operation: &Operation<'_>| {
        operation.f == "cas" && operation.outcome == Outcome::Fail && operation.observed.is_none()
    };
    let ids = test
        .operations()
        .filter(|(_, op)| is_silent(op))
        .map(|(id, _)| id)
        .collect();
    about(FindingKind::RefusedWithoutObserved, ids, |first, others| {
        let costs = match fail {
            FailMeaning::Dropped => "so as it stands they prove nothing",
            FailMeaning::Observed => "and to judge by what they did not see is NP-hard",
        };
        format!(
            "The compare-and-set by {} was refused and does not say what it saw instead, {costs}. Record the value as \
             `observed` in its completion: it is then as good as a read.{others}",
            test.who_and_when(test.operation(first)),
        )
    })
}
