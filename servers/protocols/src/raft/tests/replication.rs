//! Appending, acknowledging, repeating.

use super::*;

fn append(previous: Position, entries: &[Entry], commit: u64) -> Body {
    Body::Append {
        previous,
        entries: entries.to_vec(),
        commit,
    }
}

#[test]
fn an_append_is_acknowledged_when_durable_and_so_is_its_duplicate() {
    let mut raft = recovered(3, 1, &[], None);
    let sent = entries(&[1, 1]);
    assert_eq!(
        step(&mut raft, receive(2, 1, append(at(0, 0), &sent, 0))),
        [persist_entries(1, 1, sent.clone())]
    );
    assert_eq!(
        step(&mut raft, receive(2, 1, append(at(0, 0), &sent, 0))),
        [],
        "the first is not durable yet"
    );
    assert_eq!(
        step(&mut raft, receive(2, 1, append(at(0, 0), &sent[..1], 0))),
        [],
        "nor half of it"
    );
    let acknowledged = |matched| send(2, 1, Body::Appended { matched });
    assert_eq!(
        step(&mut raft, Input::Persisted(WriteId(1))),
        [acknowledged(2), acknowledged(1)],
        "of equal ones, one is enough; a lesser one is another answer"
    );
    assert_eq!(
        step(&mut raft, receive(2, 1, append(at(0, 0), &sent, 0))),
        [acknowledged(2)],
        "durable by now"
    );
}

#[test]
fn one_fsync_releases_one_acknowledgement_for_all_that_it_covered() {
    let mut raft = recovered(3, 1, &[], None);
    let sent = entries(&[1, 1, 1]);
    for index in 0..3 {
        let previous = at(if index == 0 { 0 } else { 1 }, index as u64);
        step(
            &mut raft,
            receive(2, 1, append(previous, &sent[index..=index], 0)),
        );
    }
    assert_eq!(
        step(&mut raft, Input::Persisted(WriteId(2))),
        [send(2, 1, Body::Appended { matched: 2 })]
    );
    assert_eq!(
        step(&mut raft, Input::Persisted(WriteId(3))),
        [send(2, 1, Body::Appended { matched: 3 })]
    );
}

#[test]
fn a_late_append_does_not_cut_off_what_came_after_it() {
    let mut raft = recovered(3, 1, &[1, 1, 1], None);
    let known = entries(&[1, 1, 1]);
    assert_eq!(
        step(&mut raft, receive(2, 1, append(at(0, 0), &known[..1], 0))),
        [send(2, 1, Body::Appended { matched: 1 })]
    );
    assert_eq!(raft.log().last(), at(1, 3));
}

#[test]
fn a_follower_commits_no_further_than_it_is_known_to_agree() {
    // Entries 2 and 3 may not be this leader's.
    let mut raft = recovered(3, 1, &[1, 1, 1], None);
    let known = entries(&[1, 1, 1]);
    assert_eq!(
        step(&mut raft, receive(2, 2, append(at(0, 0), &known[..1], 3))),
        [persist_state(1, 2, None), apply(1, &known[0], None)]
    );
}

#[test]
fn what_was_cut_off_is_not_durable_when_its_write_completes() {
    let mut raft = recovered(3, 1, &[], None);
    step(
        &mut raft,
        receive(2, 1, append(at(0, 0), &entries(&[1, 1, 1]), 0)),
    );
    step(&mut raft, receive(3, 2, append(at(1, 1), &[entry(2, "new")], 0)));
    assert_eq!(raft.log().last(), at(2, 2));
    assert_eq!(
        step(&mut raft, Input::Persisted(WriteId(1))),
        [],
        "the term of that promise is over"
    );
    assert_eq!(raft.disk.durable_index(), 1, "entry 2 is another one now");
    assert_eq!(
        persist_all(&mut raft),
        [send(3, 2, Body::Appended { matched: 2 })]
    );
    assert_eq!(raft.disk.durable_index(), 2);
}

#[test]
fn a_leader_counts_its_own_copy_only_when_durable() {
    let noop = noop(2);
    let mut raft = recovered(3, 1, &[], None);
    elect(&mut raft);
    let one = step(&mut raft, receive(2, 2, Body::Appended { matched: 1 }));
    assert_eq!(one, [], "one copy of three");
    assert_eq!(persist_all(&mut raft), [apply(1, &noop, None)]);

    let mut raft = recovered(3, 1, &[], None);
    elect(&mut raft);
    step(&mut raft, receive(2, 2, Body::Appended { matched: 1 }));
    let two = step(&mut raft, receive(3, 2, Body::Appended { matched: 1 }));
    assert_eq!(
        two,
        [apply(1, &noop, None)],
        "two copies of three, neither the leader's own"
    );
}

#[test]
fn early_acks_commits_by_the_leaders_copy_alone() {
    let noop = noop(2);
    for (defect, expected) in [
        (None, vec![]),
        (Some(&defects::EARLY_ACKS), vec![apply(1, &noop, None)]),
    ] {
        let mut raft = recovered(3, 1, &[], defect);
        elect(&mut raft);
        assert_eq!(persist_all(&mut raft), expected, "with {defect:?}");
    }
}

#[test]
fn entries_are_streamed_and_batched_once_logs_are_known_to_agree() {
    let mut raft = recovered(3, 1, &[], None);
    elect(&mut raft);
    persist_all(&mut raft);
    step(&mut raft, receive(2, 2, Body::Appended { matched: 1 }));
    // n2 has answered and is streamed to; n3 has not, and gets nothing while its probe is under way.
    for (index, text) in [(2, "a"), (3, "b")] {
        let sent = entry(2, text);
        assert_eq!(
            step(&mut raft, propose(index, text)),
            [
                persist_entries(index + 1, index, vec![sent.clone()]),
                send(2, 2, append(at(2, index - 1), &[sent], 1))
            ]
        );
    }
    let (a, b) = (entry(2, "a"), entry(2, "b"));
    assert_eq!(
        step(&mut raft, receive(3, 2, Body::Appended { matched: 1 })),
        [send(3, 2, append(at(2, 1), &[a.clone(), b.clone()], 1))],
        "both in one message"
    );
    persist_all(&mut raft);
    assert_eq!(
        step(&mut raft, receive(2, 2, Body::Appended { matched: 3 })),
        [apply(2, &a, Some(2)), apply(3, &b, Some(3))]
    );
}

#[test]
fn what_is_under_way_is_bounded() {
    let mut raft = recovered(2, 1, &[], None);
    elect(&mut raft);
    step(&mut raft, receive(2, 2, Body::Appended { matched: 1 }));
    let sends = |effects: Vec<Effect<Message>>| {
        effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Send { .. }))
            .count()
    };
    let sent: usize = (0..200)
        .map(|request| sends(step(&mut raft, propose(request, "x"))))
        .sum();
    assert_eq!(sent, 64);
    assert_eq!(
        sends(step(&mut raft, receive(2, 2, Body::Appended { matched: 2 }))),
        1,
        "one for one"
    );
}

/// A lost append is repeated after some heartbeats; rounds of heartbeats for reads in between do not put that
/// off.
#[test]
fn a_lost_append_is_repeated_even_under_steady_reads() {
    let mut raft = recovered(3, 1, &[], None);
    elect(&mut raft);
    persist_all(&mut raft);
    step(&mut raft, receive(2, 2, Body::Appended { matched: 1 }));
    step(&mut raft, propose(1, "lost"));
    let repeated = send(2, 2, append(at(2, 1), &[entry(2, "lost")], 1));
    let mut ticks = 0;
    while !step(&mut raft, Input::Tick).contains(&repeated) {
        ticks += 1;
        assert!(ticks < 5 * HEARTBEAT_TICKS, "not repeated");
        step(&mut raft, query(RequestId(100 + u64::from(ticks))));
        step(
            &mut raft,
            receive(
                2,
                2,
                Body::HeartbeatReply {
                    round: u64::from(ticks),
                },
            ),
        );
    }
}
