//! Bytes to a small history of any model under any options, and what must be so of every check of it.
//!
//! `checker/fuzz` lets a fuzzer choose the bytes; a test here replays random ones. That the answer is right is judged
//! by the exhaustive checker, wherever there are few enough operations.

use std::sync::{Mutex, PoisonError};

use partita_history::{Event, EventType, History, Moment, OpEvent, OpId, Operation, Outcome, Value};

use crate::linearizability::entry;
use crate::model::{ALL, Class, Engine, FailMeaning, Model, NilReads, Options, Specification};
use crate::oracle::{Candidate, Oracle};
use crate::{Verdict, check_with_witness, lint, verify};

/// Every function that some model knows.
const FUNCTIONS: &[&str] = &[
    "read",
    "write",
    "cas",
    "txn",
    "append",
    "increment",
    "decrement",
    "add",
    "remove",
    "contains",
    "enqueue",
    "dequeue",
    "peek",
    "push",
    "pop",
    "insert",
    "poll",
    "acquire",
    "release",
];
/// The most operations of a history.
const OPERATIONS_MAX: usize = 24;
/// The most operations of a key that the exhaustive checker is asked about.
const JUDGED_MAX: usize = 10;
const CLIENTS: u8 = 4;
/// What a check without a small budget may visit: the searches are exponential, and bytes are good at finding out.
const CONFIGURATIONS_MAX: u64 = 200_000;

/// The bytes, one by one; zeros when there are no more.
struct Bytes<'a>(std::slice::Iter<'a, u8>);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.next()) % bound.max(1)
    }

    fn choose<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Any value at all.
    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth > 0 { 12 } else { 9 }) {
            0 => Value::Null,
            1 => Value::Int(self.choose(&[i64::MIN, i64::MAX, -1, 100])),
            2 => self.choose(&["a", "b", "ab", "", "r", "w", "held"]).into(),
            9 | 10 => Value::pair(self.value(depth - 1), self.value(depth - 1)),
            11 => Value::List((0..self.below(4)).map(|_| self.value(depth - 1)).collect()),
            n => Value::Int(n as i64 - 3),
        }
    }

    /// One of the values that will do; any value if none does, and now and then all the same.
    fn value_that(&mut self, known: &[Value], will_do: impl Fn(&Value) -> bool) -> Value {
        if self.next() >= 250 {
            return self.value(2);
        }
        let good: Vec<&Value> = known.iter().filter(|value| will_do(value)).collect();
        if good.is_empty() {
            return self.value(2);
        }
        good[self.below(good.len())].clone()
    }
}

/// Values of every kind that some model takes or gives, and what there is in this history.
fn known_values(written: &[Value], state: &Value) -> Vec<Value> {
    let small = || (0..5).map(Value::Int);
    let part = |f: &str, key: &str, value: &Value| Value::List(vec![f.into(), key.into(), value.clone()]);
    let mut known = vec![
        Value::Null,
        Value::Int(-1),
        Value::List(Vec::new()),
        state.clone(),
    ];
    known.extend(small());
    known.extend(["a", "b", "ab"].map(Value::from));
    known.extend(small().flat_map(|a| small().take(3).map(move |b| Value::pair(a.clone(), b))));
    for value in written.iter().rev().take(4) {
        known.extend([value.clone(), Value::List(vec![value.clone()])]);
        known.push(Value::pair(value.clone(), Value::Int(1)));
        for key in ["x", "y"] {
            known.push(Value::List(vec![Value::pair(key.into(), value.clone())]));
            known.push(Value::List(vec![
                part("r", key, value),
                part("w", "x", &Value::Int(2)),
            ]));
        }
    }
    if let Value::List(items) = state {
        known.extend(items.iter().take(3).cloned());
        known.push(Value::List(items.iter().take(1).cloned().collect()));
    }
    known
}

/// Checks the history that the bytes stand for, in several ways.
///
/// # Panics
/// When the answers contradict each other, or the exhaustive checker.
pub fn check(bytes: &[u8]) {
    let mut bytes = Bytes(bytes.iter());
    let model = bytes.choose(ALL);
    let options = options(&mut bytes);
    let specification = (model.specification)(&options);
    let history = history(&mut bytes, &*specification);
    // Whatever it says.
    let _ = lint(&history, &model, &options);
    let budget = Options {
        configurations_max: bytes.below(256) as u64,
        memory_bytes_max: bytes.below(64) as u64 * 1024,
        ..options.clone()
    };
    let patience = bytes.below(256);
    let plenty = Options {
        configurations_max: CONFIGURATIONS_MAX,
        ..options
    };
    let Ok((full, witnesses)) = check_with_witness(&history, &model, &plenty, &|| false) else {
        // All refuse it, or none.
        assert!(crate::check(&history, &model, &budget, &|| true).is_err());
        return;
    };
    if full.verdict == Verdict::Valid && witnesses.len() == full.keys.len() {
        verify(&history, &model, &plenty, &witnesses).expect("a witness is one");
    }
    for anomaly in &full.anomalies {
        assert!(!anomaly.name.is_empty() && !anomaly.story.is_empty());
        assert!(anomaly.operations.contains(&anomaly.culprit), "{anomaly:?}");
        assert!(anomaly.operations.iter().all(|&id| id < history.len()));
        assert!(
            anomaly.confirmed || anomaly.operations.len() > JUDGED_MAX,
            "{anomaly:?}"
        );
    }
    let few = {
        let left = Mutex::new(patience);
        // Patience that ends at some moment.
        let stop = move || {
            let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
            *left = left.saturating_sub(1);
            *left == 0
        };
        crate::check(&history, &model, &budget, &stop).expect("it was understood before")
    };
    let search = Options {
        engine: Engine::Search,
        ..plenty.clone()
    };
    let searched = crate::check(&history, &model, &search, &|| false).expect("it was understood before");
    for (key, ids) in history.by_key() {
        let result = |analysis: &crate::Analysis| {
            let result = analysis.keys.iter().find(|result| result.key.as_ref() == key);
            result.expect("every key has a result").clone()
        };
        let (full, few, searched) = (result(&full), result(&few), result(&searched));
        agree(full.verdict, few.verdict);
        agree(full.verdict, searched.verdict);
        if full.verdict == Verdict::Invalid {
            assert!(few.verified_events <= full.verified_events, "{few:?} {full:?}");
        }
        if let Some(linearizable) = exhaustively(&history, &ids, &*specification) {
            let expected = if linearizable {
                Verdict::Valid
            } else {
                Verdict::Invalid
            };
            agree(full.verdict, expected);
            agree(few.verdict, expected);
        }
    }
}

/// Who does not know contradicts nobody.
fn agree(a: Verdict, b: Verdict) {
    assert!(
        a == b || a == Verdict::Unknown || b == Verdict::Unknown,
        "{a} and {b}"
    );
}

fn exhaustively(history: &History, ids: &[OpId], specification: &dyn Specification) -> Option<bool> {
    let (entries, classes) = entry::classify(history, ids, specification).ok()?;
    let candidates = entries.iter().map(|entry| Candidate {
        class: classes.get(entry.class),
        invoked: entry.invoked,
        deadline: entry.deadline,
    });
    (entries.len() <= JUDGED_MAX)
        .then(|| Oracle::new(specification, candidates.collect()).is_linearizable())
        .flatten()
}

fn options(bytes: &mut Bytes<'_>) -> Options {
    let initial = match bytes.below(4) {
        0 if bytes.next() > 220 => bytes.value(2),
        1 => Value::List(vec![1.into(), 2.into()]),
        2 => 2.into(),
        _ => Value::Null,
    };
    Options {
        initial,
        fail: bytes.choose(&[FailMeaning::Dropped, FailMeaning::Observed]),
        nil_reads: bytes.choose(&[NilReads::Exact, NilReads::Any]),
        engine: bytes.choose(&[Engine::Auto, Engine::Auto, Engine::Monitor, Engine::Search]),
        ..Options::default()
    }
}

/// What an operation is to the model.
fn classify(
    specification: &dyn Specification,
    f: &str,
    input: &Value,
    completed: Option<(Outcome, &Value)>,
) -> Result<Option<Class>, String> {
    let (outcome, output) = completed.unwrap_or((Outcome::Info, &Value::Null));
    specification.classify(&Operation {
        process: 0,
        f,
        key: None,
        input,
        outcome,
        output,
        observed: None,
        invoked: Moment { position: 0, time: 0 },
        completed: None,
        node: None,
        error: None,
    })
}

/// The functions that the model knows.
fn functions(specification: &dyn Specification) -> Vec<&'static str> {
    let is_known = |f: &&&str| {
        let refusal = classify(specification, f, &Value::Null, None).err();
        refusal.is_none_or(|message| !message.contains(" knows "))
    };
    let known: Vec<&str> = FUNCTIONS.iter().filter(is_known).copied().collect();
    if known.is_empty() {
        FUNCTIONS.to_vec()
    } else {
        known
    }
}

fn history(bytes: &mut Bytes<'_>, specification: &dyn Specification) -> History {
    let functions = functions(specification);
    let keys = 1 + bytes.below(3);
    let mut history = History::default();
    // For each client, what it has open.
    let mut open: Vec<Option<OpEvent>> = vec![None; CLIENTS.into()];
    let mut written = vec![Value::Null];
    // What an object would hold that did each operation at its end; of all keys together, which is right of one.
    let mut state = specification.initial();
    for index in 0.. {
        if history.len() >= OPERATIONS_MAX || bytes.0.as_slice().is_empty() {
            break;
        }
        let client = bytes.below(CLIENTS.into());
        let known = known_values(&written, &state);
        let event = match open[client].take() {
            None => {
                let f = bytes.choose(&functions);
                let input = bytes.value_that(&known, |input| classify(specification, f, input, None).is_ok());
                written.push(input.as_pair().map_or(&input, |(_, second)| second).clone());
                let event = OpEvent {
                    index,
                    time: index * 1_000_000,
                    process: client as u64,
                    kind: EventType::Invoke,
                    f: f.to_owned(),
                    key: (keys > 1).then(|| Value::Int(bytes.below(keys) as i64)),
                    value: input,
                    observed: None,
                    node: None,
                    error: None,
                };
                open[client] = Some(event.clone());
                event
            }
            Some(invoked) => {
                let OpEvent { f, value: input, .. } = &invoked;
                let class = |output: &Value| classify(specification, f, input, Some((Outcome::Ok, output)));
                // Mostly what is right, if operations take effect as they end.
                let is_right = bytes.next() < 200;
                let output = bytes.value_that(&known, |output| match class(output) {
                    Ok(Some(class)) if is_right => specification.step(&state, &class).is_some(),
                    Ok(_) => !is_right,
                    Err(_) => false,
                });
                let can_be = class(&output)
                    .ok()
                    .flatten()
                    .and_then(|class| specification.step(&state, &class));
                let kind = match bytes.below(8) {
                    0 => EventType::Info,
                    1 => EventType::Fail,
                    _ if is_right && can_be.is_none() => EventType::Fail,
                    _ => EventType::Ok,
                };
                if kind == EventType::Ok {
                    state = can_be.unwrap_or(state);
                }
                OpEvent {
                    index,
                    time: index * 1_000_000,
                    kind,
                    observed: (bytes.below(3) == 0).then(|| output.clone()),
                    value: output,
                    ..invoked
                }
            }
        };
        history.push(Event::Op(event)).expect("clients take turns");
    }
    history
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::{Rng, RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn bytes(seed: u64) -> Vec<u8> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut bytes = vec![0; rng.random_range(0..240)];
        rng.fill_bytes(&mut bytes);
        bytes
    }

    /// How many random inputs are replayed, unless `PARTITA_HISTORIES` asks for another number.
    fn inputs() -> u64 {
        std::env::var("PARTITA_HISTORIES").map_or(3_000, |number| number.parse().expect("it is a number"))
    }

    #[test]
    fn no_bytes_make_a_check_panic_or_contradict_itself() {
        for seed in 0..inputs() {
            let bytes = bytes(seed);
            if let Err(panic) = std::panic::catch_unwind(|| check(&bytes)) {
                eprintln_seed(seed, &bytes);
                std::panic::resume_unwind(panic);
            }
        }
    }

    #[expect(clippy::print_stderr, reason = "what repeats a failure has to be seen")]
    fn eprintln_seed(seed: u64, bytes: &[u8]) {
        eprintln!("seed {seed}: {bytes:?}");
    }

    /// A target that only ever saw refused input would find nothing.
    #[test]
    fn the_histories_are_worth_checking() {
        let mut verdicts: BTreeMap<(&str, Option<Verdict>), u32> = BTreeMap::new();
        for seed in 0..3_000 {
            let bytes = bytes(seed);
            let mut bytes = Bytes(bytes.iter());
            let model: Model = bytes.choose(ALL);
            let options = options(&mut bytes);
            let history = history(&mut bytes, &*(model.specification)(&options));
            let options = Options {
                configurations_max: 1_000,
                ..options
            };
            let analysis = crate::check(&history, &model, &options, &|| false);
            let verdict = analysis.ok().map(|analysis| analysis.verdict);
            *verdicts.entry((model.name, verdict)).or_default() += 1;
        }
        for model in ALL {
            let of = |verdict| verdicts.get(&(model.name, verdict)).copied().unwrap_or(0);
            let (valid, invalid) = (of(Some(Verdict::Valid)), of(Some(Verdict::Invalid)));
            assert!(valid > 2 && invalid > 2, "{}: {verdicts:?}", model.name);
        }
    }
}
