//! Every protocol in virtual time, under every fault, from many seeds.
//!
//! `SEED=2000 SEEDS=5000 cargo test -p partita-simulator --test protocols without -- --nocapture` runs others and
//! more.

use partita_protocols::Defect;
use partita_simulator::{Counts, Options, Report, Simulator};

/// Each protocol's tests, by a name that a module can have.
macro_rules! protocols {
    ($($module:ident => $name:literal,)*) => {
        $(mod $module {
            #[test]
            fn without_a_defect_nothing_is_violated() {
                super::nothing_is_violated($name);
            }

            #[test]
            fn every_defect_is_found() {
                super::every_defect_is_found($name);
            }

            #[test]
            fn the_same_seed_is_the_same_run() {
                super::the_same_seed_is_the_same_run($name);
            }
        })*

        const NAMES: &[&str] = &[$($name),*];
    };
}

protocols! {
    raft => "raft",
    paxos => "paxos",
    multi_paxos => "multi-paxos",
    viewstamped => "viewstamped",
    zab => "zab",
}

#[test]
fn every_protocol_is_tested() {
    let all: Vec<_> = Simulator::ALL.iter().map(|simulator| simulator.name).collect();
    assert_eq!(NAMES, all);
}

fn run(protocol: &str, seed: u64, defect: Option<&'static Defect>) -> Report {
    let nodes = match defect {
        None => [3, 5, 5, 4][(seed % 4) as usize],
        // Of three nodes a bug needs the fewest to go wrong.
        Some(_) => [3, 3, 5, 4][(seed % 4) as usize],
    };
    let options = Options {
        nodes,
        defect,
        ..Options::default()
    };
    let simulator = Simulator::by_name(protocol).expect("it can be simulated");
    (simulator.simulate)(seed, &options)
}

/// How many seeds are run, and from which on: a few in the tests, many at leisure.
fn seeds(normally: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let first = number("SEED").unwrap_or(0);
    first..first + number("SEEDS").unwrap_or(normally)
}

#[expect(
    clippy::print_stdout,
    reason = "what the seeds did, for those who ask with --nocapture"
)]
fn nothing_is_violated(protocol: &str) {
    let mut total = Counts::default();
    let seeds = seeds(150);
    for seed in seeds.clone() {
        let Report {
            violation, counts, ..
        } = run(protocol, seed, None);
        assert_eq!(violation, None, "{protocol}, seed {seed}");
        total += counts;
    }
    println!("{protocol}: {total:?}");
    // The test would prove nothing if the faults did nothing.
    let mut minimums = vec![
        ("writes", total.writes, 10_000),
        ("reads", total.reads, 10_000),
        ("crashes", total.crashes, 500),
        ("crashes at a sync", total.crashes_at_sync, 10),
        ("records lost", total.records_lost, 50),
        ("snapshots", total.snapshots, 100),
        ("pauses", total.pauses, 50),
        ("partitions", total.partitions, 250),
        ("messages lost", total.messages_lost, 5_000),
        ("clocks", total.clocks, 50),
        ("torn writes", total.torn_writes, 10),
        ("clock jumps", total.clock_jumps, 25),
    ];
    // Single-decree Paxos has neither a leader nor changes of members, and no peer's state to install.
    if protocol != "paxos" {
        minimums.extend([
            ("leaderships", total.leaderships, 300),
            ("snapshots installed", total.installed, 50),
            ("members added", total.members_added, 15),
            ("members removed", total.members_removed, 15),
            ("transfers", total.transfers, 20),
        ]);
    }
    for (what, count, of_150) in minimums {
        let at_least = of_150 * (seeds.end - seeds.start) / 150;
        assert!(
            count >= at_least,
            "{protocol}: {count} {what}, not {at_least}: {total:?}"
        );
    }
}

#[expect(
    clippy::print_stdout,
    reason = "what the seeds did, for those who ask with --nocapture"
)]
fn every_defect_is_found(protocol: &str) {
    let mut missed = Vec::new();
    for defect in Defect::all().filter(|defect| defect.fits(protocol)) {
        let found = seeds(400).find_map(|seed| Some((seed, run(protocol, seed, Some(defect)).violation?)));
        match found {
            Some((seed, violation)) => println!(
                "{protocol}, {defect}: seed {seed}: {} ({})",
                violation.property, violation.what
            ),
            None => missed.push(defect.name),
        }
    }
    assert!(missed.is_empty(), "{protocol}: not found: {missed:?}");
}

fn the_same_seed_is_the_same_run(protocol: &str) {
    let planted = Defect::all().find(|defect| defect.protocol == Some(protocol));
    for defect in [None, planted] {
        let reports: Vec<_> = (0..10).map(|seed| run(protocol, seed, defect)).collect();
        for report in &reports {
            assert_eq!(run(protocol, report.seed, defect), *report);
        }
        let mut traces: Vec<_> = reports.iter().map(|report| report.trace).collect();
        traces.sort_unstable();
        traces.dedup();
        assert_eq!(traces.len(), reports.len(), "different seeds are different runs");
    }
}
