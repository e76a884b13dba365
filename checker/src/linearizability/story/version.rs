//! Registers with versions: versions that contradict each other.

use partita_history::Value;

use super::{Teller, Told, precedes};
use crate::linearizability::entry::Entry;
use crate::linearizability::words::sentence;

/// What a completed operation says: this version has this value; and whether it made it.
struct Claim<'t> {
    entry: &'t Entry,
    version: i64,
    value: &'t Value,
    made: bool,
}

pub(super) fn tell(teller: &Teller<'_>) -> Option<Told> {
    let suspects = teller.suspects();
    let claims: Vec<Claim<'_>> = suspects.iter().filter_map(|entry| claim(teller, entry)).collect();
    let pairs = || claims.iter().flat_map(|a| claims.iter().map(move |b| (a, b)));
    pairs()
        .find_map(|(a, b)| two_of_one(teller, a, b))
        .or_else(|| pairs().find_map(|(a, b)| backwards(teller, a, b)))
        .or_else(|| claims.iter().find_map(|claim| phantom(teller, claim)))
        .or_else(|| claims.iter().find_map(|claim| stale(teller, claim)))
        .or_else(|| {
            suspects
                .iter()
                .find_map(|entry| value_from_nowhere(teller, entry))
        })
}

fn claim<'t>(teller: &'t Teller<'_>, entry: &'t Entry) -> Option<Claim<'t>> {
    entry.deadline?;
    let class = teller.class(entry);
    let made = class.action != "read";
    let (version, value) = match (class.action, &class.result) {
        ("read", seen) => match seen.as_pair()? {
            (Value::Int(version), value) => (*version, value),
            _ => return None,
        },
        ("write", Value::Int(version)) => (*version, &class.argument),
        ("cas", Value::Int(version)) => (*version, class.argument.as_pair()?.1),
        // It succeeded, so it made the version after the one that it expected.
        ("cas", _) => match class.argument.as_pair()? {
            (Value::Int(expected), value) => (expected.checked_add(1)?, value),
            _ => return None,
        },
        _ => return None,
    };
    Some(Claim {
        entry,
        version,
        value,
        made,
    })
}

/// `at 2.000 s n3 answered client 7 that 5 was version 3`
fn told(teller: &Teller<'_>, claim: &Claim<'_>) -> String {
    let what = match claim.made {
        true => format!("its {} of {} made", teller.operation(claim.entry).f, claim.value),
        false => format!("{} was", claim.value),
    };
    format!(
        "{} {} that {what} version {}",
        teller.when(claim.entry),
        teller.answered(claim.entry),
        claim.version
    )
}

fn two_of_one(teller: &Teller<'_>, a: &Claim<'_>, b: &Claim<'_>) -> Option<Told> {
    if a.version != b.version || a.entry.id >= b.entry.id || (a.value == b.value && !(a.made && b.made)) {
        return None;
    }
    let (name, ending) = if a.made && b.made {
        ("two writes of one version", "only one operation can have made it")
    } else {
        ("two values of one version", "a version has one value")
    };
    let text = format!(
        "{}, and {}: {ending}.",
        sentence(&told(teller, a)),
        told(teller, b)
    );
    Some(Told::new(name, text).proved_by(teller.with_mutators(&[a.entry, b.entry])))
}

fn backwards(teller: &Teller<'_>, a: &Claim<'_>, b: &Claim<'_>) -> Option<Told> {
    // What makes a version makes it larger.
    let least = a.version.checked_add(i64::from(b.made))?;
    (precedes(a.entry, b.entry) && b.version < least).then(|| {
        let text = format!(
            "{}; that was {} another operation began, and {}: versions only grow.",
            sentence(&told(teller, a)),
            teller.lead(a.entry, b.entry),
            told(teller, b)
        );
        Told::new("version went backwards", text).proved_by(teller.with_mutators(&[a.entry, b.entry]))
    })
}

fn changes(teller: &Teller<'_>, entry: &Entry) -> bool {
    matches!(teller.class(entry).action, "write" | "cas")
}

/// The version that the register began with.
fn first_version(teller: &Teller<'_>) -> Option<i64> {
    match teller.object.specification.initial().as_pair()? {
        (Value::Int(first), _) => Some(*first),
        _ => None,
    }
}

/// A version that is smaller than the number of writes acknowledged before.
fn stale(teller: &Teller<'_>, claim: &Claim<'_>) -> Option<Told> {
    let is_before = |other: &&Entry| changes(teller, other) && precedes(other, claim.entry);
    let before = || teller.prefix.iter().filter(is_before);
    let last = before().max_by_key(|entry| entry.deadline)?;
    let number = before().count() as i64;
    let least = first_version(teller)?.checked_add(number + i64::from(claim.made))?;
    (claim.version < least).then(|| {
        let text = format!(
            "{}, but {number} changes had been acknowledged before this {} began, the last to {} {}, {}: it must have been \
             version {least} at least.",
            sentence(&told(teller, claim)),
            teller.operation(claim.entry).f,
            teller.who(last),
            teller.when(last),
            teller.lead(last, claim.entry),
        );
        let name = if claim.made { "version went backwards" } else { "stale read" };
        Told::new(name, text).proved_by(teller.with_mutators(&[claim.entry]))
    })
}

/// A value that was read with or without its version, and that nobody can have written.
fn value_from_nowhere(teller: &Teller<'_>, entry: &Entry) -> Option<Told> {
    let ends = entry.deadline?;
    let class = teller.class(entry);
    let seen = match class.action {
        "read" => class.result.as_pair()?.1,
        "read value" => &class.result,
        _ => return None,
    };
    let left = |other: &Entry| {
        let class = teller.class(other);
        match class.action {
            "write" => class.argument == *seen,
            "cas" => class.argument.as_pair().is_some_and(|(_, value)| value == seen),
            _ => false,
        }
    };
    let initial = teller.object.specification.initial();
    let may_be = initial.as_pair()?.1 == seen
        || teller
            .prefix
            .iter()
            .any(|other| other.invoked < ends && left(other));
    (!may_be).then(|| {
        let text = format!(
            "{} {} that the value was {seen}, but nobody had begun to write it by then.",
            sentence(&teller.when(entry)),
            teller.answered(entry),
        );
        Told::new("read from nowhere", text).proved_by(teller.with_mutators(&[entry]))
    })
}

/// A version for which there were too few writes, whether or not they succeeded.
fn phantom(teller: &Teller<'_>, claim: &Claim<'_>) -> Option<Told> {
    let may_have = |other: &&Entry| changes(teller, other) && Some(other.invoked) < claim.entry.deadline;
    let writes = teller.prefix.iter().filter(may_have).count() as i64;
    let most = first_version(teller)?.checked_add(writes)?;
    (claim.version > most).then(|| {
        let text = format!(
            "{}, but only {writes} operations that could change it had begun by then, so that there can be no version \
             above {most}: a phantom version.",
            sentence(&told(teller, claim))
        );
        Told::new("phantom version", text).proved_by(teller.with_mutators(&[claim.entry]))
    })
}
