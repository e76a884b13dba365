//! Histories made to show one thing each, and what is found in them.

use partita_history::jsonl;

use super::exhaustive::Op::{self, Crash, Empty, Peek, Put, Take};
use super::exhaustive::to_history;
use super::{BAG, Kind, PRIORITY_QUEUE, QUEUE, STACK, options};
use crate::linearizability::entry::Entry;
use crate::linearizability::tests::differential::is_linearizable;
use crate::linearizability::tests::monitored::{in_order, object};
use crate::model::Engine;
use crate::monitor::Finding;
use crate::{Options, check};

/// What is found, as indices of operations, if the oracle agrees. An operation that never ends has 0 for its end.
fn judge(kind: Kind, initial: &[i64], operations: &[(Op, u32, u32)]) -> Finding {
    let ops: Vec<Op> = operations.iter().map(|&(op, ..)| op).collect();
    let history = to_history(kind, &ops);
    let options = options(initial);
    let specification = (kind.model().specification)(&options);
    let object = object(&history, kind.model(), &*specification);
    let entries: Vec<Entry> = object
        .entries
        .iter()
        .zip(operations)
        .map(|(entry, &(_, invoked, ended))| Entry {
            invoked,
            deadline: (ended > 0).then_some(ended),
            ..*entry
        })
        .collect();
    let pick = |some: &[u32]| -> Vec<Entry> { some.iter().map(|&i| entries[i as usize]).collect() };
    let finding = object.monitor.as_ref().expect("a monitor").judge(&entries);
    match &finding {
        Finding::Pass(order) => assert_eq!(in_order(&object, &entries, &pick(order)), Ok(())),
        Finding::Fail(core) => assert!(!is_linearizable(&object, &pick(core)), "{core:?}"),
        Finding::NotApplicable(_) => {}
    }
    finding
}

fn pass(order: &[u32]) -> Finding {
    Finding::Pass(order.to_vec())
}

fn fail(core: &[u32]) -> Finding {
    Finding::Fail(core.to_vec())
}

const ALL: [Kind; 4] = [QUEUE, STACK, PRIORITY_QUEUE, BAG];

#[test]
fn what_contradicts_itself_fails_everywhere() {
    for kind in ALL {
        let twice = [(Put(1), 0, 1), (Take(1), 2, 3), (Put(2), 4, 5), (Take(1), 6, 7)];
        assert_eq!(judge(kind, &[], &twice), fail(&[0, 1, 3]));
        assert_eq!(judge(kind, &[], &[(Put(2), 0, 1), (Take(1), 2, 3)]), fail(&[1]));
        assert_eq!(
            judge(kind, &[], &[(Take(1), 0, 1), (Put(1), 2, 3)]),
            fail(&[0, 1])
        );
        assert_eq!(
            judge(kind, &[], &[(Take(1), 0, 2), (Put(1), 2, 3)]),
            pass(&[1, 0])
        );
        if kind.peek.is_some() {
            let late = [(Put(1), 0, 1), (Take(1), 2, 3), (Peek(1), 4, 5)];
            assert_eq!(judge(kind, &[], &late), fail(&[0, 1, 2]));
            let early = [(Peek(1), 0, 1), (Put(1), 2, 3), (Take(1), 4, 5)];
            assert!(matches!(judge(kind, &[], &early), Finding::Fail(_)));
        }
    }
}

#[test]
fn what_is_put_in_twice_is_left_to_the_search() {
    for kind in ALL {
        let why = Finding::NotApplicable("an item is put in more than once");
        assert_eq!(
            judge(kind, &[], &[(Put(1), 0, 1), (Take(1), 2, 3), (Put(1), 4, 5)]),
            why
        );
        assert_eq!(judge(kind, &[1], &[(Take(1), 2, 3), (Put(1), 4, 5)]), why);
        assert_eq!(judge(kind, &[1, 1], &[(Put(2), 2, 3)]), why);
    }
    let lines = r#"{"process":1,"type":"invoke","f":"push","value":1}
{"process":2,"type":"invoke","f":"push","value":1}
{"process":1,"type":"ok","f":"push","value":1}
"#;
    let history = jsonl::read(lines.as_bytes(), false).unwrap();
    let options = Options {
        engine: Engine::Monitor,
        ..Options::default()
    };
    let analysis = check(&history, STACK.model(), &options, &|| false).unwrap();
    assert_eq!(
        analysis.reason,
        "No monitor applies, because an item is put in more than once, and no search was allowed."
    );
}

#[test]
fn each_kind_has_its_order() {
    let first_out = [(Put(1), 0, 1), (Put(2), 2, 3), (Take(1), 4, 5), (Take(2), 6, 7)];
    let last_out = [(Put(1), 0, 1), (Put(2), 2, 3), (Take(2), 4, 5), (Take(1), 6, 7)];
    let all = [0, 1, 2, 3];
    assert_eq!(judge(QUEUE, &[], &first_out), pass(&all));
    assert_eq!(judge(QUEUE, &[], &last_out), fail(&all));
    assert_eq!(judge(STACK, &[], &first_out), fail(&all));
    assert_eq!(judge(STACK, &[], &last_out), pass(&all));
    assert_eq!(judge(PRIORITY_QUEUE, &[], &first_out), fail(&all));
    assert_eq!(judge(PRIORITY_QUEUE, &[], &last_out), pass(&all));
    assert_eq!(judge(BAG, &[], &first_out), pass(&all));
    assert_eq!(judge(BAG, &[], &last_out), pass(&all));
}

#[test]
fn what_is_there_from_the_beginning_is_in_order() {
    let take = |item| [(Take(item), 0, 1)];
    assert_eq!(judge(QUEUE, &[2, 3, 1], &take(2)), pass(&[0]));
    assert_eq!(judge(QUEUE, &[2, 3, 1], &take(3)), fail(&[0]));
    assert_eq!(judge(STACK, &[2, 3, 1], &take(1)), pass(&[0]));
    assert_eq!(judge(STACK, &[2, 3, 1], &take(3)), fail(&[0]));
    assert_eq!(judge(PRIORITY_QUEUE, &[2, 3, 1], &take(3)), pass(&[0]));
    assert_eq!(judge(PRIORITY_QUEUE, &[2, 3, 1], &take(2)), fail(&[0]));
    assert_eq!(judge(BAG, &[2, 3, 1], &take(3)), pass(&[0]));
    for kind in ALL {
        assert_eq!(judge(kind, &[2], &[(Empty, 0, 1)]), fail(&[0]));
        assert_eq!(
            judge(kind, &[2], &[(Empty, 0, 2), (Take(2), 1, 3)]),
            pass(&[1, 0])
        );
    }
    // That something took 3 is part of every part: else 3 would seem to be in the way.
    let inverted = [
        (Take(3), 0, 1),
        (Put(4), 2, 3),
        (Put(5), 4, 5),
        (Take(5), 6, 7),
        (Take(4), 8, 9),
    ];
    assert_eq!(judge(QUEUE, &[3], &inverted), fail(&[0, 1, 2, 3, 4]));
}

/// ALGORITHMS.md 3.8: every two of the three items alone are in order.
#[test]
fn what_is_at_the_front_orders_the_takes_before_and_after_it() {
    let (a, b, c) = (1, 2, 3);
    let three = [
        (Put(b), 0, 12),
        (Put(c), 1, 2),
        (Put(a), 3, 12),
        (Peek(b), 4, 6),
        (Take(a), 5, 13),
        (Take(c), 7, 15),
        (Take(b), 14, 16),
    ];
    assert_eq!(judge(QUEUE, &[], &three), fail(&[0, 1, 2, 3, 4, 5, 6]));
    for item in [a, b, c] {
        let others: Vec<_> = three
            .into_iter()
            .filter(|(op, ..)| !matches!(op, Put(i) | Take(i) | Peek(i) if *i == item))
            .collect();
        assert!(
            matches!(judge(QUEUE, &[], &others), Finding::Pass(_)),
            "without {item}"
        );
    }
}

#[test]
fn two_items_cannot_both_be_next() {
    let both = [
        (Put(1), 0, 9),
        (Put(2), 1, 10),
        (Peek(1), 2, 3),
        (Peek(2), 4, 5),
        (Peek(1), 6, 7),
    ];
    assert_eq!(judge(QUEUE, &[], &both), fail(&[0, 1, 2, 3]));
    // One above the other, or smaller, would do if nothing saw it again.
    for kind in [STACK, PRIORITY_QUEUE] {
        assert_eq!(judge(kind, &[], &both), fail(&[0, 1, 2, 3, 4]), "{}", kind.model);
        let once = &both[..if kind.model == "stack" { 4 } else { 3 }];
        assert!(
            matches!(judge(kind, &[], once), Finding::Pass(_)),
            "{}",
            kind.model
        );
    }
}

#[test]
fn nothing_is_there_only_if_there_is_such_a_moment() {
    for kind in [QUEUE, BAG] {
        // 1, then 2, then 3 was there; not 4.
        let covered = |until| {
            [
                (Put(1), 0, 1),
                (Put(4), 1, 30),
                (Empty, 2, until),
                (Put(2), 3, 5),
                (Take(1), 6, 8),
                (Put(3), 9, 11),
                (Take(2), 12, 13),
                (Take(3), 16, 18),
                (Take(4), 28, 29),
            ]
        };
        assert_eq!(
            judge(kind, &[], &covered(15)),
            fail(&[0, 2, 3, 4, 5, 6, 7]),
            "{}",
            kind.model
        );
        assert!(
            matches!(judge(kind, &[], &covered(17)), Finding::Pass(_)),
            "{}",
            kind.model
        );
    }
}

#[test]
fn what_may_have_been_put_in_is_there_only_if_somebody_saw_it() {
    for kind in ALL {
        assert_eq!(judge(kind, &[], &[(Put(1), 0, 0), (Empty, 1, 2)]), pass(&[1]));
        let seen = [(Put(1), 0, 0), (Take(1), 1, 2), (Empty, 3, 4)];
        assert_eq!(judge(kind, &[], &seen), pass(&[0, 1, 2]));
        // A take that may not have happened shows nothing, but may have made room.
        assert_eq!(
            judge(kind, &[], &[(Put(1), 0, 0), (Take(1), 1, 0), (Empty, 3, 4)]),
            pass(&[2])
        );
        let room = [(Put(1), 0, 1), (Take(1), 2, 0), (Empty, 3, 4)];
        assert_eq!(judge(kind, &[], &room), pass(&[0, 1, 2]));
        let late = [(Put(1), 0, 1), (Empty, 3, 4), (Take(1), 5, 0)];
        assert_eq!(judge(kind, &[], &late), fail(&[0, 1, 2]));
    }
}

#[test]
fn one_removal_takes_one_item() {
    for kind in ALL {
        let one = [(Put(1), 0, 1), (Crash, 2, 0), (Crash, 3, 0), (Empty, 4, 5)];
        assert!(
            matches!(judge(kind, &[], &one), Finding::Pass(_)),
            "{}",
            kind.model
        );
        let two = [(Put(1), 0, 1), (Put(2), 2, 3), (Crash, 4, 0), (Empty, 5, 6)];
        assert_eq!(judge(kind, &[], &two), fail(&[0, 1, 2, 3]), "{}", kind.model);
        let late = [(Put(1), 0, 1), (Empty, 2, 3), (Crash, 4, 0)];
        assert!(
            matches!(judge(kind, &[], &late), Finding::Fail(_)),
            "{}",
            kind.model
        );
    }
    let (below, above) = ((Take(1), 6, 7), (Take(2), 6, 7));
    let with = |take| [(Put(1), 0, 1), (Put(2), 2, 3), (Crash, 4, 0), take];
    assert_eq!(judge(QUEUE, &[], &with(above)), pass(&[0, 1, 2, 3]));
    assert_eq!(judge(STACK, &[], &with(below)), pass(&[0, 1, 2, 3]));
    assert_eq!(judge(PRIORITY_QUEUE, &[], &with(below)), pass(&[0, 1, 2, 3]));
}
