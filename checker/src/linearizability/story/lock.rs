//! Locks and semaphores: held by too many, or released by nobody's holder.

use partita_history::Value;

use super::{Teller, Told, may_come_between, precedes};
use crate::linearizability::entry::Entry;
use crate::linearizability::words::{list, sentence};
use crate::model::{self, Class};

/// The most holders that are named.
const HOLDERS_MAX: usize = 4;

pub(super) fn tell(teller: &Teller<'_>) -> Option<Told> {
    let suspects = teller.suspects();
    let first = |template: &dyn Fn(&Entry) -> Option<Told>| suspects.iter().find_map(|entry| template(entry));
    match model::registered_name(teller.object.specification)? {
        "owned-mutex" => first(&|entry| held_by_two(teller, entry, &suspects))
            .or_else(|| first(&|entry| released_by_another(teller, entry))),
        "fenced-lock" => first(&|entry| token_backwards(teller, entry, &suspects))
            .or_else(|| first(&|entry| held_by_two(teller, entry, &suspects)))
            .or_else(|| first(&|entry| released_by_another(teller, entry))),
        name => first(&|entry| over_subscribed(teller, entry, name))
            .or_else(|| first(&|entry| released_too_often(teller, entry, name))),
    }
}

fn acquires(teller: &Teller<'_>, entry: &Entry) -> bool {
    teller.class(entry).action == "acquire"
}

fn releases(teller: &Teller<'_>, entry: &Entry) -> bool {
    matches!(teller.class(entry).action, "release" | "release token")
}

/// Permits are counted; a lock is one.
fn permits(teller: &Teller<'_>, entry: &Entry) -> i128 {
    match teller.class(entry).argument {
        Value::Int(permits) => permits.into(),
        _ => 1,
    }
}

/// How many may be held at once, and how many are at first.
fn capacity(teller: &Teller<'_>) -> (i128, i128) {
    match teller.object.specification.initial() {
        Value::Int(all) => (all.into(), 0),
        Value::Str(state) if state == "held" => (1, 1),
        _ => (1, 0),
    }
}

/// `client 1 (via n1) at 1.000 s`
fn got_it(teller: &Teller<'_>, entry: &Entry) -> String {
    format!("{} {}", teller.who(entry), teller.when(entry))
}

/// Anonymous locks: more was certainly acquired by the end of `entry` than can have been released.
fn over_subscribed(teller: &Teller<'_>, entry: &Entry, model: &str) -> Option<Told> {
    let now = entry.deadline?;
    if !acquires(teller, entry) {
        return None;
    }
    let sum = |entries: &[&Entry]| entries.iter().map(|entry| permits(teller, entry)).sum::<i128>();
    let taken: Vec<&Entry> = teller
        .prefix
        .iter()
        .filter(|other| acquires(teller, other) && other.deadline.is_some_and(|deadline| deadline <= now))
        .collect();
    let given: Vec<&Entry> = teller
        .prefix
        .iter()
        .filter(|other| releases(teller, other) && other.invoked < now)
        .collect();
    let (all, held) = capacity(teller);
    let (held, given_back) = (held + sum(&taken), sum(&given));
    if held - given_back <= all {
        return None;
    }
    let name = teller.name(if model == "semaphore" { "semaphore" } else { "lock" });
    // Those who have not begun to release since, as far as processes do what they seem to do.
    let still = |other: &&&Entry| {
        let process = teller.operation(other).process;
        other.id != entry.id
            && !given
                .iter()
                .any(|release| teller.operation(release).process == process && !precedes(release, other))
    };
    let mut holders: Vec<&Entry> = taken.iter().filter(still).copied().collect();
    holders.sort_by_key(|other| std::cmp::Reverse(other.deadline));
    let more = holders.len().saturating_sub(HOLDERS_MAX);
    let mut names: Vec<String> = holders
        .iter()
        .take(HOLDERS_MAX)
        .map(|other| got_it(teller, other))
        .collect();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    let by_then = match given_back {
        0 => "and nobody had begun to release anything".to_owned(),
        n => format!("and only {n} releases of it had begun"),
    };
    let others = match names.len() {
        0 => String::new(),
        _ => format!(" It had been acquired by {}, too.", list(&names)),
    };
    let told = if model == "semaphore" {
        let text = format!(
            "{} {} acquired {name}, but by then {held} permits had been acquired, with {given_back} of them at most released: \
             more than the {all} that there are.{others}",
            sentence(&teller.when(entry)),
            teller.who(entry),
        );
        Told::new("semaphore over-subscribed", text)
    } else {
        let text = format!(
            "{} {} acquired {name}, but by then it had been acquired {held} times, {by_then}: it was held twice at once.{others}",
            sentence(&teller.when(entry)),
            teller.who(entry),
        );
        Told::new("lock held twice", text)
    };
    Some(told.proved_by(teller.with_mutators(&[])))
}

/// Anonymous locks: more was certainly released by the end of `entry` than can have been acquired.
fn released_too_often(teller: &Teller<'_>, entry: &Entry, model: &str) -> Option<Told> {
    let now = entry.deadline?;
    if !releases(teller, entry) {
        return None;
    }
    let (mut given, mut taken) = (0, capacity(teller).1);
    for other in &teller.prefix {
        if releases(teller, other) && other.deadline.is_some_and(|deadline| deadline <= now) {
            given += permits(teller, other);
        } else if acquires(teller, other) && other.invoked < now {
            taken += permits(teller, other);
        }
    }
    if given <= taken {
        return None;
    }
    let name = teller.name(if model == "semaphore" { "semaphore" } else { "lock" });
    let text = format!(
        "{} {} released {name}, but nobody can have held it: by then {given} had been released, and no more than {taken} \
         acquired.",
        sentence(&teller.when(entry)),
        teller.who(entry),
    );
    Some(Told::new("release without holder", text).proved_by(teller.with_mutators(&[])))
}

/// Whether `release`, if it happened, may have ended what `acquire` began.
fn may_end(teller: &Teller<'_>, release: &Entry, acquire: &Entry) -> bool {
    let (release, acquire) = (teller.class(release), teller.class(acquire));
    match (release.action, &acquire.result) {
        ("release", _) => release.argument == acquire.argument,
        ("release token", Value::Int(token)) => release.argument == Value::Int(*token),
        ("release token", _) => true,
        _ => false,
    }
}

/// Locks that know their holder: of two who acquired it, neither can have released it before the other acquired.
fn held_by_two(teller: &Teller<'_>, second: &Entry, suspects: &[&Entry]) -> Option<Told> {
    let can_follow = |a: &Entry, b: &Entry| {
        !precedes(b, a)
            && teller.prefix.iter().any(|other| {
                releases(teller, other) && may_end(teller, other, a) && may_come_between(other, a, b)
            })
    };
    let completed = |entry: &Entry| acquires(teller, entry) && entry.deadline.is_some();
    let first = suspects
        .iter()
        .copied()
        .filter(|first| first.id != second.id && completed(first) && completed(second))
        .filter(|first| first.deadline < second.deadline)
        .find(|first| !can_follow(first, second) && !can_follow(second, first))?;
    let name = teller.name("lock");
    let same = teller.class(first).argument == teller.class(second).argument;
    let again = if same { " again" } else { "" };
    let release = teller
        .prefix
        .iter()
        .find(|other| releases(teller, other) && may_end(teller, other, first) && !precedes(other, first));
    let until = release.map_or_else(
        || "and nobody had begun to release it for them".to_owned(),
        |release| {
            format!(
                "and began to release it only {}",
                teller.words.at(teller.operation(release).invoked)
            )
        },
    );
    let text = format!(
        "{} {} acquired {name}{again}, but {} had acquired it {}, {until}: it was held twice at once.",
        sentence(&teller.when(second)),
        teller.who(second),
        teller.who(first),
        teller.when(first),
    );
    Some(Told::new("lock held twice", text).proved_by(teller.with_mutators(&[])))
}

/// More releases of what one acquired than there can have been acquisitions of it.
fn released_by_another(teller: &Teller<'_>, release: &Entry) -> Option<Told> {
    let now = release.deadline?;
    if !releases(teller, release) {
        return None;
    }
    let class = teller.class(release);
    let initially = usize::from(held_at_first(teller, class));
    let is_same =
        |other: &&Entry| other.class == release.class && other.deadline.is_some_and(|end| end <= now);
    let may_hold =
        |other: &&Entry| acquires(teller, other) && may_end(teller, release, other) && other.invoked < now;
    let released = teller.prefix.iter().filter(is_same).count();
    let acquired = initially + teller.prefix.iter().filter(may_hold).count();
    if released <= acquired {
        return None;
    }
    let whose = match class.action {
        "release token" => format!("with token {}", class.argument),
        _ => format!("as {}", class.argument),
    };
    let why = match acquired {
        0 => "nobody had begun to acquire it so by then".to_owned(),
        n => format!("it was released so {released} times by then, and acquired {n} at most"),
    };
    let text = format!(
        "{} {} released {} {whose}, but {why}: it can't have been held.",
        sentence(&teller.when(release)),
        teller.who(release),
        teller.name("lock"),
    );
    Some(Told::new("release without holder", text).proved_by(teller.with_mutators(&[])))
}

/// Whether the lock was held from the beginning by whom this class names.
fn held_at_first(teller: &Teller<'_>, class: &Class) -> bool {
    let initial = teller.object.specification.initial();
    !initial.is_null() && initial == class.argument
}

/// A token that is not larger than one before.
fn token_backwards(teller: &Teller<'_>, second: &Entry, suspects: &[&Entry]) -> Option<Told> {
    let token = |entry: &Entry| match teller.class(entry).result {
        Value::Int(token) if acquires(teller, entry) && entry.deadline.is_some() => Some(token),
        _ => None,
    };
    let smaller = token(second)?;
    if let Value::List(state) = teller.object.specification.initial()
        && let [Value::Int(last)] = state[..]
        && smaller <= last
    {
        let text = format!(
            "{} {} acquired {} with token {smaller}, but the first token is larger than {last}.",
            sentence(&teller.when(second)),
            teller.who(second),
            teller.name("lock"),
        );
        let told = Told::new("fencing token went backwards", text);
        return Some(told.proved_by(teller.with_mutators(&[])));
    }
    let first = suspects.iter().copied().find(|first| {
        let not_larger = precedes(first, second) && token(first).is_some_and(|token| token >= smaller);
        first.id != second.id && (not_larger || token(first) == Some(smaller))
    })?;
    let name = if token(first) == Some(smaller) {
        "fencing token given twice"
    } else {
        "fencing token went backwards"
    };
    let text = format!(
        "{} {} acquired {} with token {smaller}, but {} had acquired it with token {} {}: each holder must have a larger \
         token than all before.",
        sentence(&teller.when(second)),
        teller.who(second),
        teller.name("lock"),
        teller.who(first),
        token(first).unwrap_or_default(),
        teller.when(first),
    );
    Some(Told::new(name, text).proved_by(teller.with_mutators(&[])))
}
