//! Of sets, bags and queues: what became of each item that something was wrong with. What was lost, duplicated or never
//! put in, who put it in, who should have seen it, and who saw it last; from the history alone.
//!
//! Only what is certain is told. An operation of unknown outcome may have happened at any later time: what it may have
//! done excuses what was seen.

mod queue;
mod set;

use std::collections::BTreeMap;

use partita_checker::{Analysis, Anomaly};
use partita_history::{Operation, Outcome, Value};
use serde::Serialize;

use crate::load::Run;
use crate::words;

/// How the checker begins to say that an object is not empty at first.
const STARTS_AS: &str = "every object starts as";

/// What became of an item, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// It was there, and then it was not, and nobody can have removed it.
    Lost,
    /// It was there once and seen twice.
    Duplicated,
    /// It was seen, and nobody can have put it in.
    Unexpected,
    /// It was seen after it was removed.
    Returned,
    /// It went in earlier than another, and did not come out before it.
    PassedOver,
    /// It was not seen when it was there, and seen later.
    Late,
    /// It never came out, but an operation of unknown outcome may have taken it.
    Unaccounted,
}

impl Fate {
    fn name(self) -> &'static str {
        match self {
            Fate::Lost => "lost",
            Fate::Duplicated => "duplicated",
            Fate::Unexpected => "unexpected",
            Fate::Returned => "back after its removal",
            Fate::PassedOver => "passed over",
            Fate::Late => "missing for a while",
            Fate::Unaccounted => "not accounted for",
        }
    }
}

/// An item, and the operations that show what became of it.
#[derive(Clone, Debug, PartialEq)]
struct Row<'a> {
    fate: Fate,
    item: &'a Value,
    /// What put it in, or seems to have.
    added: Option<Operation<'a>>,
    /// What came of it that should not have: the first, and how many there were.
    missed: Option<Operation<'a>>,
    missed_count: usize,
    /// Who saw it last.
    seen: Option<Operation<'a>>,
    /// What else is to be said.
    note: Option<String>,
}

/// A ledger in words.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Ledger {
    pub(crate) rows: Vec<Line>,
    /// What is left out of the rows, counted: `3 more lost, 1 more duplicated`.
    pub(crate) more: String,
}

/// An item in words.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    pub(crate) fate: &'static str,
    pub(crate) item: String,
    pub(crate) added: String,
    pub(crate) missed: String,
    pub(crate) seen: String,
}

impl Line {
    /// All of it on a line.
    pub(crate) fn sentence(&self) -> String {
        format!(
            "{} {}: added: {}; against that: {}; last seen: {}.",
            self.item, self.fate, self.added, self.missed, self.seen
        )
    }
}

/// The ledger of an anomaly's key, with so many rows at most; none if its model is of another kind, or nothing can be
/// told item by item.
pub(crate) fn ledger(run: &Run, check: &Analysis, anomaly: &Anomaly, rows_max: usize) -> Option<Ledger> {
    let starts_empty = !check.assumptions.iter().any(|it| it.starts_with(STARTS_AS));
    let of_key = || {
        let operations = run.history.operations();
        let operations = operations.filter(|operation| operation.key == anomaly.key.as_ref());
        operations.collect::<Vec<_>>()
    };
    let mut rows = match check.model.as_str() {
        "set" | "grow-only-set" => set::rows(&of_key(), starts_empty),
        "fifo-queue" => queue::rows(&of_key(), starts_empty, true),
        "bag" | "stack" | "priority-queue" => queue::rows(&of_key(), starts_empty, false),
        _ => return None,
    };
    if rows.is_empty() {
        return None;
    }
    rows.sort_by_key(|row| {
        let at = row
            .missed
            .or(row.seen)
            .map_or(0, |operation| operation.invoked.position);
        (row.fate, at)
    });
    let timed = run
        .history
        .operations()
        .any(|operation| operation.invoked.time > 0);
    let mut more: BTreeMap<Fate, usize> = BTreeMap::new();
    for row in rows.iter().skip(rows_max) {
        *more.entry(row.fate).or_default() += 1;
    }
    let more = more
        .into_iter()
        .map(|(fate, count)| format!("{count} more {}", fate.name()));
    Some(Ledger {
        rows: rows.iter().take(rows_max).map(|row| row.told(timed)).collect(),
        more: more.collect::<Vec<_>>().join(", "),
    })
}

impl Row<'_> {
    fn told(&self, timed: bool) -> Line {
        let added = self
            .added
            .map_or_else(|| "never".to_owned(), |added| whole(&added, timed));
        let missed = self.missed.map(|missed| {
            let more = match self.missed_count {
                0 | 1 => String::new(),
                count => format!(" (and {} more)", count - 1),
            };
            done(&missed, timed) + &more
        });
        let against: Vec<String> = missed.into_iter().chain(self.note.clone()).collect();
        let seen = self
            .seen
            .map_or_else(|| "never".to_owned(), |seen| done(&seen, timed));
        let clip = |text: String| words::clip(&text, words::WHY_CHARS_MAX);
        Line {
            fate: self.fate.name(),
            item: words::value(self.item),
            added: clip(added),
            missed: clip(against.join("; ")),
            seen: clip(seen),
        }
    }
}

/// `by client 4 on n1 at 1.200 s, acknowledged at 1.210 s`
fn whole(operation: &Operation<'_>, timed: bool) -> String {
    let ended = match (operation.outcome, operation.completed) {
        (Outcome::Ok, Some(completed)) => format!("acknowledged {}", at(completed, timed)),
        (Outcome::Fail, Some(completed)) => format!("reported as failed {}", at(completed, timed)),
        _ => "outcome unknown".to_owned(),
    };
    format!("by {} {}, {ended}", who(operation), at(operation.invoked, timed))
}

/// `read by client 5 on n3 at 2.000 s`
fn done(operation: &Operation<'_>, timed: bool) -> String {
    let when = at(operation.completed.unwrap_or(operation.invoked), timed);
    format!("{} by {} {when}", words::clip(operation.f, 20), who(operation))
}

fn who(operation: &Operation<'_>) -> String {
    let node = operation
        .node
        .map(|node| format!(" on {}", words::clip(node, 60)));
    format!("client {}{}", operation.process, node.unwrap_or_default())
}

fn at(moment: partita_history::Moment, timed: bool) -> String {
    if timed {
        format!("at {:.3} s", moment.time as f64 / 1e9)
    } else {
        format!("as event {}", moment.position)
    }
}

/// Had it ended before the other began?
fn precedes(a: &Operation<'_>, b: &Operation<'_>) -> bool {
    a.deadline().is_some_and(|deadline| deadline < b.invoked.position)
}

/// May it have happened after `from` did, and before `to` did?
fn may_come_between(it: &Operation<'_>, from: &Operation<'_>, to: &Operation<'_>) -> bool {
    !precedes(it, from) && !precedes(to, it)
}

/// When it ended, for an order of what was seen.
fn end(operation: &Operation<'_>) -> u32 {
    operation.deadline().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
