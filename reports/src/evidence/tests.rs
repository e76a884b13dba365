use partita_history::{Event, EventType, FaultValue, History, OpEvent, Value};

use super::*;
use crate::run::Metric;

const MS: u64 = 1_000_000;

fn operation(history: &mut History, process: u64, node: &str, times: [u64; 2], f: &str, value: i64) {
    for (kind, time) in [(EventType::Invoke, times[0]), (EventType::Ok, times[1])] {
        let event = OpEvent {
            index: 0,
            time: time * MS,
            process,
            kind,
            f: f.into(),
            key: Some(Value::Str("x".into())),
            value: Value::Int(value),
            observed: None,
            node: Some(node.into()),
            error: None,
        };
        history.push(Event::Op(event)).unwrap();
    }
}

fn stale() -> (Run, Anomaly) {
    let mut history = History::default();
    operation(&mut history, 4, "n1", [12_300, 12_402], "write", 9);
    operation(&mut history, 7, "n3", [12_700, 12_781], "read", 7);
    history.faults = vec![FaultEvent {
        index: 0,
        time: 12_000 * MS,
        f: "partition".into(),
        value: FaultValue {
            id: 0,
            phase: FaultPhase::Injected,
            outcome: Some(FaultOutcome::Took),
            what: "n3 | n1, n2".into(),
            started: 11_900 * MS,
            nodes: vec!["n3".into()],
            roles: [].into(),
            links: ["n3>n1", "n1>n3", "n3>n2", "n2>n3"].map(str::to_owned).into(),
            evidence: String::new(),
        },
    }];
    let says = |time: u64, node: &str, role: &str, term| Metric {
        time: time * MS,
        node: node.into(),
        up: true,
        role: Some(role.into()),
        term: Some(term),
        ..Metric::default()
    };
    let mut run = Run {
        history,
        metrics: vec![
            says(0, "n3", "leader", 3),
            says(0, "n1", "follower", 3),
            says(12_200, "n1", "leader", 4),
            says(13_000, "n1", "leader", 4),
            says(13_000, "n3", "leader", 3),
        ],
        ..Run::default()
    };
    run.summary.nodes = ["n1", "n2", "n3"].map(str::to_owned).into();
    let anomaly = Anomaly {
        name: "stale read".into(),
        key: None,
        story: String::new(),
        operations: vec![0, 1],
        culprit: 1,
        prefix_events: 4,
        edges: Vec::new(),
        cycle: Vec::new(),
        partials: Vec::new(),
        confirmed: true,
        blind: Vec::new(),
        minimal: true,
        severity: None,
    };
    (run, anomaly)
}

#[test]
fn a_deposed_leader_that_was_cut_off_is_told() {
    let (run, anomaly) = stale();
    assert_eq!(
        evidence(&run, &anomaly),
        [
            "n3 had been cut off from the majority since 12.000 s at the latest (n3 | n1, n2) and still took itself for the \
             leader of term 3, though n1 had led term 4 since 12.200 s.",
            "n1, over which client 4 did write x=9 ok, was then the leader of term 4.",
        ]
    );
}

#[test]
fn what_a_node_said_before_it_fell_silent_is_not_taken_for_what_it_was() {
    let (run, anomaly) = stale();
    let told = |metrics: Vec<Metric>| {
        let run = Run {
            metrics,
            ..run.clone()
        };
        evidence(&run, &anomaly).concat()
    };
    let mut killed = run.metrics.clone();
    killed.push(Metric {
        time: 12_600 * MS,
        node: "n3".into(),
        ..Metric::default()
    });
    assert!(!told(killed).contains(
        "n3 had been cut off from the majority some time from 11.900 s to 12.000 s (n3 | n1, n2) and"
    ));
    let unsure: Vec<Metric> = run.metrics[..3].to_vec();
    let unsure = told(unsure);
    assert!(
        unsure.contains("and last said at 0.000 s that it was the leader of term 3"),
        "{unsure}"
    );
    let mut deposed = run.metrics.clone();
    deposed.push(Metric {
        time: 12_700 * MS,
        role: Some("follower".into()),
        ..run.metrics[2].clone()
    });
    let deposed = told(deposed);
    assert!(
        deposed.contains("the leader of term 3; n1 led term 4 from 12.200 s."),
        "{deposed}"
    );
}

#[test]
fn the_logs_of_a_node_whose_clock_was_bent_are_not_believed() {
    let (mut run, _) = stale();
    run.metrics.clear();
    run.summary
        .facts
        .insert(crate::clock::TIME_ZERO.into(), "1970-01-01T00:00:00Z".into());
    run.logs = vec![crate::load::NodeLog {
        node: "n3".into(),
        lines: vec!["1970-01-01T00:00:02Z now role=\"leader\" term=2 leader=n3".into()],
        cut: false,
    }];
    assert!(Roles::of(&told::told(&run)).at("n3", 3_000 * MS).is_some());
    run.history.faults[0].f = "clock-jump".into();
    assert!(Roles::of(&told::told(&run)).at("n3", 3_000 * MS).is_none());
}

#[test]
fn what_was_healed_before_is_not_blamed() {
    let (mut run, anomaly) = stale();
    let mut healed = run.history.faults[0].clone();
    healed.value.phase = FaultPhase::Healed;
    healed.value.started = 12_500 * MS;
    healed.time = 12_600 * MS;
    run.history.faults.push(healed);
    assert!(!evidence(&run, &anomaly).concat().contains("cut off"));
    run.metrics.clear();
    assert!(evidence(&run, &anomaly).is_empty(), "nothing is known");
}

#[test]
fn what_was_done_to_a_node_in_between_is_told() {
    let (mut run, anomaly) = stale();
    let fault = &mut run.history.faults[0];
    fault.time = 12_500 * MS;
    fault.f = "power-loss".into();
    fault.value.what = "lose what was not synced".into();
    fault.value.links.clear();
    let told = evidence(&run, &anomaly).concat();
    assert!(
        told.contains("power-loss was done to n3 at 12.500 s: lose what was not synced."),
        "{told}"
    );
}

/// What is told of a node of five, at 20 s, of faults given as name, shape, outcome, links and when each began.
fn cut(faults: &[(&str, &str, FaultOutcome, &[&str], u64)]) -> Option<String> {
    let mut events = Vec::new();
    for (id, (f, shape, outcome, links, ms)) in faults.iter().enumerate() {
        let mut planned = stale().0.history.faults.remove(0);
        planned.f = (*f).into();
        planned.time = ms * MS;
        planned.value.id = id as u64;
        planned.value.started = ms * MS;
        planned.value.what = format!("cut {id}");
        planned.value.outcome = Some(*outcome);
        planned.value.links = links.iter().map(|&link| link.into()).collect();
        let injected = planned.clone();
        planned.value.phase = FaultPhase::Planned;
        planned.value.what = format!("{shape}: in words");
        events.extend([planned, injected]);
    }
    let nodes = [1, 2, 3, 4, 5].map(|n| format!("n{n}"));
    cuts::cut_off(&events, &nodes, "n1", 20_000 * MS)
}

#[test]
fn only_a_cut_that_took_in_both_directions_cuts_a_node_off() {
    use FaultOutcome::{Took, Uncertain};
    let (out, back): ([&str; 2], [&str; 2]) = (["n1>n2", "n1>n3"], ["n2>n1", "n3>n1"]);
    let both = [out, back].concat();
    assert_eq!(cut(&[("delay", "one", Took, &both, 1)]), None);
    assert_eq!(cut(&[("partition", "halves", Uncertain, &both, 1)]), None);
    let told = |faults: &[_]| cut(faults).unwrap();
    assert_eq!(
        told(&[("reject", "halves", Took, &both, 1_000)]),
        "had been cut off from n2, n3 since 1.000 s (cut 0)"
    );
    assert_eq!(
        told(&[("partition", "one-way-out", Took, &out, 1_000)]),
        "could not send to n2, n3 since 1.000 s (cut 0)"
    );
    assert_eq!(
        told(&[("partition", "one-way-in", Took, &back, 1_000)]),
        "could not hear n2, n3 since 1.000 s (cut 0)"
    );
    assert_eq!(
        told(&[("partition", "flapping", Took, &both, 1_000)]),
        "was cut off again and again from n2, n3 since 1.000 s (cut 0)"
    );
}

#[test]
fn of_two_cuts_the_one_that_took_the_majority_away_says_since_when() {
    use FaultOutcome::Took;
    let later: &[&str] = &["n1>n4", "n4>n1"];
    let first: &[&str] = &["n1>n2", "n2>n1", "n1>n3", "n3>n1"];
    // Listed in another order than that in which they began.
    assert_eq!(
        cut(&[
            ("partition", "halves", Took, later, 9_000),
            ("reject", "halves", Took, first, 1_000),
        ])
        .unwrap(),
        "had been cut off from the majority since 9.000 s (cut 1; cut 0)"
    );
}
