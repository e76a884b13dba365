//! What a checker would say of a made-up history.

use std::collections::BTreeMap;

use partita_checker::severity::{Offender, Spread, Unit};
use partita_checker::{
    Analysis, Anomaly, Consistency, Edge, EdgeKind, Extent, Holds, KeyResult, Level, Partial, Severity,
    StaleReads, Step, Stuck, Verdict,
};
use partita_history::{Event, History, OpId, Outcome, Value};
use partita_reports::run::{Outcomes, Rate, Summary, count_faults};

use super::load::{CAST, FRESH, STALE};
use super::{Course, MS};

pub(super) fn stale_read(events: &[Event], at: u64, key: &Value) -> Anomaly {
    let history = History::from_events(events.iter().cloned()).unwrap();
    let id = |process: u64, ms: u64| {
        let is =
            |op: partita_history::Operation<'_>| op.process == process && op.invoked.time == at + ms * MS;
        history.operations().position(is).unwrap()
    };
    let [first, second, fresh, stale] = [id(CAST[0], 0), id(CAST[2], 31), id(CAST[3], 62), id(CAST[1], 104)];
    let step = |operation, value: i64| Step {
        operation,
        state: format!("{key} = {value}"),
    };
    let stuck = |operation, why: &str| Stuck {
        operation,
        why: why.into(),
    };
    Anomaly {
        name: "stale read".into(),
        key: Some(key.clone()),
        story: format!(
            "Client 103 read {key}={STALE} on n3. But client 105 had written {key}={FRESH} on n1, which ended 68 ms \
             before that read began, and client 108 had read {FRESH} on n1, which ended 39 ms before. {STALE} was \
             written once only, before {FRESH}: n3 answered with a value that had been overwritten."
        ),
        operations: vec![first, second, fresh, stale],
        culprit: stale,
        prefix_events: history.operation(stale).completed.unwrap().position + 1,
        edges: vec![
            Edge {
                before: first,
                after: second,
                why: "ended 27 ms before the other began".into(),
                kind: EdgeKind::RealTime,
            },
            Edge {
                before: second,
                after: stale,
                why: "ended 68 ms before the other began".into(),
                kind: EdgeKind::RealTime,
            },
            Edge {
                before: fresh,
                after: stale,
                why: "ended 39 ms before the other began".into(),
                kind: EdgeKind::RealTime,
            },
        ],
        partials: vec![
            Partial {
                steps: vec![step(first, STALE), step(second, FRESH), step(fresh, FRESH)],
                stuck: vec![stuck(stale, &format!("it saw {STALE}, but {key} is {FRESH}"))],
            },
            Partial {
                steps: vec![step(first, STALE)],
                stuck: vec![
                    stuck(
                        stale,
                        &format!("the write of {FRESH} had already ended when it began"),
                    ),
                    stuck(fresh, &format!("it saw {FRESH}, but {key} is {STALE}")),
                ],
            },
        ],
        cycle: vec![
            Edge {
                before: second,
                after: stale,
                why: "ended 68 ms before the other began".into(),
                kind: EdgeKind::RealTime,
            },
            Edge {
                before: stale,
                after: second,
                why: format!("found {STALE}, which came before the other's {FRESH}"),
                kind: EdgeKind::VersionOrder,
            },
        ],
        confirmed: true,
        blind: Vec::new(),
        minimal: true,
        severity: Some(severity(stale, second)),
    }
}

fn severity(stale: OpId, second: OpId) -> Severity {
    Severity {
        unit: Unit::Nanoseconds,
        stale_by: Extent::Exactly(68 * MS),
        clock_error: Extent::AtLeast(27 * MS),
        versions: Extent::Exactly(1),
        stale_reads: Some(StaleReads {
            stale: 1,
            from_nowhere: 0,
            of: 48,
            time: Spread {
                p50: 68 * MS,
                p99: 68 * MS,
                max: 68 * MS,
            },
            versions: Spread {
                p50: 1,
                p99: 1,
                max: 1,
            },
            offenders: vec![Offender {
                name: "n3".into(),
                stale: 1,
                of: 11,
            }],
        }),
        levels: vec![
            Level {
                consistency: Consistency::Regular,
                holds: Holds::No {
                    operations: vec![second, stale],
                    why: format!("client 103 found {STALE}, which client 105 had certainly overwritten"),
                },
            },
            Level {
                consistency: Consistency::Sequential,
                holds: Holds::Yes,
            },
            Level {
                consistency: Consistency::Eventual,
                holds: Holds::NotKnown {
                    why: "fewer than two clients read after the last write had ended".into(),
                },
            },
        ],
    }
}

/// As if a write had been lost: every sixtieth operation on the key, and all with an unknown outcome.
pub(super) fn lost_write(events: &[Event], key: &Value) -> Anomaly {
    let history = History::from_events(events.iter().cloned()).unwrap();
    let on_key = || {
        (0..)
            .zip(history.operations())
            .filter(|(_, op)| op.key == Some(key))
    };
    let unknown = on_key()
        .filter(|(_, op)| op.outcome == Outcome::Info)
        .map(|(id, _)| id)
        .take(2);
    let mut operations: Vec<OpId> = on_key()
        .step_by(60)
        .map(|(id, _)| id)
        .skip(3)
        .take(9)
        .chain(unknown)
        .collect();
    operations.sort_unstable();
    operations.dedup();
    let culprit = *operations.last().unwrap();
    let steps = operations[..operations.len() - 1].iter();
    Anomaly {
        name: "lost write".into(),
        key: Some(key.clone()),
        story: format!("A write of {key} that ended ok was seen by one read and by none after it."),
        culprit,
        prefix_events: history.operation(culprit).invoked.position + 2,
        edges: vec![Edge {
            before: operations[0],
            after: culprit,
            why: "ended long before the other began".into(),
            kind: EdgeKind::RealTime,
        }],
        partials: vec![Partial {
            steps: steps
                .map(|&operation| Step {
                    operation,
                    state: format!("{key} = {operation}"),
                })
                .collect(),
            stuck: vec![Stuck {
                operation: culprit,
                why: "it saw what was never there".into(),
            }],
        }],
        cycle: Vec::new(),
        confirmed: false,
        blind: Vec::new(),
        minimal: true,
        severity: None,
        operations,
    }
}

pub(super) fn analysis(reason: &str, course: &Course, events: &[Event]) -> Analysis {
    let history = History::from_events(events.iter().cloned()).unwrap();
    Analysis {
        checker: "linearizability".into(),
        model: "cas-register".into(),
        verdict: Verdict::Valid,
        reason: reason.to_owned(),
        anomalies: Vec::new(),
        keys: course
            .keys
            .iter()
            .map(|key| {
                let operations = history.by_key().get(&Some(key)).map_or(0, Vec::len);
                KeyResult {
                    key: Some(key.clone()),
                    verdict: Verdict::Valid,
                    operations,
                    verified_events: history.events(),
                    configurations: operations as u64 * 3,
                }
            })
            .collect(),
        assumptions: vec![
            "an operation that failed had no effect; a refused compare-and-set is a read of what it saw"
                .into(),
            "every register is null at first".into(),
        ],
    }
}

pub(super) fn summary(events: &[Event], course: &Course, name: &str) -> Summary {
    let history = History::from_events(events.iter().cloned()).unwrap();
    let mut operations: BTreeMap<String, Outcomes> = BTreeMap::new();
    for operation in history.operations() {
        let count = operations.entry(operation.f.to_owned()).or_default();
        match operation.outcome {
            Outcome::Ok => count.ok += 1,
            Outcome::Fail => count.fail += 1,
            Outcome::Info => count.info += 1,
        }
    }
    let ok: u64 = operations.values().map(|count| count.ok).sum();
    Summary {
        format: 1,
        run: format!("20261121-040506-{name}"),
        verdict: Verdict::Valid,
        command: format!(
            "partita run raft --nodes 5 --time-limit {}s --seed 42",
            course.seconds
        ),
        seed: 42,
        target: "raft".into(),
        workload: "register".into(),
        nodes: (1..=5).map(|n| format!("n{n}")).collect(),
        network: "netns: a network namespace for each node (as root)".into(),
        started: "2026-11-21T04:05:06Z".into(),
        duration_ms: course.seconds * 1000,
        ended: "time limit".into(),
        rate: Rate {
            asked: course.rate as f64,
            invoked: history.len() as f64 / course.seconds as f64,
            ok: ok as f64 / course.seconds as f64,
        },
        operations,
        faults: count_faults(&history.faults),
        not_exercised: vec!["kill was never healed while another fault was in force".into()],
        facts: [
            (partita_reports::TIME_ZERO, "2026-11-21T04:05:00.000000Z"),
            ("partita", "0.1.0"),
            ("kernel", "6.12.8"),
            ("first operation after", "1.9 s"),
        ]
        .map(|(name, fact)| (name.to_owned(), fact.to_owned()))
        .into(),
        ..Summary::default()
    }
}
