//! What is on the wire and on the disk.

use rand::{Rng as _, RngExt as _};

use super::*;
use crate::codec::{Decode as _, DecodeError};

fn messages() -> Vec<Message> {
    let proposal = || Some(numbered(ballot(300, 2), 7));
    let bodies = [
        prepare(ballot(1, 1)),
        promise(ballot(1, 1), None),
        promise(ballot(1, 1), proposal()),
        accept(ballot(1 << 60, 3), -7),
        accepted(ballot(2, 3)),
        preempted(ballot(2, 3), ballot(4, 1)),
        decided(9),
        Body::Inquire {
            key: key(),
            number: 5,
        },
        Body::Holds {
            key: key(),
            number: 5,
            accepted: proposal(),
        },
        Body::Compare {
            after: None,
            upto: Some(key()),
            count: 3,
            digest: u64::MAX,
        },
        Body::Differs {
            upto: None,
            decisions: vec![(key(), value(9)), ("another".into(), value(2))],
        },
    ];
    let whole = Message(bodies.to_vec());
    bodies
        .into_iter()
        .map(|body| Message(vec![body]))
        .chain([whole])
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
        // All but the last, in which damage could tell of two decisions.
        let mut all = messages();
        all.pop();
        let mut bytes = all[random.random_range(0..all.len())].to_bytes();
        let place = random.random_range(0..bytes.len());
        bytes[place] = random.random();
        if let Ok(message) = Message::from_bytes(&bytes) {
            let mut paxos = node(1, 3, None);
            step(&mut paxos, propose(1, 7));
            step(&mut paxos, Input::Receive { from: n(2), message });
            tick(&mut paxos, 20);
        }
        let mut noise = [0; 24];
        random.fill_bytes(&mut noise);
        let _ = Message::from_bytes(&noise);
    }
}
