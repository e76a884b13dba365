//! Viewstamped Replication in virtual time, under every fault, from many seeds.

use partita_protocols::{Defect, viewstamped::Viewstamped};
use partita_simulator::{Counts, Options, Report, simulate};

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
fn without_a_defect_nothing_is_violated_and_the_cluster_recovers() {
    let mut total = Counts::default();
    for seed in 0..150 {
        let Report {
            violation, counts, ..
        } = run(seed, None);
        assert_eq!(violation, None, "seed {seed}");
        assert!(
            counts.calm_writes >= 20 && counts.calm_reads >= 20,
            "seed {seed} did not recover: {counts:?}"
        );
        total.steps += counts.steps;
        total.leaderships += counts.leaderships;
        total.writes += counts.writes;
        total.reads += counts.reads;
        total.crashes += counts.crashes;
        total.records_lost += counts.records_lost;
        total.snapshots += counts.snapshots;
        total.restored += counts.restored;
        total.pauses += counts.pauses;
        total.partitions += counts.partitions;
        total.messages_lost += counts.messages_lost;
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
        (total.restored, 500),
        (total.pauses, 100),
        (total.partitions, 500),
        (total.messages_lost, 10_000),
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
    for defect in Defect::all().filter(|defect| defect.fits("viewstamped") && defect.faults != ["membership"])
    {
        let found: Vec<_> = (0..100)
            .filter_map(|seed| run(seed, Some(defect)).violation)
            .collect();
        println!(
            "{defect}: {} of 100 seeds; first: {:?}",
            found.len(),
            found.first()
        );
        assert!(
            found.len() >= 5,
            "{defect} was found by {} of 100 seeds only",
            found.len()
        );
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for defect in [None, Defect::by_name("longest-log-wins").ok()] {
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
