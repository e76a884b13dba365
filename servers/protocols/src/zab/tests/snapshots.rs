//! Snapshots, taken and taken over.

use std::sync::Arc;

use super::*;
use crate::codec::Decode;
use crate::transfer::{CHUNK_BYTES_MAX, Chunk, chunk};
use crate::zab::ensemble::Ensemble;
use crate::zab::record::Snapshot;

const MADE: [(u64, u64); 4] = [(1, 1), (1, 2), (2, 1), (2, 2)];

/// A leader that has taken a snapshot up to 2.1, asked by an operator; and the effects of that.
fn snapshotted() -> (Zab, Vec<Effect<Message>>) {
    let mut zab = leader(&MADE, None);
    zab.config.snapshot_entries = 8;
    let asked = step(&mut zab, administer(1, Administration::Snapshot));
    assert_eq!(asked, [Effect::TakeSnapshot]);
    let state = command("state at 3");
    let effects = step(&mut zab, Input::SnapshotTaken { index: 3, state });
    (zab, effects)
}

fn snapshot(state: &[u8]) -> Snapshot {
    Snapshot {
        index: 3,
        zxid: z(2, 1),
        ensemble: Ensemble::new(vec![n(1), n(2), n(3)]),
        state: state.into(),
    }
}

#[test]
fn a_snapshot_takes_the_place_of_the_log_but_for_some_at_its_end() {
    let (zab, effects) = snapshotted();
    let bytes: Arc<[u8]> = snapshot(b"state at 3").to_bytes().into();
    let records = vec![
        epochs(3, 3, 3).to_bytes(),
        history(1, z(1, 1), &MADE[1..]).to_bytes(),
    ];
    let compact = Effect::Compact {
        write: WriteId(3),
        snapshot: bytes.clone(),
        records: records.clone(),
    };
    assert_eq!(effects, [compact, Effect::Done(RequestId(1))]);
    assert_eq!((zab.status().snapshot_index, zab.history().base_index()), (3, 1));

    // It recovers from both; and from the old log with these records after it, if the snapshot was lost.
    let recovered = recover(zab.config.clone(), Some(&bytes), &records);
    assert_eq!((recovered.applied, recovered.history().last_index()), (3, 4));
    let old = [&[history(0, Zxid::ZERO, &MADE).to_bytes()][..], &records].concat();
    let recovered = recover(zab.config.clone(), None, &old);
    assert_eq!((recovered.applied, recovered.history().last()), (0, z(2, 2)));
}

#[test]
fn a_follower_that_lacks_what_is_gone_is_sent_the_snapshot_and_then_the_rest() {
    let (mut zab, _) = snapshotted();
    let bytes = snapshot(b"state at 3").to_bytes();
    step(&mut zab, from(1, current_epoch(0, None)));
    let recency = recency(0, Zxid::ZERO);
    assert_eq!(
        step(&mut zab, receive(1, 3, Body::AckEpoch { recency })),
        [send(1, 3, Body::Snapshot(chunk(&bytes, 3, 0)))]
    );
    let effects = step(&mut zab, receive(1, 3, Body::Lacks { last: z(2, 1) }));
    let rest = proposal(z(2, 1), &[(2, 2)], z(2, 2));
    assert_eq!(
        effects,
        [send(1, 3, rest), send(1, 3, Body::NewLeader { last: z(2, 2) })]
    );
}

#[test]
fn a_follower_begins_anew_from_a_snapshot_and_keeps_its_current_epoch_until_it_has_the_rest() {
    let mut zab = follower(&[(1, 1), (1, 9)], 3, None);
    let state = vec![7; CHUNK_BYTES_MAX];
    let bytes = snapshot(&state).to_bytes();
    let part = |offset| receive(3, 3, Body::Snapshot(chunk(&bytes, 3, offset)));
    let wanted = Body::WantChunk {
        index: 3,
        offset: CHUNK_BYTES_MAX as u64,
    };
    assert_eq!(step(&mut zab, part(0)), [send(3, 3, wanted)]);
    let effects = step(&mut zab, part(CHUNK_BYTES_MAX as u64));
    let compact = Effect::Compact {
        write: WriteId(2),
        snapshot: bytes.clone().into(),
        records: vec![epochs(3, 3, 1).to_bytes()],
    };
    let restore = Effect::Restore {
        index: 3,
        state: state.into(),
    };
    let lacks = send(3, 3, Body::Lacks { last: z(2, 1) });
    assert_eq!(effects, [compact, restore, lacks.clone()]);
    // Once more, late: it is older than what is here.
    step(&mut zab, part(0));
    assert_eq!(step(&mut zab, part(CHUNK_BYTES_MAX as u64)), [lacks]);
    assert_eq!(zab.status().applied, 3);
}

#[test]
fn a_follower_that_was_synchronized_and_fell_behind_takes_a_snapshot_too() {
    let mut zab = follower(&[(1, 1)], 3, None);
    step(&mut zab, receive(3, 3, Body::NewLeader { last: z(1, 1) }));
    persist_all(&mut zab);
    let bytes = snapshot(b"state").to_bytes();
    let effects = step(&mut zab, receive(3, 3, Body::Snapshot(chunk(&bytes, 3, 0))));
    assert_eq!(effects.last(), Some(&send(3, 3, Body::Lacks { last: z(2, 1) })));
    assert_eq!((zab.status().applied, zab.status().term), (3, 3));
}

#[test]
fn a_snapshot_that_is_none_changes_nothing() {
    let mut zab = follower(&[(1, 1)], 3, None);
    let nonsense = Chunk {
        index: 9,
        offset: 0,
        total: 3,
        bytes: vec![1, 2, 3],
    };
    let effects = step(&mut zab, receive(3, 3, Body::Snapshot(nonsense)));
    assert_eq!(effects, [send(3, 3, Body::Lacks { last: z(1, 1) })]);
    assert_eq!(
        Snapshot::from_bytes(&snapshot(b"x").to_bytes()),
        Ok(snapshot(b"x"))
    );
}
