//! Small histories in which something is wrong with some items, and all is well with others.

use partita_checker::{Analysis, Verdict};
use partita_history::jsonl;

use super::*;

/// Operations, one after the other unless one says when it ends: process, function, input, outcome, output. A second
/// lies between any two events.
struct Script {
    text: String,
    seconds: u64,
}

impl Script {
    fn new() -> Script {
        Script {
            text: String::new(),
            seconds: 0,
        }
    }

    fn event(&mut self, process: u64, kind: &str, f: &str, value: &str) {
        self.seconds += 1;
        let time = self.seconds * 1_000_000_000;
        self.text += &format!(
            r#"{{"time":{time},"process":{process},"type":"{kind}","f":"{f}","key":"k","value":{value},"node":"n1"}}"#
        );
        self.text.push('\n');
    }

    fn op(mut self, process: u64, f: &str, input: &str, kind: &str, output: &str) -> Script {
        self.event(process, "invoke", f, input);
        self.event(process, kind, f, output);
        self
    }

    /// What the ledger says, an item a line.
    fn told(self, model: &str, rows_max: usize) -> Option<(String, String)> {
        let run = Run {
            history: jsonl::read(self.text.as_bytes(), false).unwrap(),
            ..Run::default()
        };
        let check = Analysis {
            checker: "linearizability".into(),
            model: model.into(),
            verdict: Verdict::Invalid,
            reason: String::new(),
            anomalies: Vec::new(),
            keys: Vec::new(),
            assumptions: Vec::new(),
        };
        let anomaly = Anomaly {
            name: String::new(),
            key: Some("k".into()),
            story: String::new(),
            operations: Vec::new(),
            culprit: 0,
            prefix_events: 0,
            edges: Vec::new(),
            cycle: Vec::new(),
            partials: Vec::new(),
            confirmed: true,
            blind: Vec::new(),
            minimal: true,
            severity: None,
        };
        let ledger = ledger(&run, &check, &anomaly, rows_max)?;
        let lines: Vec<String> = ledger.rows.iter().map(Line::sentence).collect();
        Some((lines.join("\n"), ledger.more))
    }
}

#[test]
fn elements_are_lost_late_doubled_or_come_from_nowhere() {
    let script = Script::new()
        .op(0, "add", "1", "ok", "1")
        .op(0, "add", "2", "ok", "2")
        .op(0, "add", "3", "info", "3")
        .op(1, "add", "4", "fail", "4")
        .op(1, "read", "null", "ok", "[1,2]")
        .op(2, "add", "6", "ok", "6")
        .op(2, "read", "null", "ok", "[1,4,5,5]")
        .op(2, "read", "null", "ok", "[1,6]");
    let (lines, more) = script.told("grow-only-set", 10).unwrap();
    assert_eq!(
        lines,
        "2 lost: added: by client 0 on n1 at 3.000 s, acknowledged at 4.000 s; against that: read by client 2 on n1 at \
         14.000 s (and 1 more); last seen: read by client 1 on n1 at 10.000 s.\n\
         5 duplicated: added: never; against that: read by client 2 on n1 at 14.000 s; last seen: read by client 2 on n1 \
         at 14.000 s.\n\
         4 unexpected: added: by client 1 on n1 at 7.000 s, reported as failed at 8.000 s; against that: read by client 2 \
         on n1 at 14.000 s; last seen: read by client 2 on n1 at 14.000 s.\n\
         6 missing for a while: added: by client 2 on n1 at 11.000 s, acknowledged at 12.000 s; against that: read by \
         client 2 on n1 at 14.000 s; last seen: read by client 2 on n1 at 16.000 s."
    );
    assert_eq!(more, "");
}

#[test]
fn what_may_have_been_removed_is_not_lost() {
    let begun = || Script::new().op(0, "add", "1", "ok", "[1,1]");
    let excused = begun()
        .op(1, "remove", "1", "info", "1")
        .op(2, "contains", "1", "ok", "0");
    assert_eq!(excused.told("set", 10), None);
    let back = begun()
        .op(1, "remove", "1", "ok", "[1,1]")
        .op(2, "contains", "1", "ok", "[1,1]")
        .op(2, "read", "null", "ok", "[1]");
    let (lines, _) = back.told("set", 10).unwrap();
    assert!(
        lines.starts_with("1 back after its removal: added: by client 0 on n1 at 1.000 s")
            && lines.contains("client 1"),
        "{lines}"
    );
    // An addition that says that it changed the set, which had the element.
    let twice = begun().op(1, "add", "1", "ok", "[1,1]");
    let (lines, _) = twice.told("set", 10).unwrap();
    assert!(
        lines.contains("against that: add by client 1 on n1 at 4.000 s"),
        "{lines}"
    );
}

#[test]
fn items_are_lost_doubled_passed_over_or_come_from_nowhere() {
    let script = Script::new()
        .op(0, "enqueue", "1", "ok", "1")
        .op(0, "enqueue", "2", "ok", "2")
        .op(0, "enqueue", "3", "ok", "3")
        .op(0, "enqueue", "4", "ok", "4")
        .op(1, "dequeue", "null", "ok", "2")
        .op(1, "dequeue", "null", "ok", "1")
        .op(2, "dequeue", "null", "ok", "2")
        .op(2, "dequeue", "null", "ok", "9")
        .op(3, "dequeue", "null", "ok", "null")
        .op(3, "dequeue", "null", "ok", "4")
        .op(3, "dequeue", "null", "ok", "null");
    let (lines, more) = script.told("fifo-queue", 3).unwrap();
    assert_eq!(
        lines,
        "3 lost: added: by client 0 on n1 at 5.000 s, acknowledged at 6.000 s; against that: dequeue by client 3 on n1 at \
         18.000 s (and 1 more); last seen: never.\n\
         2 duplicated: added: by client 0 on n1 at 3.000 s, acknowledged at 4.000 s; against that: dequeue by client 2 on \
         n1 at 14.000 s; it had come out 2 times in all; last seen: dequeue by client 2 on n1 at 14.000 s.\n\
         9 unexpected: added: never; against that: dequeue by client 2 on n1 at 16.000 s; last seen: dequeue by client 2 \
         on n1 at 16.000 s."
    );
    assert_eq!(more, "1 more missing for a while");
}

#[test]
fn the_first_in_is_to_be_the_first_out_of_a_queue_only() {
    let script = || {
        Script::new()
            .op(0, "enqueue", "1", "ok", "1")
            .op(0, "enqueue", "2", "ok", "2")
            .op(1, "dequeue", "null", "ok", "2")
            .op(1, "dequeue", "null", "ok", "1")
    };
    let (lines, _) = script().told("fifo-queue", 10).unwrap();
    assert!(
        lines.starts_with("1 passed over: ") && lines.contains("2, which went in after it, was before it"),
        "{lines}"
    );
    assert_eq!(script().told("bag", 10), None);
    assert_eq!(script().told("register", 10), None);
}

#[test]
fn a_removal_of_unknown_outcome_excuses_one_that_never_came_out() {
    let script = Script::new()
        .op(0, "enqueue", "1", "ok", "1")
        .op(1, "dequeue", "null", "info", "null")
        .op(2, "dequeue", "null", "ok", "null");
    let (lines, _) = script.told("bag", 10).unwrap();
    assert!(
        lines.starts_with("1 not accounted for: ")
            && lines.contains("1 removal of unknown outcome may have taken it"),
        "{lines}"
    );
}
