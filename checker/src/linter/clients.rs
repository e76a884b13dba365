//! Clients that say more, or less, than they know; and clocks.

use partita_history::{Moment, OpId, Operation, Outcome};
use rustc_hash::FxHashMap;

use super::{Finding, FindingKind, Test, about};
use crate::linearizability::words::{Span, client_via};

/// What errors say after which nobody can know whether the operation happened, in lower case.
const INDETERMINATE: &[&str] = &[
    "timeout",
    "timed out",
    "time-out",
    "deadline exceeded",
    "connection reset",
    "connection closed",
    "connection lost",
    "connection aborted",
    "broken pipe",
    "socket closed",
    "unexpected eof",
    "unavailable",
];

pub(super) fn indeterminate_fail(test: &Test<'_>) -> Option<Finding> {
    let is_open = |operation: &Operation<'_>| {
        let error = operation.error.map(str::to_lowercase);
        error.is_some_and(|error| INDETERMINATE.iter().any(|pattern| error.contains(pattern)))
    };
    let found: Vec<OpId> = test
        .operations()
        .filter(|(_, operation)| operation.outcome == Outcome::Fail && is_open(operation))
        .filter(|(_, operation)| test.may_change(*operation))
        .map(|(id, _)| id)
        .collect();
    about(FindingKind::IndeterminateFail, found, |first, others| {
        let operation = test.operation(first);
        format!(
            "The {} by {} ended in `fail` with \"{}\": after that nobody can know whether it happened, and a `fail` says \
             that it certainly did not. Record it as `info`, or a true history may be called invalid.{others}",
            operation.f,
            test.who_and_when(operation),
            operation.error.unwrap_or_default(),
        )
    })
}

pub(super) fn goes_on_after_info(test: &Test<'_>) -> Option<Finding> {
    let mut last: FxHashMap<u64, OpId> = FxHashMap::default();
    let mut found = Vec::new();
    let mut crashed = None;
    for (id, operation) in test.operations() {
        let before = last.insert(operation.process, id);
        if let Some(before) = before.filter(|&before| test.operation(before).outcome == Outcome::Info) {
            crashed = crashed.or(Some(before));
            found.push(id);
        }
    }
    let crashed = test.operation(crashed?);
    about(FindingKind::GoesOnAfterInfo, found, |first, others| {
        let next = test.operation(first);
        format!(
            "Process {} began a {} {}, although its {} had ended in `info` {}: that one may still be under way, so the \
             process does two things at once. It is judged as if it never ended; a client should go on under a new \
             process number.{others}",
            next.process,
            next.f,
            test.words.at(next.invoked),
            crashed.f,
            test.words.ended(crashed),
        )
    })
}

pub(super) fn time_backwards(test: &Test<'_>) -> Option<Finding> {
    let mut moments: Vec<(Moment, OpId)> = test
        .operations()
        .flat_map(|(id, operation)| {
            let end = operation.completed.map(|end| (end, id));
            std::iter::once((operation.invoked, id)).chain(end)
        })
        .collect();
    moments.sort_unstable_by_key(|(moment, _)| moment.position);
    let back: Vec<(Moment, Moment, OpId)> = moments
        .windows(2)
        .filter(|pair| pair[1].0.time < pair[0].0.time)
        .map(|pair| (pair[0].0, pair[1].0, pair[1].1))
        .collect();
    let &(before, after, _) = back.first()?;
    let worst = back
        .iter()
        .map(|(before, after, _)| before.time - after.time)
        .max()?;
    let ids = back.iter().map(|&(_, _, id)| id).collect();
    about(FindingKind::TimeBackwards, ids, |first, _| {
        let often = match back.len() {
            1 => String::new(),
            n => format!(" ({n} times in all, by {} at most)", Span(worst)),
        };
        format!(
            "From event {} to event {} ({}'s {}) the time goes back by {}{often}. What came first is judged by the order \
             of the events, not by their times: if they were put together from several clocks, or sorted by something \
             else, that order proves nothing. Record events where they happen, by one monotonic clock.",
            before.position,
            after.position,
            client_via(test.operation(first)),
            test.operation(first).f,
            Span(before.time - after.time),
        )
    })
}
