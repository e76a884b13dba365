//! Keys judged in parallel: the same result in any number of threads, as often as it is asked for.

use partita_history::{Event, History};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::generate::{self, Shape};
use crate::model::{Engine, Model, Options};
use crate::verdict::{Analysis, Verdict};
use crate::{check_with_witness, verify};

/// Several keys, one after the other, of which every third may be violated.
fn history(seed: u64) -> History {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut history = History::default();
    for key in 0..12 {
        let shape = Shape {
            operations: rng.random_range(1..60),
            clients: 5,
            crashed: 5,
            observed: 50,
            unique: false,
            mutations: if key % 3 == 0 { 3 } else { 0 },
            functions: &["read", "write", "cas"],
        };
        for mut event in generate::events(&mut rng, shape) {
            if let Event::Op(event) = &mut event {
                event.key = Some(key.into());
                event.process += 1000 * key as u64;
            }
            history.push(event).unwrap();
        }
    }
    history
}

fn judge(history: &History, threads: usize, options: &Options) -> Analysis {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    let model = Model::by_name("cas-register").unwrap();
    pool.install(|| {
        let (analysis, witnesses) = check_with_witness(history, model, options, &|| false).unwrap();
        if analysis.verdict == Verdict::Valid {
            verify(history, model, options, &witnesses).unwrap();
        }
        analysis
    })
}

#[test]
fn the_result_does_not_depend_on_threads_or_timing() {
    let mut violated = 0;
    for seed in 0..30 {
        let history = history(seed);
        for first_violation_only in [false, true] {
            let options = Options {
                initial: 0.into(),
                engine: Engine::Search,
                first_violation_only,
                ..Options::default()
            };
            let alone = judge(&history, 1, &options);
            for threads in [1, 2, 4, 4, 4, 8] {
                assert_eq!(
                    judge(&history, threads, &options),
                    alone,
                    "seed {seed}, {threads} threads"
                );
            }
            violated += usize::from(alone.verdict == Verdict::Invalid);
        }
    }
    assert!(violated > 20, "only {violated} violations");
}

#[test]
fn one_violation_is_enough_if_no_more_is_asked_for() {
    let history = (0..).map(history).find(|history| {
        let all = judge(
            history,
            4,
            &Options {
                initial: 0.into(),
                ..Options::default()
            },
        );
        all.keys
            .iter()
            .filter(|key| key.verdict == Verdict::Invalid)
            .count()
            > 1
    });
    let history = history.unwrap();
    let options = Options {
        initial: 0.into(),
        first_violation_only: true,
        ..Options::default()
    };
    let first = judge(&history, 4, &options);
    let invalid: Vec<_> = first
        .keys
        .iter()
        .filter(|key| key.verdict == Verdict::Invalid)
        .collect();
    let [invalid] = &invalid[..] else {
        panic!("{:?}", first.keys)
    };
    assert_eq!((first.verdict, first.anomalies.len()), (Verdict::Invalid, 1));
    // What has more operations was judged before.
    for key in first
        .keys
        .iter()
        .filter(|key| key.operations > invalid.operations)
    {
        assert_eq!(key.verdict, Verdict::Valid);
    }
}

#[test]
fn what_is_too_large_for_its_part_of_the_memory_is_judged_again_alone() {
    let history = history(7);
    let options = |memory_bytes_max| Options {
        initial: 0.into(),
        engine: Engine::Search,
        memory_bytes_max,
        ..Options::default()
    };
    let unlimited = judge(&history, 1, &options(u64::MAX));
    let verdicts =
        |analysis: &Analysis| -> Vec<Verdict> { analysis.keys.iter().map(|key| key.verdict).collect() };
    // The smallest budget that is enough in one thread.
    let enough = (8..30)
        .map(|bits| 1 << bits)
        .find(|&bytes| verdicts(&judge(&history, 1, &options(bytes))) == verdicts(&unlimited));
    let enough = enough.expect("a gibibyte is");
    for threads in [2, 4, 8] {
        let shared = judge(&history, threads, &options(enough));
        assert_eq!(verdicts(&shared), verdicts(&unlimited), "{threads} threads");
    }
}
