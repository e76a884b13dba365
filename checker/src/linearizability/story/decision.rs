//! Registers that are written once: decisions that contradict each other.

use partita_history::Value;

use super::{Teller, Told, precedes};
use crate::linearizability::entry::Entry;
use crate::linearizability::words::sentence;
use crate::model::write_once_register::{PROPOSE, READ};

/// What a completed operation says: this value is decided.
struct Claim<'t> {
    entry: &'t Entry,
    value: &'t Value,
}

pub(super) fn tell(teller: &Teller<'_>) -> Option<Told> {
    let suspects = teller.suspects();
    let claims: Vec<Claim<'_>> = suspects.iter().filter_map(|entry| claim(teller, entry)).collect();
    let pairs = || claims.iter().flat_map(|a| claims.iter().map(move |b| (a, b)));
    pairs()
        .find_map(|(a, b)| two_decisions(teller, a, b))
        .or_else(|| claims.iter().find_map(|claim| unproposed(teller, claim)))
        .or_else(|| suspects.iter().find_map(|entry| missed(teller, entry)))
}

fn claim<'t>(teller: &'t Teller<'_>, entry: &'t Entry) -> Option<Claim<'t>> {
    entry.deadline?;
    let value = &teller.class(entry).result;
    (!value.is_null()).then_some(Claim { entry, value })
}

/// `at 2.000 s n3 answered client 7 that 5 is decided for x`
fn told(teller: &Teller<'_>, claim: &Claim<'_>) -> String {
    let (when, answered) = (teller.when(claim.entry), teller.answered(claim.entry));
    format!("{when} {answered} that {}", teller.holds(claim.value))
}

fn two_decisions(teller: &Teller<'_>, a: &Claim<'_>, b: &Claim<'_>) -> Option<Told> {
    (a.value != b.value && a.entry.deadline < b.entry.deadline).then(|| {
        let text = format!(
            "{}, and {}: only one value can ever be decided.",
            sentence(&told(teller, a)),
            told(teller, b)
        );
        Told::new("two decisions", text).proved_by(teller.with_mutators(&[a.entry, b.entry]))
    })
}

/// Nobody had proposed it; or who had was told, then or later, that something else is decided.
fn unproposed(teller: &Teller<'_>, claim: &Claim<'_>) -> Option<Told> {
    let in_time = |other: &Entry| Some(other.invoked) < claim.entry.deadline;
    let may_be = |other: &Entry| {
        let class = teller.class(other);
        class.action == PROPOSE && class.argument == *claim.value && in_time(other)
    };
    if teller.object.specification.initial() == *claim.value || teller.prefix.iter().any(may_be) {
        return None;
    }
    let was_told = sentence(&told(teller, claim));
    let lost = teller.object.entries.iter().find(|other| {
        let operation = teller.operation(other);
        let proposed = operation.f == PROPOSE && operation.input == claim.value;
        proposed && teller.class(other).action == READ && in_time(other)
    });
    let (name, text) = match lost {
        Some(entry) => {
            let value = &teller.class(entry).result;
            let own = told(teller, &Claim { entry, value });
            let text = format!(
                "{was_told}, though whoever proposed it was told otherwise: {own}. Only one value can ever be decided."
            );
            ("two decisions", text)
        }
        None => (
            "phantom decision",
            format!("{was_told}, but nobody had proposed it by then."),
        ),
    };
    Some(Told::new(name, text).proved_by(teller.with_mutators(&[claim.entry])))
}

/// Somebody had made or learned a decision before.
fn missed(teller: &Teller<'_>, entry: &Entry) -> Option<Told> {
    let class = teller.class(entry);
    if class.action != READ || !class.result.is_null() || entry.deadline.is_none() {
        return None;
    }
    let decides = |other: &&Entry| {
        let class = teller.class(other);
        precedes(other, entry) && (class.action == PROPOSE || !class.result.is_null())
    };
    let earlier = teller.prefix.iter().find(decides)?;
    let known = claim(teller, earlier).map_or_else(
        || {
            format!(
                "{} had proposed and been answered {}",
                teller.who(earlier),
                teller.when(earlier)
            )
        },
        |claim| told(teller, &claim),
    );
    let text = format!(
        "{} {} that {}; but {known}, {} this read began: a stale read.",
        sentence(&teller.when(entry)),
        teller.answered(entry),
        teller.holds(&Value::Null),
        teller.lead(earlier, entry)
    );
    Some(Told::new("stale read", text).proved_by(teller.with_mutators(&[entry, earlier])))
}
