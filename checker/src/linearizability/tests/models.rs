//! Every model: its laws, and all engines against the oracle on its histories.

use partita_history::{History, Operation, Outcome, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::differential::compare;
use super::vocabulary::{self, Shape, functions, operation};
use crate::model::{ALL, Class, FailMeaning, Model, NilReads, Options, Specification};
use crate::oracle::{Candidate, Oracle};

const HISTORIES: u64 = 12_000;

fn options(rng: &mut ChaCha8Rng, model: &str) -> Options {
    let initial = match model {
        "cas-register" => 0.into(),
        "semaphore" => Value::Int(rng.random_range(1..4)),
        "bag" | "fifo-queue" | "stack" | "priority-queue" if rng.random_range(0..3) == 0 => {
            Value::List(vec![1.into(), 2.into()])
        }
        _ => Value::Null,
    };
    Options {
        initial,
        fail: [FailMeaning::Dropped, FailMeaning::Observed][rng.random_range(0..2)],
        nil_reads: NilReads::Exact,
        ..Options::default()
    }
}

fn shape(rng: &mut ChaCha8Rng) -> Shape {
    Shape {
        operations: rng.random_range(2..10),
        clients: rng.random_range(1..5),
        crashed: [0, 10, 30][rng.random_range(0..3)],
        wrong: [0, 0, 5, 15, 100][rng.random_range(0..5)],
    }
}

fn fuzz(model: &Model, histories: u64) {
    let (mut valid, mut invalid) = (0, 0);
    for seed in 0..histories {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let shape = shape(&mut rng);
        let options = options(&mut rng, model.name);
        let specification = (model.specification)(&options);
        let history = vocabulary::history(&mut rng, model.name, &*specification, shape);
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
        valid.min(invalid) > histories / 20,
        "{}: {valid} valid, {invalid} invalid",
        model.name
    );
}

#[test]
fn the_first_half_of_the_models_agrees_with_the_oracle() {
    ALL.iter().step_by(2).for_each(|model| fuzz(model, HISTORIES));
}

#[test]
fn the_other_half_of_the_models_agrees_with_the_oracle() {
    ALL.iter()
        .skip(1)
        .step_by(2)
        .for_each(|model| fuzz(model, HISTORIES));
}

// The other models have suites of their own, with as many.

#[test]
fn fenced_locks_agree_with_the_oracle() {
    fuzz(Model::by_name("fenced-lock").unwrap(), super::histories(200_000));
}

#[test]
fn multi_registers_agree_with_the_oracle() {
    fuzz(
        Model::by_name("multi-register").unwrap(),
        super::histories(200_000),
    );
}

/// Random walks through each model, with a look at every class from every state on the way.
#[test]
fn steps_are_pure_and_observers_change_nothing() {
    for model in ALL {
        let mut observed = 0;
        for seed in 0..300 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let options = options(&mut rng, model.name);
            let specification = (model.specification)(&options);
            let again = (model.specification)(&options);
            let mut state = specification.initial();
            assert_eq!(state, again.initial());
            for _ in 0..40 {
                let f = functions(model.name)[rng.random_range(0..functions(model.name).len())];
                let input = vocabulary::input(&mut rng, model.name, f);
                let output = vocabulary::output(&mut rng, model.name, f, &input, &state);
                let outcome =
                    [Outcome::Ok, Outcome::Ok, Outcome::Info, Outcome::Fail][rng.random_range(0..4)];
                let operation = operation(seed % 3, f, &input, outcome, &output);
                let Some(class) = specification.classify(&operation).unwrap() else {
                    continue;
                };
                let before = state.clone();
                let next = specification.step(&state, &class);
                assert_eq!(
                    (&state, &next),
                    (&before, &again.step(&state, &class)),
                    "{class:?}"
                );
                if let Some(next) = next {
                    if specification.is_observer(&class) {
                        assert_eq!(next, state, "{}: {class:?}", model.name);
                        observed += 1;
                    }
                    state = next;
                }
            }
        }
        assert!(
            observed > 0 || model.name == "bag",
            "{} observes nothing",
            model.name
        );
    }
}

fn any_value(rng: &mut ChaCha8Rng, depth: usize) -> Value {
    match rng.random_range(0..if depth > 0 { 8 } else { 5 }) {
        0 => Value::Null,
        1 => Value::Int(rng.random_range(-2..3)),
        2 => Value::Int([i64::MIN, i64::MAX][rng.random_range(0..2)]),
        3 | 4 => ["", "r", "w", "x", "?", "free"][rng.random_range(0..6)].into(),
        _ => Value::List(
            (0..rng.random_range(0..4))
                .map(|_| any_value(rng, depth - 1))
                .collect(),
        ),
    }
}

/// Whatever values come, and whatever state it starts from: an answer or an error in words, and no panic.
#[test]
fn no_value_makes_a_model_panic() {
    for model in ALL {
        let (mut understood, mut refused) = (0, 0);
        for seed in 0..3_000 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let options = Options {
                initial: [Value::Null, any_value(&mut rng, 3)][rng.random_range(0..2)].clone(),
                fail: [FailMeaning::Dropped, FailMeaning::Observed][rng.random_range(0..2)],
                nil_reads: [NilReads::Exact, NilReads::Any][rng.random_range(0..2)],
                ..Options::default()
            };
            let specification = (model.specification)(&options);
            let mut state = specification.initial();
            for _ in 0..10 {
                let f = functions(model.name)[rng.random_range(0..functions(model.name).len())];
                let outcome = [Outcome::Ok, Outcome::Info, Outcome::Fail][rng.random_range(0..3)];
                let process = [0, u64::MAX][rng.random_range(0..2)];
                let (input, output) = (any_value(&mut rng, 3), any_value(&mut rng, 3));
                let observed = any_value(&mut rng, 2);
                let mut operation = operation(process, f, &input, outcome, &output);
                operation.observed = Some(&observed).filter(|_| seed % 2 == 0);
                assert!(!specification.describe(&operation).is_empty());
                match specification.classify(&operation) {
                    Err(message) => {
                        assert!(!message.is_empty());
                        refused += 1;
                    }
                    Ok(None) => {}
                    Ok(Some(class)) => {
                        understood += 1;
                        assert!(!specification.describe_need(&class).is_empty());
                        assert_eq!(specification.last_use(&[&class, &class], &[&class]).len(), 1);
                        state = specification.step(&state, &class).unwrap_or(state);
                        assert!(!specification.describe_state(Some(&"x".into()), &state).is_empty());
                    }
                }
            }
        }
        assert!(understood > 0, "{} understands nothing", model.name);
        let takes_anything = ["register", "grow-only-set", "mutex", "owned-mutex"].contains(&model.name);
        assert!(refused > 0 || takes_anything, "{} refuses nothing", model.name);
    }
}

#[test]
fn an_unknown_function_is_an_error_that_names_the_known_ones() {
    for model in ALL {
        let specification = (model.specification)(&Options::default());
        let dance = operation(0, "dance", &Value::Null, Outcome::Ok, &Value::Null);
        let message = specification.classify(&dance).unwrap_err();
        for known in functions(model.name) {
            assert!(
                message.contains(known) && message.contains(model.name),
                "{message}"
            );
        }
    }
}

/// What an operation of unknown outcome or result may have been, one by one, as completed operations.
fn alternatives(
    history: &History,
    id: usize,
    specification: &dyn Specification,
    values: &[i64],
) -> Vec<Class> {
    let known = |value: &i64| {
        let operation = Operation {
            outcome: Outcome::Ok,
            output: &Value::Int(*value),
            ..history.operation(id)
        };
        specification.classify(&operation).unwrap()
    };
    values.iter().filter_map(known).collect()
}

/// Whether there is a linearization with some choice of what was not known.
fn by_trying_everything(
    specification: &dyn Specification,
    candidates: &mut Vec<(Class, u32, Option<u32>)>,
    open: &[(Vec<Class>, u32, Option<u32>)],
) -> bool {
    let Some(((choices, invoked, deadline), rest)) = open.split_first() else {
        let candidates = candidates.iter().map(|(class, invoked, deadline)| Candidate {
            class,
            invoked: *invoked,
            deadline: *deadline,
        });
        return Oracle::new(specification, candidates.collect()).is_linearizable() == Some(true);
    };
    // That of unknown outcome may not have happened at all, which the oracle knows.
    choices.iter().any(|class| {
        candidates.push((class.clone(), *invoked, *deadline));
        let found = by_trying_everything(specification, candidates, rest);
        candidates.pop();
        found
    })
}

/// What the models make of a removal, or a token, that is not known: it must be as if each possible one had been
/// tried (ALGORITHMS.md 12).
#[test]
fn unknown_results_are_as_if_all_had_been_tried() {
    for name in ["fifo-queue", "bag", "stack", "priority-queue", "fenced-lock"] {
        let model = Model::by_name(name).unwrap();
        let (mut valid, mut invalid, mut with_unknown) = (0, 0, 0);
        for seed in 0..6_000 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let shape = Shape {
                crashed: 35,
                operations: rng.random_range(3..9),
                ..shape(&mut rng)
            };
            let specification = (model.specification)(&Options::default());
            let history = vocabulary::history(&mut rng, name, &*specification, shape);
            // Tokens may be anything; larger ones than these are never asked for.
            let values: &[i64] = if name == "fenced-lock" {
                &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
            } else {
                &[0, 1, 2, 3]
            };
            let (mut known, mut open, mut direct) = (Vec::new(), Vec::new(), Vec::new());
            for (id, operation) in history.operations().enumerate() {
                let Some(class) = specification.classify(&operation).unwrap() else {
                    continue;
                };
                let (invoked, deadline) = (operation.invoked.position, operation.deadline());
                let is_open = class.action == "remove" || class.action == "acquire" && class.result.is_null();
                if is_open {
                    open.push((
                        alternatives(&history, id, &*specification, values),
                        invoked,
                        deadline,
                    ));
                } else {
                    known.push((class.clone(), invoked, deadline));
                }
                direct.push((class, invoked, deadline));
            }
            if open.len() > 3 {
                continue;
            }
            with_unknown += usize::from(!open.is_empty());
            let expected = by_trying_everything(&*specification, &mut known, &open);
            let found = by_trying_everything(&*specification, &mut direct, &[]);
            assert_eq!(found, expected, "{name}, seed {seed}: {history:#?}");
            *if found { &mut valid } else { &mut invalid } += 1;
        }
        assert!(
            valid > 300 && invalid > 300 && with_unknown > 1_000,
            "{name}: {valid} valid, {invalid} invalid, {with_unknown} with something unknown"
        );
    }
}
