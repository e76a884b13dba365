//! A page stays small, however long the run.

use partita_checker::Verdict;
use partita_history::{Event, EventType, History, OpEvent, Value};
use partita_reports::run::{Metric, Summary};
use partita_reports::{NodeLog, Run, html};

/// A million operations, with latencies all over the picture, and the longest logs.
fn million() -> Run {
    let mut history = History::default();
    for i in 0..1_000_000_u64 {
        let scattered = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let event = |kind, time, value| {
            Event::Op(OpEvent {
                index: 2 * i,
                time,
                process: i % 100,
                kind,
                f: "write".into(),
                key: Some(Value::Int((i / 500) as i64)),
                value,
                observed: None,
                node: Some("n1".into()),
                error: None,
            })
        };
        let kind = [EventType::Ok, EventType::Fail, EventType::Info][(scattered % 3) as usize];
        history
            .push(event(EventType::Invoke, i * 3_600_000, Value::Int(i as i64)))
            .unwrap();
        history
            .push(event(
                kind,
                i * 3_600_000 + (scattered + 1) * 200,
                Value::Int(i as i64),
            ))
            .unwrap();
    }
    let flapping = |i: u64| Metric {
        time: i * 200_000_000,
        node: format!("n{}", i % 5),
        up: !i.is_multiple_of(7),
        role: Some(if i.is_multiple_of(3) { "leader" } else { "follower" }.into()),
        term: Some(i),
        ..Metric::default()
    };
    let logs = (1..=5).map(|n| NodeLog {
        node: format!("n{n}"),
        lines: vec!["x".repeat(4000); 200],
        cut: true,
    });
    Run {
        summary: Summary {
            verdict: Verdict::Valid,
            ..Summary::default()
        },
        judged: true,
        history,
        metrics: (0..90_000).map(flapping).collect(),
        logs: logs.collect(),
        ..Run::default()
    }
}

#[test]
fn a_million_operations_fit_into_less_than_five_megabytes() {
    let page = html(&million());
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    assert!(
        page.contains(r#""operations":1000000,"drawn":"#),
        "it says that points stand for more than one"
    );
}
