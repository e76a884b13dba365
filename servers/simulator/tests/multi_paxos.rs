//! Multi-Paxos in virtual time, under every fault, from many seeds.

use partita_protocols::{Defect, multi_paxos::MultiPaxos};
use partita_simulator::{Counts, Options, Report, simulate};

fn run(seed: u64, defect: Option<&'static Defect>) -> Report {
    let nodes = [3, 5, 5, 4][(seed % 4) as usize];
    simulate::<MultiPaxos>(
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
        (total.leaderships, 400),
        (total.writes, 10_000),
        (total.reads, 10_000),
        (total.crashes, 1_000),
        (total.records_lost, 100),
        (total.pauses, 100),
        (total.partitions, 1_000),
        (total.messages_lost, 10_000),
        (total.crashes_at_sync, 50),
        (total.clocks, 50),
        (total.admin_asked, 300),
        (total.installed, 100),
        (total.transfers, 30),
        (total.members_added, 15),
        (total.members_removed, 15),
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
    for defect in Defect::all().filter(|defect| defect.fits("multi-paxos")) {
        let found = (0..300).find_map(|seed| Some((seed, run(seed, Some(defect)).violation?)));
        println!("{defect}: {found:?}");
        assert!(found.is_some(), "{defect} was not found by 300 seeds");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for defect in [None, Defect::by_name("minority-chosen").ok()] {
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
