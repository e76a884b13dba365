//! Prefilter, depth first and breadth first against the oracle; every witness is verified.

use partita_history::{Event, EventType, History, OpEvent, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::generate::{self, Shape};
use crate::linearizability::entry::{self, Object};
use crate::linearizability::explain;
use crate::linearizability::judge::{self, Outcome};
use crate::linearizability::minimise;
use crate::linearizability::orphan;
use crate::linearizability::search::{self, Budget, Finding, Order};
use crate::model::{Engine, FailMeaning, Model, NilReads, Options};
use crate::oracle::{Candidate, Oracle};
use crate::witness::{Witness, verify};

pub(super) const UNLIMITED: Budget<'static> = Budget {
    configurations: u64::MAX,
    bytes: u64::MAX,
    stop: &|| false,
};

fn oracle_of<'a>(object: &'a Object<'_>, entries: &[entry::Entry]) -> Oracle<'a> {
    let candidates = entries
        .iter()
        .map(|entry| Candidate {
            class: object.classes.get(entry.class),
            invoked: entry.invoked,
            deadline: entry.deadline,
        })
        .collect();
    Oracle::new(object.specification, candidates)
}

pub(super) fn is_linearizable(object: &Object<'_>, entries: &[entry::Entry]) -> bool {
    oracle_of(object, entries).is_linearizable().expect("few enough")
}

/// The orders of so many operations are within the oracle's limit, whatever they do.
const FEW: usize = 9;

/// The same, or none of so many appends at once that their orders can't be tried one by one.
fn is_linearizable_if_few(object: &Object<'_>, entries: &[entry::Entry]) -> Option<bool> {
    let answer = oracle_of(object, entries).is_linearizable();
    assert!(answer.is_some() || entries.len() > FEW, "few enough");
    answer
}

/// The position of the first return that makes a prefix violating, by the oracle.
fn first_violation(object: &Object<'_>) -> Option<u32> {
    let mut returns: Vec<u32> = object.entries.iter().filter_map(|entry| entry.deadline).collect();
    returns.sort_unstable();
    returns
        .into_iter()
        .find(|&position| !is_linearizable(object, &judge::prefix(object, position)))
}

/// Compares all engines on one history; gives whether it was linearizable.
pub(super) fn compare(history: &History, model: &Model, options: &Options) -> Result<bool, String> {
    let specification = (model.specification)(options);
    let operations: Vec<usize> = (0..history.len()).collect();
    let (entries, mut classes) =
        entry::classify(history, &operations, &*specification).map_err(|error| error.to_string())?;
    classes.add_blind(&*specification);
    let object = Object {
        history,
        specification: &*specification,
        key: None,
        classes,
        monitor: None,
        may_search: true,
        entries,
    };
    let expected = first_violation(&object);
    let position = |level: usize| {
        let mut returns: Vec<u32> = object.entries.iter().filter_map(|entry| entry.deadline).collect();
        returns.sort_unstable();
        returns[level]
    };
    for order in [Order::DepthFirst { foresight: false }, Order::BreadthFirst] {
        let (finding, _) = search::search(
            order,
            &object.entries,
            &object.classes,
            &*specification,
            UNLIMITED,
        );
        let found = match finding {
            Finding::Linearizable(_) => None,
            Finding::Violation { level } => Some(position(level)),
            Finding::Spent { .. } => return Err(format!("{order:?} gave up")),
        };
        if found != expected {
            return Err(format!("{order:?} says {found:?}, the oracle {expected:?}"));
        }
    }
    let (foresighted, _) = search::search(
        Order::DepthFirst { foresight: true },
        &object.entries,
        &object.classes,
        &*specification,
        UNLIMITED,
    );
    if matches!(foresighted, Finding::Linearizable(_)) != expected.is_none() {
        return Err(format!(
            "with foresight: {foresighted:?}, the oracle {expected:?}"
        ));
    }
    if let Some(orphan) = orphan::find(&object.entries, &object.classes, &*specification) {
        let core: Vec<_> = orphan.core().iter().map(|&i| object.entries[i]).collect();
        if expected.is_none() || is_linearizable(&object, &core) {
            return Err(format!("{orphan:?} is none"));
        }
    }
    match judge::judge(&object, UNLIMITED).outcome {
        Outcome::Linearizable(Some(order)) if expected.is_none() => {
            let witness = Witness { key: None, order };
            verify(history, model, options, std::slice::from_ref(&witness))
                .map_err(|error| format!("{witness:?}: {error}"))?;
        }
        Outcome::Violated(violation) if Some(violation.position) == expected => {
            counterexample(&object, &violation)?;
        }
        other => return Err(format!("judged {other:?}, the oracle says {expected:?}")),
    }
    Ok(expected.is_none())
}

/// The counterexample must be a violation by itself, and no single step may make it smaller.
pub(super) fn counterexample(object: &Object<'_>, violation: &judge::Violation) -> Result<(), String> {
    let minimised = minimise::minimise(object, violation, UNLIMITED);
    if !minimised.is_minimal {
        return Err("the counterexample is not minimal, without a limit".to_owned());
    }
    let core = minimised.entries.clone();
    match is_linearizable_if_few(object, &core) {
        Some(true) => return Err(format!("the counterexample {core:?} is linearizable")),
        Some(false) => {}
        // Nor will it be confirmed where it is explained.
        None => return Ok(()),
    }
    for i in 0..core.len() {
        let mut smaller = core.clone();
        if core[i].deadline.is_none() {
            continue;
        } else if object.classes.is_observer(core[i].class) {
            smaller.remove(i);
        } else {
            smaller[i].deadline = None;
        }
        if is_linearizable_if_few(object, &smaller) == Some(false) {
            return Err(format!(
                "the counterexample {core:?} is not minimal: {:?}",
                core[i]
            ));
        }
    }
    let anomaly = explain::explain(object, violation, &minimised, UNLIMITED);
    if !anomaly.confirmed || anomaly.partials.is_empty() || !anomaly.operations.contains(&violation.culprit) {
        return Err(format!("badly explained: {anomaly:?}"));
    }
    // The edges alone, all other real time forgotten, must still be a violation.
    let mut oracle = oracle_of(object, &core);
    let place = |id| {
        core.iter()
            .position(|entry| entry.id == id)
            .expect("one of the core")
    };
    let edges: Vec<_> = anomaly
        .edges
        .iter()
        .map(|edge| (place(edge.before), place(edge.after)))
        .collect();
    for (a, b) in (0..core.len()).flat_map(|a| (0..core.len()).map(move |b| (a, b))) {
        oracle.set_before(a, b, edges.contains(&(a, b)));
    }
    match oracle.is_linearizable() {
        Some(false) => Ok(()),
        None if core.len() > FEW => Ok(()),
        other => Err(format!("{other:?} with the edges {edges:?} alone")),
    }
}

fn shape(rng: &mut ChaCha8Rng, functions: &'static [&'static str]) -> Shape {
    let operations = rng.random_range(1..11);
    Shape {
        operations,
        clients: rng.random_range(1..6),
        crashed: [0, 5, 15][rng.random_range(0..3)],
        observed: [0, 50, 100][rng.random_range(0..3)],
        unique: rng.random_range(0..2) == 0,
        mutations: [0, 1, 2, operations][rng.random_range(0..4)],
        functions,
    }
}

fn fuzz(model: &str, functions: &'static [&'static str], histories: u64) {
    let model = Model::by_name(model).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    let histories = super::histories(histories);
    for seed in 0..histories {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let shape = shape(&mut rng, functions);
        let history = generate::history(&mut rng, shape);
        let options = Options {
            initial: if model.name == "kv" { Value::Null } else { 0.into() },
            fail: [FailMeaning::Dropped, FailMeaning::Observed][rng.random_range(0..2)],
            nil_reads: NilReads::Exact,
            ..Options::default()
        };
        match compare(&history, model, &options) {
            Ok(true) => valid += 1,
            Ok(false) => invalid += 1,
            Err(message) => panic!(
                "{}, seed {seed}: {message}\n{shape:?}\n{options:?}\n{:#?}",
                model.name, history
            ),
        }
    }
    assert!(
        valid.min(invalid) > histories / 10,
        "{valid} valid, {invalid} invalid"
    );
}

#[test]
fn registers_agree_with_the_oracle() {
    fuzz("register", &["read", "write"], 60_000);
}

#[test]
fn cas_registers_agree_with_the_oracle() {
    fuzz("cas-register", &["read", "write", "cas"], 80_000);
    fuzz("cas-register", &["read", "cas", "cas"], 20_000);
}

#[test]
fn key_value_stores_agree_with_the_oracle() {
    fuzz("kv", &["read", "write", "append"], 40_000);
}

/// A history of one register; each event is a process, what happened, the function and the value.
fn written_out(events: &[(u64, EventType, &str, Value)]) -> History {
    let events = events.iter().map(|(process, kind, f, value)| {
        Event::Op(OpEvent {
            index: 0,
            time: 0,
            process: *process,
            kind: *kind,
            f: (*f).to_owned(),
            key: None,
            value: value.clone(),
            observed: None,
            node: None,
            error: None,
        })
    });
    History::from_events(events).unwrap()
}

/// Of equal operations those that end first are used up first and the crashed ones last, but not instead of each other:
/// both may be needed while both are open.
#[test]
fn an_open_operation_that_was_used_does_not_stand_for_another() {
    use EventType::{Invoke, Ok as Done};
    let read = |process, value: i64| {
        [
            (process, Invoke, "read", Value::Null),
            (process, Done, "read", value.into()),
        ]
    };
    let events = [
        &[(0, Invoke, "write", 1.into())][..],
        &read(3, 1),
        &[(1, Invoke, "write", 2.into()), (1, Done, "write", 2.into())],
        &read(3, 2),
        &[(2, Invoke, "write", 1.into())],
        &read(3, 1),
        &[(0, Done, "write", 1.into())],
    ];
    let model = Model::by_name("register").unwrap();
    let crashed = events.concat();
    let mut completed = crashed.clone();
    completed.push((2, Done, "write", 1.into()));
    for events in [crashed, completed] {
        assert_eq!(
            compare(&written_out(&events), model, &Options::default()),
            Ok(true)
        );
    }
}

/// As many operations open at once as there are bits in a word, and one more or less.
#[test]
fn open_operations_fill_their_mask() {
    for open in [63, 64, 65, 127, 128, 129] {
        let all = |kind| (0..open).map(move |process| (process, kind, "write", Value::Int(1)));
        let mut events: Vec<_> = all(EventType::Invoke).chain(all(EventType::Ok)).collect();
        events.push((0, EventType::Invoke, "read", Value::Null));
        events.push((0, EventType::Ok, "read", Value::Int(1)));
        let options = Options {
            engine: Engine::Search,
            ..Options::default()
        };
        let model = Model::by_name("register").unwrap();
        let analysis = crate::check(&written_out(&events), model, &options, &|| false).unwrap();
        assert_eq!(analysis.verdict, crate::Verdict::Valid, "{open} open");
    }
}
