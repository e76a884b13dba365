//! The online checker against the offline one: the same verdict, and the same shortest violating prefix.

use partita_history::{Event, EventType, History, OpEvent, Outcome, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::differential::UNLIMITED;
use super::generate::{self, Shape};
use super::monitored::{object, structureless};
use super::vocabulary;
use crate::linearizability::judge;
use crate::model::{ALL, FailMeaning, Model, NilReads, Options};
use crate::online::{Online, Standing};

/// The events of a history without keys, each with its position.
fn events(history: &History) -> Vec<(u32, OpEvent)> {
    let mut events = Vec::new();
    for operation in history.operations() {
        let mut push = |moment: partita_history::Moment, kind, value, observed| {
            let event = OpEvent {
                index: 0,
                time: moment.time,
                process: operation.process,
                kind,
                f: operation.f.to_owned(),
                key: operation.key.cloned(),
                value,
                observed,
                node: None,
                error: None,
            };
            events.push((moment.position, event));
        };
        push(
            operation.invoked,
            EventType::Invoke,
            operation.input.clone(),
            None,
        );
        let kind = match operation.outcome {
            Outcome::Ok => EventType::Ok,
            Outcome::Fail => EventType::Fail,
            Outcome::Info => EventType::Info,
        };
        if let Some(completed) = operation.completed {
            push(
                completed,
                kind,
                operation.output.clone(),
                operation.observed.cloned(),
            );
        }
    }
    events.sort_by_key(|&(position, _)| position);
    events
}

/// What is known of the only key of a history.
fn standing(history: &History, mut online: Online) -> Standing {
    for (position, event) in events(history) {
        online.push(position, &event).unwrap();
    }
    let mut keys = online.finish();
    assert_eq!(keys.len(), 1);
    keys.remove(0).1
}

#[derive(Debug, Default)]
struct Tally {
    valid: u64,
    invalid: u64,
    unknown: u64,
}

/// Compares on one history without keys.
fn compare(history: &History, model: &Model, options: &Options, tally: &mut Tally) -> Result<(), String> {
    let specification = (model.specification)(options);
    let object = object(history, model, &*specification);
    let offline = judge::judge(&object, UNLIMITED).outcome;
    let lazy = standing(history, Online::new(model, options));
    let eager = standing(history, Online::eager(model, options));
    if lazy != eager {
        return Err(format!("{lazy:?}, or {eager:?} when more is forgotten"));
    }
    match (lazy, offline) {
        (Standing::Linearizable, judge::Outcome::Linearizable(_)) => tally.valid += 1,
        (Standing::Violated(online), judge::Outcome::Violated(offline))
            if (online.position, online.culprit) == (offline.position, offline.culprit) =>
        {
            tally.invalid += 1;
        }
        (Standing::Unknown { from, .. }, judge::Outcome::Violated(offline)) if from > offline.position => {
            return Err(format!(
                "unknown from {from}, the offline checker says {offline:?}"
            ));
        }
        (Standing::Unknown { .. }, judge::Outcome::Linearizable(_) | judge::Outcome::Violated(_)) => {
            tally.unknown += 1;
        }
        (online, offline) => return Err(format!("{online:?}, the offline checker says {offline:?}")),
    }
    Ok(())
}

fn fuzz(
    model: &str,
    number: u64,
    options: impl Fn(&mut ChaCha8Rng) -> Options,
    history: impl Fn(&mut ChaCha8Rng, &Options) -> History,
) -> Tally {
    let model = Model::by_name(model).unwrap();
    let mut tally = Tally::default();
    for seed in 0..super::histories(number) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let options = options(&mut rng);
        let history = history(&mut rng, &options);
        if let Err(message) = compare(&history, model, &options, &mut tally) {
            panic!(
                "{}, seed {seed}: {message}\n{options:?}\n{:#?}",
                model.name,
                events(&history)
            );
        }
    }
    let enough = super::histories(number) / 20;
    assert!(
        tally.valid.min(tally.invalid) > enough,
        "{}: {tally:?}",
        model.name
    );
    tally
}

/// Some writes are said not to have happened.
fn with_failed_writes(rng: &mut ChaCha8Rng, history: &History) -> History {
    let events = events(history).into_iter().map(|(_, mut event)| {
        if event.f == "write" && event.kind != EventType::Invoke && rng.random_range(0..8) == 0 {
            event.kind = EventType::Fail;
        }
        Event::Op(event)
    });
    History::from_events(events).unwrap()
}

fn execution(rng: &mut ChaCha8Rng, unique: bool, functions: &'static [&'static str]) -> History {
    let operations = rng.random_range(1..16);
    let shape = Shape {
        operations,
        clients: rng.random_range(1..6),
        crashed: [0, 5, 15][rng.random_range(0..3)],
        observed: [0, 50, 100][rng.random_range(0..3)],
        unique,
        mutations: [0, 1, 2, operations][rng.random_range(0..4)],
        functions,
    };
    generate::history(rng, shape)
}

fn registers(model: &str, number: u64, fail: FailMeaning, functions: &'static [&'static str]) -> Tally {
    let options = |_: &mut ChaCha8Rng| Options {
        initial: 0.into(),
        fail,
        ..Options::default()
    };
    fuzz(model, number, options, |rng, _| {
        let history = match rng.random_range(0..2) {
            0 => execution(rng, true, functions),
            _ => structureless(rng, functions),
        };
        match rng.random_range(0..4) {
            0 => with_failed_writes(rng, &history),
            _ => history,
        }
    })
}

#[test]
fn registers_are_followed_to_the_same_event() {
    let tally = registers("register", 150_000, FailMeaning::Dropped, &["read", "write"]);
    assert_eq!(tally.unknown, 0);
}

#[test]
fn cas_registers_are_followed_to_the_same_event() {
    let functions = &["read", "write", "cas"];
    let tally = registers("cas-register", 150_000, FailMeaning::Dropped, functions);
    assert_eq!(tally.unknown, 0);
    let tally = registers(
        "cas-register",
        100_000,
        FailMeaning::Dropped,
        &["read", "cas", "cas"],
    );
    assert_eq!(tally.unknown, 0);
}

#[test]
fn refusals_that_are_observed_are_followed_to_the_same_event() {
    let functions = &["read", "write", "cas", "cas"];
    let tally = registers("cas-register", 60_000, FailMeaning::Observed, functions);
    assert_eq!(tally.unknown, 0);
}

#[test]
fn registers_with_repeated_values_are_followed_to_the_same_event() {
    let options = |_: &mut ChaCha8Rng| Options {
        initial: 0.into(),
        ..Options::default()
    };
    let tally = fuzz("cas-register", 60_000, options, |rng, _| {
        execution(rng, false, &["read", "write", "cas"])
    });
    assert_eq!(tally.unknown, 0);
}

#[test]
fn every_model_is_followed_to_the_same_event() {
    for model in ALL {
        let options = |rng: &mut ChaCha8Rng| Options {
            initial: match model.name {
                "cas-register" => 0.into(),
                _ => Value::Null,
            },
            fail: [FailMeaning::Dropped, FailMeaning::Observed][rng.random_range(0..2)],
            nil_reads: NilReads::Exact,
            ..Options::default()
        };
        let tally = fuzz(model.name, 10_000, options, |rng, options| {
            let shape = vocabulary::Shape {
                operations: rng.random_range(2..10),
                clients: rng.random_range(1..5),
                crashed: [0, 10, 30][rng.random_range(0..3)],
                wrong: [0, 0, 5, 15, 100][rng.random_range(0..5)],
            };
            let specification = (model.specification)(options);
            vocabulary::history(rng, model.name, &*specification, shape)
        });
        assert_eq!(tally.unknown, 0, "{}", model.name);
    }
}

#[test]
fn long_histories_are_followed_to_the_same_event() {
    let options = |_: &mut ChaCha8Rng| Options {
        initial: 0.into(),
        ..Options::default()
    };
    let tally = fuzz("cas-register", 4_000, options, |rng, _| {
        let shape = Shape {
            operations: rng.random_range(50..400),
            clients: rng.random_range(1..20),
            crashed: [0, 1, 5][rng.random_range(0..3)],
            observed: 100,
            unique: true,
            mutations: [0, 1, 1, 2][rng.random_range(0..4)],
            functions: [
                &["read", "read", "write", "cas"][..],
                &["read", "write"],
                &["read", "cas"],
            ][rng.random_range(0..3)],
        };
        generate::history(rng, shape)
    });
    assert_eq!(tally.unknown, 0);
}

/// The events of several histories, each on a key of its own, in any order that keeps theirs.
fn interleaved(rng: &mut ChaCha8Rng, histories: &[History]) -> History {
    let mut queues: Vec<_> = histories
        .iter()
        .map(|history| events(history).into_iter().peekable())
        .collect();
    let mut all = Vec::new();
    while queues.iter_mut().any(|queue| queue.peek().is_some()) {
        let key = rng.random_range(0..queues.len());
        if let Some((_, mut event)) = queues[key].next() {
            event.process = event.process * queues.len() as u64 + key as u64;
            event.key = Some(Value::Int(key as i64));
            all.push(Event::Op(event));
        }
    }
    History::from_events(all).unwrap()
}

#[test]
fn keys_are_followed_each_by_itself() {
    let model = Model::by_name("cas-register").unwrap();
    let options = Options {
        initial: 0.into(),
        explained_max: usize::MAX,
        ..Options::default()
    };
    for seed in 0..super::histories(3_000) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let unique = rng.random_range(0..2) == 0;
        let parts: Vec<History> = (0..3)
            .map(|_| execution(&mut rng, unique, &["read", "write", "cas"]))
            .collect();
        let history = interleaved(&mut rng, &parts);
        let analysis = crate::check(&history, model, &options, &|| false).unwrap();
        let mut online = Online::new(model, &options);
        let mut told = Vec::new();
        for (position, event) in events(&history) {
            told.extend(online.push(position, &event).unwrap());
        }
        let keys = online.finish();
        assert_eq!(keys.len(), analysis.keys.len());
        for (name, standing) in keys {
            let anomaly = analysis.anomalies.iter().find(|anomaly| anomaly.key == name);
            let found = match &standing {
                Standing::Violated(violation) => Some((violation.position + 1, violation.culprit)),
                Standing::Linearizable => None,
                Standing::Unknown { .. } => panic!("seed {seed}: {standing:?}"),
            };
            assert_eq!(
                found,
                anomaly.map(|anomaly| (anomaly.prefix_events, anomaly.culprit)),
                "seed {seed}, key {name:?}"
            );
            // What comes to light only at the end is not told before.
            assert!(told.iter().filter(|violation| violation.key == name).count() <= 1);
            assert!(found.is_some() || told.iter().all(|violation| violation.key != name));
        }
    }
}

/// Clients that begin, take effect and end at random, without end: the order in which they took effect is a
/// linearization.
struct Clients {
    rng: ChaCha8Rng,
    /// What each has begun, and its answer once it took effect.
    all: Vec<Option<(&'static str, Value, Option<Value>)>>,
    state: i64,
    written: i64,
    /// Values are this many, again and again.
    values: i64,
}

impl Clients {
    fn new(clients: usize, values: i64) -> Clients {
        Clients {
            rng: ChaCha8Rng::seed_from_u64(1),
            all: vec![None; clients],
            state: 0,
            written: 0,
            values,
        }
    }

    fn event(&mut self) -> OpEvent {
        loop {
            let process = self.rng.random_range(0..self.all.len());
            let (kind, f, value) = match self.all[process].take() {
                None => {
                    let f = ["read", "read", "write", "cas"][self.rng.random_range(0..4)];
                    self.written += 1;
                    let value = Value::Int(self.written % self.values);
                    let input = match f {
                        "read" => Value::Null,
                        "write" => value,
                        _ => Value::pair(self.state.into(), value),
                    };
                    self.all[process] = Some((f, input.clone(), None));
                    (EventType::Invoke, f, input)
                }
                Some((f, input, None)) => {
                    let found = self.state.into();
                    let (new, answer) = match (&input, input.as_pair()) {
                        (Value::Int(value), _) => (*value, input.clone()),
                        (_, Some((from, Value::Int(to)))) if *from == found => (*to, input.clone()),
                        (_, Some(_)) => (self.state, Value::Null),
                        _ => (self.state, found),
                    };
                    self.state = new;
                    self.all[process] = Some((f, input, Some(answer)));
                    continue;
                }
                Some((f @ "cas", input, Some(Value::Null))) => (EventType::Fail, f, input),
                Some((f, _, Some(answer))) => (EventType::Ok, f, answer),
            };
            return OpEvent {
                index: 0,
                time: 0,
                process: process as u64,
                kind,
                f: f.to_owned(),
                key: None,
                value,
                observed: None,
                node: None,
                error: None,
            };
        }
    }

    /// The most that is remembered within the first events, and at any time.
    fn sizes(mut self, first: u32, all: u32) -> (usize, usize) {
        let model = Model::by_name("cas-register").unwrap();
        let options = Options {
            initial: 0.into(),
            ..Options::default()
        };
        let mut online = Online::new(model, &options);
        let (mut early, mut most) = (0, 0);
        for position in 0..all {
            online.push(position, &self.event()).unwrap();
            if position % 16 == 0 {
                most = online.size().max(most);
            }
            if position <= first {
                early = most;
            }
        }
        let keys = online.finish();
        assert_eq!(keys, [(None, Standing::Linearizable)]);
        (early, most)
    }
}

#[test]
fn what_is_remembered_does_not_grow_with_the_history() {
    for clients in [5, 100] {
        let (early, most) = Clients::new(clients, i64::MAX).sizes(20_000, 2_000_000);
        assert!(most < 2 * early, "{clients} clients: {early}, then {most}");
    }
    let (early, most) = Clients::new(4, 5).sizes(4_000, 40_000);
    assert!(most < 2 * early, "repeated values: {early}, then {most}");
}

/// Follows what clients do on a register: those listed begin, or end what they began.
fn follow(steps: impl IntoIterator<Item = (u64, EventType, Value)>) -> Standing {
    let model = Model::by_name("register").unwrap();
    let mut online = Online::new(model, &Options::default());
    for (position, (process, kind, value)) in (0..).zip(steps) {
        let event = OpEvent {
            index: 0,
            time: 0,
            process,
            kind,
            f: "write".to_owned(),
            key: None,
            value,
            observed: None,
            node: None,
            error: None,
        };
        online.push(position, &event).unwrap();
    }
    online.finish().remove(0).1
}

/// Two clients that write other values each time, so that there is never a moment at which nothing is open.
fn restless(operations: i64) -> impl Iterator<Item = (u64, EventType, Value)> {
    let write = |value: i64, kind| (value as u64 % 2, kind, Value::Int(value));
    (1..=operations).flat_map(move |value| {
        let before = (value > 1).then(|| write(value - 1, EventType::Ok));
        std::iter::once(write(value, EventType::Invoke)).chain(before)
    })
}

#[test]
fn what_cant_be_followed_is_unknown() {
    let again = |operations| (7, EventType::Invoke, Value::Int(operations));
    // Not long after a quiet moment, another way is found.
    let standing = follow(restless(100).chain([again(100)]));
    assert_eq!(standing, Standing::Linearizable);
    let standing = follow(restless(10_000).chain([again(10_000)]));
    let Standing::Unknown { from, why } = standing else {
        panic!("{standing:?}")
    };
    assert_eq!(from, 2 * 10_000 - 1);
    assert_eq!(why, "a value is written again while it may be met");
    // More open operations than the breadth-first search can do with.
    let many = (0..200).map(|process| (process, EventType::Invoke, Value::Int(1)));
    let ends = (0..200).map(|process| (process, EventType::Ok, Value::Int(1)));
    let standing = follow(many.chain(ends));
    assert!(
        matches!(standing, Standing::Unknown { from: 128, .. }),
        "{standing:?}"
    );
}
