//! Sets: each element is an object by itself (ALGORITHMS.md 3.5).

use std::collections::BTreeMap;

use partita_history::{Operation, Outcome, Value};

use super::{Fate, Row, end, may_come_between, precedes};

/// How often one looks for an element in a read, at most: of more, the last reads are looked at.
const LOOKS_MAX: usize = 20_000_000;

/// All that has to do with one element.
#[derive(Default)]
struct Element<'a> {
    /// Those that may have happened.
    adds: Vec<Operation<'a>>,
    removes: Vec<Operation<'a>>,
    /// An addition that was reported as failed.
    failed: Option<Operation<'a>>,
    /// What said whether it was there.
    looks: Vec<(Operation<'a>, bool)>,
    /// A read that has it twice.
    twice: Option<Operation<'a>>,
}

/// Why it was certainly there, or certainly not.
enum Because<'a> {
    Change(Operation<'a>),
    Beginning,
}

pub(super) fn rows<'a>(operations: &[Operation<'a>], starts_empty: bool) -> Vec<Row<'a>> {
    let mut elements: BTreeMap<&Value, Element<'a>> = BTreeMap::new();
    let mut reads: Vec<(Operation<'a>, Vec<&'a Value>)> = Vec::new();
    for operation in operations {
        match (operation.f, operation.outcome) {
            ("read", Outcome::Ok) => {
                if let Value::List(found) = operation.output {
                    let mut found: Vec<&Value> = found.iter().collect();
                    found.sort_unstable();
                    reads.push((*operation, found));
                }
            }
            ("add", Outcome::Fail) => elements.entry(operation.input).or_default().failed = Some(*operation),
            ("add", _) => elements.entry(operation.input).or_default().adds.push(*operation),
            ("remove", Outcome::Ok | Outcome::Info) => {
                elements
                    .entry(operation.input)
                    .or_default()
                    .removes
                    .push(*operation);
            }
            _ => {}
        }
        if let Some(there) = told(operation) {
            let element = elements.entry(operation.input).or_default();
            element.looks.push((*operation, there));
        }
    }
    for (read, found) in &reads {
        for item in found {
            elements.entry(item).or_default();
        }
        for pair in found.windows(2).filter(|pair| pair[0] == pair[1]) {
            elements.entry(pair[0]).or_default().twice.get_or_insert(*read);
        }
    }
    let looked = (LOOKS_MAX / elements.len().max(1)).max(1);
    let reads = &reads[reads.len().saturating_sub(looked)..];
    let rows = elements.into_iter().filter_map(|(item, mut element)| {
        let seen_by_reads = reads
            .iter()
            .map(|(read, found)| (*read, found.binary_search(&item).is_ok()));
        element.looks.extend(seen_by_reads);
        element.looks.sort_by_key(|(look, _)| end(look));
        element.row(item, starts_empty)
    });
    rows.collect()
}

/// Whether an operation on one element says that it was there, just before it happened.
fn told(operation: &Operation<'_>) -> Option<bool> {
    if operation.outcome != Outcome::Ok {
        return None;
    }
    let answer = match operation.output.as_pair() {
        Some((of, answer)) if of == operation.input => answer,
        // The element repeated says nothing, but of `contains` one knows that it answered.
        _ if operation.f != "contains" && operation.output == operation.input => return None,
        _ => operation.output,
    };
    match (operation.f, answer) {
        ("contains" | "remove", Value::Int(1)) | ("add", Value::Int(0)) => Some(true),
        ("contains" | "remove", Value::Int(0)) | ("add", Value::Int(1)) => Some(false),
        _ => None,
    }
}

impl<'a> Element<'a> {
    fn row(&self, item: &'a Value, starts_empty: bool) -> Option<Row<'a>> {
        let seen = self
            .looks
            .iter()
            .rev()
            .find(|(_, there)| *there)
            .map(|(look, _)| *look);
        let row = |fate, added, missed, missed_count, note| Row {
            fate,
            item,
            added,
            missed,
            missed_count,
            seen,
            note,
        };
        if let Some(twice) = self.twice {
            return Some(row(
                Fate::Duplicated,
                self.adds.first().copied(),
                Some(twice),
                1,
                None,
            ));
        }
        let missing: Vec<_> = self.against(false, starts_empty).collect();
        if let (Some((first, Because::Change(add))), Some((last, _))) = (missing.first(), missing.last()) {
            let again = seen.is_some_and(|seen| end(&seen) > end(last));
            let fate = if again { Fate::Late } else { Fate::Lost };
            return Some(row(fate, Some(*add), Some(*first), missing.len(), None));
        }
        let present: Vec<_> = self.against(true, starts_empty).collect();
        let (first, because) = present.first()?;
        Some(match because {
            Because::Change(removal) => {
                let note = format!("its removal by client {} had been acknowledged", removal.process);
                let added = self.adds.iter().rfind(|add| precedes(add, first)).copied();
                row(Fate::Returned, added, Some(*first), present.len(), Some(note))
            }
            Because::Beginning => {
                let added = self.failed.or(self.adds.first().copied());
                row(Fate::Unexpected, added, Some(*first), present.len(), None)
            }
        })
    }

    /// What said that it was there (or not), though that certainly was not so.
    fn against(&self, said: bool, starts_empty: bool) -> impl Iterator<Item = (Operation<'a>, Because<'a>)> {
        let looks = self.looks.iter().filter(move |(_, there)| *there == said);
        looks.filter_map(move |(look, _)| Some((*look, self.certain(look, !said, starts_empty)?)))
    }

    /// Why it was certainly there (or not) when this operation took effect.
    fn certain(&self, look: &Operation<'a>, there: bool, starts_empty: bool) -> Option<Because<'a>> {
        let (makes, undoes) = if there {
            (&self.adds, &self.removes)
        } else {
            (&self.removes, &self.adds)
        };
        // What it did itself comes after what it saw.
        let other = |it: &&Operation<'a>| it.invoked != look.invoked;
        let made = makes.iter().filter(other).filter(|it| precedes(it, look));
        let made = made.max_by_key(|it| it.invoked.position);
        if let Some(made) = made {
            let undone = undoes
                .iter()
                .filter(other)
                .any(|it| may_come_between(it, made, look));
            return (!undone).then_some(Because::Change(*made));
        }
        let untouched = !undoes
            .iter()
            .filter(other)
            .any(|it| it.invoked.position < end(look));
        (!there && starts_empty && untouched).then_some(Because::Beginning)
    }
}
