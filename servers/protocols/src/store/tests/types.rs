//! One type after the other.

use super::super::value::{DEPTH_MAX, LIST_ITEMS_MAX, OBJECT_WEIGHT_MAX};
use super::*;

#[test]
fn a_refused_compare_and_set_says_what_it_saw() {
    let mut client = Client::default();
    assert_eq!(client.perform(write("x", int(9))), Answer::Done);
    assert_eq!(
        client.perform(compare_and_set("x", 1, 2)),
        Answer::Kept { observed: int(9) }
    );
    assert_eq!(client.perform(compare_and_set("x", 9, 2)), Answer::Swapped);
    assert_eq!(client.store.read("x"), int(2));
    assert_eq!(client.store.read("never"), Value::Null);
}

#[test]
fn what_was_proposed_first_is_decided_and_every_later_proposal_is_told() {
    let mut client = Client::default();
    for value in [7, 8, 7] {
        let propose = Operation::Propose {
            key: "w".into(),
            value: int(value),
        };
        assert_eq!(client.perform(propose), Answer::Value(int(7)));
    }
    assert_eq!(client.store.read("w"), int(7));
}

#[test]
fn an_append_wants_a_list_with_room() {
    let too_large = Answer::Refused(Refusal::TooLarge);
    let mut client = Client::default();
    client.perform(write("x", int(1)));
    assert_eq!(client.perform(append("x", 2)), Answer::Refused(Refusal::NotAList));
    client.perform(write("l", Value::List(vec![Value::Null; LIST_ITEMS_MAX])));
    assert_eq!(client.perform(append("l", 2)), too_large);
    let deep = (0..DEPTH_MAX).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    for key in ["absent", "empty"] {
        if key == "empty" {
            client.perform(write(key, ints([])));
        }
        let operation = Operation::Append {
            key: key.into(),
            value: deep.clone(),
        };
        assert_eq!(client.perform(operation), too_large);
    }
}

#[test]
fn no_object_outgrows_its_limit() {
    let mut client = Client::default();
    let large = Value::Str("x".repeat(60_000));
    let mut element = 0;
    let mut more = |what: &str| {
        element += 1;
        let value = Value::List(vec![int(element), large.clone()]);
        let key = what.to_owned();
        client.perform(match what {
            "list" => Operation::Append { key, value },
            "set" => Operation::SetAdd { key, element: value },
            _ => Operation::Enqueue { key, item: value },
        })
    };
    for what in ["list", "set", "queue"] {
        let fits = (0..1_000).take_while(|_| more(what) != Answer::Refused(Refusal::TooLarge));
        assert_eq!(fits.count(), OBJECT_WEIGHT_MAX / 60_011, "{what}");
    }
}

#[test]
fn a_set_says_whether_anything_changed() {
    let mut client = Client::default();
    let element = |element, operation: fn(String, Value) -> Operation| operation("s".into(), int(element));
    let remove = |key, element| Operation::SetRemove { key, element };
    let contains = |key, element| Operation::SetContains { key, element };
    assert_eq!(client.perform(element(1, remove)), Answer::Truth(false));
    assert_eq!(client.perform(set_add("s", 2)), Answer::Truth(true));
    assert_eq!(client.perform(set_add("s", 2)), Answer::Truth(false));
    assert_eq!(client.perform(set_add("s", 1)), Answer::Truth(true));
    assert_eq!(client.perform(element(1, contains)), Answer::Truth(true));
    let all = Operation::SetRead { key: "s".into() };
    assert_eq!(client.perform(all.clone()), Answer::Value(ints([1, 2])));
    assert_eq!(client.perform(element(1, remove)), Answer::Truth(true));
    assert_eq!(client.perform(element(1, contains)), Answer::Truth(false));
    assert_eq!(client.perform(all), Answer::Value(ints([2])));
}

#[test]
fn a_counter_gives_the_count_after_and_wraps_around() {
    let mut client = Client::default();
    let count = Operation::CounterRead { key: "c".into() };
    assert_eq!(client.perform(count.clone()), Answer::Value(int(0)));
    assert_eq!(
        client.perform(counter_add("c", i64::MAX)),
        Answer::Value(int(i64::MAX))
    );
    assert_eq!(client.perform(counter_add("c", 1)), Answer::Value(int(i64::MIN)));
    assert_eq!(client.perform(count), Answer::Value(int(i64::MIN)));
}

#[test]
fn a_queue_gives_its_items_in_order_and_null_when_it_is_empty() {
    let mut client = Client::default();
    let peek = || Operation::Peek { key: "q".into() };
    assert_eq!(client.perform(dequeue("q")), Answer::Value(Value::Null));
    assert_eq!(client.perform(enqueue("q", 1)), Answer::Done);
    assert_eq!(client.perform(enqueue("q", 2)), Answer::Done);
    assert_eq!(client.perform(peek()), Answer::Value(int(1)));
    assert_eq!(client.perform(dequeue("q")), Answer::Value(int(1)));
    assert_eq!(client.perform(dequeue("q")), Answer::Value(int(2)));
    assert_eq!(client.perform(dequeue("q")), Answer::Value(Value::Null));
    assert_eq!(client.perform(peek()), Answer::Value(Value::Null));
}

#[test]
fn a_lock_is_held_by_one_and_its_tokens_grow() {
    let mut client = Client::default();
    let hold = |owner: &str, token| Hold {
        owner: owner.into(),
        token,
    };
    let holder = || Operation::Holder { key: "l".into() };
    assert_eq!(client.perform(holder()), Answer::Holder(None));
    assert_eq!(client.perform(release("l", 0)), Answer::NotHeld(None));
    assert_eq!(client.perform(acquire("l", "a")), Answer::Acquired(1));
    for owner in ["a", "b"] {
        assert_eq!(client.perform(acquire("l", owner)), Answer::Held(hold("a", 1)));
    }
    assert_eq!(
        client.perform(release("l", 2)),
        Answer::NotHeld(Some(hold("a", 1)))
    );
    assert_eq!(client.perform(holder()), Answer::Holder(Some(hold("a", 1))));
    assert_eq!(client.perform(release("l", 1)), Answer::Released);
    assert_eq!(client.perform(release("l", 1)), Answer::NotHeld(None));
    assert_eq!(client.perform(acquire("l", "b")), Answer::Acquired(2));
}

#[test]
fn a_key_is_of_one_type_and_an_operation_of_another_changes_nothing() {
    let mut client = Client::default();
    for operation in one_of_each() {
        client.perform(operation);
    }
    let kinds = [
        ("register", Kind::Register),
        ("set", Kind::Set),
        ("counter", Kind::Counter),
        ("queue", Kind::Queue),
        ("lock", Kind::Lock),
    ];
    let before = client.store.snapshot().objects;
    for (key, kind) in kinds {
        let key = || key.to_owned();
        let foreign = [
            (Kind::Register, write(&key(), int(1))),
            (Kind::Register, read(&key())),
            (Kind::Register, compare_and_set(&key(), 4, 5)),
            (Kind::Set, set_add(&key(), 1)),
            (Kind::Set, Operation::SetRead { key: key() }),
            (Kind::Counter, counter_add(&key(), 1)),
            (Kind::Queue, enqueue(&key(), 1)),
            (Kind::Queue, dequeue(&key())),
            (Kind::Lock, acquire(&key(), "b")),
            (
                Kind::Register,
                Operation::Transaction(vec![
                    part(Access::Write, "fresh", int(1)),
                    part(Access::Write, &key(), int(1)),
                ]),
            ),
        ];
        for (_, operation) in foreign.into_iter().filter(|(its, _)| *its != kind) {
            let answer = client.perform(operation.clone());
            assert_eq!(answer, Answer::Refused(Refusal::OtherType(kind)), "{operation:?}");
        }
    }
    let after = client.store.snapshot().objects;
    assert!(before.iter().eq(after.iter()));
}

#[test]
fn what_changes_nothing_does_not_decide_what_a_key_holds() {
    let mut client = Client::default();
    for operation in [
        dequeue("x"),
        release("x", 1),
        set_remove("x"),
        counter_add("x", 0),
    ] {
        client.perform(operation);
    }
    assert_eq!(client.perform(append("x", 1)), Answer::Done);
}

fn set_remove(key: &str) -> Operation {
    Operation::SetRemove {
        key: key.into(),
        element: int(1),
    }
}
