//! SYNC.

use super::*;

fn ping(to: usize, round: u64) -> Effect<Message> {
    let commit = z(1, 1);
    send(
        to,
        2,
        Body::Ping {
            round,
            commit,
            established: true,
        },
    )
}

fn ready(request: u64) -> Effect<Message> {
    Effect::ReadReady(RequestId(request))
}

#[test]
fn a_leader_asks_a_quorum_and_reads_that_come_meanwhile_share_the_next_round() {
    let mut zab = leader(&[(1, 1)], None);
    assert_eq!(step(&mut zab, read(1)), [ping(1, 1), ping(2, 1)]);
    assert_eq!(step(&mut zab, read(2)), []);
    assert_eq!(step(&mut zab, receive(2, 2, Body::Sync { number: 4 })), []);
    assert_eq!(step(&mut zab, receive(2, 2, Body::Sync { number: 5 })), []);
    assert_eq!(
        step(&mut zab, receive(2, 2, Body::Pong { round: 0 })),
        [],
        "an earlier round"
    );
    assert_eq!(
        step(&mut zab, receive(2, 2, Body::Pong { round: 1 })),
        [ready(1), ping(1, 2), ping(2, 2)]
    );
    let synced = Body::Synced {
        number: 5,
        commit: z(1, 1),
    };
    assert_eq!(
        step(&mut zab, receive(2, 2, Body::Pong { round: 2 })),
        [ready(2), send(2, 2, synced)]
    );
}

#[test]
fn a_follower_serves_a_read_when_it_has_applied_what_its_leader_names() {
    let mut zab = follower(&[(1, 1)], 2, None);
    step(&mut zab, receive(3, 2, Body::NewLeader { last: z(1, 1) }));
    persist_all(&mut zab);
    let refused = Effect::Refuse {
        request: RequestId(1),
        leader: None,
    };
    assert_eq!(step(&mut zab, read(1)), [refused], "no leader is established");
    step(&mut zab, receive(3, 2, Body::UpToDate { commit: z(1, 1) }));
    assert_eq!(step(&mut zab, read(2)), [send(3, 2, Body::Sync { number: 1 })]);
    assert_eq!(step(&mut zab, read(3)), [send(3, 2, Body::Sync { number: 2 })]);
    let synced = |number| {
        let commit = z(2, 1);
        receive(3, 2, Body::Synced { number, commit })
    };
    assert_eq!(step(&mut zab, synced(1)), [], "2.1 is not here");
    let effects = step(&mut zab, receive(3, 2, proposal(z(1, 1), &[(2, 1)], z(2, 1))));
    assert_eq!(
        effects,
        [
            persist(3, history(1, z(1, 1), &[(2, 1)])),
            apply(2, (2, 1)),
            ready(2)
        ]
    );
    assert_eq!(step(&mut zab, synced(2)), [ready(3)]);
    // A question that was lost is asked again, and refused when the leader is lost.
    step(&mut zab, read(4));
    let again = ticks(&mut zab, HEARTBEAT_TICKS);
    assert_eq!(again, [send(3, 2, Body::Sync { number: 3 })]);
    let effects = ticks(&mut zab, ELECTION_TICKS);
    assert!(effects.contains(&Effect::Refuse {
        request: RequestId(4),
        leader: None
    }));
}
