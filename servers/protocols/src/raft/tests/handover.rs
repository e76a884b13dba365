//! Leadership transfer.

use super::*;

fn transfer(request: u64, to: Option<usize>) -> Input<Message> {
    Input::Administer {
        request: RequestId(request),
        what: Administration::Transfer { to: to.map(n) },
    }
}

/// The first of three, leading term 2, of which n2 has all and n3 nothing.
fn leading() -> Raft {
    let mut raft = recovered(3, 1, &[], None);
    elect(&mut raft);
    persist_all(&mut raft);
    step(&mut raft, receive(2, 2, Body::Appended { matched: 1 }));
    raft
}

#[test]
fn the_other_is_told_to_stand_when_it_has_all_and_nothing_more_is_taken_meanwhile() {
    let mut raft = leading();
    assert_eq!(step(&mut raft, transfer(7, Some(3))), [], "n3 lacks an entry");
    let refused = Effect::Refuse {
        request: RequestId(8),
        leader: Some(n(3)),
    };
    assert_eq!(step(&mut raft, propose(8, "x")), [refused]);
    let again = step(&mut raft, transfer(9, None));
    let why = "another handover is under way";
    assert_eq!(
        again,
        [Effect::Reject {
            request: RequestId(9),
            why
        }]
    );
    assert_eq!(
        step(&mut raft, receive(3, 2, Body::Appended { matched: 1 })),
        [send(3, 2, Body::TimeoutNow)]
    );
    let ask = Body::RequestVote {
        last: at(2, 1),
        handover: true,
    };
    assert_eq!(
        step(&mut raft, receive(3, 3, ask)),
        [Effect::Done(RequestId(7)), persist_state(3, 3, Some(3))],
        "it votes for its successor"
    );
}

#[test]
fn who_has_most_is_chosen_if_nobody_is_named() {
    assert_eq!(
        step(&mut leading(), transfer(7, None)),
        [send(2, 2, Body::TimeoutNow)]
    );
}

#[test]
fn what_can_not_be_is_rejected() {
    for (to, why) in [(1, "it leads already"), (9, "it is no member")] {
        let rejected = Effect::Reject {
            request: RequestId(7),
            why,
        };
        assert_eq!(step(&mut leading(), transfer(7, Some(to))), [rejected]);
    }
    let mut alone = recovered(1, 1, &[], None);
    elect(&mut alone);
    let why = "there is nobody to hand over to";
    assert_eq!(
        step(&mut alone, transfer(7, None)),
        [Effect::Reject {
            request: RequestId(7),
            why
        }]
    );
}

#[test]
fn a_leader_goes_on_if_the_other_does_not_take_over() {
    let why = "the other node did not catch up in time";
    for (to, end) in [
        (
            3,
            Effect::Reject {
                request: RequestId(7),
                why,
            },
        ),
        (2, Effect::Unknown(RequestId(7))),
    ] {
        let mut raft = leading();
        step(&mut raft, transfer(7, Some(to)));
        let mut told = Vec::new();
        for _ in 0..ELECTION_TICKS {
            step(&mut raft, receive(2, 2, Body::HeartbeatReply { round: 0 }));
            told.extend(step(&mut raft, Input::Tick));
        }
        assert!(told.contains(&end), "{told:?}");
        let effects = step(&mut raft, propose(8, "x"));
        assert!(matches!(effects[0], Effect::Persist { .. }), "{effects:?}");
    }
}

#[test]
fn whoever_is_told_stands_without_asking_first_and_is_not_refused_for_the_leaders_sake() {
    let mut raft = recovered(3, 2, &[1], None);
    assert_eq!(
        step(&mut raft, receive(2, 2, Body::TimeoutNow)),
        [],
        "not from a leader"
    );
    step(&mut raft, receive(2, 2, Body::Heartbeat { round: 1, commit: 0 }));
    assert_eq!(
        step(&mut raft, receive(2, 2, Body::TimeoutNow)),
        [persist_state(1, 3, Some(1))]
    );
    let ask = Body::RequestVote {
        last: at(1, 1),
        handover: true,
    };
    assert_eq!(
        persist_all(&mut raft),
        [send(2, 3, ask.clone()), send(3, 3, ask.clone())]
    );

    let mut voter = node(3, 3, 2, &[1], None);
    step(&mut voter, receive(2, 2, Body::Heartbeat { round: 1, commit: 0 }));
    assert_eq!(
        step(&mut voter, receive(1, 3, ask)),
        [persist_state(1, 3, Some(1))]
    );
}
