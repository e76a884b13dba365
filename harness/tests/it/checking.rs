//! `partita check` on recorded histories.

use std::path::Path;

use crate::support::{partita, told};

fn write(directory: &Path, name: &str, lines: &[&str]) -> String {
    let path = directory.join(name);
    std::fs::write(
        &path,
        lines.iter().map(|line| format!("{line}\n")).collect::<String>(),
    )
    .unwrap();
    path.display().to_string()
}

const WRITE: [&str; 2] = [
    r#"{"process":0,"type":"invoke","f":"write","value":1}"#,
    r#"{"process":0,"type":"ok","f":"write","value":1}"#,
];
const READ: [&str; 2] = [
    r#"{"process":1,"type":"invoke","f":"read","value":null}"#,
    r#"{"process":1,"type":"ok","f":"read","value":1}"#,
];
const STALE: &str = r#"{"process":1,"type":"ok","f":"read","value":null}"#;

#[test]
fn verdicts_are_exit_codes_and_join_to_the_worst() {
    let directory = tempfile::tempdir().unwrap();
    let valid = write(
        directory.path(),
        "valid.jsonl",
        &[WRITE[0], WRITE[1], READ[0], READ[1]],
    );
    let invalid = write(
        directory.path(),
        "invalid.jsonl",
        &[WRITE[0], WRITE[1], READ[0], STALE],
    );
    let empty = write(directory.path(), "empty.jsonl", &[]);
    let code = |files: &[&str]| {
        let output = partita(&["check"]).args(files).output().unwrap();
        (output.status.code(), told(&output))
    };
    assert_eq!(code(&[&valid]).0, Some(0));
    assert_eq!(code(&[&invalid]).0, Some(1));
    assert!(
        code(&[&invalid]).1.contains("Still holds: sequential"),
        "how wrong it is"
    );
    assert_eq!(code(&[&empty]).0, Some(3));
    let (joined, text) = code(&[&valid, &invalid, &empty]);
    assert_eq!(joined, Some(1));
    assert!(
        text.contains("3 files: 1 valid, 1 invalid, 1 not exercised; together: invalid"),
        "{text}"
    );
}

#[test]
fn json_is_one_object_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let invalid = write(
        directory.path(),
        "invalid.jsonl",
        &[WRITE[0], WRITE[1], READ[0], STALE],
    );
    let output = partita(&["check", "--json", &invalid]).output().unwrap();
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&object["verdict"], &object["exit_code"]),
        (&"invalid".into(), &1.into())
    );
    let anomaly = &object["files"][0]["analysis"]["anomalies"][0];
    assert_eq!(anomaly["confirmed"], true);
    assert_eq!(anomaly["severity"]["versions"]["exactly"], 1);
    assert_eq!(anomaly["severity"]["levels"][0]["consistency"], "regular");
    assert_eq!(anomaly["cycle"][0]["kind"], "real-time");
}

#[test]
fn bad_input_is_told_by_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let torn = write(
        directory.path(),
        "torn.jsonl",
        &[WRITE[0], r#"{"process":0,"type":"#],
    );
    let refused = |arguments: &[&str], expected: &[&str]| {
        let output = partita(&["check"]).args(arguments).output().unwrap();
        let text = told(&output);
        assert_eq!(output.status.code(), Some(254), "{text}");
        for expected in expected {
            assert!(text.contains(expected), "expected {expected:?} in {text}");
        }
    };
    refused(&[&torn], &["torn.jsonl", "line 2", "EOF while parsing"]);
    let strange = write(
        directory.path(),
        "strange.jsonl",
        &[r#"{"process":0,"type":"invoke","f":"fly","value":1}"#],
    );
    refused(&[&strange], &["strange.jsonl", "fly"]);
    refused(&["no/such/file"], &["no/such/file", "can't be opened"]);
    refused(
        &[&torn, "--model", "abacus"],
        &["unknown model `abacus`; there are: ", "cas-register"],
    );
    refused(&[], &["required"]);
    refused(&[&torn, "--time", "soon"], &["such as 30s"]);
}

/// What is wrong with a file is told with its place, and never costs more than the refusal.
#[test]
fn each_kind_of_bad_input_has_its_message() {
    let directory = tempfile::tempdir().unwrap();
    let check = |model: &str, lines: &[&str]| {
        let file = write(directory.path(), "history.jsonl", lines);
        let output = partita(&["check", &file, "--model", model]).output().unwrap();
        (output.status.code(), told(&output))
    };
    let deep = format!(
        r#"{{"process":0,"type":"invoke","f":"write","value":{}{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let refused: [(&str, &[&str], &[&str]); 9] = [
        ("register", &[WRITE[0], "hello"], &["line 2", "expected"]),
        ("register", &[READ[0], "[1,2]"], &["line 2", "expected"]),
        (
            "register",
            &[r#"{"process":0,"type":"invoke"}"#],
            &["line 1", "`f`"],
        ),
        (
            "register",
            &[r#"{"process":0,"type":"begin","f":"read"}"#],
            &["line 1", "`begin`", "expected", "invoke"],
        ),
        (
            "register",
            &[READ[1]],
            &["line 1", "process 1 completes `read`, which it had not invoked"],
        ),
        (
            "register",
            &[READ[0], READ[0]],
            &["line 2", "while its `read` is still open"],
        ),
        (
            "register",
            &[r#"{"process":0,"type":"invoke","f":"fly"}"#],
            &["event 0 (`fly` by process 0): the model `register` knows read, write"],
        ),
        (
            "cas-register",
            &[r#"{"process":0,"type":"invoke","f":"cas","value":3}"#],
            &["a cas carries a list of two values, [from, to], and not an integer"],
        ),
        ("register", &[&deep], &["line 1"]),
    ];
    for (model, lines, expected) in refused {
        let (status, text) = check(model, lines);
        assert_eq!(status, Some(254), "{text}");
        for expected in ["history.jsonl"].iter().chain(expected) {
            assert!(text.contains(expected), "expected {expected:?} in {text}");
        }
    }
    let crash = r#"{"process":0,"type":"info","f":"write","value":1}"#;
    for lines in [&[][..], &[WRITE[0]], &[WRITE[0], crash]] {
        let (status, text) = check("register", lines);
        assert_eq!(status, Some(3), "{text}");
        assert!(
            text.contains("No operation completed ok, so nothing could be judged"),
            "{text}"
        );
    }
}

#[test]
fn a_spent_budget_is_unknown() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(
        directory.path(),
        "h.jsonl",
        &[WRITE[0], WRITE[1], READ[0], READ[1]],
    );
    for arguments in [["--time", "0s"], ["--memory", "0"]] {
        let search = ["check", &file, "--engine", "search"];
        let output = partita(&search).args(arguments).output().unwrap();
        let text = told(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains("The budget was spent"), "{text}");
    }
}

#[test]
fn a_history_may_come_from_standard_input_or_from_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let history = [WRITE[0], WRITE[1], READ[0], STALE];
    let file = write(directory.path(), "history.jsonl", &history);
    let output = partita(&["check", "-"])
        .stdin(std::fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(
        told(&output).contains("-: invalid (2 operations"),
        "{}",
        told(&output)
    );
    let torn = partita(&["check", "-"])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(torn.status.code(), Some(3), "{}", told(&torn));
    let output = partita(&["check"]).arg(directory.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let empty = tempfile::tempdir().unwrap();
    let output = partita(&["check"]).arg(empty.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(254), "{}", told(&output));
    assert!(
        told(&output).contains("is a directory without a history (history.jsonl, "),
        "{}",
        told(&output)
    );
}

#[test]
fn findings_about_the_test_are_told_and_change_no_verdict() {
    let directory = tempfile::tempdir().unwrap();
    let failed = [
        WRITE[0],
        READ[0],
        r#"{"process":0,"type":"fail","f":"write","value":1,"error":"timeout"}"#,
        r#"{"process":1,"type":"ok","f":"read","value":null}"#,
    ];
    let file = write(directory.path(), "failed.jsonl", &failed);
    let output = partita(&["check", &file]).output().unwrap();
    let text = told(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains(
            "about the test: fail that should be info: The write by client 0 at event 2 ended in `fail` with"
        ),
        "{text}"
    );
    let output = partita(&["check", "--json", &file]).output().unwrap();
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let finding = &object["files"][0]["findings"][0];
    assert_eq!(
        (&finding["kind"], &finding["operations"][0]),
        (&"indeterminate-fail".into(), &0.into())
    );
    // Of several files, each has its line.
    let output = partita(&["check", &file, &file]).output().unwrap();
    assert!(
        told(&output).contains("about the test: fail that should be info\n"),
        "{}",
        told(&output)
    );
}

#[test]
fn a_report_of_one_history_is_one_page() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(
        directory.path(),
        "stale.jsonl",
        &[WRITE[0], WRITE[1], READ[0], STALE],
    );
    let page = directory.path().join("report.html");
    let output = partita(&["check", &file, "--html"]).arg(&page).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let html = std::fs::read_to_string(&page).unwrap();
    for expected in [
        "<!doctype html>",
        "stale read",
        "About the test: ",
        "partita check",
        "</html>",
    ] {
        assert!(
            html.to_lowercase().contains(&expected.to_lowercase()),
            "{expected}"
        );
    }
    assert!(!html.contains("cut short"), "the history is whole");
    let two = partita(&["check", &file, &file, "--html"])
        .arg(&page)
        .output()
        .unwrap();
    assert_eq!(two.status.code(), Some(254), "{}", told(&two));
    assert!(
        told(&two).contains("--html is for one history at a time"),
        "{}",
        told(&two)
    );
}

#[test]
fn every_format_is_read_plain_and_compressed() {
    let directory = tempfile::tempdir().unwrap();
    let edn = write(
        directory.path(),
        "history.edn",
        &[
            "[{:process 0, :type :invoke, :f :write, :value [\"x\" 1]}",
            " {:process 0, :type :ok, :f :write, :value [\"x\" 1]}",
            " {:process 0, :type :invoke, :f :read, :value [\"y\" nil]}",
            " {:process 0, :type :ok, :f :read, :value [\"y\" nil]}]",
        ],
    );
    let log = write(
        directory.path(),
        "etcd.log",
        &[
            "INFO  jepsen.util - 0\t:invoke\t:write\t1",
            "INFO  jepsen.util - 0\t:ok\t:write\t1",
            "INFO  jepsen.util - 1\t:invoke\t:read\tnil",
            "INFO  jepsen.util - 1\t:ok\t:read\tnil",
        ],
    );
    let compressed = directory.path().join("history.jsonl.zst");
    let text = [WRITE[0], WRITE[1], READ[0], READ[1]].join("\n");
    std::fs::write(&compressed, zstd::encode_all(text.as_bytes(), 3).unwrap()).unwrap();
    let compressed = compressed.display().to_string();

    let code = |arguments: &[&str]| {
        let output = partita(&["check"]).args(arguments).output().unwrap();
        (output.status.code(), told(&output))
    };
    assert_eq!(code(&[&compressed]).0, Some(0));
    assert_eq!(code(&[&compressed, "--format", "jsonl"]).0, Some(0));
    let (status, text) = code(&[&edn, "--independent"]);
    assert!(status == Some(0) && text.contains("2 keys"), "{text}");
    // Taken as they are, these are pairs in one register.
    assert_eq!(code(&[&edn]).0, Some(1));
    assert_eq!(code(&[&log]).0, Some(1));
    let (status, text) = code(&[&log, "--format", "edn"]);
    assert_eq!(status, Some(254), "{text}");
    assert!(text.contains("line 1, column 1: expected an operation"), "{text}");
    let (status, text) = code(&[&log, "--format", "abacus"]);
    assert_eq!(status, Some(254), "{text}");
    assert!(
        text.contains("unknown format `abacus`; there are: auto, jsonl, "),
        "{text}"
    );
    let strange = write(directory.path(), "strange", &["hello"]);
    let (status, text) = code(&[&strange]);
    assert_eq!(status, Some(254), "{text}");
    assert!(text.contains("does not look like a history"), "{text}");
}

#[test]
fn a_pass_can_be_proved_and_a_false_proof_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let history = write(
        directory.path(),
        "valid.jsonl",
        &[WRITE[0], WRITE[1], READ[0], READ[1]],
    );
    let witness = directory.path().join("witness.json");
    let checked = partita(&["check", &history, "--witness"])
        .arg(&witness)
        .output()
        .unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", told(&checked));
    let verify = || partita(&["verify", &history]).arg(&witness).output().unwrap();
    let verified = verify();
    assert_eq!(verified.status.code(), Some(0), "{}", told(&verified));
    assert!(
        told(&verified).contains("orders 2 operations on 1 key"),
        "{}",
        told(&verified)
    );
    let text = std::fs::read_to_string(&witness).unwrap();
    std::fs::write(&witness, text.replace("[0,1]", "[1,0]")).unwrap();
    let refused = verify();
    assert_eq!(refused.status.code(), Some(1), "{}", told(&refused));
    assert!(told(&refused).contains("operation 1"), "{}", told(&refused));
    std::fs::write(&witness, r#"{"format":1,"witnesses":[7]}"#).unwrap();
    assert_eq!(verify().status.code(), Some(254));
}
