//! Reads by read index.

use super::*;

fn heartbeats(round: u64, commit_of_2: u64) -> [Effect<Message>; 2] {
    [
        send(
            2,
            2,
            Body::Heartbeat {
                round,
                commit: commit_of_2,
            },
        ),
        send(3, 2, Body::Heartbeat { round, commit: 0 }),
    ]
}

#[test]
fn a_read_waits_for_an_entry_of_the_term_and_then_for_a_quorum() {
    let mut raft = recovered(3, 1, &[1], None);
    elect(&mut raft);
    persist_all(&mut raft);
    assert_eq!(
        step(&mut raft, query(RequestId(1))),
        [],
        "nothing of this term is committed"
    );
    let old = step(&mut raft, receive(2, 2, Body::HeartbeatReply { round: 0 }));
    assert_eq!(old, [], "no round has begun");

    let effects = step(&mut raft, receive(2, 2, Body::Appended { matched: 2 }));
    let noop = noop(2);
    let committed = [apply(1, &entries(&[1])[0], None), apply(2, &noop, None)];
    assert_eq!(effects, [&committed[..], &heartbeats(1, 2)].concat());
    let stale = step(&mut raft, receive(3, 2, Body::HeartbeatReply { round: 0 }));
    assert_eq!(stale, [], "the answer to an earlier round proves nothing");
    assert_eq!(
        step(&mut raft, receive(3, 2, Body::HeartbeatReply { round: 1 })),
        [Effect::ReadReady(RequestId(1))]
    );
}

#[test]
fn reads_that_come_during_a_round_share_the_next() {
    let mut raft = recovered(3, 1, &[], None);
    elect(&mut raft);
    persist_all(&mut raft);
    step(&mut raft, receive(2, 2, Body::Appended { matched: 1 }));
    assert_eq!(step(&mut raft, queries(&[1, 2])), heartbeats(1, 1));
    assert_eq!(step(&mut raft, query(RequestId(3))), []);
    assert_eq!(step(&mut raft, query(RequestId(4))), []);
    let ready = |request| Effect::ReadReady(RequestId(request));
    let first = [&[ready(1), ready(2)][..], &heartbeats(2, 1)].concat();
    assert_eq!(
        step(&mut raft, receive(2, 2, Body::HeartbeatReply { round: 1 })),
        first
    );
    assert_eq!(
        step(&mut raft, receive(3, 2, Body::HeartbeatReply { round: 1 })),
        [],
        "late, and of no use"
    );
    assert_eq!(
        step(&mut raft, receive(3, 2, Body::HeartbeatReply { round: 2 })),
        [ready(3), ready(4)]
    );
}

#[test]
fn a_follower_answers_a_heartbeat_without_waiting_for_entries_but_not_before_its_term_is_durable() {
    let mut raft = recovered(3, 1, &[], None);
    let heartbeat = |round| receive(2, 2, Body::Heartbeat { round, commit: 0 });
    assert_eq!(step(&mut raft, heartbeat(1)), [persist_state(1, 2, None)]);
    assert_eq!(
        persist_all(&mut raft),
        [send(2, 2, Body::HeartbeatReply { round: 1 })]
    );
    let append = Body::Append {
        previous: at(0, 0),
        entries: entries(&[2]),
        commit: 0,
    };
    assert_eq!(
        step(&mut raft, receive(2, 2, append)),
        [persist_entries(2, 1, entries(&[2]))]
    );
    assert_eq!(
        step(&mut raft, heartbeat(2)),
        [send(2, 2, Body::HeartbeatReply { round: 2 })]
    );
}

#[test]
fn stale_reads_asks_nobody() {
    let mut raft = recovered(3, 1, &[], Some(&defects::STALE_READS));
    elect(&mut raft);
    assert_eq!(
        step(&mut raft, query(RequestId(1))),
        [Effect::ReadReady(RequestId(1))]
    );
}
