//! Phase 1 for all slots, and phase 2 within the window.

use super::*;

fn accepted(ballot: Ballot, first: u64, last: u64) -> Message {
    Message::Accepted { ballot, first, last }
}

fn values_for_2(effects: &[Effect<Message>]) -> Vec<(u64, Vec<Value>)> {
    let accept = |message| match message {
        Message::Accept { first, values, .. } => Some((first, values)),
        _ => None,
    };
    said_to(2, effects).into_iter().filter_map(accept).collect()
}

#[test]
fn the_value_of_the_highest_ballot_is_adopted_and_gaps_are_filled() {
    let records = {
        let mut before = node(3, &[]);
        let accept = Message::Accept {
            ballot: ballot(3, 3),
            first: 1,
            values: vec![value("mine"), value("lower")],
            chosen: 0,
        };
        written(&receive(&mut before, 3, accept))
    };
    let mut leader = node(3, &records);
    let told = vec![
        (1, vote(2, 2, "lower")),
        (2, vote(4, 2, "theirs")),
        (4, vote(1, 2, "last")),
    ];
    let effects = lead(&mut leader, told);
    let adopted = vec![value("mine"), value("theirs"), Value::Noop, value("last")];
    assert_eq!(values_for_2(&effects), [(1, adopted)]);
}

#[test]
fn phase_one_is_run_once_and_nothing_is_proposed_beyond_the_window() {
    let mut leader = node(3, &[]);
    lead(&mut leader, vec![]);
    let ballot = leader.promised().expect("its own");
    let commands = |numbers: std::ops::RangeInclusive<u64>| -> Vec<Value> {
        numbers.map(|number| value(&format!("c{number}"))).collect()
    };
    let effects = propose(&mut leader, 1..=6);
    assert_eq!(values_for_2(&effects), [(1, commands(1..=4))]);
    assert_eq!(written(&effects).len(), 1, "one write for all");
    persist_all(&mut leader);

    // Chosen out of order: nothing can be applied, and the window stays.
    assert_eq!(receive(&mut leader, 2, accepted(ballot, 2, 4)), []);
    let effects = receive(&mut leader, 2, accepted(ballot, 1, 1));
    let applied = effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Apply { .. }))
        .count();
    assert_eq!((applied, values_for_2(&effects)), (4, vec![(5, commands(5..=6))]));
}

#[test]
fn acceptances_of_another_ballot_do_not_count_nor_does_its_own_before_it_is_durable() {
    let mut leader = node(3, &[]);
    lead(&mut leader, vec![]);
    let own = leader.promised().expect("its own");
    propose(&mut leader, 1..=1);
    assert_eq!(
        receive(&mut leader, 2, accepted(ballot(own.round + 1, 1), 1, 1)),
        []
    );
    receive(&mut leader, 2, accepted(own, 1, 1));
    assert_eq!(leader.status().commit, 0);
    persist_all(&mut leader);
    assert_eq!(leader.status().commit, 1);
}

#[test]
fn reads_wait_until_what_phase_one_told_of_is_chosen_and_then_for_a_majority() {
    let mut leader = node(3, &[]);
    lead(&mut leader, vec![(1, vote(0, 2, "perhaps chosen"))]);
    let ballot = leader.promised().expect("its own");
    let query = Query {
        request: RequestId(9),
        command: value("read").command().expect("a command"),
    };
    assert_eq!(step(&mut leader, Input::Read(vec![query])), []);
    persist_all(&mut leader);
    let effects = receive(&mut leader, 2, accepted(ballot, 1, 1));
    let Some(Message::Heartbeat { round, chosen, .. }) = said_to(3, &effects).last().cloned() else {
        panic!("no round has begun: {effects:?}");
    };
    let reply = |round| Message::HeartbeatReply {
        ballot,
        round,
        chosen,
    };
    assert_eq!(receive(&mut leader, 3, reply(round - 1)), []);
    assert_eq!(
        receive(&mut leader, 3, reply(round)),
        [Effect::ReadReady(RequestId(9))]
    );
}

#[test]
fn a_leader_that_is_preempted_steps_down_and_says_what_it_knows_of_its_requests() {
    let mut leader = node(3, &[]);
    lead(&mut leader, vec![]);
    propose(&mut leader, 1..=5);
    let promised = ballot(100, 3);
    let effects = receive(&mut leader, 3, Message::Preempted { promised });
    let unknown = (1..=4).map(|request| Effect::Unknown(RequestId(request)));
    let refused = Effect::Refuse {
        request: RequestId(5),
        leader: None,
    };
    assert_eq!(effects, unknown.chain([refused]).collect::<Vec<_>>());
}
