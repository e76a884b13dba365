//! Histories by hand: what is said of them, and the cycles of their explanations.

use partita_history::{History, Outcome, Value, jsonl};

use super::levels::random;
use super::seeds;
use crate::model::{Model, Options};
use crate::severity::result::{Consistency, Extent, Holds};
use crate::verdict::{Anomaly, EdgeKind, Verdict};

fn anomaly(history: &History, model: &Model) -> Option<Anomaly> {
    let options = Options {
        initial: 0.into(),
        ..Options::default()
    };
    let analysis = crate::check(history, model, &options, &|| false).unwrap();
    assert_eq!(
        analysis.verdict == Verdict::Invalid,
        !analysis.anomalies.is_empty()
    );
    analysis.anomalies.into_iter().next()
}

fn read(lines: &[(u64, u64, &str, &str, i64)]) -> History {
    let text: String = lines
        .iter()
        .map(|(ms, process, kind, f, value)| {
            let time = ms * 1_000_000;
            format!(r#"{{"time":{time},"process":{process},"type":"{kind}","f":"{f}","value":{value},"node":"n{process}"}}"#)
                + "\n"
        })
        .collect();
    jsonl::read(text.as_bytes(), false).unwrap()
}

#[test]
fn a_stale_read() {
    let history = read(&[
        (1, 1, "invoke", "write", 1),
        (2, 1, "ok", "write", 1),
        (10, 1, "invoke", "write", 2),
        (20, 1, "ok", "write", 2),
        (30, 1, "invoke", "write", 3),
        (40, 1, "ok", "write", 3),
        (60, 2, "invoke", "read", 0),
        (70, 2, "ok", "read", 1),
        (80, 3, "invoke", "read", 0),
        (90, 3, "ok", "read", 3),
    ]);
    let anomaly = anomaly(&history, Model::by_name("register").unwrap()).unwrap();
    let severity = anomaly.severity.unwrap();
    assert_eq!(severity.stale_by, Extent::Exactly(40_000_000));
    assert_eq!(severity.versions, Extent::Exactly(2));
    // With clocks 20 ms apart the first write may have come between the second and the third.
    assert_eq!(severity.clock_error, Extent::Exactly(20_000_000));
    assert_eq!(
        severity.lines(),
        [
            "The stalest answer is stale by 40 ms; 2 versions behind at worst.",
            "Only clocks that differ by 20 ms or more between clients would excuse it.",
            "1 of 2 reads was certainly stale, by 40 ms; from n2 (1 of 1).",
            "Still holds: sequential, causal, PRAM, monotonic reads, read your writes, monotonic writes, writes follow \
             reads; broken: regular, safe, eventual.",
        ]
    );
    let cycle: Vec<_> = anomaly
        .cycle
        .iter()
        .map(|edge| (edge.before, edge.after, edge.why.as_str()))
        .collect();
    let back = "found 1, which came before the other's 2: the write of 1 by client 1 (via n1) finished 8.0 ms before \
                the write of 2 by client 1 (via n1) began";
    assert_eq!(
        cycle,
        [(1, 3, "finished 40 ms before the other began"), (3, 1, back)]
    );
}

#[test]
fn two_clients_that_see_writes_in_different_orders() {
    let history = read(&[
        (1, 1, "invoke", "write", 1),
        (1, 2, "invoke", "write", 2),
        (2, 3, "invoke", "read", 0),
        (3, 3, "ok", "read", 1),
        (4, 3, "invoke", "read", 0),
        (5, 3, "ok", "read", 2),
        (6, 4, "invoke", "read", 0),
        (7, 4, "ok", "read", 2),
        (8, 4, "invoke", "read", 0),
        (9, 4, "ok", "read", 1),
        (20, 1, "ok", "write", 1),
        (20, 2, "ok", "write", 2),
    ]);
    let anomaly = anomaly(&history, Model::by_name("register").unwrap()).unwrap();
    let levels = anomaly.severity.unwrap().levels;
    let broken: Vec<Consistency> = levels
        .iter()
        .filter(|level| matches!(level.holds, Holds::No { .. }))
        .map(|level| level.consistency)
        .collect();
    assert_eq!(broken, [Consistency::Sequential]);
}

#[test]
fn every_contradiction_of_order_has_its_cycle() {
    let mut cycles = 0_u32;
    for seed in seeds(300_000, 3000) {
        let (history, model) = random(seed, true);
        let Some(anomaly) = anomaly(&history, model) else {
            continue;
        };
        let cycle = &anomaly.cycle;
        let operation = |id: usize| history.operation(id);
        for (edge, next) in cycle.iter().zip(cycle.iter().cycle().skip(1)) {
            assert_eq!(edge.after, next.before, "seed {seed}: {cycle:#?}");
            assert!(
                anomaly.operations.contains(&edge.before),
                "seed {seed}: {cycle:#?}"
            );
            let (before, after) = (operation(edge.before), operation(edge.after));
            if edge.kind == EdgeKind::RealTime {
                assert!(
                    before.deadline().unwrap() < after.invoked.position,
                    "seed {seed}: {cycle:#?}"
                );
            }
        }
        assert!(
            !cycle.is_empty() || is_from_nowhere(&history, &anomaly),
            "seed {seed}: {anomaly:#?}"
        );
        cycles += u32::from(!cycle.is_empty());
    }
    assert!(u64::from(cycles) >= super::histories(3000) / 15, "{cycles}");
}

/// Whether something in the counterexample found what nothing in it wrote.
fn is_from_nowhere(history: &History, anomaly: &Anomaly) -> bool {
    let operations = || anomaly.operations.iter().map(|&id| history.operation(id));
    let mut written = vec![Value::Int(0)];
    let mut found = Vec::new();
    for operation in operations() {
        match (operation.f, operation.input.as_pair()) {
            ("read", _) => found.push(operation.output.clone()),
            (_, Some((_, to))) if operation.outcome != Outcome::Fail => written.push(to.clone()),
            ("write", _) => written.push(operation.input.clone()),
            _ => {}
        }
        if let Some((from, _)) = operation
            .input
            .as_pair()
            .filter(|_| operation.outcome != Outcome::Fail)
        {
            found.push(from.clone());
        }
        found.extend(operation.observed.cloned());
    }
    found.iter().any(|value| !written.contains(value))
}
