//! Whole checks of fixed histories, to see from one day to the next what a change does.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use partita_checker_benchmarks::rows::{Checker, ROWS};

/// Those that end within a fraction of a second.
const QUICK: &[&str] = &[
    "register-unique-100k",
    "repeated-10k",
    "repeated-10k-30",
    "repeated-10k-wrong",
    "crashed-5",
    "counter-both",
    "registers",
    "keys-1k",
];

fn checks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check");
    group.sample_size(10);
    for row in ROWS.iter().filter(|row| QUICK.contains(&row.name)) {
        let history = row.history();
        group.bench_function(row.name, |bencher| {
            bencher.iter_batched(
                || (),
                |()| Checker::Partita.check(row, &history, &|| false),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, checks);
criterion_main!(benches);
