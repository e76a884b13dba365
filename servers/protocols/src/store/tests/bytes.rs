//! The binary forms: good ones come back as they were, bad ones do no harm.

use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::Random;
use crate::codec::{Decode as _, Encode as _};

#[test]
fn commands_survive_the_round_trip_and_no_prefix_of_one_is_another() {
    for operation in one_of_each() {
        for session in [
            None,
            Some(SessionSequence {
                session: "c17".into(),
                sequence: 4,
            }),
        ] {
            let command = Command {
                session,
                operation: operation.clone(),
            };
            assert_eq!(command.check(), Ok(()));
            let bytes = command.to_bytes();
            assert_eq!(Command::from_bytes(&bytes).as_ref(), Ok(&command));
            for shorter in 0..bytes.len() {
                assert!(
                    Command::from_bytes(&bytes[..shorter]).is_err(),
                    "{command:?} cut to {shorter}"
                );
            }
        }
    }
}

/// A store in which there is something of everything, and so of every answer.
fn busy_store() -> Store {
    let mut client = Client::default();
    let refused = [acquire("lock", "b"), release("lock", 9), set_add("queue", 1)];
    let refused = refused
        .into_iter()
        .chain([compare_and_set("register", 0, 0), release("free", 1)]);
    for (number, operation) in one_of_each().into_iter().chain(refused).enumerate() {
        client.store.apply(Command {
            session: Some(SessionSequence {
                session: format!("c{number}"),
                sequence: 1,
            }),
            operation,
        });
    }
    client.store
}

#[test]
fn a_snapshot_holds_everything() {
    let store = busy_store();
    let bytes = store.to_bytes();
    let copy = Store::from_bytes(&bytes).expect("a good snapshot");
    assert_eq!(copy.to_bytes(), bytes);
    assert!(copy.snapshot().objects.iter().eq(store.snapshot().objects.iter()));
    assert_eq!(copy.snapshot().objects.len(), 8);
    for shorter in 0..bytes.len() {
        assert!(Store::from_bytes(&bytes[..shorter]).is_err(), "cut to {shorter}");
    }
}

#[test]
fn a_snapshot_is_of_the_moment_at_which_it_was_taken() {
    let mut store = busy_store();
    let bytes = store.to_bytes();
    let snapshot = store.snapshot();
    for operation in one_of_each() {
        store.apply(Command {
            session: None,
            operation,
        });
    }
    assert_ne!(store.to_bytes(), bytes);
    assert_eq!(snapshot.to_bytes(), bytes);
}

#[test]
fn damaged_and_random_bytes_are_refused_or_are_a_store_and_nothing_worse() {
    for seed in 0..20_000 {
        let mut random = Random::seed_from_u64(seed);
        let mut bytes = if seed % 2 == 0 {
            busy_store().to_bytes()
        } else {
            (0..random.random_range(0..200))
                .map(|_| random.random())
                .collect()
        };
        for _ in 0..random.random_range(0..8) {
            let at = random.random_range(0..=bytes.len());
            match random.random_range(0..4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, random.random()),
                2 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
                _ if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
                _ => {}
            }
        }
        if let Ok(mut store) = Store::from_bytes(&bytes) {
            // Whatever it is, it works, and is what it says it is.
            let again = store.to_bytes();
            assert!(
                again.len() <= 2 * bytes.len() + 16,
                "seed {seed}: {} bytes became {}",
                bytes.len(),
                again.len()
            );
            let copy = Store::from_bytes(&again).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!(copy.to_bytes(), again, "seed {seed}");
            for operation in one_of_each() {
                store.apply(Command {
                    session: None,
                    operation,
                });
            }
        }
        let _ = Command::from_bytes(&bytes);
    }
}

#[test]
fn a_number_of_items_is_not_believed_beyond_its_input() {
    // A thousand million objects, and then nothing.
    assert!(Store::from_bytes(&[0xff, 0xff, 0xff, 0xff, 3]).is_err());
    for tag in 0..5 {
        // One object, with an empty key, of each type, that says that it has 65,535 items.
        assert!(Store::from_bytes(&[1, 0, tag, 0xff, 0xff, 3]).is_err(), "{tag}");
    }
}
