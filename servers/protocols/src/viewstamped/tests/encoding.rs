//! What is written and said survives as bytes, and nothing else is taken for it.

use super::super::log::{Entry, Operation, Position};
use super::super::message::{Body, Condition, NewState};
use super::super::record::{Record, Snapshot};
use super::super::view::{Group, View};
use super::*;
use crate::codec::{Decode, Encode};
use crate::transfer::Chunk;

fn check<T: Encode + Decode + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = value.to_bytes();
    assert_eq!(T::from_bytes(&bytes).as_ref(), Ok(value));
    for shorter in 0..bytes.len() {
        assert!(
            T::from_bytes(&bytes[..shorter]).is_err(),
            "{value:?} cut to {shorter}"
        );
    }
}

#[test]
fn messages_records_and_snapshots_survive_the_round_trip() {
    let view = View {
        epoch: 2,
        number: 300,
    };
    let group = Group {
        epoch: 3,
        members: vec![n(1), n(2)],
        admitted: vec![(n(2), u64::MAX)],
    };
    let entries = vec![
        Entry {
            view,
            operation: Operation::Command(b"command"[..].into()),
        },
        Entry {
            view,
            operation: Operation::Reconfiguration(group.clone()),
        },
    ];
    let previous = Position { view, op: 7 };
    let (commit, op) = (5, 9);
    let bodies = [
        Body::Prepare {
            first: 8,
            entries: entries.clone(),
            commit,
        },
        Body::PrepareOk { op },
        Body::Commit { round: 1, op, commit },
        Body::CommitOk {
            round: 1,
            op,
            nonce: Some(4),
        },
        Body::StartViewChange { wanted: view.next() },
        Body::DoViewChange {
            normal_view: view,
            previous,
            entries: entries.clone(),
            commit,
        },
        Body::StartView {
            previous,
            entries: entries.clone(),
            commit,
        },
        Body::GetState {
            commit,
            outline: vec![previous],
        },
        Body::NewState(NewState {
            previous,
            entries: entries.clone(),
            last: 9,
            start: Some(3),
            commit,
        }),
        Body::GetSnapshot { index: 7, offset: 1 },
        Body::Snapshot(Chunk {
            index: 7,
            offset: 0,
            total: 2,
            bytes: vec![1, 2],
        }),
        Body::Recovery {
            nonce: 4,
            waits: true,
        },
        Body::RecoveryResponse {
            nonce: 4,
            condition: Condition::Founded,
        },
        Body::StartEpoch { group: group.clone() },
        Body::EpochStarted,
    ];
    for body in bodies {
        check(&Message { view, body });
    }
    for record in [
        Record::View(view),
        Record::Log {
            normal_view: view,
            first: 8,
            entries: entries.clone(),
        },
        Record::Tail {
            normal_view: view,
            previous,
            entries,
        },
        Record::Founded,
        Record::Waits(Some(4)),
    ] {
        check(&record);
    }
    check(&Snapshot {
        last: previous,
        group,
        state: b"state"[..].into(),
    });
}
