//! Sizes that runs produce, in numbers of configurations: a clock would make these tests flaky.

use partita_history::{Event, EventType, History, OpEvent, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::model::{Engine, Model, Options};
use crate::verdict::{Analysis, Verdict};
use crate::{check_with_witness, verify};

/// A run as a workload makes it: clients share keys, write unique values, and crash now and then.
struct Run {
    keys: i64,
    operations: usize,
    clients: usize,
    crashed_percent: u32,
    /// After how many operations one read answers with a value of long ago; 0 for never.
    stale_at: usize,
    /// No plain writes: versions form one chain.
    swaps_only: bool,
}

struct Open {
    key: usize,
    f: &'static str,
    input: Value,
    effect: Option<(EventType, Value, Option<Value>)>,
}

impl Run {
    fn history(&self, seed: u64) -> History {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // All the values that each key has had.
        let mut state: Vec<Vec<Value>> = vec![vec![Value::Null]; self.keys as usize];
        let mut open: Vec<(u64, Option<Open>)> = (0..self.clients as u64).map(|p| (p, None)).collect();
        let (mut next_process, mut unique, mut invoked) = (self.clients as u64, 0, 0);
        let (mut stale, mut history, mut time) = (self.stale_at > 0, History::default(), 0);
        while invoked < self.operations || open.iter().any(|(_, op)| op.is_some()) {
            let client = rng.random_range(0..open.len());
            let (process, slot) = &mut open[client];
            time += rng.random_range(10_000..1_000_000);
            let mut push = |kind, op: &Open, value: Value, observed| {
                let event = OpEvent {
                    index: 0,
                    time,
                    process: *process,
                    kind,
                    f: op.f.into(),
                    key: Some(Value::Str(format!("k{}", op.key))),
                    value,
                    observed,
                    node: Some(format!("n{}", client % 5 + 1)),
                    error: None,
                };
                history.push(Event::Op(event)).unwrap();
            };
            let Some(op) = slot else {
                if invoked < self.operations {
                    let key = rng.random_range(0..self.keys as usize);
                    unique += 1;
                    let (f, input) = match rng.random_range(0..10) {
                        0..5 => ("read", Value::Null),
                        5..8 if !self.swaps_only => ("write", unique.into()),
                        _ => ("cas", Value::pair(current(&state[key]).clone(), unique.into())),
                    };
                    let op = Open {
                        key,
                        f,
                        input: input.clone(),
                        effect: None,
                    };
                    push(EventType::Invoke, &op, input, None);
                    *slot = Some(op);
                    invoked += 1;
                }
                continue;
            };
            if rng.random_range(0..100) < self.crashed_percent && op.f != "read" {
                if rng.random_range(0..2) == 0 && op.effect.is_none() {
                    effect(op, &mut state);
                }
                push(EventType::Info, op, op.input.clone(), None);
                (*process, *slot) = (next_process, None);
                next_process += 1;
            } else if let Some((kind, value, observed)) = op.effect.take() {
                push(kind, op, value, observed);
                *slot = None;
            } else {
                op.effect = Some(effect(op, &mut state));
                if stale && op.f == "read" && invoked > self.stale_at {
                    let values = &state[op.key];
                    let old = values[values.len() - STALE_CHANGES].clone();
                    op.effect = Some((EventType::Ok, old, None));
                    stale = false;
                }
            }
        }
        history
    }

    fn judge(&self, seed: u64, engine: Engine) -> Analysis {
        let history = self.history(seed);
        let model = Model::by_name("cas-register").unwrap();
        let options = Options {
            engine,
            ..Options::default()
        };
        let (analysis, witnesses) = check_with_witness(&history, model, &options, &|| false).unwrap();
        if analysis.verdict == Verdict::Valid {
            verify(&history, model, &options, &witnesses).unwrap();
        }
        analysis
    }
}

/// How many changes ago the value of a stale read was current.
const STALE_CHANGES: usize = 60;

fn current(values: &[Value]) -> &Value {
    values.last().unwrap_or(&Value::Null)
}

fn effect(op: &Open, state: &mut [Vec<Value>]) -> (EventType, Value, Option<Value>) {
    let values = &mut state[op.key];
    let now = current(values);
    let to = match (op.f, op.input.as_pair()) {
        ("read", _) => return (EventType::Ok, now.clone(), None),
        (_, Some((from, _))) if from != now => return (EventType::Fail, op.input.clone(), Some(now.clone())),
        (_, Some((_, to))) => to,
        _ => &op.input,
    };
    values.push(to.clone());
    (EventType::Ok, op.input.clone(), None)
}

fn configurations(analysis: &Analysis) -> u64 {
    analysis.keys.iter().map(|key| key.configurations).sum()
}

#[test]
fn hundreds_of_keys_with_crashes_take_a_few_configurations_an_operation() {
    let run = Run {
        keys: 300,
        operations: 60_000,
        clients: 10,
        crashed_percent: 2,
        stale_at: 0,
        swaps_only: false,
    };
    let analysis = run.judge(1, Engine::Search);
    assert_eq!(analysis.verdict, Verdict::Valid, "{}", analysis.reason);
    assert!(
        configurations(&analysis) < 2 * 60_000,
        "{}",
        configurations(&analysis)
    );
}

#[test]
fn one_busy_key_with_hundreds_of_crashed_writes_is_judged() {
    for seed in 0..5 {
        let run = Run {
            keys: 1,
            operations: 10_000,
            clients: 50,
            crashed_percent: 5,
            stale_at: 0,
            swaps_only: false,
        };
        let analysis = run.judge(seed, Engine::Search);
        assert_eq!(
            analysis.verdict,
            Verdict::Valid,
            "seed {seed}: {}",
            analysis.reason
        );
        assert!(
            configurations(&analysis) < 20 * 10_000,
            "seed {seed}: {}",
            configurations(&analysis)
        );
    }
}

#[test]
fn one_stale_read_among_thousands_of_operations_is_found_and_made_small() {
    let mut found = 0;
    for seed in 0..5 {
        let run = Run {
            keys: 1,
            operations: 10_000,
            clients: 20,
            crashed_percent: 5,
            stale_at: 8_000,
            swaps_only: false,
        };
        for anomaly in &run.judge(seed, Engine::Search).anomalies {
            found += 1;
            assert!(anomaly.confirmed, "seed {seed}: {anomaly:?}");
            assert!(anomaly.operations.len() <= 8, "seed {seed}: {anomaly:?}");
        }
    }
    assert!(found == 5, "only {found} violations");
}

#[test]
fn a_spent_budget_says_how_far_it_got() {
    let run = Run {
        keys: 3,
        operations: 3_000,
        clients: 20,
        crashed_percent: 5,
        stale_at: 0,
        swaps_only: false,
    };
    let history = run.history(3);
    let model = Model::by_name("cas-register").unwrap();
    let few = Options {
        engine: Engine::Search,
        configurations_max: 50,
        ..Options::default()
    };
    let analysis = crate::check(&history, model, &few, &|| false).unwrap();
    assert_eq!(analysis.verdict, Verdict::Unknown);
    assert!(
        analysis.keys.iter().all(|key| key.verified_events > 100),
        "{:?}",
        analysis.keys
    );
    assert!(
        analysis
            .reason
            .starts_with("The budget was spent on key k0, key k1 and key k2"),
        "{}",
        analysis.reason
    );

    let stopped = crate::check(&history, model, &Options::default(), &|| true).unwrap();
    assert_eq!(stopped.verdict, Verdict::Unknown);
}

#[test]
fn a_hundred_thousand_operations_on_one_key_are_judged_without_a_search() {
    for (seed, crashed_percent) in [(1, 0), (2, 5)] {
        let run = Run {
            keys: 1,
            operations: 100_000,
            clients: 100,
            crashed_percent,
            stale_at: 0,
            swaps_only: false,
        };
        let analysis = run.judge(seed, Engine::Monitor);
        assert_eq!(analysis.verdict, Verdict::Valid, "{}", analysis.reason);
        assert_eq!(configurations(&analysis), 0);
    }
}

#[test]
fn one_stale_read_among_a_hundred_thousand_operations_is_made_small_without_a_search() {
    // (Under another seed the old value is of a crashed write that nothing else saw, and the read is right.)
    for (seed, clients, crashed_percent) in [(0, 20, 0), (2, 20, 5), (3, 100, 5)] {
        let run = Run {
            keys: 1,
            operations: 100_000,
            clients,
            crashed_percent,
            stale_at: 50_000,
            swaps_only: false,
        };
        let analysis = run.judge(seed, Engine::Monitor);
        assert_eq!(configurations(&analysis), 0);
        let [anomaly] = &analysis.anomalies[..] else {
            panic!("seed {seed}: {}", analysis.reason);
        };
        assert!(
            anomaly.confirmed && anomaly.operations.len() <= 6,
            "seed {seed}: {anomaly:?}"
        );
    }
}

#[test]
fn one_stale_read_of_a_long_chain_of_compare_and_sets_makes_a_short_counterexample() {
    for (seed, engine) in [(1, Engine::Auto), (2, Engine::Auto), (3, Engine::Search)] {
        let run = Run {
            keys: 1,
            operations: 10_000,
            clients: 10,
            crashed_percent: 0,
            stale_at: 8_000,
            swaps_only: true,
        };
        let analysis = run.judge(seed, engine);
        let [anomaly] = &analysis.anomalies[..] else {
            panic!("seed {seed}: {}", analysis.reason);
        };
        assert!(
            anomaly.confirmed && anomaly.minimal && anomaly.operations.len() <= 6,
            "seed {seed}: {anomaly:?}"
        );
        assert!(anomaly.blind.iter().all(|id| anomaly.operations.contains(id)));
    }
}
