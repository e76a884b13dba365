//! What is promised and accepted, and that it survives.

use super::*;
use crate::codec::Encode as _;
use crate::multi_paxos::record::Record;

fn prepare(round: u64, node: usize, first: u64) -> Message {
    Message::Prepare {
        ballot: ballot(round, node),
        first,
        after: None,
    }
}

fn accept(round: u64, leader: usize, first: u64, texts: &[&str]) -> Message {
    Message::Accept {
        ballot: ballot(round, leader),
        first,
        values: texts.iter().map(|text| value(text)).collect(),
        chosen: 0,
    }
}

#[test]
fn a_promise_leaves_when_it_is_durable_and_is_kept_by_the_next_life() {
    let mut acceptor = node(3, &[]);
    let effects = receive(&mut acceptor, 2, prepare(4, 2, 1));
    assert_eq!(said_to(2, &effects), [], "not yet durable");
    let records = written(&effects);
    let promise = Message::Promise {
        ballot: ballot(4, 2),
        omitted: 0,
        votes: vec![],
    };
    assert_eq!(said_to(2, &persist_all(&mut acceptor)), [promise]);

    let mut restarted = node(3, &records);
    let preempted = Message::Preempted {
        promised: ballot(4, 2),
    };
    let effects = receive(&mut restarted, 3, accept(3, 3, 1, &["late"]));
    assert_eq!(said_to(3, &effects), [preempted]);
    assert_eq!(restarted.log().last(), 0);
}

#[test]
fn slots_are_accepted_in_any_order_and_told_of_with_their_gaps() {
    let mut acceptor = node(3, &[]);
    let mut records = written(&receive(&mut acceptor, 2, accept(1, 2, 5, &["five"])));
    records.extend(written(&receive(&mut acceptor, 2, accept(1, 2, 2, &["two"]))));
    let told = [Message::Accepted {
        ballot: ballot(1, 2),
        first: 5,
        last: 5,
    }];
    assert_eq!(said_to(2, &persist_all(&mut acceptor))[..1], told);

    let mut restarted = node(3, &records);
    receive(&mut restarted, 3, prepare(2, 3, 1));
    let promise = Message::Promise {
        ballot: ballot(2, 3),
        omitted: 0,
        votes: vec![(2, vote(1, 2, "two")), (5, vote(1, 2, "five"))],
    };
    assert_eq!(said_to(3, &persist_all(&mut restarted)), [promise]);
}

#[test]
fn acknowledgements_that_one_sync_releases_leave_as_one() {
    let mut acceptor = node(3, &[]);
    receive(&mut acceptor, 2, accept(1, 2, 1, &["one"]));
    receive(&mut acceptor, 2, accept(1, 2, 2, &["two", "three"]));
    let accepted = Message::Accepted {
        ballot: ballot(1, 2),
        first: 1,
        last: 3,
    };
    assert_eq!(said_to(2, &persist_all(&mut acceptor)), [accepted]);
}

#[test]
fn who_hears_a_live_leader_answers_nobody_else_unless_that_leader_hands_over() {
    let mut acceptor = node(3, &[]);
    receive(&mut acceptor, 2, accept(1, 2, 1, &["one"]));
    persist_all(&mut acceptor);
    assert_eq!(receive(&mut acceptor, 3, prepare(2, 3, 1)), []);
    let handed_over = |by| Message::Prepare {
        ballot: ballot(2, 3),
        first: 1,
        after: Some(by),
    };
    assert_eq!(
        receive(&mut acceptor, 3, handed_over(ballot(0, 2))),
        [],
        "by a leader of long ago"
    );
    receive(&mut acceptor, 3, handed_over(ballot(1, 2)));
    assert_eq!(acceptor.promised(), Some(ballot(2, 3)));
}

#[test]
fn what_was_accepted_in_another_ballot_is_not_taken_for_what_is_chosen() {
    let mut learner = node(3, &[]);
    receive(&mut learner, 2, accept(1, 2, 1, &["stale"]));
    let heartbeat = Message::Heartbeat {
        ballot: ballot(2, 3),
        round: 1,
        chosen: 1,
    };
    let effects = receive(&mut learner, 3, heartbeat);
    assert_eq!(learner.status().applied, 0);
    assert_eq!(said_to(3, &effects).last(), Some(&Message::Learn { from: 1 }));
    let chosen = Message::Chosen {
        first: 1,
        votes: vec![vote(2, 3, "chosen")],
        through: 1,
    };
    let applied = Effect::Apply {
        index: 1,
        command: value("chosen").command(),
        request: None,
    };
    assert!(receive(&mut learner, 3, chosen).contains(&applied));
}

#[test]
fn slots_that_are_chosen_and_never_came_here_cost_recovery_nothing() {
    let record = Record::Promised {
        ballot: ballot(1, 2),
        chosen: 1 << 60,
    };
    let node = node(3, &[record.to_bytes()]);
    assert_eq!(node.status().applied, 0);
}
