//! Single-decree Paxos in virtual time, under every fault, from many seeds.

use partita_protocols::Defect;
use partita_protocols::paxos::{self, Paxos};
use partita_simulator::{Counts, Options, Report, simulate};

fn run(seed: u64, defect: Option<&'static Defect>) -> Report {
    let nodes = [3, 5, 5, 4][(seed % 4) as usize];
    simulate::<Paxos>(
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
        (total.writes, 10_000),
        (total.reads, 10_000),
        (total.crashes, 500),
        (total.records_lost, 50),
        (total.snapshots, 100),
        (total.pauses, 50),
        (total.partitions, 250),
        (total.messages_lost, 5_000),
        (total.crashes_at_sync, 10),
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
    // Not those of the store's sessions, which this protocol does without.
    let unsynced = Defect::by_name("unsynced-acks").ok();
    for defect in paxos::DEFECTS.iter().copied().chain(unsynced) {
        // As few seeds as it takes: some bugs need two crashes at the wrong time.
        let (seed, violation) = (0..300)
            .find_map(|seed| Some((seed, run(seed, Some(defect)).violation?)))
            .unwrap_or_else(|| panic!("{defect} was found by none of 300 seeds"));
        println!(
            "{defect}: by seed {seed}: {} ({})",
            violation.property, violation.what
        );
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for defect in [None, Defect::by_name("own-value").ok()] {
        let reports: Vec<_> = (0..20).map(|seed| run(seed, defect)).collect();
        for report in &reports {
            assert_eq!(run(report.seed, defect), *report);
        }
        let mut traces: Vec<_> = reports.iter().map(|report| report.trace).collect();
        traces.sort_unstable();
        traces.dedup();
        assert_eq!(traces.len(), reports.len(), "different seeds are different runs");
    }
}
