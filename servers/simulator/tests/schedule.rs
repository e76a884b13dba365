//! Schedules of faults: drawn, given, and made smaller.

use partita_protocols::{Defect, raft::Raft};
use partita_simulator::{Options, Scenario, minimize, simulate};

#[test]
fn a_schedule_that_is_given_is_the_run_that_drew_it() {
    for seed in 0..40 {
        let options = Options {
            faulty_ms: 4_000,
            calm_ms: 2_000,
            ..Options::default()
        };
        let scenario = Scenario::of_seed::<Raft>(seed, &options);
        assert!(!scenario.schedule.0.is_empty(), "seed {seed}: nothing goes wrong");
        assert_eq!(
            scenario.run::<Raft>(),
            simulate::<Raft>(seed, &options),
            "seed {seed}"
        );
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
        .map(|seed| Scenario::of_seed::<Raft>(seed, &options))
        .find(|scenario| scenario.run::<Raft>().violation.is_some())
        .expect("a seed that finds it");
    let (small, violation) = minimize::<Raft>(&scenario, 400).expect("a violation");
    println!(
        "{} faults became {}, {} nodes {}, {} clients {}: {}",
        scenario.schedule.0.len(),
        small.schedule.0.len(),
        scenario.options.nodes,
        small.options.nodes,
        scenario.options.clients,
        small.options.clients,
        violation.what
    );
    assert!(small.schedule.0.len() <= 3, "{small:?}");
    assert_eq!(small.options.nodes, 3, "{small:?}");
    let written = serde_json::to_string_pretty(&small).expect("JSON");
    let read: Scenario = serde_json::from_str(&written).expect("what was written");
    assert_eq!(read, small);
    assert_eq!(read.run::<Raft>().violation, Some(violation));
}
