//! Exactly once.

use super::*;
use crate::codec::Encode as _;

#[test]
fn a_retry_applies_once_and_gets_the_same_answer_whatever_it_does() {
    let mut client = Client::default();
    for operation in one_of_each()
        .into_iter()
        .filter(|operation| !operation.only_reads())
    {
        let first = client.perform(operation.clone());
        let objects = |client: &Client| client.store.snapshot().objects;
        let before = objects(&client);
        assert_eq!(client.retry(operation.clone()), first, "{operation:?}");
        assert!(
            before.iter().eq(objects(&client).iter()),
            "{operation:?} applied twice"
        );
    }
    client.sequence -= 1;
    assert_eq!(client.retry(append("list", 8)), Answer::Superseded);
}

#[test]
fn what_has_no_session_applies_as_often_as_it_comes() {
    let mut client = Client::default();
    let unnumbered = Command {
        session: None,
        operation: append("l", 9),
    };
    client.store.apply(unnumbered.clone());
    client.store.apply(unnumbered);
    assert_eq!(client.store.read("l"), ints([9, 9]));
}

#[test]
fn a_snapshot_remembers_what_was_applied_but_with_the_defect() {
    for (defect, then) in [
        (None, ints([1])),
        (Some(&SESSIONS_LOST_IN_SNAPSHOT), ints([1, 1])),
    ] {
        let mut client = Client {
            store: Store::with_defect(defect),
            sequence: 0,
        };
        client.perform(append("x", 1));
        let snapshot = client.store.snapshot().to_bytes();
        client.store.restore(&snapshot).expect("a good snapshot");
        client.retry(append("x", 1));
        assert_eq!(client.store.read("x"), then, "{defect:?}");
    }
}

#[test]
fn with_the_defect_retries_apply_twice_also_after_a_restore() {
    let mut client = Client {
        store: Store::with_defect(Some(&RETRIES_APPLY_TWICE)),
        sequence: 0,
    };
    client.perform(enqueue("q", 1));
    client.retry(enqueue("q", 1));
    let snapshot = client.store.snapshot().to_bytes();
    client.store.restore(&snapshot).expect("a good snapshot");
    client.retry(enqueue("q", 1));
    let taken = [(); 4].map(|()| client.perform(dequeue("q")));
    assert_eq!(taken, [int(1), int(1), int(1), Value::Null].map(Answer::Value));
}
