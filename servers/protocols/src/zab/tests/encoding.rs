//! Messages and records survive the round trip, and damage does not pass.

use super::*;
use crate::codec::{Decode, DecodeError};
use crate::transfer::Chunk;

fn bodies() -> Vec<Body> {
    let last = z(3, 300);
    let members = Payload::Reconfigure(vec![n(1), n(2)]);
    let mut made = transactions(&[(1, 1), (2, 1)]);
    made.extend([members, Payload::Activate].map(|payload| Transaction { zxid: last, payload }));
    vec![
        Body::NewEpoch,
        Body::AckEpoch {
            recency: recency(2, last),
        },
        Body::Truncate { to: last },
        Body::Snapshot(Chunk {
            index: 9,
            offset: 1,
            total: 3,
            bytes: vec![1, 2],
        }),
        Body::WantChunk { index: 9, offset: 2 },
        Body::Propose {
            previous: last,
            transactions: made,
            commit: z(1, 1),
        },
        Body::Ack { last },
        Body::Lacks { last },
        Body::NewLeader { last },
        Body::AckNewLeader { last },
        Body::UpToDate { commit: last },
        Body::Commit { last },
        Body::Ping {
            round: 7,
            commit: last,
            established: true,
        },
        Body::Pong { round: 7 },
        Body::Sync { number: 8 },
        Body::Synced {
            number: 8,
            commit: last,
        },
        Body::HandOver { to: n(2), round: 4 },
    ]
}

#[test]
fn messages_survive_the_round_trip_and_are_refused_when_cut() {
    let said = bodies()
        .into_iter()
        .map(|body| Message::Epoch { epoch: 300, body });
    let votes = [Standing::Looking, Standing::Following, Standing::Leading]
        .map(|standing| notification(2, (1, z(1, 2), 3), standing));
    let messages = said
        .chain(votes)
        .chain([current_epoch(0, None), current_epoch(5, Some(2))]);
    for message in messages {
        let bytes = message.to_bytes();
        assert_eq!(Message::from_bytes(&bytes).as_ref(), Ok(&message));
        for length in 0..bytes.len() {
            assert!(
                Message::from_bytes(&bytes[..length]).is_err(),
                "{message:?} cut to {length}"
            );
        }
    }
    let unknown = Message::from_bytes(&[99, 1]);
    assert!(
        matches!(unknown, Err(DecodeError::UnknownTag { .. })),
        "{unknown:?}"
    );
}

#[test]
fn records_survive_the_round_trip_and_a_gap_is_noticed() {
    for record in [epochs(300, 2, 7), history(1, z(1, 1), &[(1, 2), (4, 1)])] {
        assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
    }
    let config = node(1, 3, &[], None).config;
    let records = [history(4, z(1, 4), &[(1, 5)]).to_bytes()];
    let disk = OnDisk::new(None, &records);
    let recovered = Zab::recover(config, disk, Random::seed_from_u64(1), &mut Vec::new());
    let gap = "record 1 of the log holds entries from 5, but the log ends at 0";
    assert_eq!(
        recovered.map(|_| ()).map_err(|error| error.to_string()),
        Err(gap.into())
    );
}
