//! When a register may be read.

use super::super::defects;
use super::*;

fn inquiry(effects: &[Effect<Message>]) -> u64 {
    match &said(effects)[..] {
        [(_, Body::Inquire { number, .. }), ..] => *number,
        other => panic!("no question: {other:?}"),
    }
}

fn holds(number: u64, accepted: Option<Numbered>) -> Body {
    Body::Holds {
        key: key(),
        number,
        accepted,
    }
}

#[test]
fn a_register_is_empty_when_a_majority_has_accepted_nothing() {
    let mut paxos = node(1, 5, None);
    let number = inquiry(&step(&mut paxos, read(1)));
    assert_eq!(told(&step(&mut paxos, hear(2, holds(number, None)))), []);
    let stale = hear(3, holds(number - 1, None));
    assert_eq!(
        told(&step(&mut paxos, stale)),
        [],
        "an answer to another question"
    );
    assert_eq!(
        told(&step(&mut paxos, hear(2, holds(number, None)))),
        [],
        "the same answer twice"
    );
    let ready = step(&mut paxos, hear(3, holds(number, None)));
    assert_eq!(told(&ready), [Effect::ReadReady(RequestId(1))]);
    assert_eq!(records(&ready).len(), 0, "a read writes nothing");
}

#[test]
fn reads_that_come_together_share_a_question_and_later_ones_do_not() {
    let mut paxos = node(1, 3, None);
    let first = inquiry(&step(&mut paxos, Input::Read(vec![query(1), query(2)])));
    let second = inquiry(&step(&mut paxos, read(3)));
    let ready = |request| Effect::ReadReady(RequestId(request));
    assert_eq!(
        told(&step(&mut paxos, hear(2, holds(first, None)))),
        [ready(1), ready(2)]
    );
    assert_eq!(told(&step(&mut paxos, hear(3, holds(second, None)))), [ready(3)]);
}

#[test]
fn what_a_majority_accepted_in_one_ballot_is_chosen() {
    let mut paxos = node(1, 5, None);
    let number = inquiry(&step(&mut paxos, read(1)));
    let reported = |round| holds(number, Some(numbered(ballot(round, 4), 7)));
    step(&mut paxos, hear(2, reported(3)));
    step(&mut paxos, hear(1, prepare(ballot(1, 1))));
    step(&mut paxos, hear(4, reported(3)));
    // Its own acceptor has accepted nothing: the instance is brought to a decision, after a moment.
    let asked = [tick(&mut paxos, 3), persist_all(&mut paxos)].concat();
    assert_eq!(said(&asked), to(&[2, 3, 4, 5], &prepare(ballot(1, 1))));

    let mut paxos = node(1, 3, None);
    step(&mut paxos, hear(2, accept(ballot(3, 2), 7)));
    persist_all(&mut paxos);
    let number = inquiry(&step(&mut paxos, read(1)));
    let both = step(
        &mut paxos,
        hear(3, holds(number, Some(numbered(ballot(3, 2), 7)))),
    );
    assert_eq!(
        told(&both),
        [applied(1, 7, None), Effect::ReadReady(RequestId(1))]
    );
    assert_eq!(said(&both), to(&[2, 3], &decided(7)));
}

#[test]
fn a_read_completes_what_was_accepted_by_some() {
    let mut cluster = Cluster::new(5);
    // Only one acceptor has accepted a proposal, and its proposer is gone.
    cluster.step_alone(3, hear(5, accept(ballot(1, 5), 7)));
    cluster.under_way.clear();
    cluster.cut_off = vec![4, 5];
    cluster.step(1, read(1));
    cluster.tick(40);
    let decision = value(7);
    assert_eq!(cluster.decisions("x")[..3], [Some(&decision); 3]);
    let answers: Vec<_> = cluster.told.iter().filter(|(number, _)| *number == 1).collect();
    assert_eq!(answers.last(), Some(&&(1, Effect::ReadReady(RequestId(1)))));
}

#[test]
fn a_decision_is_read_without_asking() {
    let mut paxos = node(1, 3, None);
    step(&mut paxos, hear(2, decided(7)));
    assert_eq!(step(&mut paxos, read(1)), [Effect::ReadReady(RequestId(1))]);
}

#[test]
fn a_read_without_a_majority_is_refused_in_the_end() {
    let mut paxos = node(1, 3, None);
    step(&mut paxos, read(1));
    let request = RequestId(1);
    let ended = told(&tick(&mut paxos, 8 * ELECTION_TICKS));
    assert_eq!(
        ended,
        [Effect::Refuse {
            request,
            leader: None
        }]
    );
}

#[test]
fn unasked_reads_asks_nobody_and_accepted_is_decided_believes_one() {
    let mut paxos = node(1, 3, Some(&defects::UNASKED_READS));
    assert_eq!(step(&mut paxos, read(1)), [Effect::ReadReady(RequestId(1))]);
    let mut paxos = node(1, 5, Some(&defects::ACCEPTED_IS_DECIDED));
    let number = inquiry(&step(&mut paxos, read(1)));
    let effects = step(
        &mut paxos,
        hear(2, holds(number, Some(numbered(ballot(3, 2), 7)))),
    );
    assert_eq!(
        told(&effects),
        [applied(1, 7, None), Effect::ReadReady(RequestId(1))]
    );
}
