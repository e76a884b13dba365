//! All of it or nothing.

use super::super::value::{LIST_ITEMS_MAX, OBJECT_WEIGHT_MAX};
use super::*;
use crate::codec::Encode as _;

#[test]
fn a_transaction_sees_what_it_did_itself() {
    let mut client = Client::default();
    client.perform(write("x", int(1)));
    let parts = |read: [Value; 4]| {
        let [x, y, l, z] = read;
        vec![
            part(Access::Read, "x", x),
            part(Access::Write, "y", int(2)),
            part(Access::Read, "y", y),
            part(Access::Append, "l", int(3)),
            part(Access::Append, "l", int(4)),
            part(Access::Read, "l", l),
            part(Access::Write, "l", int(5)),
            part(Access::Read, "never", z),
        ]
    };
    let asked = Operation::Transaction(parts([const { Value::Null }; 4]));
    let answered = Answer::Transaction(parts([int(1), int(2), ints([3, 4]), Value::Null]));
    assert_eq!(client.perform(asked), answered);
    assert_eq!(client.store.read("y"), int(2));
    assert_eq!(client.store.read("l"), int(5));
}

#[test]
fn a_transaction_of_which_a_part_is_refused_does_nothing() {
    let mut client = Client::default();
    client.perform(write("x", int(1)));
    client.perform(write("full", Value::List(vec![Value::Null; LIST_ITEMS_MAX - 1])));
    let long = Value::Str("x".repeat(60_000));
    let long = Value::List(vec![long; OBJECT_WEIGHT_MAX / 60_000 - 1]);
    client.perform(write("long", long));
    let refused = [
        (Refusal::NotAList, vec![part(Access::Append, "x", int(3))]),
        (
            Refusal::NotAList,
            vec![
                part(Access::Write, "l", int(7)),
                part(Access::Append, "l", int(8)),
            ],
        ),
        (
            Refusal::TooLarge,
            vec![
                part(Access::Append, "full", int(1)),
                part(Access::Append, "full", int(2)),
            ],
        ),
        (
            Refusal::TooLarge,
            vec![
                part(Access::Read, "long", Value::Null),
                part(Access::Read, "long", Value::Null),
            ],
        ),
    ];
    let before = client.store.snapshot().objects;
    for (refusal, mut parts) in refused {
        parts.insert(0, part(Access::Write, "fresh", int(1)));
        parts.insert(1, part(Access::Write, "x", int(2)));
        let answer = client.perform(Operation::Transaction(parts.clone()));
        assert_eq!(answer, Answer::Refused(refusal), "{parts:?}");
    }
    assert!(before.iter().eq(client.store.snapshot().objects.iter()));
}

#[test]
fn a_transaction_that_only_reads_needs_no_log() {
    let mut client = Client::default();
    client.perform(append("l", 1));
    let query = |access| {
        let command = Command {
            session: None,
            operation: Operation::Transaction(vec![
                part(Access::Read, "l", Value::Null),
                part(access, "x", Value::Null),
            ]),
        };
        client.store.query_bytes(&command.to_bytes())
    };
    let read = vec![
        part(Access::Read, "l", ints([1])),
        part(Access::Read, "x", Value::Null),
    ];
    assert_eq!(query(Access::Read), Ok(Answer::Transaction(read)));
    assert!(query(Access::Write).is_err());
}
