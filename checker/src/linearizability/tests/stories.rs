//! The names of violations of objects other than registers, and what is told of them.
//!
//! That no name is wrong is checked wherever a story is told in tests: its proof is put to the oracle (`story::tell`).

mod lists;

use std::collections::BTreeMap;

use partita_history::{Event, EventType, History, OpEvent, Operation, Value};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::vocabulary::{self, Shape};
use crate::model::{Class, Model, Options, Specification};
use crate::verdict::{Anomaly, Verdict};

/// Events as `milliseconds process type f value`, separated by semicolons; process n speaks to node n.
fn history(events: &str) -> History {
    let events = events.split(';').map(|event| {
        let words: Vec<&str> = event.trim().splitn(5, ' ').collect();
        let [time, process, kind, f, rest @ ..] = &words[..] else {
            panic!("{event}")
        };
        Event::Op(OpEvent {
            index: 0,
            time: time.parse::<u64>().unwrap() * 1_000_000,
            process: process.parse().unwrap(),
            kind: match *kind {
                "invoke" => EventType::Invoke,
                "ok" => EventType::Ok,
                "fail" => EventType::Fail,
                _ => EventType::Info,
            },
            f: (*f).to_owned(),
            key: None,
            value: rest
                .first()
                .map_or(Value::Null, |json| serde_json::from_str(json).unwrap()),
            observed: None,
            node: Some(format!("n{process}")),
            error: None,
        })
    });
    History::from_events(events).unwrap()
}

fn told_from(model: &str, initial: Value, events: &str) -> Anomaly {
    let model = Model::by_name(model).unwrap();
    let options = Options {
        initial,
        ..Options::default()
    };
    let mut analysis = crate::check(&history(events), model, &options, &|| false).unwrap();
    assert_eq!(analysis.verdict, Verdict::Invalid, "{events}");
    analysis.anomalies.remove(0)
}

/// The story of the one violation, which must have this name, and be confirmed by trying every order.
fn story(model: &str, name: &str, events: &str) -> String {
    let anomaly = told_from(model, Value::Null, events);
    assert!(anomaly.confirmed);
    assert_eq!(anomaly.name, name, "{}", anomaly.story);
    anomaly.story
}

const PUT_TWO: &str =
    "10 1 invoke enqueue 7; 20 1 ok enqueue 7; 400 2 invoke enqueue 9; 410 2 ok enqueue 9; ";

#[test]
fn fifo_inversion() {
    let out = "500 3 invoke dequeue; 510 3 ok dequeue 9; 600 4 invoke dequeue; 610 4 ok dequeue 7";
    let told = story("fifo-queue", "FIFO inversion", &[PUT_TWO, out].concat());
    assert_eq!(
        told,
        "At 0.510 s n3 gave 9 to client 3, but 7 had gone in before it (its enqueue by client 1 (via n1) was acknowledged \
         at 0.020 s, 380 ms before that of 9 (by client 2 (via n2)) began), and it was still in: at 0.610 s n4 gave 7 to \
         client 4. First in, first out was not kept."
    );
    let never = story(
        "fifo-queue",
        "FIFO inversion",
        &[PUT_TWO, "500 3 invoke dequeue; 510 3 ok dequeue 9"].concat(),
    );
    assert!(
        never.ends_with("and nobody ever took it. First in, first out was not kept."),
        "{never}"
    );
    // The next in line was seen while another was before it.
    story(
        "fifo-queue",
        "FIFO inversion",
        &[PUT_TWO, "500 3 invoke peek; 510 3 ok peek 9"].concat(),
    );
}

#[test]
fn items_from_nowhere_and_items_twice() {
    let out = "500 3 invoke dequeue; 510 3 ok dequeue 7";
    for model in ["fifo-queue", "bag"] {
        let told = story(model, "phantom item", out);
        assert_eq!(
            told,
            "At 0.510 s n3 gave 7 to client 3, but nobody ever put it in: a phantom item."
        );
    }
    let failed = format!("10 1 invoke enqueue 7; 20 1 fail enqueue 7; {out}");
    let told = story("fifo-queue", "phantom item", &failed);
    assert!(
        told.contains("by client 1 (via n1), had been reported as failed at 0.020 s"),
        "{told}"
    );
    let later = format!("{out}; 600 1 invoke enqueue 7; 610 1 ok enqueue 7");
    let told = story("fifo-queue", "phantom item", &later);
    assert!(told.contains("began only at 0.600 s"), "{told}");

    let twice =
        format!("10 1 invoke enqueue 7; 20 1 ok enqueue 7; {out}; 600 4 invoke dequeue; 610 4 ok dequeue 7");
    for model in ["fifo-queue", "bag"] {
        let told = story(model, "double take", &twice);
        assert_eq!(
            told,
            "Item 7 came out twice: at 0.510 s n3 gave 7 to client 3 and at 0.610 s n4 gave 7 to client 4, though it had \
             gone in only once (by client 1 (via n1), from 0.010 s on)."
        );
    }
    let again =
        format!("10 1 invoke enqueue 7; 20 1 ok enqueue 7; {out}; 600 4 invoke peek; 610 4 ok peek 7");
    story("fifo-queue", "item seen after it was taken", &again);
}

#[test]
fn found_empty() {
    let empty = "500 3 invoke dequeue; 510 3 ok dequeue null";
    let put = "10 1 invoke enqueue 7; 20 1 ok enqueue 7; ";
    for model in ["fifo-queue", "bag"] {
        let told = story(model, "lost item", &[put, empty].concat());
        let noun = if model == "bag" { "bag" } else { "queue" };
        assert_eq!(
            told,
            format!(
                "At 0.510 s n3 answered client 3 that the {noun} was empty, but item 7 was in it: its enqueue by client 1 (via \
                 n1) was acknowledged at 0.020 s, 480 ms before that was asked; it never came out: the item was lost."
            )
        );
        let later = [put, empty, "; 600 4 invoke dequeue; 610 4 ok dequeue 7"].concat();
        let told = story(model, "found empty while it was not", &later);
        assert!(told.contains("it was there all the time."), "{told}");
    }
    // One comes while the other goes.
    let relay = "10 1 invoke enqueue 7; 20 1 ok enqueue 7; 500 3 invoke dequeue; 510 1 invoke enqueue 8; 520 1 ok enqueue 8; \
                 530 2 invoke dequeue; 540 2 ok dequeue 7; 550 3 ok dequeue null; 560 2 invoke dequeue; 570 2 ok dequeue 8";
    let told = story("fifo-queue", "found empty while it was not", relay);
    assert!(
        told.contains("at least one of the items 7 and 8 was in it"),
        "{told}"
    );
    let initial = told_from(
        "stack",
        Value::List(vec![5.into()]),
        "500 3 invoke pop; 510 3 ok pop null",
    );
    assert_eq!(
        initial.name, "not linearizable",
        "nobody touched it: {}",
        initial.story
    );
}

#[test]
fn lifo_and_priority_inversions() {
    let push = "10 1 invoke push 7; 20 1 ok push 7; 30 2 invoke push 9; 40 2 ok push 9; ";
    let told = story(
        "stack",
        "LIFO inversion",
        &[
            push,
            "500 3 invoke pop; 510 3 ok pop 7; 600 4 invoke pop; 610 4 ok pop 9",
        ]
        .concat(),
    );
    assert_eq!(
        told,
        "At 0.510 s n3 gave 7 to client 3, but 9 lay on top of it: its push by client 2 (via n2) was acknowledged at 0.040 \
         s, after 7 had gone in and 460 ms before this pop began, and it was still in: at 0.610 s n4 gave 9 to client 4. \
         Last in, first out was not kept."
    );
    let insert = "10 1 invoke insert 7; 20 1 ok insert 7; 30 2 invoke insert 9; 40 2 ok insert 9; ";
    let told = story(
        "priority-queue",
        "priority inversion",
        &[insert, "500 3 invoke poll; 510 3 ok poll 7"].concat(),
    );
    assert_eq!(
        told,
        "At 0.510 s n3 gave 7 to client 3, but 9, which is larger, was there: its insert by client 2 (via n2) was \
         acknowledged at 0.040 s, 460 ms before this poll began, and nobody ever took it. The largest must come first."
    );
}

const ADD_TWO: &str = "10 1 invoke increment; 20 1 ok increment; 30 2 invoke increment; 40 2 ok increment; ";

#[test]
fn counters() {
    let told = story(
        "counter",
        "read more than was added",
        &[ADD_TWO, "500 3 invoke read; 510 3 ok read 5"].concat(),
    );
    assert_eq!(
        told,
        "At 0.510 s n3 answered client 3 that counter = 5, but all that was ever added before that answer, acknowledged or \
         not, makes it 2 at most: more was read than was added."
    );
    let one = "500 3 invoke read; 510 3 ok read 1";
    let told = story("counter", "lost increment", &[ADD_TWO, one].concat());
    assert_eq!(
        told,
        "At 0.510 s n3 answered client 3 that counter = 1, but 2 changes had been acknowledged before this read began, the \
         last to client 2 (via n2) at 0.040 s, 460 ms before: they add 2, so that the count was 2 at least; 1 of it was \
         lost."
    );
    let seen = [ADD_TWO, "100 4 invoke read; 110 4 ok read 2; ", one].concat();
    story("counter", "stale read", &seen);
    let open = "10 1 invoke increment; 100 4 invoke read; 110 4 ok read 1; 490 3 invoke read; 510 3 ok read 0; 600 1 ok increment";
    let told = story("counter", "counter went backwards", open);
    assert!(told.contains("380 ms later another operation began"), "{told}");
    let same = "10 1 invoke increment; 11 2 invoke increment; 20 1 ok increment 1; 30 2 ok increment 1";
    story("counter", "two increments to one count", same);
    let down = "10 1 invoke add 5; 20 1 ok add 5; 30 2 invoke add -1; 500 3 invoke read; 510 3 ok read 3; 520 2 ok add -1";
    story("counter", "lost change", down);
}

#[test]
fn sets() {
    let add = "10 1 invoke add 7; 20 1 ok add 7; ";
    let remove = "30 2 invoke remove 7; 40 2 ok remove 7; ";
    let see = "500 3 invoke contains 7; 510 3 ok contains 1";
    let told = story("set", "removed element seen", &[add, remove, see].concat());
    assert_eq!(
        told,
        "At 0.510 s n3 answered client 3 that 7 was in the set, but its removal had been acknowledged to client 2 (via n2) \
         at 0.040 s, 460 ms before this contains began, and nobody can have added it again: it was seen after its removal."
    );
    story("set", "phantom element", see);
    let miss = "500 3 invoke read; 510 3 ok read []";
    for model in ["set", "grow-only-set"] {
        let told = story(model, "lost element", &[add, miss].concat());
        assert!(
            told.contains("7 was not in the set, but its addition had been acknowledged to client 1 (via n1) at 0.020 s, 480 ms"),
            "{told}"
        );
        let seen = "100 4 invoke read; 110 4 ok read [7]; ";
        story(model, "element vanished", &[add, seen, miss].concat());
        story(
            model,
            "stale read",
            &[add, miss, "; 600 4 invoke read; 610 4 ok read [7]"].concat(),
        );
        story(model, "phantom element", "500 3 invoke read; 510 3 ok read [7]");
        story(
            model,
            "element read twice",
            &[add, "500 3 invoke read; 510 3 ok read [7,7]"].concat(),
        );
    }
    let again = [add, "30 2 invoke add 7; 40 2 ok add [7,1]"].concat();
    story("set", "element added twice", &again);
}

#[test]
fn logs_and_versions() {
    let append = "10 1 invoke append 7; 20 1 ok append 0; ";
    let told = story(
        "append-log",
        "phantom item",
        "500 3 invoke read 0; 510 3 ok read 9",
    );
    assert!(told.contains("nobody had begun to append it"), "{told}");
    let open = [
        "9 2 invoke append 9; ",
        append,
        "500 3 invoke read 0; 510 3 ok read 9",
    ]
    .concat();
    let told = story("append-log", "two items at one offset", &open);
    assert_eq!(
        told,
        "At 0.020 s n1 answered client 1 that 7 was appended at offset 0, and at 0.510 s n3 answered client 3 that 9 was at \
         offset 0: there can be only one item at an offset."
    );
    story(
        "append-log",
        "stale read",
        &[append, "500 3 invoke read 0; 510 3 ok read null"].concat(),
    );
    let inverted = "10 1 invoke append 7; 11 4 invoke append 8; 20 1 ok append 1; 400 2 invoke append 9; 410 2 ok append 0";
    story("append-log", "offset inversion", inverted);

    story(
        "append-log",
        "phantom offset",
        "10 1 invoke append 7; 20 1 ok append 1",
    );
    let silent = "10 1 invoke append 7; 20 1 ok append null; ";
    story(
        "append-log",
        "stale read",
        &[silent, "500 3 invoke read 0; 510 3 ok read null"].concat(),
    );
    story(
        "append-log",
        "offset inversion",
        &[silent, "500 3 invoke append 8; 510 3 ok append 0"].concat(),
    );

    let write = "10 1 invoke write 7; 20 1 ok write 1; ";
    story(
        "versioned-register",
        "two values of one version",
        &[
            "9 2 invoke write 9; ",
            write,
            "500 3 invoke read; 510 3 ok read [1,9]",
        ]
        .concat(),
    );
    story(
        "versioned-register",
        "two writes of one version",
        &["9 2 invoke write 9; ", write, "510 2 ok write 1"].concat(),
    );
    let told = story(
        "versioned-register",
        "version went backwards",
        &[write, "400 3 invoke read; 410 3 ok read [0,null]"].concat(),
    );
    assert!(told.contains("380 ms before another operation began"), "{told}");
    story(
        "versioned-register",
        "stale read",
        &[
            "10 1 invoke write 7; 20 1 ok write null; ",
            "400 3 invoke read; 410 3 ok read [0,null]",
        ]
        .concat(),
    );
    story(
        "versioned-register",
        "read from nowhere",
        &[write, "400 3 invoke read; 410 3 ok read [null,8]"].concat(),
    );
    story(
        "versioned-register",
        "phantom version",
        &[write, "500 3 invoke read; 510 3 ok read [3,7]"].concat(),
    );
}

#[test]
fn locks() {
    let twice = "10 1 invoke acquire; 20 1 ok acquire; 400 2 invoke acquire; 410 2 ok acquire; 500 1 invoke release; 510 1 ok release";
    let told = story("mutex", "lock held twice", twice);
    assert_eq!(
        told,
        "At 0.410 s client 2 (via n2) acquired the lock, but by then it had been acquired 2 times, and nobody had begun to \
         release anything: it was held twice at once. It had been acquired by client 1 (via n1) at 0.020 s, too."
    );
    let told = story("owned-mutex", "lock held twice", twice);
    assert_eq!(
        told,
        "At 0.410 s client 2 (via n2) acquired the lock, but client 1 (via n1) had acquired it at 0.020 s, and nobody had \
         begun to release it for them: it was held twice at once."
    );
    for model in ["mutex", "owned-mutex", "semaphore"] {
        story(
            model,
            "release without holder",
            "10 1 invoke release; 20 1 ok release",
        );
    }
    let told = story("semaphore", "semaphore over-subscribed", twice);
    assert!(
        told.contains(
            "2 permits had been acquired, with 0 of them at most released: more than the 1 that there are"
        ),
        "{told}"
    );
    let wrong = "10 1 invoke acquire; 20 1 ok acquire 5; 30 1 invoke release 6; 40 1 ok release 6";
    let told = story("fenced-lock", "release without holder", wrong);
    assert!(
        told.contains("released the lock with token 6, but nobody had begun to acquire it so"),
        "{told}"
    );
    let again = "10 1 invoke acquire; 20 1 ok acquire; 30 1 invoke release; 40 1 ok release; 50 1 invoke release; 60 1 ok release";
    let told = story("owned-mutex", "release without holder", again);
    assert!(
        told.contains("it was released so 2 times by then, and acquired 1 at most"),
        "{told}"
    );
    story(
        "fenced-lock",
        "fencing token went backwards",
        "10 1 invoke acquire; 20 1 ok acquire 0",
    );
    let tokens = |second: u64| {
        format!(
            "10 1 invoke acquire; 20 1 ok acquire 5; 30 1 invoke release; 40 1 ok release; 50 2 invoke acquire; 60 2 ok acquire {second}"
        )
    };
    let told = story("fenced-lock", "fencing token went backwards", &tokens(4));
    assert!(
        told.contains("with token 4, but client 1 (via n1) had acquired it with token 5 at 0.020 s"),
        "{told}"
    );
    story("fenced-lock", "fencing token given twice", &tokens(5));
    let held = "10 1 invoke acquire; 20 1 ok acquire 1; 400 2 invoke acquire; 410 2 ok acquire 2";
    story("fenced-lock", "lock held twice", held);
}

/// A small part of a history with many values is judged by those that occur in it.
#[test]
fn decisions() {
    let told = |name, events| story("write-once-register", name, events);
    let two = "10 1 invoke propose 6; 20 1 ok propose 6; 30 2 invoke read; 40 2 ok read 6; 50 2 invoke read; 60 2 ok read 7";
    let own = "5 3 invoke propose 7; ".to_owned() + two;
    assert!(told("two decisions", &own).contains("only one value can ever be decided"));
    assert!(told("phantom decision", "10 1 invoke read; 20 1 ok read 6").contains("nobody had proposed it"));
    // What was proposed, and is told, and lost: its proposer says so, though after the read.
    let lost = "10 1 invoke propose 6; 15 2 invoke propose 7; 20 3 invoke read; 30 3 ok read 6; \
                40 1 ok propose 7; 50 2 ok propose 7";
    let text = told("two decisions", lost);
    assert!(text.contains("whoever proposed it was told otherwise"), "{text}");
    assert!(!text.contains("nobody"), "{text}");
}

#[test]
fn a_violation_among_many_values_is_told_as_if_it_were_alone() {
    let mut events: Vec<String> = (1..400)
        .map(|n| format!("{0} 1 invoke write {n}; {1} 1 ok write {n}", 10 * n, 10 * n + 5))
        .collect();
    events.push("5000 3 invoke read; 5010 3 ok read 7".to_owned());
    let anomaly = told_from("register", Value::Null, &events.join(";"));
    assert_eq!(anomaly.name, "stale read", "{}", anomaly.story);
    assert_eq!(
        (anomaly.operations.len(), anomaly.operations[0]),
        (3, 6),
        "{anomaly:?}"
    );
    // Two writers of a value, each overwritten: no plain orphan.
    let swap = "5020 4 invoke cas [399,7]; 5030 4 ok cas [399,7]; 5040 3 invoke read; 5050 3 ok read 399";
    let events = [&events[..399].join(";"), swap].join(";");
    let anomaly = told_from("cas-register", Value::Null, &events);
    assert!(anomaly.operations.len() <= 4, "{anomaly:?}");
}

/// The first events of all may overwrite the initial value.
#[test]
fn the_initial_value_read_late_is_stale() {
    let events = "10 1 invoke write 7; 20 1 ok write 7; 500 3 invoke read; 510 3 ok read null";
    let told = story("register", "stale read", events);
    assert!(
        told.contains("null was the initial value and nothing wrote it again"),
        "{told}"
    );
}

/// A user's model may be named like one of ours: it has neither our monitor nor our names.
#[test]
fn a_model_is_known_by_its_type_and_not_by_its_name() {
    struct Anything;
    impl Specification for Anything {
        fn initial(&self) -> Value {
            Value::Null
        }
        fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
            Ok(Some(Class::new("put", operation.input, operation.output)))
        }
        fn step(&self, state: &Value, class: &Class) -> Option<Value> {
            (class.result != Value::Int(7)).then(|| state.clone())
        }
    }
    let own = Model {
        name: "register",
        summary: "anything but 7",
        specification: |_| Box::new(Anything),
    };
    let judge = |events: &str| crate::check(&history(events), &own, &Options::default(), &|| false).unwrap();
    // No register does this.
    assert_eq!(judge("10 1 invoke read; 20 1 ok read 3").verdict, Verdict::Valid);
    let invalid = judge("10 1 invoke read; 20 1 ok read 7");
    let anomaly = &invalid.anomalies[0];
    assert_eq!(
        (anomaly.name.as_str(), anomaly.confirmed),
        ("not linearizable", true)
    );
    assert!(
        anomaly.story.contains("read on the object = 7"),
        "{}",
        anomaly.story
    );
    assert!(anomaly.story.contains("its put gave 7"), "{}", anomaly.story);
}

/// On random histories most violations get a name, and no model but the general ones is left without.
#[test]
fn most_violations_have_a_name() {
    for model in crate::model::ALL {
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for seed in 0..1_500 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let shape = Shape {
                operations: 8,
                clients: 3,
                crashed: 5,
                wrong: 15,
            };
            let options = Options::default();
            let specification = (model.specification)(&options);
            let history = vocabulary::history(&mut rng, model.name, &*specification, shape);
            let analysis = crate::check(&history, model, &options, &|| false).unwrap();
            for anomaly in analysis.anomalies {
                *names.entry(anomaly.name).or_default() += 1;
            }
        }
        let all: usize = names.values().sum();
        let unnamed = names.get("not linearizable").copied().unwrap_or(0);
        let without_templates = ["multi-register", "kv"].contains(&model.name);
        assert!(
            all > 100 && (without_templates || unnamed * 3 < all),
            "{}: {names:?}",
            model.name
        );
    }
}
