//! What the store does, type by type; and that its bytes, good and bad, are what they should be.

mod bytes;
mod sessions;
mod transactions;
mod types;

use super::*;

/// A store, and one client that numbers its commands.
#[derive(Default)]
struct Client {
    store: Store,
    sequence: u64,
}

impl Client {
    fn perform(&mut self, operation: Operation) -> Answer {
        self.sequence += 1;
        self.retry(operation)
    }

    fn retry(&mut self, operation: Operation) -> Answer {
        self.store.apply(Command {
            session: Some(SessionSequence {
                session: "c1".into(),
                sequence: self.sequence,
            }),
            operation,
        })
    }
}

fn int(int: i64) -> Value {
    Value::Int(int)
}

fn ints(ints: impl IntoIterator<Item = i64>) -> Value {
    Value::List(ints.into_iter().map(Value::Int).collect())
}

fn read(key: &str) -> Operation {
    Operation::Read { key: key.into() }
}

fn write(key: &str, value: Value) -> Operation {
    Operation::Write {
        key: key.into(),
        value,
    }
}

fn append(key: &str, value: i64) -> Operation {
    Operation::Append {
        key: key.into(),
        value: int(value),
    }
}

fn compare_and_set(key: &str, from: i64, to: i64) -> Operation {
    Operation::CompareAndSet {
        key: key.into(),
        from: int(from),
        to: int(to),
    }
}

fn set_add(key: &str, element: i64) -> Operation {
    Operation::SetAdd {
        key: key.into(),
        element: int(element),
    }
}

fn counter_add(key: &str, amount: i64) -> Operation {
    Operation::CounterAdd {
        key: key.into(),
        amount,
    }
}

fn enqueue(key: &str, item: i64) -> Operation {
    Operation::Enqueue {
        key: key.into(),
        item: int(item),
    }
}

fn dequeue(key: &str) -> Operation {
    Operation::Dequeue { key: key.into() }
}

fn acquire(key: &str, owner: &str) -> Operation {
    Operation::Acquire {
        key: key.into(),
        owner: owner.into(),
    }
}

fn release(key: &str, token: i64) -> Operation {
    Operation::Release {
        key: key.into(),
        token,
    }
}

fn part(access: Access, key: &str, value: Value) -> Part {
    Part {
        access,
        key: key.into(),
        value,
    }
}

/// One of every operation, on an object of its own type.
fn one_of_each() -> Vec<Operation> {
    let key = |key: &str| key.to_owned();
    vec![
        write("register", int(-3)),
        compare_and_set("register", -3, 4),
        read("register"),
        append("list", 1),
        Operation::Propose {
            key: key("once"),
            value: int(1),
        },
        set_add("set", 5),
        Operation::SetRemove {
            key: key("set"),
            element: int(6),
        },
        Operation::SetContains {
            key: key("set"),
            element: Value::List(vec![Value::Str("é".into())]),
        },
        Operation::SetRead { key: key("set") },
        counter_add("counter", -7),
        Operation::CounterRead { key: key("counter") },
        enqueue("queue", 8),
        enqueue("queue", 9),
        Operation::Peek { key: key("queue") },
        dequeue("queue"),
        acquire("lock", "somebody"),
        release("lock", 2),
        Operation::Holder { key: key("lock") },
        Operation::Transaction(vec![
            part(Access::Read, "register", Value::Null),
            part(Access::Write, "other", Value::Str(String::new())),
            part(Access::Append, "list", int(2)),
        ]),
    ]
}
