//! Sets: an element is there that can't be, or is not there and must be.
//!
//! Each element is an object by itself (ALGORITHMS.md 3.5), so it is looked at alone.

use partita_history::Value;
use rustc_hash::FxHashMap;

use super::{Teller, Told, may_come_between, precedes};
use crate::linearizability::entry::Entry;
use crate::linearizability::words::sentence;

/// Why an element was certainly there, or certainly not, all the time that an operation ran.
enum Because<'e> {
    /// This is the last that can have changed it.
    Change(&'e Entry),
    /// Nothing changed it since the beginning.
    Beginning,
}

/// The changes of each element, in the order of their invocations.
type Changes<'t> = FxHashMap<&'t Value, Vec<&'t Entry>>;

pub(super) fn tell(teller: &Teller<'_>) -> Option<Told> {
    let mut changes = Changes::default();
    for entry in &teller.prefix {
        let class = teller.class(entry);
        if class.action != "read" {
            changes.entry(&class.argument).or_default().push(entry);
        }
    }
    let suspects = teller.suspects();
    suspects.iter().find_map(|entry| {
        let told = seen_twice(teller, entry);
        let mut elements = elements(teller, entry, &changes).into_iter();
        told.or_else(|| elements.find_map(|element| judge(teller, &changes, entry, element)))
    })
}

/// The elements of which an operation may say something: those in its answer, and those that were changed.
fn elements<'t>(teller: &Teller<'t>, entry: &Entry, changes: &Changes<'t>) -> Vec<&'t Value> {
    let class = teller.class(entry);
    if class.action != "read" {
        return vec![&class.argument];
    }
    let mut elements: Vec<&Value> = items(&class.result)
        .iter()
        .chain(changes.keys().copied())
        .collect();
    elements.sort_unstable();
    elements.dedup();
    elements
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        _ => &[],
    }
}

/// Whether an operation says that the element was there, just before it took effect.
fn observed(teller: &Teller<'_>, entry: &Entry, element: &Value) -> Option<bool> {
    entry.deadline?;
    let class = teller.class(entry);
    match class.action {
        "read" => Some(items(&class.result).binary_search(element).is_ok()),
        "found" | "removed" if class.argument == *element => Some(true),
        "absent" | "added" if class.argument == *element => Some(false),
        _ => None,
    }
}

/// Whether an operation, if it happened, left the element there.
fn leaves(teller: &Teller<'_>, entry: &Entry, element: &Value) -> Option<bool> {
    let class = teller.class(entry);
    match class.action {
        "add" | "added" if class.argument == *element => Some(true),
        "remove" | "removed" if class.argument == *element => Some(false),
        _ => None,
    }
}

/// Why the element was certainly there (or not, if `there` is false) when `entry` took effect.
fn certain<'t>(
    teller: &Teller<'_>,
    changes: &Changes<'t>,
    entry: &Entry,
    element: &Value,
    there: bool,
) -> Option<Because<'t>> {
    let changes = changes.get(element).map_or(&[][..], |changes| &changes[..]);
    let others = || changes.iter().copied().filter(|other| other.id != entry.id);
    let undoes = |other: &&Entry| leaves(teller, other, element) == Some(!there);
    let ends = entry.deadline?;
    let made = others()
        .filter(|other| leaves(teller, other, element) == Some(there) && precedes(other, entry))
        .max_by_key(|other| other.invoked);
    if let Some(made) = made
        && !others()
            .filter(undoes)
            .any(|other| may_come_between(other, made, entry))
    {
        return Some(Because::Change(made));
    }
    let initially = items(&teller.object.specification.initial()).contains(element);
    let untouched = !others().filter(undoes).any(|other| other.invoked < ends);
    (initially == there && untouched).then_some(Because::Beginning)
}

fn judge(teller: &Teller<'_>, changes: &Changes<'_>, entry: &Entry, element: &Value) -> Option<Told> {
    let said = observed(teller, entry, element)?;
    let because = certain(teller, changes, entry, element, !said)?;
    let claim = sentence(&claim(teller, entry, element, said));
    let acknowledged = |change: &Entry, what: &str| {
        format!(
            "its {what} had been acknowledged to {} {}, {} this {} began",
            teller.who(change),
            teller.when(change),
            teller.lead(change, entry),
            teller.operation(entry).f,
        )
    };
    let told = match (said, because) {
        (true, Because::Beginning) => Told::new(
            "phantom element",
            format!(
                "{claim}, but nobody had begun to add it by then, and it was not there from the beginning."
            ),
        ),
        (true, Because::Change(removal)) => Told::new(
            "removed element seen",
            format!(
                "{claim}, but {}, and nobody can have added it again: it was seen after its removal.",
                acknowledged(removal, "removal")
            ),
        ),
        (false, because) => {
            let why = match because {
                Because::Change(addition) => acknowledged(addition, "addition"),
                Because::Beginning => "it was there from the beginning".to_owned(),
            };
            let saw = |other: &&Entry| other.id != entry.id && observed(teller, other, element) == Some(true);
            let earlier = teller
                .prefix
                .iter()
                .filter(saw)
                .find(|other| precedes(other, entry));
            let (name, ending) = if teller.class(entry).action == "added" {
                (
                    "element added twice",
                    "so this addition can't have been the one that put it there".to_owned(),
                )
            } else if let Some(earlier) = earlier {
                let seen = format!("{} had seen it {}", teller.who(earlier), teller.when(earlier));
                (
                    "element vanished",
                    format!("{seen}, and nobody can have removed it: it vanished"),
                )
            } else if teller.object.entries.iter().any(|other| saw(&other)) {
                (
                    "stale read",
                    "others did see it, and nobody can have removed it: a stale read".to_owned(),
                )
            } else {
                (
                    "lost element",
                    "nobody can have removed it, and no operation ever saw it: it was lost".to_owned(),
                )
            };
            Told::new(name, format!("{claim}, but {why}; {ending}."))
        }
    };
    Some(told)
}

/// `at 2.000 s n3 answered client 7 that 5 was in the set`
fn claim(teller: &Teller<'_>, entry: &Entry, element: &Value, there: bool) -> String {
    let is = if there { "was" } else { "was not" };
    format!(
        "{} {} that {element} {is} in {}",
        teller.when(entry),
        teller.answered(entry),
        teller.name("set")
    )
}

/// A read that has an element twice.
fn seen_twice(teller: &Teller<'_>, entry: &Entry) -> Option<Told> {
    entry.deadline?;
    let class = teller.class(entry);
    // They are sorted.
    let twice = items(&class.result).windows(2).find(|pair| pair[0] == pair[1])?;
    let text = format!(
        "{} {} a set in which {} is twice, which no set can be.",
        sentence(&teller.when(entry)),
        teller
            .answered(entry)
            .replace(" was told", " was given")
            .replace(" answered ", " gave "),
        twice[0]
    );
    Some(Told::new("element read twice", text).proved_by(vec![*entry]))
}
