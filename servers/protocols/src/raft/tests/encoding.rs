//! What is on the wire and on the disk.

use rand::{Rng, RngExt};

use super::*;
use crate::codec::{Decode, DecodeError};
use crate::protocol::RecoverError;
use crate::raft::membership::Membership;
use crate::transfer::Chunk;

fn messages() -> Vec<Message> {
    let bodies = [
        Body::PreVote { last: at(1, 300) },
        Body::PreVoteReply { granted: true },
        Body::RequestVote {
            last: at(0, 0),
            handover: false,
        },
        Body::Vote { granted: false },
        Body::Append {
            previous: at(3, 7),
            entries: entries(&[3, 3, 4]),
            commit: 6,
        },
        Body::Append {
            previous: at(3, 7),
            entries: vec![noop(9)],
            commit: 0,
        },
        Body::Appended { matched: 1 << 60 },
        Body::Conflict {
            previous: 9,
            hint: at(2, 5),
        },
        Body::Heartbeat { round: 5, commit: 4 },
        Body::HeartbeatReply { round: 5 },
        Body::Append {
            previous: at(3, 7),
            entries: vec![Entry {
                term: 4,
                payload: Payload::Members(Arc::new(Membership::new([n(1), n(2)]).joint([n(2), n(3)]))),
            }],
            commit: 0,
        },
        Body::Chunk(Chunk {
            index: 300,
            offset: 2,
            total: 5,
            bytes: vec![1, 2, 3],
        }),
        Body::ChunkWanted {
            index: 300,
            offset: 5,
        },
        Body::TimeoutNow,
    ];
    bodies
        .into_iter()
        .map(|body| Message { term: 1_000, body })
        .collect()
}

#[test]
fn messages_survive_the_round_trip_and_no_prefix_of_one_is_another() {
    for message in messages() {
        let bytes = message.to_bytes();
        assert_eq!(Message::from_bytes(&bytes).as_ref(), Ok(&message));
        for shorter in 0..bytes.len() {
            assert!(
                Message::from_bytes(&bytes[..shorter]).is_err(),
                "{message:?} cut to {shorter}"
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Message::from_bytes(&longer), Err(DecodeError::TrailingBytes(1)));
    }
}

#[test]
fn damaged_messages_are_errors_or_messages_but_never_worse() {
    let mut random = Random::seed_from_u64(1);
    for _ in 0..20_000 {
        let mut bytes = messages()[random.random_range(0..messages().len())].to_bytes();
        let place = random.random_range(0..bytes.len());
        bytes[place] = random.random();
        if let Ok(message) = Message::from_bytes(&bytes) {
            let mut raft = recovered(3, 1, &[1, 1], None);
            step(
                &mut raft,
                Input::Receive {
                    from: n(2),
                    message: message.clone(),
                },
            );
            let mut leader = recovered(3, 1, &[1, 1], None);
            elect(&mut leader);
            // Two leaders of one term can't come of damage that a checksum would find, and end the node.
            if !(message.term == leader.status().term
                && matches!(
                    message.body,
                    Body::Append { .. } | Body::Heartbeat { .. } | Body::Chunk(_)
                ))
            {
                step(&mut leader, Input::Receive { from: n(2), message });
            }
        }
        let mut noise = [0; 24];
        random.fill_bytes(&mut noise);
        let _ = Message::from_bytes(&noise);
    }
}

#[test]
fn a_log_that_does_not_fit_together_is_refused() {
    let config = || Config::new(n(1), [], HEARTBEAT_TICKS, ELECTION_TICKS).expect("a configuration");
    let recover = |records: &[Vec<u8>]| super::recover(config(), records).map(|_| ());
    let first = Record::Entries {
        first_index: 1,
        entries: entries(&[1, 1]),
    }
    .to_bytes();
    let overlapping = Record::Entries {
        first_index: 2,
        entries: entries(&[2]),
    }
    .to_bytes();
    let gap = Record::Entries {
        first_index: 4,
        entries: entries(&[2]),
    }
    .to_bytes();
    assert_eq!(recover(&[first.clone(), overlapping]), Ok(()));
    assert_eq!(
        recover(&[first.clone(), gap]),
        Err(RecoverError::Gap {
            number: 2,
            first_index: 4,
            last_index: 2
        })
    );
    let source = DecodeError::UnknownTag {
        what: "a record",
        tag: 9,
    };
    assert_eq!(
        recover(&[first, vec![9]]),
        Err(RecoverError::BadRecord { number: 2, source })
    );
}
