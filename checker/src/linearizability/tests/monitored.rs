//! Monitors against the oracle and the search; every witness is verified, every core is judged by the oracle.

use partita_history::{Event, EventType, History, OpEvent, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::differential::{UNLIMITED, counterexample, is_linearizable};
use super::generate::{self, Shape};
use crate::linearizability::entry::{self, Entry, Object};
use crate::linearizability::judge::{self, Outcome};
use crate::linearizability::search::{self, Finding, Order};
use crate::model::{Engine, FailMeaning, Model, Options, Specification};
use crate::monitor;
use crate::verdict::Verdict;
use crate::witness::{Witness, verify};

/// How histories were judged.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) passed: u32,
    pub(super) failed: u32,
    pub(super) searched: u32,
}

pub(super) fn object<'a>(
    history: &'a History,
    model: &Model,
    specification: &'a dyn Specification,
) -> Object<'a> {
    let operations: Vec<usize> = (0..history.len()).collect();
    let (entries, classes) = entry::classify(history, &operations, specification).unwrap();
    Object {
        history,
        specification,
        key: None,
        monitor: monitor::of(model.name, &classes, specification),
        may_search: true,
        classes,
        entries,
    }
}

/// The first return that the breadth-first search can't get past.
fn breadth_first(object: &Object<'_>) -> Option<u32> {
    let (finding, _) = search::search(
        Order::BreadthFirst,
        &object.entries,
        &object.classes,
        object.specification,
        UNLIMITED,
    );
    let mut returns: Vec<u32> = object.entries.iter().filter_map(|entry| entry.deadline).collect();
    returns.sort_unstable();
    match finding {
        Finding::Violation { level } => Some(returns[level]),
        Finding::Linearizable(_) | Finding::Spent { .. } => None,
    }
}

/// Compares on one history.
pub(super) fn compare(
    history: &History,
    model: &Model,
    options: &Options,
    explain: bool,
    tally: &mut Tally,
) -> Result<(), String> {
    let specification = (model.specification)(options);
    let object = object(history, model, &*specification);
    let expected = is_linearizable(&object, &object.entries);
    let monitor = object.monitor.as_ref().ok_or("no monitor")?;
    match monitor.judge(&object.entries) {
        monitor::Finding::Pass(_) if expected => tally.passed += 1,
        monitor::Finding::Fail(core) if !expected => {
            tally.failed += 1;
            let core: Vec<Entry> = core.iter().map(|&i| object.entries[i as usize]).collect();
            if is_linearizable(&object, &core) {
                return Err(format!("the core {core:?} is linearizable"));
            }
        }
        monitor::Finding::NotApplicable(_) => tally.searched += 1,
        other => return Err(format!("{other:?}, the oracle says {expected}")),
    }
    with_ties(&object, &**monitor)?;
    match judge::judge(&object, UNLIMITED).outcome {
        Outcome::Linearizable(Some(order)) if expected => {
            let witness = Witness { key: None, order };
            verify(history, model, options, std::slice::from_ref(&witness))
                .map_err(|error| format!("{witness:?}: {error}"))
        }
        Outcome::Violated(violation) if !expected => {
            let first = breadth_first(&object);
            if first != Some(violation.position) {
                return Err(format!("{violation:?}, breadth first {first:?}"));
            }
            if explain {
                counterexample(&object, &violation)?;
            }
            Ok(())
        }
        other => Err(format!("judged {other:?}, the oracle says {expected}")),
    }
}

/// The same, with each two neighbouring events at one position: intervals are closed.
fn with_ties(object: &Object<'_>, monitor: &dyn monitor::Monitor) -> Result<(), String> {
    let tied: Vec<Entry> = object
        .entries
        .iter()
        .map(|entry| Entry {
            invoked: entry.invoked / 2,
            deadline: entry.deadline.map(|deadline| deadline / 2),
            ..*entry
        })
        .collect();
    let expected = is_linearizable(object, &tied);
    let pick = |some: &[u32]| -> Vec<Entry> { some.iter().map(|&i| tied[i as usize]).collect() };
    match monitor.judge(&tied) {
        monitor::Finding::Pass(order) if expected => in_order(object, &tied, &pick(&order)),
        monitor::Finding::Fail(core) if !expected && !is_linearizable(object, &pick(&core)) => Ok(()),
        monitor::Finding::NotApplicable(_) => Ok(()),
        other => Err(format!("with ties: {other:?}, the oracle says {expected}")),
    }
}

/// Whether real time and the model allow this order.
pub(super) fn in_order(object: &Object<'_>, all: &[Entry], order: &[Entry]) -> Result<(), String> {
    let mut state = object.specification.initial();
    let mut latest = 0;
    for entry in order {
        latest = latest.max(entry.invoked);
        if entry.deadline.is_some_and(|deadline| deadline < latest) {
            return Err(format!("with ties: {entry:?} comes too late in {order:?}"));
        }
        state = object
            .specification
            .step(&state, object.classes.get(entry.class))
            .ok_or_else(|| format!("with ties: {entry:?} is impossible in {order:?}"))?;
    }
    match all
        .iter()
        .find(|entry| entry.deadline.is_some() && !order.contains(entry))
    {
        Some(missing) => Err(format!("with ties: {missing:?} is not in {order:?}")),
        None => Ok(()),
    }
}

/// Random intervals, and random results: each value is written at most once, and read wherever it may please.
pub(super) fn structureless(rng: &mut ChaCha8Rng, functions: &[&'static str]) -> History {
    let operations: i64 = rng.random_range(2..10);
    let clients = rng.random_range(2..6);
    let crashed = [0, 10, 30][rng.random_range(0..3)];
    let values = rng.random_range(1..=operations);
    let mut open: Vec<Option<(u64, &'static str, Value)>> = vec![None; clients];
    let (mut history, mut process, mut written) = (History::default(), 0, 0);
    while (process as i64) < operations || open.iter().any(Option::is_some) {
        let slot = &mut open[rng.random_range(0..clients)];
        let mut any = || Value::Int(rng.random_range(0..=values));
        let mut push = |kind, process, f: &str, value, observed| {
            let event = OpEvent {
                index: 0,
                time: 0,
                process,
                kind,
                f: f.into(),
                key: None,
                value,
                observed,
                node: None,
                error: None,
            };
            history.push(Event::Op(event)).unwrap();
        };
        match slot.take() {
            None if (process as i64) < operations => {
                let seen = any();
                let f = functions[rng.random_range(0..functions.len())];
                written += i64::from(f != "read");
                let input = match f {
                    "read" => Value::Null,
                    "write" => written.into(),
                    _ => Value::pair(seen, written.into()),
                };
                push(EventType::Invoke, process, f, input.clone(), None);
                *slot = Some((process, f, input));
                process += 1;
            }
            None => {}
            Some((process, f, input)) => {
                let seen = any();
                let chance = rng.random_range(0..100);
                let (kind, value, observed) = match f {
                    _ if chance < crashed => (EventType::Info, input, None),
                    "read" => (EventType::Ok, seen, None),
                    "cas" if chance % 4 == 0 => (EventType::Fail, input, None),
                    "cas" if chance % 4 == 1 => (EventType::Fail, input, Some(seen)),
                    _ => (EventType::Ok, input, None),
                };
                push(kind, process, f, value, observed);
            }
        }
    }
    history
}

fn execution(rng: &mut ChaCha8Rng, functions: &'static [&'static str]) -> History {
    let operations = rng.random_range(1..12);
    let shape = Shape {
        operations,
        clients: rng.random_range(1..6),
        crashed: [0, 5, 15][rng.random_range(0..3)],
        observed: [0, 50, 100][rng.random_range(0..3)],
        unique: true,
        mutations: [0, 1, 2, operations][rng.random_range(0..4)],
        functions,
    };
    generate::history(rng, shape)
}

fn fuzz(
    model: &str,
    functions: &'static [&'static str],
    fail: FailMeaning,
    seeds: std::ops::Range<u64>,
) -> Tally {
    let seeds = seeds.start..seeds.start + super::histories(seeds.end - seeds.start);
    let model = Model::by_name(model).unwrap();
    let mut tally = Tally::default();
    for seed in seeds.clone() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let history = match seed % 2 {
            0 => execution(&mut rng, functions),
            _ => structureless(&mut rng, functions),
        };
        let options = Options {
            initial: 0.into(),
            fail,
            ..Options::default()
        };
        if let Err(message) = compare(&history, model, &options, seed % 8 < 2, &mut tally) {
            panic!(
                "{}, seed {seed}: {message}\n{options:?}\n{:#?}",
                model.name, history
            );
        }
    }
    let enough = (seeds.end - seeds.start) as u32 / 10;
    assert!(tally.passed.min(tally.failed) > enough, "{tally:?}");
    tally
}

#[test]
fn registers_are_judged_as_by_the_oracle() {
    let tally = fuzz("register", &["read", "write"], FailMeaning::Dropped, 0..200_000);
    assert_eq!(tally.searched, 0);
}

#[test]
fn cas_registers_are_judged_as_by_the_oracle() {
    let tally = fuzz(
        "cas-register",
        &["read", "write", "cas"],
        FailMeaning::Dropped,
        200_000..400_000,
    );
    assert_eq!(tally.searched, 0);
    let tally = fuzz(
        "cas-register",
        &["read", "cas", "cas"],
        FailMeaning::Dropped,
        400_000..500_000,
    );
    assert_eq!(tally.searched, 0);
}

#[test]
fn refusals_that_are_observed_are_judged_as_by_the_oracle() {
    let tally = fuzz(
        "cas-register",
        &["read", "write", "cas", "cas"],
        FailMeaning::Observed,
        500_000..700_000,
    );
    assert!(
        tally.searched > 0 && u64::from(tally.searched) < super::histories(200_000) / 57,
        "{tally:?}"
    );
}

#[test]
fn a_monitor_alone_says_why_it_cannot_judge() {
    let lines = r#"{"process":1,"type":"invoke","f":"write","value":1}
{"process":2,"type":"invoke","f":"write","value":1}
{"process":1,"type":"ok","f":"write","value":1}
{"process":2,"type":"ok","f":"write","value":1}
"#;
    let history = partita_history::jsonl::read(lines.as_bytes(), false).unwrap();
    let judge = |model: &str, engine, initial: i64| {
        let options = Options {
            engine,
            initial: initial.into(),
            ..Options::default()
        };
        crate::check(&history, Model::by_name(model).unwrap(), &options, &|| false).unwrap()
    };
    let analysis = judge("register", Engine::Monitor, 0);
    assert_eq!(analysis.verdict, Verdict::Unknown);
    assert_eq!(
        analysis.reason,
        "No monitor applies, because a value is written more than once, and no search was allowed."
    );
    let analysis = judge("cas-register", Engine::Monitor, 1);
    assert_eq!(
        analysis.reason,
        "No monitor applies, because the initial value is written again, and no search was allowed."
    );
    for engine in [Engine::Auto, Engine::Search] {
        let analysis = judge("register", engine, 0);
        assert_eq!(analysis.verdict, Verdict::Valid);
        assert!(analysis.keys[0].configurations > 0);
    }
}
