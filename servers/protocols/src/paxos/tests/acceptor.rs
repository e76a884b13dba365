//! Promises and acceptances.

use super::super::acceptor::INSTANCES_MAX;
use super::super::defects;
use super::*;

#[test]
fn a_promise_is_said_when_it_is_durable_and_kept() {
    let mut paxos = node(3, 3, None);
    let effects = step(&mut paxos, hear(1, prepare(ballot(5, 1))));
    assert_eq!((said(&effects), records(&effects).len()), (vec![], 1));
    let promised = persist_all(&mut paxos);
    assert_eq!(said(&promised), to(&[1], &promise(ballot(5, 1), None)));

    // P1a: nothing below it is accepted, nor promised; the proposer is told why.
    for late in [accept(ballot(4, 2), 7), prepare(ballot(4, 2))] {
        let effects = step(&mut paxos, hear(2, late));
        let answer = preempted(ballot(4, 2), ballot(5, 1));
        assert_eq!((said(&effects), records(&effects).len()), (to(&[2], &answer), 0));
    }
    // The same question again has the same answer.
    let again = step(&mut paxos, hear(1, prepare(ballot(5, 1))));
    assert_eq!(said(&again), to(&[1], &promise(ballot(5, 1), None)));
}

#[test]
fn an_acceptance_is_a_promise_too_and_is_told_of_later() {
    let mut paxos = node(3, 3, None);
    let effects = step(&mut paxos, hear(1, accept(ballot(2, 1), 7)));
    assert_eq!(said(&effects), []);
    assert_eq!(said(&persist_all(&mut paxos)), to(&[1], &accepted(ballot(2, 1))));
    let late = step(&mut paxos, hear(2, prepare(ballot(1, 2))));
    assert_eq!(said(&late), to(&[2], &preempted(ballot(1, 2), ballot(2, 1))));
    step(&mut paxos, hear(2, prepare(ballot(3, 2))));
    let told = promise(ballot(3, 2), Some(numbered(ballot(2, 1), 7)));
    assert_eq!(said(&persist_all(&mut paxos)), to(&[2], &told));
}

#[test]
fn a_decided_instance_answers_with_the_decision() {
    let mut paxos = node(3, 3, None);
    let effects = step(&mut paxos, hear(1, decided(7)));
    assert_eq!(told(&effects), [applied(1, 7, None)]);
    let (number, key) = (1, key());
    for question in [
        prepare(ballot(9, 2)),
        accept(ballot(9, 2), 8),
        Body::Inquire { key, number },
    ] {
        let answer = step(&mut paxos, hear(2, question));
        assert_eq!(said(&answer), to(&[2], &decided(7)));
    }
}

#[test]
fn promises_without_acceptances_are_forgotten_in_favour_of_a_floor() {
    let mut paxos = node(3, 3, None);
    let keyed = |number: usize, ballot| Body::Prepare {
        key: format!("k{number}").into(),
        ballot,
    };
    step(&mut paxos, hear(1, accept(ballot(1, 1), 7)));
    for number in 1..INSTANCES_MAX {
        step(&mut paxos, hear(1, keyed(number, ballot(number as u64, 1))));
    }
    assert_eq!(paxos.instances().count(), INSTANCES_MAX);
    let highest = ballot(INSTANCES_MAX as u64 - 1, 1);
    step(&mut paxos, hear(1, keyed(0, ballot(90_000, 1))));
    assert_eq!(paxos.instances().count(), 2, "the accepted one and the new one");
    // To promise more than was asked for is safe; to promise less would not be.
    let late = step(&mut paxos, hear(2, keyed(5, ballot(6, 2))));
    let preempted = Body::Preempted {
        key: "k5".into(),
        ballot: ballot(6, 2),
        promised: highest,
    };
    assert_eq!(said(&late), to(&[2], &preempted));
}

#[test]
fn accept_below_promise_accepts() {
    let mut paxos = node(3, 3, Some(&defects::ACCEPT_BELOW_PROMISE));
    step(&mut paxos, hear(1, prepare(ballot(5, 1))));
    step(&mut paxos, hear(2, accept(ballot(4, 2), 7)));
    assert!(said(&persist_all(&mut paxos)).contains(&(n(2), accepted(ballot(4, 2)))));
}
