//! Reconfiguration and handing over.

use super::*;

fn made(zxid: Zxid, payload: Payload) -> Transaction {
    Transaction { zxid, payload }
}

fn acknowledge(zab: &mut Zab, from: usize, last: Zxid) -> Vec<Effect<Message>> {
    step(zab, receive(from, zab.accepted().epoch, Body::Ack { last }))
}

/// Has a node come to be led, and take over the history.
fn join(zab: &mut Zab, from_node: usize) -> Vec<Effect<Message>> {
    let (epoch, last) = (zab.accepted().epoch, zab.history().last());
    step(zab, from(from_node, current_epoch(0, None)));
    let recency = recency(0, Zxid::ZERO);
    step(zab, receive(from_node, epoch, Body::AckEpoch { recency }));
    step(zab, receive(from_node, epoch, Body::AckNewLeader { last }))
}

fn done(effects: &[Effect<Message>], request: u64) -> bool {
    effects.contains(&Effect::Done(RequestId(request)))
}

#[test]
fn a_new_member_is_synchronized_first_and_both_quorums_commit_the_change() {
    let mut zab = leader(&[(1, 1)], None);
    assert_eq!(step(&mut zab, administer(1, Administration::AddMember(n(4)))), []);
    let effects = join(&mut zab, 4);
    let reconfigure = made(z(2, 1), Payload::Reconfigure(vec![n(1), n(2), n(3), n(4)]));
    assert_eq!(zab.history().get(2), Some(&reconfigure), "{effects:?}");
    persist_all(&mut zab);
    assert_eq!(zab.members(), [n(1), n(2), n(3), n(4)]);
    // Two of the old three hold it, and of the new four only as many: that is no majority of them.
    acknowledge(&mut zab, 2, z(2, 1));
    assert_eq!(zab.status().commit, 1);
    let another = step(&mut zab, administer(2, Administration::RemoveMember(n(1))));
    let why = "another change of members is under way";
    assert_eq!(
        another,
        [Effect::Reject {
            request: RequestId(2),
            why
        }]
    );
    acknowledge(&mut zab, 4, z(2, 1));
    assert_eq!(zab.status().commit, 2);
    assert_eq!(zab.history().get(3), Some(&made(z(2, 2), Payload::Activate)));
    // Done when the new members have the activation: then nobody needs the old ones any more.
    persist_all(&mut zab);
    assert!(!done(&acknowledge(&mut zab, 2, z(2, 2)), 1));
    assert!(done(&acknowledge(&mut zab, 4, z(2, 2)), 1));
}

/// It was synchronized in its earlier life, with a disk that it has no more.
#[test]
fn who_was_removed_and_comes_back_at_once_with_an_empty_disk_is_synchronized_anew() {
    let mut zab = leader(&[(1, 1)], None);
    join(&mut zab, 1);
    step(&mut zab, administer(1, Administration::RemoveMember(n(1))));
    persist_all(&mut zab);
    acknowledge(&mut zab, 1, z(2, 1));
    acknowledge(&mut zab, 2, z(2, 1));
    persist_all(&mut zab);
    assert!(done(&acknowledge(&mut zab, 2, z(2, 2)), 1));
    assert_eq!(
        step(&mut zab, administer(2, Administration::AddMember(n(1)))),
        [send(1, 2, Body::NewEpoch)],
        "what it had held before does not make it a member"
    );
    assert_eq!(
        step(&mut zab, from(1, current_epoch(0, None))),
        [send(1, 2, Body::NewEpoch)]
    );
    let effects = join(&mut zab, 1);
    let reconfigure = made(z(2, 3), Payload::Reconfigure(vec![n(1), n(2), n(3)]));
    assert_eq!(zab.history().get(4), Some(&reconfigure), "{effects:?}");
}

#[test]
fn who_was_removed_and_has_lost_its_disk_is_led_though_it_had_promised_the_epoch() {
    let mut zab = leader(&[(1, 1)], None);
    join(&mut zab, 1);
    step(&mut zab, administer(1, Administration::RemoveMember(n(1))));
    persist_all(&mut zab);
    acknowledge(&mut zab, 1, z(2, 1));
    acknowledge(&mut zab, 2, z(2, 1));
    assert_eq!(
        step(&mut zab, from(1, current_epoch(0, None))),
        [send(1, 2, Body::NewEpoch)]
    );
}

#[test]
fn a_new_leader_says_that_the_reconfiguration_it_found_is_committed() {
    let mut zab = node(3, 3, &[(1, 1)], None);
    let mut records = vec![history(0, Zxid::ZERO, &[(1, 1)]).to_bytes()];
    let reconfigure = made(z(1, 2), Payload::Reconfigure(vec![n(2), n(3)]));
    records.push(
        Record::History {
            index: 1,
            previous: z(1, 1),
            transactions: vec![reconfigure],
        }
        .to_bytes(),
    );
    zab = recover(zab.config.clone(), None, &records);
    assert_eq!(zab.members(), [n(1), n(2), n(3)], "both decide");
    step(
        &mut zab,
        from(2, notification(1, (0, z(1, 2), 3), Standing::Looking)),
    );
    ticks(&mut zab, 3);
    step(&mut zab, from(2, current_epoch(0, None)));
    persist_all(&mut zab);
    let recency = recency(0, z(1, 2));
    step(&mut zab, receive(2, 1, Body::AckEpoch { recency }));
    persist_all(&mut zab);
    step(&mut zab, receive(2, 1, Body::AckNewLeader { last: z(1, 2) }));
    assert_eq!(zab.status().role, Role::Leader);
    assert_eq!(zab.members(), [n(2), n(3)]);
    assert_eq!(zab.history().last_index(), 3);
}

#[test]
fn who_alone_holds_the_activation_of_its_own_removal_still_takes_part() {
    // Node 3 has removed itself; the others hold the reconfiguration, and can not know that it is committed.
    // Of the old members, of whom they need a majority, it may be the one they lack.
    let reconfigure = made(z(1, 1), Payload::Reconfigure(vec![n(1), n(2)]));
    let records = [Record::History {
        index: 0,
        previous: Zxid::ZERO,
        transactions: vec![reconfigure, made(z(1, 2), Payload::Activate)],
    }
    .to_bytes()];
    let mut zab = recover(node(3, 3, &[], None).config, None, &records);
    assert_eq!(zab.members(), [n(1), n(2)]);
    assert_eq!(zab.status().role, Role::Learner);
    ticks(&mut zab, 2 * ELECTION_TICKS);
    assert_eq!(zab.status().role, Role::Candidate, "nobody else was elected");
    // Once it knows that it is committed, it waits.
    let vote = (1, z(1, 2), 2);
    step(&mut zab, from(2, notification(1, vote, Standing::Looking)));
    step(&mut zab, from(1, notification(1, vote, Standing::Looking)));
    step(&mut zab, receive(2, 1, Body::NewEpoch));
    persist_all(&mut zab);
    step(&mut zab, receive(2, 1, Body::NewLeader { last: z(1, 2) }));
    step(&mut zab, receive(2, 1, Body::UpToDate { commit: z(1, 2) }));
    ticks(&mut zab, ELECTION_TICKS);
    assert_eq!(ticks(&mut zab, 5 * ELECTION_TICKS), []);
}

#[test]
fn a_leader_that_is_removed_hands_over() {
    let mut zab = leader(&[(1, 1)], None);
    step(&mut zab, administer(1, Administration::RemoveMember(n(3))));
    persist_all(&mut zab);
    acknowledge(&mut zab, 2, z(2, 1));
    assert_eq!(
        zab.status().commit,
        1,
        "the new members are two, of whom both are needed"
    );
    join(&mut zab, 1);
    acknowledge(&mut zab, 1, z(2, 1));
    persist_all(&mut zab);
    acknowledge(&mut zab, 2, z(2, 2));
    let effects = acknowledge(&mut zab, 1, z(2, 2));
    assert!(done(&effects, 1), "{effects:?}");
    let names_one = |effect: &Effect<Message>| {
        matches!(
            effect,
            Effect::Send {
                message: Message::Epoch {
                    body: Body::HandOver { .. },
                    ..
                },
                ..
            }
        )
    };
    assert!(effects.iter().any(names_one), "{effects:?}");
    assert_eq!(zab.status().role, Role::Learner);
}

#[test]
fn a_successor_is_named_when_it_has_everything_and_leads_in_a_later_epoch() {
    let mut zab = leader(&[(1, 1)], None);
    step(&mut zab, propose(1, "x"));
    persist_all(&mut zab);
    let to = Some(n(2));
    assert_eq!(step(&mut zab, administer(2, Administration::Transfer { to })), []);
    let refused = Effect::Refuse {
        request: RequestId(3),
        leader: None,
    };
    assert_eq!(
        step(&mut zab, propose(3, "y")),
        [refused],
        "it takes no proposals meanwhile"
    );
    let effects = acknowledge(&mut zab, 2, z(2, 1));
    let hand_over = Body::HandOver { to: n(2), round: 2 };
    assert!(effects.contains(&send(2, 2, hand_over.clone())), "{effects:?}");
    assert_eq!(zab.standing(), Standing::Following);

    let mut successor = follower(&[(1, 1)], 2, None);
    step(&mut successor, receive(3, 2, Body::NewLeader { last: z(1, 1) }));
    step(
        &mut successor,
        receive(3, 2, Body::HandOver { to: n(1), round: 2 }),
    );
    assert_eq!(successor.standing(), Standing::Leading);

    // The operator is told when the successor leads.
    step(&mut zab, receive(2, 3, Body::NewEpoch));
    persist_all(&mut zab);
    step(&mut zab, receive(2, 3, Body::NewLeader { last: z(2, 1) }));
    persist_all(&mut zab);
    let effects = step(&mut zab, receive(2, 3, Body::UpToDate { commit: z(2, 1) }));
    assert!(done(&effects, 2), "{effects:?}");
}

#[test]
fn what_can_not_be_done_is_rejected() {
    let mut zab = leader(&[(1, 1)], None);
    for (what, why) in [
        (Administration::AddMember(n(2)), "it is a member already"),
        (Administration::RemoveMember(n(7)), "it is no member"),
        (
            Administration::Transfer { to: Some(n(1)) },
            "there is no such follower that is synchronized",
        ),
    ] {
        let request = RequestId(1);
        assert_eq!(
            step(&mut zab, administer(1, what)),
            [Effect::Reject { request, why }]
        );
    }
    // A node that does not come is given up.
    step(&mut zab, administer(2, Administration::AddMember(n(4))));
    let mut effects = Vec::new();
    for _ in 0..21 * ELECTION_TICKS {
        effects.extend(step(&mut zab, Input::Tick));
        step(&mut zab, receive(2, 2, Body::Pong { round: 0 }));
    }
    let rejected = |effect: &&Effect<Message>| {
        matches!(
            effect,
            Effect::Reject {
                request: RequestId(2),
                ..
            }
        )
    };
    assert_eq!(effects.iter().filter(rejected).count(), 1);
}
