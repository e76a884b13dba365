//! A page stays small, however long the run.

use std::sync::OnceLock;

use partita_checker::Verdict;
use partita_history::{Event, EventType, History, OpEvent, Value};
use partita_reports::run::{Metric, Summary};
use partita_reports::{NodeLog, Run, html};

/// The finalizer of SplitMix64: neighbours become numbers that have nothing to do with one another.
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A million operations of a register's load, with latencies all over the picture, and the longest logs.
fn million() -> Run {
    let mut history = History::default();
    let mut time = 0;
    for i in 0..1_000_000_u64 {
        let scattered = |salt: u64, below: u64| scatter(i * 8 + salt) % below;
        time += scattered(1, 2_000_000);
        let read = scattered(2, 3) > 0;
        let event = |kind, time, value| {
            Event::Op(OpEvent {
                index: 2 * i,
                time,
                process: i % 10,
                kind,
                f: if read { "read" } else { "write" }.into(),
                key: Some(Value::Str(format!("r{}", scattered(3, 20)))),
                value,
                observed: None,
                node: Some(format!("n{}", 1 + scattered(4, 5))),
                error: None,
            })
        };
        let kind = match scattered(5, 50) {
            0 => EventType::Fail,
            1 => EventType::Info,
            _ => EventType::Ok,
        };
        let argument = if read { Value::Null } else { Value::Int(i as i64) };
        history
            .push(event(EventType::Invoke, time, argument.clone()))
            .unwrap();
        let result = if read && kind == EventType::Ok {
            Value::Int(i.saturating_sub(scattered(6, 200)) as i64)
        } else {
            argument
        };
        let took = 100_000 + scattered(7, 3_000_000);
        history.push(event(kind, time + took, result)).unwrap();
    }
    let flapping = |i: u64| Metric {
        time: i * 20_000_000,
        node: format!("n{}", i % 5),
        up: !i.is_multiple_of(7),
        role: Some(if i.is_multiple_of(3) { "leader" } else { "follower" }.into()),
        term: Some(i),
        leader: Some(format!("n{}", i % 4)),
        commit: Some(i * 11),
        applied: Some(i * 10),
        ..Metric::default()
    };
    let log = |n: u64| NodeLog {
        node: format!("n{n}"),
        lines: (0..20_000_u64)
            .map(|i| format!("line {i:x} {:x} {}", scatter(i * 8 + n), "x".repeat(600)))
            .collect(),
        cut: true,
    };
    Run {
        summary: Summary {
            verdict: Verdict::Valid,
            nodes: (1..=5).map(|n| format!("n{n}")).collect(),
            ..Summary::default()
        },
        judged: true,
        history,
        metrics: (0..50_000).map(flapping).collect(),
        logs: (1..=5).map(log).collect(),
        ..Run::default()
    }
}

/// The page of a million operations: made once, for it takes a while.
pub(crate) fn million_page() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| html(&million()))
}

#[test]
fn a_million_operations_fit_into_less_than_five_megabytes() {
    let page = million_page();
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    assert!(
        page.contains(r#""operations":1000000,"drawn":"#),
        "it says that points stand for more than one"
    );
    assert!(
        page.contains(r#""operations":1000000,"kept":1000000,"#),
        "and all operations are there"
    );
}
