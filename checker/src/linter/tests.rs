//! Each finding on a history written for it, and none of them on a good one.

use partita_history::{History, jsonl};

use super::*;
use crate::{Verdict, check};

/// Lines of `process type f value`, one event a millisecond, with more fields after them.
fn history(lines: &[&str]) -> History {
    let text: String = lines
        .iter()
        .enumerate()
        .map(|(i, line)| {
            let mut words = line.splitn(5, ' ');
            let mut word = || words.next().unwrap_or("null");
            let (process, kind, f, value) = (word(), word(), word(), word());
            let more = line
                .splitn(5, ' ')
                .nth(4)
                .map_or(String::new(), |more| format!(",{more}"));
            let time = if more.contains("\"time\"") {
                String::new()
            } else {
                format!(",\"time\":{}", (i + 1) * 1_000_000)
            };
            format!(
                "{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{value}{time}{more}}}\n"
            )
        })
        .collect();
    jsonl::read(text.as_bytes(), false).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn found(model: &str, lines: &[&str]) -> Vec<Finding> {
    lint(
        &history(lines),
        Model::by_name(model).unwrap(),
        &Options::default(),
    )
}

/// The one finding of this kind.
fn the(kind: FindingKind, findings: &[Finding]) -> Finding {
    let mut of_kind = findings.iter().filter(|finding| finding.kind == kind);
    let finding = of_kind
        .next()
        .unwrap_or_else(|| panic!("no {kind} in {findings:?}"));
    assert!(of_kind.next().is_none());
    finding.clone()
}

const GOOD: [&str; 6] = [
    "0 invoke write 1",
    "1 invoke read",
    "0 ok write 1",
    "1 ok read 1",
    "2 invoke read",
    "2 ok read 1",
];

#[test]
fn a_good_test_has_no_findings() {
    assert_eq!(found("register", &GOOD), []);
    assert_eq!(in_short(&[]), None);
}

#[test]
fn failed_but_seen() {
    let lines = [
        "0 invoke write 7 \"node\":\"n1\"",
        "1 invoke read null",
        "0 fail write 7 \"error\":\"not leader\"",
        "1 ok read 7 \"node\":\"n3\"",
    ];
    let finding = the(FindingKind::FailedButSeen, &found("register", &lines));
    assert_eq!((finding.count, &finding.operations[..]), (1, &[0][..]));
    assert_eq!(
        finding.text,
        "The write of 7 by client 0 (via n1) at 0.003 s ended in `fail` (\"not leader\"), which says that it did not \
         happen; but client 1 (via n3) at 0.004 s saw the value, and nobody else wrote it. Either the system does what \
         it says it has not done, or the client says `fail` where it should say `info`."
    );
    // Another wrote it too; nobody saw it; it was there from the beginning.
    let mut others = lines.to_vec();
    others.extend(["2 invoke write 7", "2 ok write 7"]);
    let mut unseen = lines.to_vec();
    unseen[3] = "1 ok read null";
    for lines in [others, unseen] {
        let findings = found("register", &lines);
        assert!(
            findings.iter().all(|f| f.kind != FindingKind::FailedButSeen),
            "{findings:?}"
        );
    }
    for (model, lines) in [
        (
            "fifo-queue",
            [
                "0 invoke enqueue 7",
                "0 fail enqueue 7",
                "1 invoke dequeue",
                "1 ok dequeue 7",
            ],
        ),
        (
            "grow-only-set",
            [
                "0 invoke add 7",
                "0 fail add 7",
                "1 invoke read",
                "1 ok read [3,7]",
            ],
        ),
        (
            "cas-register",
            [
                "0 invoke cas [1,7]",
                "0 fail cas [1,7]",
                "1 invoke cas [7,8]",
                "1 ok cas [7,8]",
            ],
        ),
    ] {
        assert_eq!(
            the(FindingKind::FailedButSeen, &found(model, &lines)).operations,
            [0],
            "{model}"
        );
    }
}

#[test]
fn a_fail_that_should_be_an_info() {
    let lines = |f: &str, error: &str| {
        let lines = [
            format!("0 invoke {f} 1"),
            format!("0 fail {f} 1 \"error\":\"{error}\""),
        ];
        found("register", &lines.each_ref().map(String::as_str))
    };
    let finding = the(
        FindingKind::IndeterminateFail,
        &lines("write", "java.net.SocketTimeoutException"),
    );
    assert!(
        finding.text.contains(
            "The write by client 0 at 0.002 s ended in `fail` with \"java.net.SocketTimeoutException\""
        ),
        "{finding:?}"
    );
    // A read that failed did no harm; a refusal is a refusal.
    assert_eq!(lines("read", "timeout"), []);
    assert_eq!(lines("write", "not leader"), []);
}

#[test]
fn a_process_that_goes_on_after_info() {
    let lines = [
        "0 invoke write 1",
        "0 info write 1",
        "0 invoke read",
        "0 ok read null",
        "0 invoke read",
        "0 ok read 1",
    ];
    let finding = the(FindingKind::GoesOnAfterInfo, &found("register", &lines));
    assert_eq!((finding.count, &finding.operations[..]), (1, &[1][..]));
    assert!(
        finding.text.starts_with(
            "Process 0 began a read at 0.003 s, although its write had ended in `info` at 0.002 s:"
        ),
        "{finding:?}"
    );
}

#[test]
fn time_that_runs_backwards() {
    let mut lines = GOOD.to_vec();
    lines[3] = "1 ok read 1 \"time\":2900000";
    let finding = the(FindingKind::TimeBackwards, &found("register", &lines));
    assert_eq!((finding.count, &finding.operations[..]), (1, &[1][..]));
    assert!(
        finding
            .text
            .starts_with("From event 2 to event 3 (client 1's read) the time goes back by 100 µs."),
        "{finding:?}"
    );
}

#[test]
fn a_completion_with_another_value() {
    let lines = [
        "0 invoke write 1",
        "0 ok write 2",
        "1 invoke write 3",
        "1 ok write null",
    ];
    let finding = the(FindingKind::OtherValueCompleted, &found("register", &lines));
    assert_eq!((finding.count, &finding.operations[..]), (1, &[0][..]));
    assert!(finding.kind.is_mistake());
}

#[test]
fn tests_that_can_find_little() {
    let null = [
        "0 invoke write 1",
        "0 ok write 1",
        "1 invoke read",
        "1 ok read null",
    ];
    let findings = found("register", &null);
    assert!(
        the(FindingKind::OnlyNullReads, &findings)
            .text
            .starts_with("Every read of the register found null")
    );
    assert!(
        the(FindingKind::NoConcurrency, &findings)
            .text
            .starts_with("Each of the 2 operations began after"),
        "{findings:?}"
    );
    assert!(!FindingKind::OnlyNullReads.is_mistake());
    let blind = [
        "0 invoke write 1",
        "1 invoke write 2",
        "1 ok write 2",
        "0 ok write 1",
    ];
    the(FindingKind::NothingSeen, &found("register", &blind));
    let cas = [
        "0 invoke cas [1,2]",
        "1 invoke cas [3,4]",
        "1 fail cas [3,4]",
        "0 fail cas [1,2] \"observed\":3",
    ];
    let refused = the(FindingKind::RefusedWithoutObserved, &found("cas-register", &cas));
    assert_eq!((refused.count, &refused.operations[..]), (1, &[1][..]));
    let twice = [
        "0 invoke push 1",
        "1 invoke push 1",
        "1 ok push 1",
        "0 ok push 1",
        "0 invoke pop",
        "0 ok pop 1",
    ];
    let repeated = the(FindingKind::RepeatedValues, &found("stack", &twice));
    assert!(
        repeated
            .text
            .starts_with("1 of 1 values come from more than one operation: 1 from client 0"),
        "{repeated:?}"
    );
}

#[test]
fn of_a_large_history_rarely_used_keys_and_unknown_outcomes_are_told() {
    let mut lines = Vec::new();
    for i in 0..60 {
        let key = if i == 7 { "y" } else { "x" };
        lines.push(format!("{i} invoke write {i} \"key\":\"{key}\""));
        lines.push(format!("{} invoke read null \"key\":\"{key}\"", 100 + i));
        lines.push(format!("{} ok read {i}", 100 + i));
    }
    let findings = found("register", &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let rare = the(FindingKind::HardlyUsedKeys, &findings);
    assert!(
        rare.text
            .starts_with("1 of 2 keys have fewer than 10 operations that ended ok (y)"),
        "{rare:?}"
    );
    let unknown = the(FindingKind::MostlyUnknown, &findings);
    assert!(unknown.text.starts_with("60 of 120 operations"), "{unknown:?}");
    assert!(
        in_short(&findings)
            .unwrap()
            .contains("many unknown outcomes; hardly used keys")
    );
}

#[test]
fn findings_do_not_touch_the_verdict_and_are_read_back() {
    let lines = [
        "0 invoke write 1",
        "0 info write 1",
        "0 invoke read",
        "0 ok read 1",
    ];
    let model = Model::by_name("register").unwrap();
    let analysis = check(&history(&lines), model, &Options::default(), &|| false).unwrap();
    assert_eq!(analysis.verdict, Verdict::Valid);
    let findings = found("register", &lines);
    assert!(!findings.is_empty());
    let text = serde_json::to_string(&findings).unwrap();
    assert!(text.contains("\"kind\":\"goes-on-after-info\""), "{text}");
    assert_eq!(serde_json::from_str::<Vec<Finding>>(&text).unwrap(), findings);
}

#[test]
fn a_history_that_the_model_does_not_understand_is_linted_all_the_same() {
    let lines = [
        "0 invoke fly 1",
        "0 fail fly 1 \"error\":\"timeout\"",
        "0 invoke read",
        "0 ok read null",
    ];
    let _ = found("fifo-queue", &lines);
    assert_eq!(
        lint(
            &History::default(),
            Model::by_name("set").unwrap(),
            &Options::default()
        ),
        []
    );
}
