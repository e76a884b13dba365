//! Schedules of faults: drawn, given, and made smaller.

use std::convert::Infallible;

use partita_protocols::{Defect, NodeId, raft::Raft};
use partita_simulator::schedule::{Entry, Fault, Schedule};
use partita_simulator::{Extras, Options, Recorded, Scenario, minimize, simulate_with};

fn run(seed: u64, options: &Options, extras: Extras) -> Result<Recorded, Infallible> {
    Ok(simulate_with::<Raft>(seed, options, extras))
}

/// The run of this seed, with what it draws to go wrong.
fn drawn(seed: u64, options: &Options) -> (Scenario, Recorded) {
    let recorded = simulate_with::<Raft>(seed, options, Extras::default());
    let scenario = Scenario {
        protocol: "raft".to_owned(),
        seed,
        workload: None,
        options: options.clone(),
        schedule: recorded.schedule.clone(),
        turns: None,
        independent_turns: false,
    };
    (scenario, recorded)
}

fn again(scenario: &Scenario) -> Recorded {
    let Ok(recorded) = run(scenario.seed, &scenario.options, scenario.extras());
    recorded
}

#[test]
fn a_schedule_that_is_given_is_the_run_that_drew_it() {
    for seed in 0..40 {
        let options = Options {
            faulty_ms: 4_000,
            calm_ms: 2_000,
            ..Options::default()
        };
        let (scenario, recorded) = drawn(seed, &options);
        assert!(!scenario.schedule.0.is_empty(), "seed {seed}: nothing goes wrong");
        assert_eq!(again(&scenario).report, recorded.report, "seed {seed}");
    }
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "what became of the scenario, for those who ask with --nocapture"
)]
fn a_smaller_scenario_fails_alike_and_survives_being_written() {
    let options = Options {
        defect: Defect::by_name("stale-reads").ok(),
        ..Options::default()
    };
    let scenario = (0..)
        .map(|seed| drawn(seed, &options))
        .find_map(|(scenario, recorded)| recorded.report.violation.map(|_| scenario))
        .expect("a seed that finds it");
    let Ok(smaller) = minimize(&scenario, 1_000, &run);
    let (small, violation) = smaller.expect("a violation");
    println!(
        "{} faults became {}, {} nodes {}, {} clients {}, {} operations were left: {}",
        scenario.schedule.0.len(),
        small.schedule.0.len(),
        scenario.options.nodes,
        small.options.nodes,
        scenario.options.clients,
        small.options.clients,
        small.turns.as_ref().map_or(0, Vec::len),
        violation.what
    );
    assert!(small.schedule.0.len() <= 3, "{small:?}");
    assert_eq!(small.options.nodes, 3, "{small:?}");
    assert!(small.turns.is_some(), "{small:?}");
    let written = serde_json::to_string_pretty(&small).expect("JSON");
    let read: Scenario = serde_json::from_str(&written).expect("what was written");
    assert_eq!(read, small);
    assert_eq!(again(&read).report.violation, Some(violation));
}

/// What leases assume of clocks is needed: where the clock of a leader that is cut off jumps back, it takes an old
/// lease for valid. So that is tried only if it is asked for.
#[test]
fn clocks_jump_under_leases_only_if_that_is_asked_for() {
    let [one, two, three] = ["n1", "n2", "n3"].map(|name| NodeId::new(name).expect("a good name"));
    let entry = |at_ms: u64, fault, for_ms: u64| Entry {
        at_us: at_ms * 1_000,
        fault,
        for_us: for_ms * 1_000,
    };
    let cut = Fault::Partition {
        one: vec![one],
        other: vec![two, three],
        one_way: false,
    };
    let jump = Fault::ClockJump {
        node: one,
        by_ms: -2_000,
    };
    let schedule = Schedule(vec![entry(3_000, cut, 2_500), entry(3_010, jump, 0)]);
    let violations = |lease_reads, jumps_under_leases| {
        let options = Options {
            nodes: 3,
            lease_reads: Some(lease_reads),
            jumps_under_leases,
            ..Options::default()
        };
        let reports = (0..20).map(|seed| {
            let extras = Extras {
                schedule: Some(schedule.clone()),
                ..Extras::default()
            };
            let Ok(recorded) = run(seed, &options, extras);
            let jumps = u64::from(!lease_reads || jumps_under_leases);
            assert_eq!(recorded.report.counts.clock_jumps, jumps, "seed {seed}");
            recorded.report
        });
        reports.filter_map(|report| report.violation).collect::<Vec<_>>()
    };
    assert_eq!(violations(false, false), []);
    assert_eq!(violations(true, false), []);
    let found = violations(true, true);
    assert!(!found.is_empty(), "a stale read by an old lease");
    assert!(
        found
            .iter()
            .all(|it| ["lease", "linearizability"].contains(&it.property)),
        "{found:?}"
    );
}
