//! Tests that can't find much.

use partita_history::{OpId, Operation, Outcome};

use super::{Finding, FindingKind, NAMED_MAX, Test};
use crate::linearizability::words::list;

/// How many ok operations a key should have seen.
const PER_KEY_MIN: usize = 10;
/// Below this number of operations a history was made by hand, and need not be told that it is small.
const BY_HAND_MAX: usize = 100;
/// One operation of so many may have an unknown outcome.
const UNKNOWN_SHARE: usize = 4;
/// Models whose operations return nothing: that they end is what is seen.
const WITHOUT_ANSWERS: &[&str] = &["mutex", "owned-mutex", "semaphore"];

fn of_whole(kind: FindingKind, text: String) -> Finding {
    Finding {
        kind,
        count: 1,
        operations: Vec::new(),
        text,
    }
}

pub(super) fn only_null_reads(test: &Test<'_>) -> Option<Finding> {
    let is_read = |operation: &Operation<'_>| operation.f == "read" && operation.outcome == Outcome::Ok;
    let mut keys = Vec::new();
    let mut shown: Vec<OpId> = Vec::new();
    for (key, ids) in test.history.by_key() {
        let operations = || ids.iter().map(|&id| test.operation(id));
        let mut reads = operations().filter(is_read).peekable();
        let is_written = operations().any(|op| op.f == "write" && op.outcome == Outcome::Ok);
        if is_written && reads.peek().is_some() && reads.all(|read| read.output.is_null()) {
            keys.push(key.map_or_else(|| "the register".to_owned(), |key| format!("key {key}")));
            shown.extend(ids.iter().copied().find(|&id| is_read(&test.operation(id))));
        }
    }
    let count = keys.len();
    (count > 0).then(|| Finding {
        kind: FindingKind::OnlyNullReads,
        count,
        operations: shown.into_iter().take(NAMED_MAX).collect(),
        text: format!(
            "Every read of {} found null, although writes to it had been acknowledged. Perhaps the client does not \
             record what it reads, or reads from another place than it writes to.",
            named(keys)
        ),
    })
}

/// The first few, and how many more there are.
fn named(names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let mut shown: Vec<String> = names.into_iter().take(NAMED_MAX).collect();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    list(&shown)
}

pub(super) fn nothing_seen(test: &Test<'_>) -> Option<Finding> {
    if WITHOUT_ANSWERS.contains(&test.model) {
        return None;
    }
    let sees = |operation: &Operation<'_>| {
        let class = test.specification.classify(operation).ok().flatten();
        class.is_some_and(|class| test.specification.is_observer(&class) || !class.result.is_null())
            || (operation.f == "cas" && operation.outcome == Outcome::Ok)
    };
    let mut ok = test
        .operations()
        .filter(|(_, op)| op.outcome == Outcome::Ok)
        .peekable();
    ok.peek()?;
    // A user's own model may have other ways of seeing.
    if test.model.is_empty() || ok.any(|(_, operation)| sees(&operation)) {
        return None;
    }
    Some(of_whole(
        FindingKind::NothingSeen,
        "No operation that ended ok tells what it found: such a history can hardly be wrong, whatever the system did. \
         Let clients read."
            .to_owned(),
    ))
}

pub(super) fn no_concurrency(test: &Test<'_>) -> Option<Finding> {
    let mut end = None;
    let (mut processes, mut completed) = (None, 0);
    let mut one_process = true;
    for (_, operation) in test.operations() {
        if end.is_some_and(|end| operation.invoked.position < end) {
            return None;
        }
        // An operation that never ended overlaps with all that come after it.
        end = Some(operation.deadline().unwrap_or(u32::MAX));
        one_process &= *processes.get_or_insert(operation.process) == operation.process;
        completed += usize::from(operation.outcome != Outcome::Info);
    }
    let clients = if one_process {
        "All by one client, each"
    } else {
        "Each"
    };
    (completed > 1).then(|| {
        of_whole(
            FindingKind::NoConcurrency,
            format!(
                "{clients} of the {completed} operations began after the one before had ended: what goes wrong only when \
                 clients overlap was never tried. Use several clients at once."
            ),
        )
    })
}

pub(super) fn mostly_unknown(test: &Test<'_>) -> Option<Finding> {
    let all = test.operations().count();
    let unknown = test
        .operations()
        .filter(|(_, op)| op.outcome == Outcome::Info)
        .count();
    (all >= BY_HAND_MAX && unknown * UNKNOWN_SHARE > all).then(|| {
        of_whole(
            FindingKind::MostlyUnknown,
            format!(
                "{unknown} of {all} operations ended with an unknown outcome: each may have happened at any time or never, \
                 which excuses much and is slow to judge. Give clients longer to wait, or let refusals that certainly had \
                 no effect end in `fail`."
            ),
        )
    })
}

pub(super) fn hardly_used_keys(test: &Test<'_>) -> Option<Finding> {
    let all = test.operations().count();
    let keys = test.history.by_key();
    let is_ok = |id: &&OpId| test.operation(**id).outcome == Outcome::Ok;
    let rare: Vec<String> = keys
        .iter()
        .filter(|(_, ids)| ids.iter().filter(is_ok).count() < PER_KEY_MIN)
        .filter_map(|(key, _)| key.map(|key| key.to_string()))
        .collect();
    let (count, of) = (rare.len(), keys.len());
    (all >= BY_HAND_MAX && count > 0).then(|| Finding {
        kind: FindingKind::HardlyUsedKeys,
        count,
        operations: Vec::new(),
        text: format!(
            "{count} of {of} keys have fewer than {PER_KEY_MIN} operations that ended ok ({}): little can go wrong, or be \
             noticed, on them. Use fewer keys, or more operations.",
            named(rare)
        ),
    })
}
