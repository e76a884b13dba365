//! Zab in virtual time, under every fault, from many seeds.

use partita_protocols::{Defect, zab::Zab};
use partita_simulator::{Counts, Options, Report, simulate};

fn run(seed: u64, defect: Option<&'static Defect>) -> Report {
    // Of three nodes a bug needs the fewest to go wrong.
    let nodes = match defect {
        None => [3, 5, 5, 4][(seed % 4) as usize],
        Some(_) => 3,
    };
    simulate::<Zab>(
        seed,
        &Options {
            nodes,
            defect,
            ..Options::default()
        },
    )
}

/// How many seeds are run, and from which on: a few in the tests, many at leisure.
fn seeds(default: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let first = number("SEED").unwrap_or(0);
    first..first + number("SEEDS").unwrap_or(default)
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "what the seeds did, for those who ask with --nocapture"
)]
fn without_a_defect_nothing_is_violated() {
    let mut total = Counts::default();
    for seed in seeds(150) {
        let Report {
            violation, counts, ..
        } = run(seed, None);
        assert_eq!(violation, None, "seed {seed}");
        total += counts;
    }
    // The test would prove nothing if the faults did nothing.
    println!("{total:?}");
    for (count, at_least) in [
        (total.leaderships, 500),
        (total.writes, 10_000),
        (total.reads, 10_000),
        (total.crashes, 500),
        (total.records_lost, 50),
        (total.snapshots, 500),
        (total.restored, 100),
        (total.pauses, 50),
        (total.partitions, 250),
        (total.messages_lost, 5_000),
        (total.admin_asked, 200),
        (total.members_added, 20),
        (total.members_removed, 20),
        (total.transfers, 20),
    ] {
        assert!(count >= at_least, "{count} is less than {at_least}: {total:?}");
    }
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "what the seeds did, for those who ask with --nocapture"
)]
fn every_defect_is_found() {
    for defect in Defect::all().filter(|defect| defect.fits("zab")) {
        let mut found = seeds(300).filter_map(|seed| Some((seed, run(seed, Some(defect)).violation?)));
        let first = found.next();
        println!("{defect}: first found with {first:?}");
        assert!(first.is_some(), "{defect} was not found");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for defect in [None, Defect::by_name("sync-without-truncation").ok()] {
        let reports: Vec<_> = (0..10).map(|seed| run(seed, defect)).collect();
        for report in &reports {
            assert_eq!(run(report.seed, defect), *report);
        }
        let mut traces: Vec<_> = reports.iter().map(|report| report.trace).collect();
        traces.sort_unstable();
        traces.dedup();
        assert_eq!(traces.len(), reports.len(), "different seeds are different runs");
    }
}
