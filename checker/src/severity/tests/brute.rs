//! The definitions, tried out: every order of a few operations.

use partita_history::Value;

use crate::linearizability::entry::Entry;
use crate::model::{Class, Specification};
use crate::monitor::register::Step;
use crate::oracle::{Candidate, Oracle};
use crate::severity::result::{Consistency, Holds};
use crate::severity::scene::{Act, Scene};

/// Something to be put in order.
#[derive(Clone, Debug, PartialEq)]
struct Item {
    act: usize,
    session: u32,
    /// The value, and whether it is written (or read).
    value: u32,
    writes: bool,
    pending: bool,
}

/// All reads and writes; a compare-and-set is both. What a crashed one found is left out.
fn items(scene: &Scene<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    for (i, act) in scene.acts.iter().enumerate() {
        let item = |value, writes| Item {
            act: i,
            session: act.session,
            value,
            writes,
            pending: act.is_pending(),
        };
        if let Some(value) = act.step.requires().filter(|_| !act.is_pending()) {
            items.push(item(value, false));
        }
        if let Some(value) = act.step.produces() {
            items.push(item(value, true));
        }
    }
    items
}

/// For each read and write: its operation, its value, and whether it writes.
pub(super) fn items_of(scene: &Scene<'_>) -> Vec<(usize, u32, bool)> {
    let items = items(scene).into_iter();
    items.map(|item| (item.act, item.value, item.writes)).collect()
}

/// Whether a client's own order puts one before the other.
fn in_session(a: &Item, b: &Item) -> bool {
    a.session == b.session && !a.pending && (a.act, a.writes) < (b.act, b.writes)
}

fn class(scene: &Scene<'_>, item: &Item) -> Class {
    let value = scene.name(item.value).clone();
    match item.writes {
        true => Class {
            action: "write",
            argument: value,
            result: Value::Null,
        },
        false => Class {
            action: "read",
            argument: Value::Null,
            result: value,
        },
    }
}

/// Whether these have an order.
fn has_view(scene: &Scene<'_>, items: &[Item], before: impl Fn(&Item, &Item) -> bool) -> bool {
    let classes: Vec<Class> = items.iter().map(|item| class(scene, item)).collect();
    let candidates = items.iter().zip(&classes).map(|(item, class)| Candidate {
        class,
        invoked: 0,
        deadline: (!item.pending).then_some(1),
    });
    let mut oracle = Oracle::new(scene.object.specification, candidates.collect());
    for (a, one) in items.iter().enumerate() {
        for (b, other) in items.iter().enumerate() {
            if a != b && before(one, other) {
                oracle.set_before(a, b, true);
            }
        }
    }
    oracle.is_linearizable().expect("few enough")
}

/// All writes, and what one client read.
fn view_of(items: &[Item], session: u32) -> Vec<Item> {
    let is_in = |item: &&Item| item.writes || item.session == session;
    items.iter().filter(is_in).cloned().collect()
}

/// With a writer for every value that has none.
fn explained(scene: &Scene<'_>, mut items: Vec<Item>) -> Vec<Item> {
    for value in 0..scene.values() {
        if scene.is_from_nowhere(value) {
            items.push(Item {
                act: usize::MAX,
                session: u32::MAX,
                value,
                writes: true,
                pending: true,
            });
        }
    }
    items
}

/// Whether a guarantee holds, by its definition. Values are unique.
pub(super) fn holds(scene: &Scene<'_>, consistency: Consistency) -> bool {
    let items = items(scene);
    let sessions = 0..scene.sessions;
    match consistency {
        Consistency::Sequential => sequential(scene),
        Consistency::Pram => sessions.into_iter().all(|own| {
            let view = view_of(&items, own);
            has_view(scene, &view, in_session)
        }),
        Consistency::Causal => causal(scene, &items),
        Consistency::MonotonicReads => sessions.into_iter().all(|own| {
            let view = explained(scene, view_of(&items, own));
            has_view(scene, &view, |a, b| !a.writes && !b.writes && in_session(a, b))
        }),
        Consistency::ReadYourWrites => sessions.into_iter().all(|own| {
            let view = explained(scene, view_of(&items, own));
            has_view(scene, &view, |a, b| {
                a.session == own && a.writes && in_session(a, b)
            })
        }),
        Consistency::MonotonicWrites => {
            let wrong = |a: &Item, b: &Item| {
                let (first, second) = (writer(&items, a), writer(&items, b));
                first
                    .zip(second)
                    .is_some_and(|(first, second)| in_session(second, first))
            };
            !has_pair(&items, wrong)
        }
        Consistency::WritesFollowReads => {
            let wrong = |a: &Item, b: &Item| {
                let Some(write) = writer(&items, a).filter(|_| a.value != b.value) else {
                    return false;
                };
                let read_before =
                    |read: &Item| !read.writes && read.value == b.value && in_session(read, write);
                items.iter().any(read_before)
            };
            !has_pair(&items, wrong)
        }
        Consistency::Regular => scene.acts.iter().all(|act| is_current(scene, act)),
        Consistency::Safe => scene.acts.iter().enumerate().all(|(i, act)| {
            let overlaps = |(j, other): (usize, &Act)| {
                i != j
                    && other.step.produces().is_some()
                    && other.invoked < act.deadline
                    && act.invoked < other.deadline
            };
            is_current(scene, act) || scene.acts.iter().enumerate().any(overlaps)
        }),
        Consistency::Eventual | Consistency::CausalAcrossKeys => unreachable!("has no definition here"),
    }
}

/// Whether some client reads `a` and later `b`, and that is wrong.
fn has_pair(items: &[Item], wrong: impl Fn(&Item, &Item) -> bool) -> bool {
    let reads = || items.iter().filter(|item| !item.writes);
    reads().any(|a| reads().any(|b| in_session(a, b) && wrong(a, b)))
}

fn writer<'i>(items: &'i [Item], read: &Item) -> Option<&'i Item> {
    items.iter().find(|item| item.writes && item.value == read.value)
}

fn sequential(scene: &Scene<'_>) -> bool {
    let classes = &scene.object.classes;
    let entries = &scene.object.entries;
    let candidates = entries.iter().map(|entry| Candidate {
        class: classes.get(entry.class),
        invoked: 0,
        deadline: entry.deadline.map(|_| 1),
    });
    let mut oracle = Oracle::new(scene.object.specification, candidates.collect());
    for (a, one) in scene.acts.iter().enumerate() {
        for (b, other) in scene.acts.iter().enumerate().skip(a + 1) {
            if one.session == other.session && !one.is_pending() {
                oracle.set_before(a, b, true);
            }
        }
    }
    oracle.is_linearizable().expect("few enough")
}

fn causal(scene: &Scene<'_>, items: &[Item]) -> bool {
    let direct = |a: &Item, b: &Item| {
        let reads_from = a.writes && !b.writes && a.value == b.value;
        reads_from || in_session(a, b)
    };
    let count = items.len();
    let mut order: Vec<Vec<bool>> = items
        .iter()
        .map(|a| items.iter().map(|b| direct(a, b)).collect())
        .collect();
    for middle in 0..count {
        for a in 0..count {
            for b in 0..count {
                order[a][b] |= order[a][middle] && order[middle][b];
            }
        }
    }
    if (0..count).any(|i| order[i][i]) {
        return false;
    }
    let index = |item: &Item| items.iter().position(|other| other == item).unwrap();
    (0..scene.sessions).all(|own| has_view(scene, &view_of(items, own), |a, b| order[index(a)][index(b)]))
}

/// Whether an operation can have found what it did, all writes and nothing else considered.
fn is_current(scene: &Scene<'_>, act: &Act) -> bool {
    let Some(value) = act.step.requires().filter(|_| !act.is_pending()) else {
        return true;
    };
    let mutators = || scene.acts.iter().filter(|other| other.step.produces().is_some());
    let survives = |since: Option<u32>| {
        !mutators()
            .any(|other| since.is_none_or(|since| since < other.invoked) && other.deadline < act.invoked)
    };
    let written = |writer: &Act| {
        writer.step.produces() == Some(value)
            && writer.invoked < act.deadline
            && (writer.is_pending() || survives(Some(writer.deadline)))
    };
    mutators().any(written) || value == 0 && survives(None)
}

/// Whether there is a linearization, with these intervals.
pub(super) fn is_linearizable(
    scene: &Scene<'_>,
    specification: &dyn Specification,
    entries: &[Entry],
) -> bool {
    let candidates = entries.iter().map(|entry| Candidate {
        class: scene.object.classes.get(entry.class),
        invoked: entry.invoked,
        deadline: entry.deadline,
    });
    Oracle::new(specification, candidates.collect())
        .is_linearizable()
        .expect("few enough")
}

/// Whether all reads are plain ones.
pub(super) fn is_plain(scene: &Scene<'_>) -> bool {
    let is_plain = |act: &Act| matches!(act.step, Step::Read(_) | Step::Write(_));
    scene.acts.iter().all(is_plain)
}

/// Whether an answer is the expected one.
pub(super) fn agrees(holds: &Holds, expected: bool) -> bool {
    match holds {
        Holds::Yes => expected,
        Holds::No { operations, .. } => !expected && !operations.is_empty(),
        Holds::NotKnown { .. } => false,
    }
}
