//! What survives a crash.

use super::super::defects;
use super::*;

/// A node that has promised, accepted and learned; and what it wrote.
fn busy(defect: Option<&'static Defect>) -> (Paxos, Vec<Vec<u8>>) {
    let mut paxos = node(1, 3, defect);
    let mut written = Vec::new();
    let y: Key = "y".into();
    for input in [
        propose(1, 7),
        hear(2, prepare(ballot(4, 2))),
        hear(
            3,
            Body::Accept {
                key: Key::clone(&y),
                proposal: numbered(ballot(2, 3), 9),
            },
        ),
        hear(
            3,
            Body::Prepare {
                key: y,
                ballot: ballot(5, 3),
            },
        ),
        hear(
            3,
            Body::Decided {
                key: "z".into(),
                value: value_of("z", 1),
            },
        ),
    ] {
        written.extend(records(&step(&mut paxos, input)));
    }
    (paxos, written)
}

fn check(paxos: &mut Paxos) {
    let late = step(paxos, hear(2, accept(ballot(3, 2), 8)));
    assert_eq!(said(&late), to(&[2], &preempted(ballot(3, 2), ballot(4, 2))));
    let question = Body::Prepare {
        key: "y".into(),
        ballot: ballot(6, 2),
    };
    step(paxos, hear(2, question));
    let accepted = Some(numbered(ballot(2, 3), 9));
    let promise = Body::Promise {
        key: "y".into(),
        ballot: ballot(6, 2),
        accepted,
    };
    assert_eq!(said(&persist_all(paxos)), to(&[2], &promise));
    // It never uses a ballot of an earlier life again.
    let effects = [step(paxos, propose(1, 7)), persist_all(paxos)].concat();
    match &said(&effects)[..] {
        [(_, Body::Prepare { ballot, .. }), ..] => assert!(ballot.round > 100, "{ballot:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn promises_acceptances_decisions_and_rounds_survive_in_the_log() {
    let (_, written) = busy(None);
    let (mut paxos, effects) = recover(config(1, 3), None, &written);
    let command = Some(value_of("z", 1));
    assert_eq!(
        effects,
        [Effect::Apply {
            index: 1,
            command,
            request: None
        }]
    );
    check(&mut paxos);
}

#[test]
fn they_survive_in_a_snapshot_as_well() {
    let (mut paxos, _) = busy(None);
    let effects = step(&mut paxos, administer());
    let [
        Effect::Compact {
            snapshot, records, ..
        },
    ] = &effects[..]
    else {
        panic!("{effects:?}");
    };
    assert_eq!(records, &Vec::<Vec<u8>>::new());
    assert_eq!(persist_all(&mut paxos).last(), Some(&Effect::Done(RequestId(1))));
    let (mut paxos, effects) = recover(config(1, 3), Some(snapshot), &[]);
    assert_eq!((effects.len(), paxos.status().snapshot_index), (1, 1));
    check(&mut paxos);
    for shorter in 0..snapshot.len() {
        let disk = OnDisk::new(Some(&snapshot[..shorter]), &[]);
        let random = Random::seed_from_u64(1);
        assert!(Paxos::recover(config(1, 3), disk, random, &mut Vec::new()).is_err());
    }
}

fn administer() -> Input<Message> {
    Input::Administer {
        request: RequestId(1),
        what: crate::protocol::Administration::Snapshot,
    }
}

#[test]
fn an_old_answer_is_none_to_a_question_of_a_new_life() {
    let numbers = [1, 2].map(|seed| {
        let random = Random::seed_from_u64(seed);
        let disk = OnDisk::default();
        let mut paxos = Paxos::recover(config(1, 3), disk, random, &mut Vec::new()).expect("a disk");
        match &said(&step(&mut paxos, read(1)))[..] {
            [(_, Body::Inquire { number, .. }), ..] => *number,
            other => panic!("{other:?}"),
        }
    });
    assert_ne!(numbers[0], numbers[1]);
}

#[test]
fn defects_of_the_disk() {
    let mut paxos = node(1, 3, Some(&defects::VOLATILE_PROMISES));
    let effects = step(&mut paxos, hear(2, prepare(ballot(4, 2))));
    assert_eq!((records(&effects).len(), said(&effects).len()), (0, 1));

    let mut paxos = node(1, 3, Some(&defects::HASTY_ACCEPTS));
    let effects = step(&mut paxos, hear(2, accept(ballot(4, 2), 7)));
    assert_eq!(said(&effects), to(&[2], &accepted(ballot(4, 2))));

    let (_, written) = busy(Some(&defects::BALLOT_REUSE));
    let config = config(1, 3).with_defect(Some(&defects::BALLOT_REUSE));
    let (mut paxos, _) = recover(config, None, &written);
    let effects = step(&mut paxos, propose(1, 7));
    assert_eq!(said(&effects), to(&[2, 3], &prepare(ballot(1, 1))));

    let (mut paxos, _) = busy(Some(&defects::SNAPSHOT_FORGETS_ACCEPTED));
    let effects = step(&mut paxos, administer());
    let [Effect::Compact { snapshot, .. }] = &effects[..] else {
        panic!("{effects:?}");
    };
    let (paxos, _) = recover(super::config(1, 3), Some(snapshot), &[]);
    assert_eq!(paxos.instances().count(), 0);
}
