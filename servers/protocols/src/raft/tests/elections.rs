//! Votes, pre-votes, and stepping down.

use super::*;

#[test]
fn a_vote_waits_for_its_fsync_and_is_given_once() {
    let mut raft = recovered(3, 1, &[1], None);
    let ask = Body::RequestVote {
        last: at(1, 1),
        handover: false,
    };
    assert_eq!(
        step(&mut raft, receive(2, 2, ask.clone())),
        [persist_state(1, 2, Some(2))]
    );
    assert_eq!(
        step(&mut raft, receive(2, 2, ask.clone())),
        [],
        "asked twice, still not durable"
    );
    let granted = send(2, 2, Body::Vote { granted: true });
    assert_eq!(persist_all(&mut raft), [granted.clone(), granted]);
    assert_eq!(
        step(&mut raft, receive(3, 2, ask)),
        [send(3, 2, Body::Vote { granted: false })]
    );
}

#[test]
fn a_vote_survives_a_restart() {
    let records = [Record::State {
        term: 2,
        voted_for: Some(n(2)),
    }
    .to_bytes()];
    let config = Config::new(n(1), [n(2), n(3)], HEARTBEAT_TICKS, ELECTION_TICKS).expect("a configuration");
    let mut raft = recover(config, &records).expect("a good log");
    let ask = Body::RequestVote {
        last: at(9, 9),
        handover: false,
    };
    assert_eq!(
        step(&mut raft, receive(3, 2, ask)),
        [send(3, 2, Body::Vote { granted: false })]
    );
}

#[test]
fn no_vote_for_a_log_that_is_behind_unless_votes_are_blind() {
    for (last, up_to_date) in [
        (at(2, 2), false),
        (at(1, 9), false),
        (at(2, 3), true),
        (at(3, 1), true),
    ] {
        for (defect, granted) in [(None, up_to_date), (Some(&defects::BLIND_VOTES), true)] {
            let mut raft = recovered(3, 3, &[1, 2, 2], defect);
            assert_eq!(
                step(&mut raft, receive(2, 3, Body::PreVote { last })),
                [send(2, 3, Body::PreVoteReply { granted })],
                "a pre-vote for {last:?} with {defect:?}"
            );
            step(
                &mut raft,
                receive(
                    2,
                    3,
                    Body::RequestVote {
                        last,
                        handover: false,
                    },
                ),
            );
            assert_eq!(
                raft.voted_for,
                granted.then_some(n(2)),
                "a vote for {last:?} with {defect:?}"
            );
        }
    }
}

#[test]
fn whoever_hears_a_leader_does_not_help_to_replace_it() {
    let mut raft = recovered(3, 1, &[1], None);
    step(&mut raft, receive(2, 1, Body::Heartbeat { round: 0, commit: 0 }));
    let last = at(9, 9);
    assert_eq!(
        step(&mut raft, receive(3, 7, Body::PreVote { last })),
        [send(3, 1, Body::PreVoteReply { granted: false })]
    );
    assert_eq!(
        step(
            &mut raft,
            receive(
                3,
                7,
                Body::RequestVote {
                    last,
                    handover: false
                }
            )
        ),
        [send(3, 1, Body::Vote { granted: false })]
    );
    assert_eq!((raft.term, raft.leader), (1, Some(n(2))), "it has not moved");

    (0..ELECTION_TICKS).for_each(|_| {
        step(&mut raft, Input::Tick);
    });
    assert_eq!(
        step(&mut raft, receive(3, 7, Body::PreVote { last })),
        [persist_state(1, 7, None)],
        "silent for too long"
    );
}

#[test]
fn a_node_that_is_cut_off_never_moves_to_a_later_term() {
    let mut raft = recovered(3, 4, &[1], None);
    for _ in 0..5 {
        let ask = Body::PreVote { last: at(1, 1) };
        assert_eq!(
            lose_patience(&mut raft),
            [send(2, 4, ask.clone()), send(3, 4, ask)]
        );
    }
    assert_eq!(raft.term, 4);
}

#[test]
fn a_candidate_asks_when_its_own_vote_is_durable_and_begins_its_term_with_an_entry() {
    let mut raft = recovered(3, 1, &[1], None);
    lose_patience(&mut raft);
    assert_eq!(
        step(&mut raft, receive(2, 1, Body::PreVoteReply { granted: true })),
        [persist_state(1, 2, Some(1))]
    );
    let ask = Body::RequestVote {
        last: at(1, 1),
        handover: false,
    };
    assert_eq!(persist_all(&mut raft), [send(2, 2, ask.clone()), send(3, 2, ask)]);
    let noop = noop(2);
    let append = Body::Append {
        previous: at(1, 1),
        entries: vec![noop.clone()],
        commit: 0,
    };
    assert_eq!(
        step(&mut raft, receive(3, 2, Body::Vote { granted: true })),
        [
            persist_entries(2, 2, vec![noop]),
            send(2, 2, append.clone()),
            send(3, 2, append)
        ]
    );
    assert_eq!(raft.status().role, Role::Leader);
}

#[test]
fn a_single_node_leads_once_its_vote_is_durable() {
    let mut raft = recovered(1, 0, &[], None);
    assert_eq!(lose_patience(&mut raft), [persist_state(1, 1, Some(1))]);
    let noop = noop(1);
    assert_eq!(
        persist_all(&mut raft),
        [persist_entries(2, 1, vec![noop.clone()])]
    );
    assert_eq!(persist_all(&mut raft), [apply(1, &noop, None)]);
}

#[test]
fn a_leader_without_a_quorum_steps_down_within_two_election_timeouts() {
    let mut raft = recovered(3, 1, &[], None);
    elect(&mut raft);
    persist_all(&mut raft);
    step(&mut raft, receive(2, 2, Body::Appended { matched: 1 }));
    step(&mut raft, propose(7, "x"));
    step(&mut raft, query(RequestId(8)));
    for tick in 1..ELECTION_TICKS * 2 {
        step(&mut raft, Input::Tick);
        assert_eq!(
            raft.status().role,
            Role::Leader,
            "after {tick} ticks: one was heard in the first timeout"
        );
    }
    let refused = Effect::Refuse {
        request: RequestId(8),
        leader: None,
    };
    assert_eq!(
        step(&mut raft, Input::Tick),
        [Effect::Unknown(RequestId(7)), refused]
    );
    assert_eq!((raft.status().role, raft.term), (Role::Follower, 2));
}

#[test]
fn a_deposed_leader_says_unknown_of_what_it_appended_and_refuses_what_comes_then() {
    let mut raft = recovered(3, 1, &[], None);
    elect(&mut raft);
    persist_all(&mut raft);
    step(&mut raft, receive(2, 2, Body::Appended { matched: 1 }));
    step(&mut raft, propose(7, "x"));
    step(&mut raft, query(RequestId(8)));
    let heartbeat = Body::Heartbeat { round: 1, commit: 0 };
    assert_eq!(
        step(&mut raft, receive(3, 3, heartbeat)),
        [
            Effect::Unknown(RequestId(7)),
            Effect::Refuse {
                request: RequestId(8),
                leader: None
            },
            persist_state(4, 3, None)
        ]
    );
    let refused = |request| Effect::Refuse {
        request: RequestId(request),
        leader: Some(n(3)),
    };
    assert_eq!(step(&mut raft, propose(9, "y")), [refused(9)]);
    assert_eq!(step(&mut raft, query(RequestId(10))), [refused(10)]);
}

#[test]
fn a_leader_of_an_earlier_term_is_told() {
    let mut raft = recovered(3, 5, &[], None);
    let heartbeat = Body::Heartbeat { round: 3, commit: 0 };
    assert_eq!(
        step(&mut raft, receive(2, 4, heartbeat)),
        [send(2, 5, Body::HeartbeatReply { round: 0 })]
    );
    assert_eq!(
        step(&mut raft, receive(2, 4, Body::Appended { matched: 0 })),
        [],
        "answers are not answered"
    );
}

/// The sender may be a member by an entry that is not here yet (section 6).
#[test]
fn a_stranger_is_answered_like_any_other() {
    let mut raft = recovered(3, 5, &[], None);
    let asked = step(&mut raft, receive(9, 5, Body::PreVote { last: at(9, 9) }));
    assert_eq!(asked, [send(9, 5, Body::PreVoteReply { granted: true })]);
}
