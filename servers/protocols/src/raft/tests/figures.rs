//! The figures of the Raft paper, played.

use super::*;

/// Carries messages between the leader (node 1) and one follower until neither has more to say; every write
/// is durable at once. Gives how often the follower reported a conflict.
fn exchange(leader: &mut Raft, follower: &mut Raft, mut effects: Vec<Effect<Message>>) -> usize {
    let mut conflicts = 0;
    while !effects.is_empty() {
        let mut answers = Vec::new();
        for effect in effects.drain(..) {
            let Effect::Send { to, message } = effect else {
                continue;
            };
            if to == follower.config.me {
                follower.step(
                    Input::Receive {
                        from: leader.config.me,
                        message,
                    },
                    &mut answers,
                );
            }
        }
        answers.extend(persist_all(follower));
        for answer in answers {
            let Effect::Send { message, .. } = answer else {
                continue;
            };
            conflicts += usize::from(matches!(message.body, Body::Conflict { .. }));
            leader.step(
                Input::Receive {
                    from: follower.config.me,
                    message,
                },
                &mut effects,
            );
        }
        effects.extend(persist_all(leader));
    }
    conflicts
}

/// Figure 7: the followers that a leader of term 8 may find; each comes to agree with it, with a conflict for
/// each term at most, and not for each entry.
#[test]
fn figure_7_every_follower_comes_to_agree() {
    let leader_log = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    for (name, log, conflicts_expected) in [
        ("a", &[1, 1, 1, 4, 4, 5, 5, 6, 6][..], 1),
        ("b", &[1, 1, 1, 4], 1),
        ("c", &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6], 0),
        ("d", &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7], 0),
        ("e", &[1, 1, 1, 4, 4, 4, 4], 2),
        ("f", &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3], 2),
    ] {
        let mut leader = node(1, 7, 7, &leader_log, None);
        elect(&mut leader);
        let mut follower = node(7, 7, 7, log, None);
        let first = step(&mut leader, receive(7, 8, Body::HeartbeatReply { round: 0 }));
        assert_eq!(first, [], "({name}) the probe is under way already");
        let noop = noop(8);
        let probe = Body::Append {
            previous: at(6, 10),
            entries: vec![noop],
            commit: 0,
        };
        let conflicts = exchange(&mut leader, &mut follower, vec![send(7, 8, probe)]);
        assert_eq!(conflicts, conflicts_expected, "({name})");
        assert_eq!(follower.log().last(), at(8, 11), "({name})");
        for index in 1..=11 {
            assert_eq!(
                follower.log().entry(index),
                leader.log().entry(index),
                "({name}) at {index}"
            );
        }
    }
}

/// Figure 8: S1 has an entry of term 2 copied to a majority in term 4. It is not committed by that (c), as S5
/// may still be elected and overwrite it (d); it is by an entry of term 4 that follows it (e).
#[test]
fn figure_8_entries_of_earlier_terms_are_not_committed_by_counting() {
    let mut s1 = node(1, 5, 3, &[1, 2], None);
    elect(&mut s1);
    assert_eq!(s1.term, 4);
    persist_all(&mut s1);
    for peer in [2, 3] {
        // (c): with S1's own that makes three of five. The answers let the leader send its entry of term 4.
        let effects = step(&mut s1, receive(peer, 4, Body::Appended { matched: 2 }));
        assert!(
            effects.iter().all(|effect| matches!(effect, Effect::Send { .. })),
            "(c): {effects:?}"
        );
    }
    assert_eq!(s1.status().commit, 0, "(c)");

    // (d): S5 has led term 3 and leads term 5; S2 loses the entry of term 2, which nobody took for committed.
    let mut s2 = node(2, 5, 4, &[1, 2], None);
    let of_term_3 = entry(3, "2:3");
    let append = Body::Append {
        previous: at(1, 1),
        entries: vec![of_term_3.clone()],
        commit: 0,
    };
    step(&mut s2, receive(5, 5, append));
    assert_eq!(s2.log().entry(2), Some(&of_term_3), "(d)");

    // (e): instead, the entry of term 4 reaches a majority, and commits all before it.
    assert_eq!(
        step(&mut s1, receive(2, 4, Body::Appended { matched: 3 })),
        [],
        "(e), two of five"
    );
    let log = entries(&[1, 2]);
    let noop = noop(4);
    assert_eq!(
        step(&mut s1, receive(3, 4, Body::Appended { matched: 3 })),
        [
            apply(1, &log[0], None),
            apply(2, &log[1], None),
            apply(3, &noop, None)
        ],
        "(e), three of five"
    );
    let mut voter = node(3, 5, 4, &[1, 2, 4], None);
    step(
        &mut voter,
        receive(
            5,
            5,
            Body::RequestVote {
                last: at(3, 2),
                handover: false,
            },
        ),
    );
    assert_eq!(voter.voted_for, None, "(e): S5 can not be elected any more");
}
