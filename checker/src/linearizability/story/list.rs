//! Lists that are appended to and read as a whole: reads that no one order of the items explains.

use partita_history::Value;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Teller, Told, precedes};
use crate::linearizability::entry::Entry;
use crate::linearizability::words::sentence;

/// The appends of each item, in the order of their invocations, and how often it was there at first.
type Origins<'t> = FxHashMap<&'t Value, (Vec<&'t Entry>, usize)>;

pub(super) fn tell(teller: &Teller<'_>) -> Option<Told> {
    let initial = teller.object.specification.initial();
    let mut origins = Origins::default();
    if let Value::List(items) = &initial {
        for item in items {
            origins.entry(item).or_default().1 += 1;
        }
    }
    for entry in &teller.prefix {
        let class = teller.class(entry);
        if class.action == "append" {
            origins.entry(&class.argument).or_default().0.push(entry);
        }
    }
    let suspects = teller.suspects();
    let first = |template: &dyn Fn(&Entry) -> Option<Told>| suspects.iter().find_map(|entry| template(entry));
    first(&|entry| phantom(teller, &origins, entry))
        .or_else(|| first(&|entry| duplicate(teller, &origins, entry)))
        .or_else(|| first(&|entry| incompatible(teller, entry, &suspects)))
        .or_else(|| first(&|entry| shrank(teller, entry, &suspects)))
        .or_else(|| first(&|entry| out_of_order(teller, &origins, entry)))
        .or_else(|| first(&|entry| missing(teller, &origins, entry)))
}

/// The list that a completed read found.
fn read<'a>(teller: &Teller<'a>, entry: &Entry) -> Option<&'a [Value]> {
    let class = teller.class(entry);
    match &class.result {
        Value::List(items) if class.action == "read" && entry.deadline.is_some() => Some(items),
        _ => None,
    }
}

/// How often an item may have been there by the end of `entry`.
fn times(origins: &Origins<'_>, entry: &Entry, item: &Value) -> usize {
    let ends = entry.deadline.unwrap_or(u32::MAX);
    origins.get(item).map_or(0, |(appends, initially)| {
        initially + appends.partition_point(|append| append.invoked < ends)
    })
}

/// `at 2.000 s n3 answered client 7 that x = [1, 2]`
fn claim(teller: &Teller<'_>, entry: &Entry) -> String {
    let holds = teller.holds(&teller.class(entry).result);
    format!("{} {} that {holds}", teller.when(entry), teller.answered(entry))
}

fn phantom(teller: &Teller<'_>, origins: &Origins<'_>, entry: &Entry) -> Option<Told> {
    let mut items = read(teller, entry)?.iter();
    let item = items.find(|item| times(origins, entry, item) == 0)?;
    let text = format!(
        "{}, but nobody had begun to append {item} by then: a phantom item.",
        sentence(&claim(teller, entry))
    );
    Some(Told::new("phantom item", text).proved_by(teller.with_mutators(&[entry])))
}

fn duplicate(teller: &Teller<'_>, origins: &Origins<'_>, entry: &Entry) -> Option<Told> {
    let mut seen: FxHashMap<&Value, usize> = FxHashMap::default();
    let item = read(teller, entry)?.iter().find(|item| {
        let seen = seen.entry(item).or_default();
        *seen += 1;
        *seen > times(origins, entry, item)
    })?;
    let appended = match times(origins, entry, item) {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    };
    let text = format!(
        "{}, in which {item} is more often than it was appended, which was only {appended}.",
        sentence(&claim(teller, entry)),
    );
    Some(Told::new("duplicate item", text).proved_by(teller.with_mutators(&[entry])))
}

/// Two reads, neither of which is the beginning of the other.
fn incompatible(teller: &Teller<'_>, entry: &Entry, suspects: &[&Entry]) -> Option<Told> {
    let here = read(teller, entry)?;
    suspects.iter().find_map(|other| {
        let there = read(teller, other)?;
        let at = here.iter().zip(there).position(|(a, b)| a != b)?;
        let text = format!(
            "{}, and {}: from item {} on they differ ({} and {}), so neither list can have grown into the other.",
            sentence(&claim(teller, other)),
            claim(teller, entry),
            at + 1,
            there[at],
            here[at],
        );
        Some(Told::new("incompatible order", text).proved_by(teller.with_mutators(&[entry, other])))
    })
}

fn shrank(teller: &Teller<'_>, entry: &Entry, suspects: &[&Entry]) -> Option<Told> {
    let shorter = read(teller, entry)?;
    suspects.iter().find_map(|other| {
        let longer = read(teller, other)?;
        if !(precedes(other, entry) && longer.starts_with(shorter) && shorter.len() < longer.len()) {
            return None;
        }
        let text = format!(
            "{}; that was {} another read began, and {}: the list became shorter, though nothing is ever removed.",
            sentence(&claim(teller, other)),
            teller.lead(other, entry),
            claim(teller, entry),
        );
        Some(Told::new("list became shorter", text).proved_by(teller.with_mutators(&[entry, other])))
    })
}

/// Two items, in another order than that in which they were appended.
fn out_of_order(teller: &Teller<'_>, origins: &Origins<'_>, entry: &Entry) -> Option<Told> {
    let only = |item| match origins.get(item) {
        Some((appends, 0)) if appends.len() == 1 => Some((item, appends[0])),
        _ => None,
    };
    // From the back: of what is shown later, the append that ended first.
    let mut earliest: Option<(&Value, &Entry)> = None;
    let (shown_first, shown_second) =
        read(teller, entry)?
            .iter()
            .rev()
            .filter_map(only)
            .find_map(|this| {
                let inverted = earliest.filter(|(_, other)| precedes(other, this.1));
                let end = |entry: &Entry| entry.deadline.unwrap_or(u32::MAX);
                if earliest.is_none_or(|(_, other)| end(this.1) < end(other)) {
                    earliest = Some(this);
                }
                Some((this, inverted?))
            })?;
    let text = format!(
        "{}, with {} before {}; but {} (by {}) had been acknowledged {}, {} the append of {} began.",
        sentence(&claim(teller, entry)),
        shown_first.0,
        shown_second.0,
        teller
            .object
            .specification
            .describe(&teller.operation(shown_second.1)),
        teller.who(shown_second.1),
        teller.when(shown_second.1),
        teller.lead(shown_second.1, shown_first.1),
        shown_first.0,
    );
    Some(Told::new("append order inversion", text).proved_by(teller.with_mutators(&[entry])))
}

/// A read without an item whose append had been acknowledged before the read began.
fn missing(teller: &Teller<'_>, origins: &Origins<'_>, entry: &Entry) -> Option<Told> {
    let shown: FxHashSet<&Value> = read(teller, entry)?.iter().collect();
    // The one that was acknowledged first is missed the longest.
    let (item, append) = origins
        .iter()
        .filter(|(item, _)| !shown.contains(*item))
        .flat_map(|(item, (appends, _))| appends.iter().map(move |append| (*item, *append)))
        .filter(|(_, append)| precedes(append, entry))
        .min_by_key(|(_, append)| append.deadline)?;
    let shows = |other: &Entry| read(teller, other).is_some_and(|items| items.contains(item));
    let (name, ending) = match teller.object.entries.iter().find(|other| shows(other)) {
        Some(other) => {
            let seen = format!("{} saw it {}", teller.who(other), teller.when(other));
            (
                "stale read",
                format!("{seen}, so it was not lost, but this read is old"),
            )
        }
        None => ("lost write", "no read ever showed it: it was lost".to_owned()),
    };
    let text = format!(
        "{}, without {item}; but {} (by {}) had been acknowledged {}, {} this read began, and {ending}.",
        sentence(&claim(teller, entry)),
        teller.object.specification.describe(&teller.operation(append)),
        teller.who(append),
        teller.when(append),
        teller.lead(append, entry),
    );
    Some(Told::new(name, text).proved_by(teller.with_mutators(&[entry])))
}
