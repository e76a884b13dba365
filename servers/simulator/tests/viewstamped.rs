//! Viewstamped Replication in virtual time, under every fault, from many seeds.

use partita_protocols::{Defect, viewstamped::Viewstamped};
use partita_simulator::{Counts, Options, Report, simulate};

/// Of how many seeds a defect must show in some.
const SEEDS_MAX: u64 = 300;

fn run(seed: u64, defect: Option<&'static Defect>) -> Report {
    let nodes = [3, 5, 5, 4][(seed % 4) as usize];
    simulate::<Viewstamped>(
        seed,
        &Options {
            nodes,
            defect,
            ..Options::default()
        },
    )
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "what the seeds did, for those who ask with --nocapture"
)]
fn without_a_defect_nothing_is_violated() {
    let mut total = Counts::default();
    for seed in 0..150 {
        let Report {
            violation, counts, ..
        } = run(seed, None);
        assert_eq!(violation, None, "seed {seed}");
        total += counts;
    }
    // The test would prove nothing if the faults did nothing.
    println!("{total:?}");
    for (count, at_least) in [
        (total.leaderships, 300),
        (total.writes, 10_000),
        (total.reads, 10_000),
        (total.crashes, 500),
        (total.records_lost, 50),
        (total.snapshots, 1_000),
        (total.restored, 300),
        (total.installed, 50),
        (total.pauses, 50),
        (total.partitions, 300),
        (total.messages_lost, 10_000),
        (total.members_added, 20),
        (total.members_removed, 15),
        (total.transfers, 30),
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
    for defect in Defect::all().filter(|defect| defect.fits("viewstamped")) {
        let found = (0..SEEDS_MAX).find_map(|seed| Some((seed, run(seed, Some(defect)).violation?)));
        println!("{defect}: {found:?}");
        assert!(found.is_some(), "{defect} was not found by {SEEDS_MAX} seeds");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for defect in [None, Defect::by_name("longest-log-wins").ok()] {
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
