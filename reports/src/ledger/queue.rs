//! Queues, bags, stacks and priority queues: items go in, and each comes out once.

use std::collections::BTreeMap;

use partita_history::{Operation, Outcome, Value};

use super::{Fate, Row, end, precedes};
use crate::words;

/// All that has to do with one item.
#[derive(Default)]
struct Item<'a> {
    /// Those that may have happened.
    puts: Vec<Operation<'a>>,
    /// One that was reported as failed.
    failed: Option<Operation<'a>>,
    takes: Vec<Operation<'a>>,
    peeks: Vec<Operation<'a>>,
}

/// All that has to do with one queue.
#[derive(Default)]
struct Queue<'a> {
    items: BTreeMap<&'a Value, Item<'a>>,
    /// Those that found nothing, in their order.
    empty: Vec<Operation<'a>>,
    /// Removals of unknown outcome.
    unknown: Vec<Operation<'a>>,
    /// Of items that went in once and came out once: what came out, by when its put began, from the last on, with the
    /// earliest to come out of all so far. Only where the first in is to be the first out.
    out: Vec<(u32, Operation<'a>)>,
}

pub(super) fn rows<'a>(operations: &[Operation<'a>], starts_empty: bool, in_order: bool) -> Vec<Row<'a>> {
    let mut queue = Queue::default();
    for operation in operations {
        queue.take_in(operation);
    }
    if in_order {
        queue.sort_out();
    }
    let rows = queue.items.iter();
    rows.filter_map(|(item, of)| queue.row(item, of, starts_empty))
        .collect()
}

impl<'a> Queue<'a> {
    fn take_in(&mut self, operation: &Operation<'a>) {
        match (operation.f, operation.outcome) {
            ("enqueue" | "push" | "insert", Outcome::Fail) => {
                self.items.entry(operation.input).or_default().failed = Some(*operation);
            }
            ("enqueue" | "push" | "insert", _) => {
                self.items
                    .entry(operation.input)
                    .or_default()
                    .puts
                    .push(*operation);
            }
            ("dequeue" | "pop" | "poll", Outcome::Info) => self.unknown.push(*operation),
            ("dequeue" | "pop" | "poll" | "peek", Outcome::Ok) if operation.output.is_null() => {
                self.empty.push(*operation);
            }
            ("dequeue" | "pop" | "poll", Outcome::Ok) => {
                self.items
                    .entry(operation.output)
                    .or_default()
                    .takes
                    .push(*operation);
            }
            ("peek", Outcome::Ok) => self
                .items
                .entry(operation.output)
                .or_default()
                .peeks
                .push(*operation),
            _ => {}
        }
    }

    fn sort_out(&mut self) {
        let once = self
            .items
            .values()
            .filter_map(|of| match (&of.puts[..], &of.takes[..]) {
                ([put], [take]) => Some((put.invoked.position, *take)),
                _ => None,
            });
        let mut out: Vec<_> = once.collect();
        out.sort_by_key(|(begun, _)| std::cmp::Reverse(*begun));
        let mut earliest: Option<Operation<'a>> = None;
        for (_, take) in &mut out {
            let first = earliest.filter(|first| end(first) < end(take)).unwrap_or(*take);
            earliest = Some(first);
            *take = first;
        }
        self.out = out;
    }

    /// What came out first of all that went in after this put had ended, if it did so before `until`.
    fn overtaker(&self, put: &Operation<'a>, until: u32) -> Option<Operation<'a>> {
        let ended = put.deadline()?;
        let later = self.out.partition_point(|(begun, _)| *begun > ended);
        let (_, first) = self.out.get(later.checked_sub(1)?)?;
        (end(first) < until).then_some(*first)
    }

    /// Those that found nothing, of all that began after this put had ended, and ended before `until`.
    fn found_nothing(&self, put: &Operation<'a>, until: u32) -> impl Iterator<Item = Operation<'a>> {
        let after = self.empty.iter().filter(move |empty| precedes(put, empty));
        after.filter(move |empty| end(empty) < until).copied()
    }

    fn row(&self, item: &'a Value, of: &Item<'a>, starts_empty: bool) -> Option<Row<'a>> {
        let acknowledged = of.puts.iter().find(|put| put.outcome == Outcome::Ok);
        let seen = of
            .takes
            .iter()
            .chain(&of.peeks)
            .max_by_key(|out| end(out))
            .copied();
        let row = |fate, added: Option<&Operation<'a>>, missed, missed_count, note| {
            Some(Row {
                fate,
                item,
                added: added.copied(),
                missed,
                missed_count,
                seen,
                note,
            })
        };
        let mut out: Vec<_> = of.takes.iter().chain(&of.peeks).copied().collect();
        out.sort_by_key(end);
        let put_in_by = |out: &Operation<'a>| of.puts.iter().any(|put| put.invoked.position < end(out));
        if let Some(first) = out.first().filter(|first| !put_in_by(first)) {
            let added = of.failed.as_ref().or(of.puts.first());
            let often = out.len();
            return if starts_empty {
                row(Fate::Unexpected, added, Some(*first), often, None)
            } else {
                None
            };
        }
        if of.takes.len() > of.puts.len() && !of.puts.is_empty() && starts_empty {
            let often = format!("it had come out {} times in all", of.takes.len());
            let mut takes = of.takes.clone();
            takes.sort_by_key(end);
            return row(
                Fate::Duplicated,
                of.puts.first(),
                takes.get(of.puts.len()).copied(),
                1,
                Some(often),
            );
        }
        let [put] = &of.puts[..] else {
            return None;
        };
        acknowledged?;
        let taken = of.takes.first();
        let until = taken.map_or(u32::MAX, |take| take.invoked.position);
        let mut nothing = self.found_nothing(put, until);
        let overtaker = self.overtaker(put, until);
        let beside = |it: Operation<'a>| {
            format!(
                "{}, which went in after it, was before it",
                words::value(it.output)
            )
        };
        if taken.is_some() {
            return match (nothing.next(), overtaker) {
                (Some(empty), _) => row(Fate::Late, Some(put), Some(empty), 1 + nothing.count(), None),
                (None, Some(it)) => row(Fate::PassedOver, Some(put), Some(it), 1, Some(beside(it))),
                (None, None) => None,
            };
        }
        let (missed, count, note) = match (nothing.next(), overtaker) {
            (Some(empty), _) => (empty, 1 + nothing.count(), None),
            (None, Some(it)) => (it, 1, Some(beside(it))),
            (None, None) => return None,
        };
        let excuses = self
            .unknown
            .iter()
            .filter(|take| take.invoked.position < end(&missed))
            .count();
        if excuses == 0 {
            return row(Fate::Lost, Some(put), Some(missed), count, note);
        }
        let removals = words::counted(excuses as u64, "removal");
        let excuse = format!("{removals} of unknown outcome may have taken it");
        let note = note.map_or_else(|| excuse.clone(), |note| format!("{note}; {excuse}"));
        row(Fate::Unaccounted, Some(put), Some(missed), count, Some(note))
    }
}
