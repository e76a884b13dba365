//! Discovery, synchronization and broadcast, message by message (paper section 4.1, algorithms 1 to 3).

use super::*;
use crate::zab::defects;

#[test]
fn a_leader_goes_through_the_phases() {
    let mut zab = node(3, 3, &[(1, 1)], None);
    step(
        &mut zab,
        from(2, notification(1, (1, z(1, 1), 3), Standing::Looking)),
    );
    ticks(&mut zab, 3);
    // l.1.1: a quorum has come; the epoch is later than any that it has promised, and durable before it is
    // proposed.
    let effects = step(&mut zab, from(2, current_epoch(4, Some(1))));
    assert_eq!(effects, [persist(1, epochs(5, 3, 1))]);
    assert_eq!(persist_all(&mut zab), [send(2, 5, Body::NewEpoch)]);
    // l.2.1: a quorum has promised. The leader goes by its own history, and sends what lacks and NEWLEADER.
    let recency_of_2 = recency(0, Zxid::ZERO);
    let effects = step(
        &mut zab,
        receive(
            2,
            5,
            Body::AckEpoch {
                recency: recency_of_2,
            },
        ),
    );
    let last = z(1, 1);
    assert_eq!(
        effects,
        [
            persist(2, epochs(5, 3, 5)),
            send(2, 5, proposal(Zxid::ZERO, &[(1, 1)], Zxid::ZERO)),
            send(2, 5, Body::NewLeader { last }),
        ]
    );
    assert_eq!(
        step(&mut zab, propose(1, "early")),
        [Effect::Refuse {
            request: RequestId(1),
            leader: None
        }],
        "it broadcasts nothing before a quorum goes by its history"
    );
    // l.2.2: a quorum, of which the leader is one when its own epoch is durable.
    assert_eq!(step(&mut zab, receive(2, 5, Body::AckNewLeader { last })), []);
    assert_eq!(
        persist_all(&mut zab),
        [apply(1, (1, 1)), send(2, 5, Body::UpToDate { commit: last })]
    );
    // l.3.1: numbered from 1 in this epoch, to its own disk and to the followers at once.
    let made = Transaction {
        zxid: z(5, 1),
        payload: Payload::Command(command("x")),
    };
    let propose_it = Body::Propose {
        previous: last,
        transactions: vec![made.clone()],
        commit: last,
    };
    let record = Record::History {
        index: 1,
        previous: last,
        transactions: vec![made],
    };
    assert_eq!(
        step(&mut zab, propose(2, "x")),
        [persist(3, record), send(2, 5, propose_it)]
    );
    // l.3.2: its own copy counts when it is durable.
    assert_eq!(step(&mut zab, receive(2, 5, Body::Ack { last: z(5, 1) })), []);
    assert_eq!(
        persist_all(&mut zab),
        [
            Effect::Apply {
                index: 2,
                command: Some(command("x")),
                request: Some(RequestId(2))
            },
            send(2, 5, Body::Commit { last: z(5, 1) }),
        ]
    );
}

#[test]
fn a_leader_with_a_follower_ahead_of_it_gives_up() {
    let mut zab = node(3, 3, &[(1, 1)], None);
    step(
        &mut zab,
        from(2, notification(1, (1, z(1, 1), 3), Standing::Looking)),
    );
    ticks(&mut zab, 3);
    step(&mut zab, from(2, current_epoch(1, None)));
    persist_all(&mut zab);
    let recency = recency(1, z(1, 2));
    step(&mut zab, receive(2, 2, Body::AckEpoch { recency }));
    assert_eq!(zab.standing(), Standing::Looking);
}

#[test]
fn an_epoch_is_promised_once_and_to_the_same_leader_again() {
    let mut zab = follower(&[(1, 1)], 2, None);
    let ack = Body::AckEpoch {
        recency: recency(1, z(1, 1)),
    };
    assert_eq!(step(&mut zab, receive(3, 2, Body::NewEpoch)), [send(3, 2, ack)]);
    // Its leader is lost, and another elected, which proposes the same epoch: it had not heard of this one.
    ticks(&mut zab, ELECTION_TICKS);
    let vote = (9, z(9, 9), 2);
    step(&mut zab, from(2, notification(2, vote, Standing::Looking)));
    ticks(&mut zab, 3);
    let effects = step(&mut zab, receive(2, 2, Body::NewEpoch));
    assert!(
        !effects
            .iter()
            .any(|effect| matches!(effect, Effect::Persist { .. })),
        "{effects:?}"
    );
    assert_eq!(zab.standing(), Standing::Looking);
}

#[test]
fn a_follower_is_synchronized_by_what_it_lacks() {
    let mut zab = follower(&[(1, 1)], 2, None);
    let effects = step(
        &mut zab,
        receive(3, 2, proposal(z(1, 1), &[(1, 2), (1, 3)], z(1, 2))),
    );
    assert_eq!(effects, [persist(2, history(1, z(1, 1), &[(1, 2), (1, 3)]))]);
    // NEWLEADER: the epoch is written after the history, and the acknowledgement waits for both. What is
    // committed is delivered from here on.
    let last = z(1, 3);
    let effects = step(&mut zab, receive(3, 2, Body::NewLeader { last }));
    assert_eq!(effects, [persist(3, epochs(2, 3, 2))]);
    let acks = [
        send(3, 2, Body::Ack { last }),
        send(3, 2, Body::AckNewLeader { last }),
    ];
    assert_eq!(persist_all(&mut zab), acks);
    assert_eq!(
        step(&mut zab, receive(3, 2, Body::UpToDate { commit: last })),
        [apply(1, (1, 1)), apply(2, (1, 2)), apply(3, (1, 3))]
    );
    assert_eq!(zab.leader(), Some(n(3)));
}

#[test]
fn newleader_is_not_acknowledged_by_who_lacks_something_or_has_too_much() {
    for (has, asked_after) in [(vec![(1, 1)], z(1, 1)), (vec![(1, 1), (1, 2), (1, 3)], z(1, 3))] {
        let mut zab = follower(&has, 2, None);
        let new_leader = Body::NewLeader { last: z(1, 2) };
        let lacks = send(3, 2, Body::Lacks { last: asked_after });
        assert_eq!(step(&mut zab, receive(3, 2, new_leader.clone())), [lacks]);
        assert_eq!(
            step(&mut zab, receive(3, 2, new_leader)),
            [],
            "it has asked already"
        );
    }
}

#[test]
fn what_the_leader_does_not_have_is_cut_before_anything_is_accepted() {
    let mut zab = follower(&[(1, 1), (1, 2), (1, 3)], 2, None);
    // A proposal that overtook TRUNC, or came from an earlier connection.
    let overtakes = receive(3, 2, proposal(z(1, 1), &[(2, 1)], Zxid::ZERO));
    assert_eq!(
        step(&mut zab, overtakes.clone()),
        [send(3, 2, Body::Lacks { last: z(1, 3) })]
    );
    let effects = step(&mut zab, receive(3, 2, Body::Truncate { to: z(1, 1) }));
    let cut = persist(2, history(1, z(1, 1), &[]));
    assert_eq!(effects, [cut, send(3, 2, Body::Lacks { last: z(1, 1) })]);
    assert_eq!(
        step(&mut zab, overtakes),
        [persist(3, history(1, z(1, 1), &[(2, 1)]))]
    );
}

#[test]
fn a_gap_is_asked_for_once_and_what_is_there_is_skipped() {
    let mut zab = follower(&[(1, 1)], 2, None);
    step(&mut zab, receive(3, 2, Body::NewLeader { last: z(1, 1) }));
    persist_all(&mut zab);
    let later = |counter| receive(3, 2, proposal(z(2, counter - 1), &[(2, counter)], Zxid::ZERO));
    assert_eq!(
        step(&mut zab, later(3)),
        [send(3, 2, Body::Lacks { last: z(1, 1) })]
    );
    assert_eq!(step(&mut zab, later(4)), []);
    let all = proposal(z(1, 1), &[(2, 1), (2, 2)], Zxid::ZERO);
    assert_eq!(
        step(&mut zab, receive(3, 2, all.clone())),
        [persist(3, history(1, z(1, 1), &[(2, 1), (2, 2)]))]
    );
    // Doubled, before the first is durable: no second copy, and no acknowledgement before the disk has it.
    assert_eq!(step(&mut zab, receive(3, 2, all)), []);
    assert_eq!(persist_all(&mut zab), [send(3, 2, Body::Ack { last: z(2, 2) })]);
}

#[test]
fn a_leader_cuts_what_it_has_not_and_then_looks_again() {
    let mut zab = leader(&[(1, 1), (1, 2), (1, 3)], None);
    step(&mut zab, from(1, current_epoch(1, None)));
    // The leader has nothing between its beginning and the last of node 1.
    let recency = recency(0, z(0, 7));
    assert_eq!(
        step(&mut zab, receive(1, 2, Body::AckEpoch { recency })),
        [send(1, 2, Body::Truncate { to: Zxid::ZERO })]
    );
    let effects = step(&mut zab, receive(1, 2, Body::Lacks { last: Zxid::ZERO }));
    let all = proposal(Zxid::ZERO, &[(1, 1), (1, 2), (1, 3)], z(1, 3));
    assert_eq!(
        effects,
        [send(1, 2, all), send(1, 2, Body::NewLeader { last: z(1, 3) })]
    );
}

#[test]
fn what_a_follower_acknowledges_before_it_goes_by_the_history_does_not_count() {
    let mut zab = node(3, 3, &[(1, 1)], None);
    step(
        &mut zab,
        from(2, notification(1, (1, z(1, 1), 3), Standing::Looking)),
    );
    ticks(&mut zab, 3);
    step(&mut zab, from(2, current_epoch(1, None)));
    persist_all(&mut zab);
    let recency = recency(0, Zxid::ZERO);
    step(&mut zab, receive(2, 2, Body::AckEpoch { recency }));
    persist_all(&mut zab);
    assert_eq!(step(&mut zab, receive(2, 2, Body::Ack { last: z(1, 1) })), []);
    assert_eq!(zab.status().commit, 0);
}

#[test]
fn what_is_not_answered_is_sent_again() {
    let mut zab = leader(&[(1, 1)], None);
    step(&mut zab, propose(1, "x"));
    let sent = |effects: &[Effect<Message>]| {
        let proposes = |effect: &&Effect<Message>| {
            matches!(
                effect,
                Effect::Send {
                    message: Message::Epoch {
                        body: Body::Propose { .. },
                        ..
                    },
                    ..
                }
            )
        };
        effects.iter().filter(proposes).count()
    };
    assert_eq!(sent(&ticks(&mut zab, 2 * HEARTBEAT_TICKS)), 0);
    assert_eq!(sent(&ticks(&mut zab, HEARTBEAT_TICKS)), 1);
}

#[test]
fn a_leader_that_can_not_be_joined_makes_way_for_a_later_epoch() {
    let mut zab = leader(&[(1, 1)], None);
    step(&mut zab, propose(1, "x"));
    let effects = step(&mut zab, from(1, current_epoch(7, Some(2))));
    assert_eq!(
        effects[0],
        Effect::Unknown(RequestId(1)),
        "it may be committed yet"
    );
    assert_eq!(zab.standing(), Standing::Looking);
}

#[test]
fn commit_before_sync_delivers_what_is_nobody_elses() {
    let commit = || receive(3, 2, Body::Commit { last: z(1, 9) });
    let mut zab = follower(&[(1, 1)], 2, None);
    assert_eq!(step(&mut zab, commit()), []);
    let mut zab = follower(&[(1, 1)], 2, Some(&defects::COMMIT_BEFORE_SYNC));
    assert_eq!(step(&mut zab, commit()), [apply(1, (1, 1))]);
}

#[test]
fn a_follower_whose_promise_was_lost_is_asked_for_it_again() {
    let mut zab = leader(&[(1, 1)], None);
    let new_epoch = send(1, 2, Body::NewEpoch);
    let came = step(&mut zab, from(1, current_epoch(1, None)));
    assert_eq!(came, std::slice::from_ref(&new_epoch));
    // NEWEPOCH or its answer is lost. The follower hears pings and answers them, so it does not ask to be led
    // again, and the leader does not miss it.
    let asked = |zab: &mut Zab, count| {
        let effects = ticks(zab, count * HEARTBEAT_TICKS);
        effects.iter().filter(|effect| **effect == new_epoch).count()
    };
    assert_eq!(asked(&mut zab, 2), 0);
    assert_eq!(asked(&mut zab, 1), 1);
    let recency = recency(1, z(1, 1));
    step(&mut zab, receive(1, 2, Body::AckEpoch { recency }));
    assert_eq!(asked(&mut zab, 6), 0, "it has promised");
}

#[test]
fn a_late_truncation_cuts_nothing_that_was_acknowledged_to_this_leader() {
    let late = || receive(3, 2, Body::Truncate { to: Zxid::ZERO });
    // It goes by the leader's history, and nothing was proposed since.
    let mut zab = follower(&[(1, 1)], 2, None);
    step(&mut zab, receive(3, 2, Body::NewLeader { last: z(1, 1) }));
    persist_all(&mut zab);
    assert_eq!(
        step(&mut zab, late()),
        [send(3, 2, Body::Lacks { last: z(1, 1) })]
    );
    step(&mut zab, receive(3, 2, proposal(z(1, 1), &[(2, 1)], z(1, 1))));
    persist_all(&mut zab);
    // It comes to the same leader again, and is being synchronized again.
    let config = zab.config.clone();
    let records = [
        epochs(2, 3, 2).to_bytes(),
        history(0, Zxid::ZERO, &[(1, 1), (2, 1)]).to_bytes(),
    ];
    let mut zab = recover(config, None, &records);
    let vote = (9, z(9, 9), 3);
    step(&mut zab, from(3, notification(1, vote, Standing::Looking)));
    step(&mut zab, from(2, notification(1, vote, Standing::Looking)));
    step(&mut zab, receive(3, 2, Body::NewEpoch));
    assert_eq!(
        step(&mut zab, late()),
        [send(3, 2, Body::Lacks { last: z(2, 1) })]
    );
}

#[test]
fn who_has_promised_the_epoch_is_not_reset_by_what_it_said_before() {
    let mut zab = leader(&[(1, 1)], None);
    assert_eq!(step(&mut zab, from(2, current_epoch(1, None))), [], "late");
    assert_eq!(
        step(&mut zab, from(2, current_epoch(2, Some(3)))),
        [send(2, 2, Body::NewEpoch)],
        "it has started again since, and has the promise on its disk"
    );
}
