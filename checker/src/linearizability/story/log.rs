//! Append-only logs: offsets that contradict each other.

use partita_history::Value;

use super::{Teller, Told, precedes};
use crate::linearizability::entry::Entry;
use crate::linearizability::words::sentence;

/// What a completed operation says: this item is at this offset.
struct Claim<'t> {
    entry: &'t Entry,
    offset: i64,
    item: &'t Value,
}

pub(super) fn tell(teller: &Teller<'_>) -> Option<Told> {
    let suspects = teller.suspects();
    let claims: Vec<Claim<'_>> = suspects.iter().filter_map(|entry| claim(teller, entry)).collect();
    let pairs = || claims.iter().flat_map(|a| claims.iter().map(move |b| (a, b)));
    pairs()
        .find_map(|(a, b)| two_items(teller, a, b))
        .or_else(|| pairs().find_map(|(a, b)| inversion(teller, a, b)))
        .or_else(|| {
            suspects
                .iter()
                .find_map(|entry| past_the_end(teller, entry, &claims))
        })
        .or_else(|| claims.iter().find_map(|claim| phantom(teller, claim)))
        .or_else(|| claims.iter().find_map(|claim| beyond(teller, claim)))
        .or_else(|| suspects.iter().find_map(|entry| too_early(teller, entry)))
}

/// How long the log was at first.
fn first_length(teller: &Teller<'_>) -> i64 {
    match teller.object.specification.initial() {
        Value::List(items) => items.len() as i64,
        _ => 0,
    }
}

/// An offset that the log can't have reached, whichever appends succeeded.
fn beyond(teller: &Teller<'_>, claim: &Claim<'_>) -> Option<Told> {
    let may_have = |other: &&Entry| is_append(teller, other) && Some(other.invoked) < claim.entry.deadline;
    let most = first_length(teller) + teller.prefix.iter().filter(may_have).count() as i64;
    (!(0..most).contains(&claim.offset)).then(|| {
        let text = format!(
            "{}, but all that had begun to be appended by then makes it {most} items at most, from offset 0 on.",
            sentence(&told(teller, claim)),
        );
        Told::new("phantom offset", text).proved_by(teller.with_mutators(&[claim.entry]))
    })
}

/// An offset, or an end, before what was appended before.
fn too_early(teller: &Teller<'_>, entry: &Entry) -> Option<Told> {
    entry.deadline?;
    let class = teller.class(entry);
    let (offset, name) = match (class.action, &class.argument, &class.result) {
        ("append", _, Value::Int(offset)) => (*offset, "offset inversion"),
        ("read", Value::Int(offset @ 0..), Value::Null) => (*offset, "stale read"),
        _ => return None,
    };
    let is_before = |other: &&Entry| is_append(teller, other) && precedes(other, entry);
    let before = || teller.prefix.iter().filter(is_before);
    let last = before().max_by_key(|entry| entry.deadline)?;
    let least = first_length(teller) + before().count() as i64;
    (offset < least).then(|| {
        let end = if is_append(teller, entry) {
            "its item was the next"
        } else {
            "there was nothing"
        };
        let text = format!(
            "{} {} that {end} at offset {offset}, but {least} items were there before this {} began, the last by {} {}, {}.",
            sentence(&teller.when(entry)),
            teller.answered(entry),
            teller.operation(entry).f,
            teller.who(last),
            teller.when(last),
            teller.lead(last, entry),
        );
        Told::new(name, text).proved_by(teller.with_mutators(&[entry]))
    })
}

fn claim<'t>(teller: &'t Teller<'_>, entry: &'t Entry) -> Option<Claim<'t>> {
    entry.deadline?;
    let class = teller.class(entry);
    match (class.action, &class.argument, &class.result) {
        ("append", item, Value::Int(offset)) => Some(Claim {
            entry,
            offset: *offset,
            item,
        }),
        ("read", Value::Int(offset), item) if !item.is_null() => Some(Claim {
            entry,
            offset: *offset,
            item,
        }),
        _ => None,
    }
}

fn is_append(teller: &Teller<'_>, entry: &Entry) -> bool {
    teller.class(entry).action == "append"
}

/// `at 2.000 s n3 answered client 7 that 5 was at offset 3`
fn told(teller: &Teller<'_>, claim: &Claim<'_>) -> String {
    let is = if is_append(teller, claim.entry) {
        "was appended"
    } else {
        "was"
    };
    format!(
        "{} {} that {} {is} at offset {}",
        teller.when(claim.entry),
        teller.answered(claim.entry),
        claim.item,
        claim.offset
    )
}

fn two_items(teller: &Teller<'_>, a: &Claim<'_>, b: &Claim<'_>) -> Option<Told> {
    let both_appended = is_append(teller, a.entry) && is_append(teller, b.entry);
    let contradict = a.offset == b.offset && a.entry.id < b.entry.id && (a.item != b.item || both_appended);
    contradict.then(|| {
        let text = format!(
            "{}, and {}: there can be only one item at an offset.",
            sentence(&told(teller, a)),
            told(teller, b)
        );
        Told::new("two items at one offset", text).proved_by(teller.with_mutators(&[a.entry, b.entry]))
    })
}

/// What was appended later is at the smaller offset.
fn inversion(teller: &Teller<'_>, a: &Claim<'_>, b: &Claim<'_>) -> Option<Told> {
    let inverted = is_append(teller, b.entry) && precedes(a.entry, b.entry) && a.offset >= b.offset;
    inverted.then(|| {
        let text = format!(
            "{}; that was {} another append began, and {}: offsets only grow, so it can't be at or before that one.",
            sentence(&told(teller, a)),
            teller.lead(a.entry, b.entry),
            told(teller, b)
        );
        Told::new("offset inversion", text).proved_by(teller.with_mutators(&[a.entry, b.entry]))
    })
}

fn past_the_end(teller: &Teller<'_>, entry: &Entry, claims: &[Claim<'_>]) -> Option<Told> {
    let class = teller.class(entry);
    let offset = match (class.action, &class.argument, &class.result) {
        ("read", Value::Int(offset @ 0..), Value::Null) => *offset,
        _ => return None,
    };
    entry.deadline?;
    let earlier = claims
        .iter()
        .find(|claim| claim.offset >= offset && precedes(claim.entry, entry))?;
    let teller_told = told(teller, earlier);
    let text = format!(
        "{} {} that there was nothing at offset {offset}; but {teller_told}, {} this read began: a stale read.",
        sentence(&teller.when(entry)),
        teller.answered(entry),
        teller.lead(earlier.entry, entry)
    );
    Some(Told::new("stale read", text).proved_by(teller.with_mutators(&[entry, earlier.entry])))
}

fn phantom(teller: &Teller<'_>, claim: &Claim<'_>) -> Option<Told> {
    let initial = teller.object.specification.initial();
    let was_there = matches!(&initial, Value::List(items) if items.contains(claim.item));
    let may_be = |other: &Entry| {
        let class = teller.class(other);
        class.action == "append"
            && class.argument == *claim.item
            && Some(other.invoked) < claim.entry.deadline
    };
    if was_there || teller.prefix.iter().any(may_be) {
        return None;
    }
    let text = format!(
        "{}, but nobody had begun to append it by then: a phantom item.",
        sentence(&told(teller, claim))
    );
    Some(Told::new("phantom item", text).proved_by(teller.with_mutators(&[claim.entry])))
}
