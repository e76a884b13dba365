//! Session guarantees and PRAM (ALGORITHMS.md 9), for a register with unique values.
//!
//! Each client has a *view*: an order of all writes, the initial value first, and of its own reads, each behind the
//! write that it saw. Reads of one value stand together behind its write, so a client that leaves a value for
//! another one never comes back to it, nor to anything that its view puts before what it has seen.

use rustc_hash::FxHashMap;

use super::sessions::{Breach, Sessions, Sight, Source};
use crate::monitor::register::NONE;

/// The breach that shows first.
fn first(sessions: &Sessions, breach: impl Fn(&[Sight]) -> Option<Breach>) -> Option<Breach> {
    let found = sessions.all.iter().filter_map(|sights| breach(sights));
    found.min_by_key(|breach| breach.at)
}

fn breach(sight: &Sight, earlier: u32) -> Breach {
    Breach {
        at: sight.act,
        value: sight.value,
        earlier,
        others: Vec::new(),
    }
}

/// In some view for each client, its reads come in its own order.
pub(super) fn monotonic_reads(sessions: &Sessions) -> Option<Breach> {
    first(sessions, |sights| {
        let mut seen: FxHashMap<u32, u32> = FxHashMap::default();
        let mut current: Option<&Sight> = None;
        for sight in sights.iter().filter(|sight| !sight.writes) {
            if let Some(last) = current.filter(|last| last.value != sight.value)
                && (seen.contains_key(&sight.value) || sessions.source(sight.value) == Source::Initial)
            {
                let mut found = breach(sight, last.act);
                found.others.extend(seen.get(&sight.value));
                return Some(found);
            }
            seen.insert(sight.value, sight.act);
            current = Some(sight);
        }
        None
    })
}

/// In some view for each client, its own writes come in its own order, and before its later reads.
pub(super) fn read_your_writes(sessions: &Sessions) -> Option<Breach> {
    first(sessions, |sights| {
        let mut last: Option<&Sight> = None;
        for sight in sights {
            if sight.writes {
                last = Some(sight);
                continue;
            }
            let Some(written) = last else { continue };
            let is_older = match (sessions.source(sight.value), sessions.source(written.value)) {
                (Source::Initial, _) => true,
                (
                    Source::Completed { session, index },
                    Source::Completed {
                        session: own,
                        index: newest,
                    },
                ) => session == own && index < newest,
                _ => false,
            };
            if is_older {
                return Some(breach(sight, written.act));
            }
        }
        None
    })
}

/// No client reads a later write of a client, and then an earlier one of the same.
pub(super) fn monotonic_writes(sessions: &Sessions) -> Option<Breach> {
    first(sessions, |sights| {
        // For each writer: how many of its writes come before what was read of it, and by what read.
        let mut bounds: FxHashMap<u32, (u32, u32)> = FxHashMap::default();
        for sight in sights.iter().filter(|sight| !sight.writes) {
            let (session, before) = match sessions.source(sight.value) {
                Source::Completed { session, index } => {
                    if let Some(&(bound, by)) = bounds.get(&session)
                        && index < bound
                    {
                        return Some(breach(sight, by));
                    }
                    (session, index)
                }
                Source::Pending { session, after } => (session, after),
                Source::Initial | Source::Nowhere => continue,
            };
            let bound = bounds.entry(session).or_insert((before, sight.act));
            *bound = (*bound).max((before, sight.act));
        }
        None
    })
}

/// A write that was read: its place in its client's order, its value, and the operation that read it.
type ReadWrite = (usize, u32, u32);

/// No client reads a write, and then another value that its writer had read before that write.
pub(super) fn writes_follow_reads(sessions: &Sessions, writers: &[u32]) -> Option<Breach> {
    // For each value, by which clients it was read, and where first in their order.
    let mut first_reads: FxHashMap<u32, Vec<(u32, usize)>> = FxHashMap::default();
    // For each value, where it was written: a client and a place in its order.
    let mut written: FxHashMap<u32, (u32, usize)> = FxHashMap::default();
    for (session, sights) in (0..).zip(&sessions.all) {
        for (at, sight) in sights.iter().enumerate() {
            if sight.writes {
                written.insert(sight.value, (session, at));
                continue;
            }
            let reads = first_reads.entry(sight.value).or_default();
            if reads.last().is_none_or(|&(last, _)| last != session) {
                reads.push((session, at));
            }
        }
    }
    for (value, source) in (0..).zip(&sessions.sources) {
        if let Source::Pending { session, .. } = *source {
            // After all that its client had done when it began.
            let begun = writers[value as usize];
            let sights = &sessions.all[session as usize];
            written.insert(
                value,
                (session, sights.partition_point(|sight| sight.act < begun)),
            );
        }
    }
    first(sessions, |sights| {
        // For each writer: the two furthest places in its order of which writes were read, of different values.
        let mut furthest: FxHashMap<u32, [Option<ReadWrite>; 2]> = FxHashMap::default();
        for sight in sights.iter().filter(|sight| !sight.writes) {
            for (session, at) in first_reads.get(&sight.value).into_iter().flatten() {
                let known = furthest.get(session).copied().unwrap_or_default();
                let other = known
                    .into_iter()
                    .flatten()
                    .find(|&(_, value, _)| value != sight.value);
                if let Some((place, value, by)) = other
                    && *at < place
                {
                    let mut found = breach(sight, by);
                    found.others.push(sessions.all[*session as usize][*at].act);
                    found.others.push(writers[value as usize]);
                    return Some(found);
                }
            }
            let Some(&(session, place)) = written.get(&sight.value) else {
                continue;
            };
            let two = furthest.entry(session).or_default();
            let this = Some((place, sight.value, sight.act));
            let is_known = two.iter().flatten().any(|&(_, value, _)| value == sight.value);
            if !is_known && this > two[0] {
                *two = [this, two[0]];
            } else if !is_known && this > two[1] {
                two[1] = this;
            }
        }
        None
    })
}

/// In some view for each client, all its operations come in its own order, and the writes of every client in
/// that one's own order.
pub(super) fn pram(sessions: &Sessions, writers: &[u32]) -> Option<Breach> {
    let found = (0..).zip(&sessions.all);
    found
        .filter_map(|(own, sights)| pram_of(sessions, writers, own, sights))
        .min_by_key(|breach| breach.at)
}

fn pram_of(sessions: &Sessions, writers: &[u32], own: u32, sights: &[Sight]) -> Option<Breach> {
    // For each writer, how many of its writes are not after what was seen.
    let mut counts: FxHashMap<u32, u32> = FxHashMap::default();
    let mut pending: FxHashMap<u32, ()> = FxHashMap::default();
    let mut current: Option<&Sight> = None;
    for (at, sight) in sights.iter().enumerate() {
        let source = sessions.source(sight.value);
        let is_ahead = matches!(source, Source::Pending { session, .. } if session == own)
            && writers[sight.value as usize] > sight.act;
        if source == Source::Nowhere || is_ahead {
            return Some(breach(sight, NONE));
        }
        if let Some(last) = current
            && (last.value != sight.value || sight.writes)
        {
            let is_behind = match source {
                Source::Initial => true,
                Source::Completed { session, index } => {
                    counts.get(&session).is_some_and(|&count| index < count)
                }
                Source::Pending { .. } => pending.contains_key(&sight.value),
                Source::Nowhere => false,
            };
            if is_behind {
                let mut found = breach(sight, last.act);
                found.others.extend(newer(sessions, &sights[..at], sight.value));
                return Some(found);
            }
        }
        match source {
            Source::Completed { session, index } => {
                let count = counts.entry(session).or_default();
                *count = (*count).max(index + 1);
            }
            Source::Pending { session, after } => {
                let count = counts.entry(session).or_default();
                *count = (*count).max(after);
                pending.insert(sight.value, ());
            }
            Source::Initial | Source::Nowhere => {}
        }
        current = Some(sight);
    }
    None
}

/// The first of some sights that is not before a value, by the order of its writer.
fn newer(sessions: &Sessions, sights: &[Sight], value: u32) -> Option<u32> {
    let is_newer = |sight: &&Sight| match (sessions.source(sight.value), sessions.source(value)) {
        (_, Source::Initial) => true,
        (
            Source::Completed { session, index },
            Source::Completed {
                session: other,
                index: older,
            },
        ) => session == other && index >= older,
        (
            Source::Pending { session, after },
            Source::Completed {
                session: other,
                index: older,
            },
        ) => session == other && after > older,
        _ => sight.value == value,
    };
    sights.iter().find(is_newer).map(|sight| sight.act)
}
