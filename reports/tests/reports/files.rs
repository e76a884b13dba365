//! Run directories that are whole, half-written, or wrong.

use std::fs;

use partita_checker::Verdict;
use partita_reports::{LoadError, html, junit, lines, load, markdown, text, write};

use crate::{brief, data, sample, written};

#[test]
fn reports_are_written_beside_the_run() {
    let run = written(&sample::valid(&brief()));
    let path = write(&run.directory).unwrap();
    assert_eq!(path, run.directory.join("report.html"));
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        html(&load(&run.directory).unwrap())
    );
    assert!(
        fs::read_to_string(run.directory.join("junit.xml"))
            .unwrap()
            .contains(r#"failures="0" errors="0""#)
    );
    let left: Vec<_> = fs::read_dir(&run.directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        !left.iter().any(|name| name.to_string_lossy().ends_with(".tmp")),
        "{left:?}"
    );
}

#[test]
fn what_a_killed_run_left_is_still_shown() {
    let sample = sample::valid(&brief());
    let run = written(&sample);
    for file in ["verdict.json", "faults.jsonl", "plan.toml"] {
        fs::remove_file(run.directory.join(file)).unwrap();
    }
    fs::remove_dir_all(run.directory.join("nodes")).unwrap();
    for file in ["history.jsonl", "metrics.jsonl"] {
        let whole = fs::read(run.directory.join(file)).unwrap();
        fs::write(run.directory.join(file), &whole[..whole.len() - 9]).unwrap();
    }
    let loaded = load(&run.directory).unwrap();
    assert!(!loaded.judged);
    assert_eq!(
        (loaded.summary.verdict, loaded.summary.exit_code),
        (Verdict::Unknown, 2)
    );
    assert_eq!(loaded.metrics.len(), sample.metrics.len() - 1);
    assert_eq!(loaded.history.events() as usize, sample.events.len() - 1);
    assert_eq!(
        loaded.notes,
        ["The last line of history.jsonl may have been cut short. If so, it is left out."]
    );
    let counted: u64 = loaded
        .summary
        .operations
        .values()
        .map(|count| count.ok + count.fail + count.info)
        .sum();
    assert_eq!(counted as usize, loaded.history.len());
    assert_eq!(
        loaded.summary.faults["partition"].took,
        sample.summary.faults["partition"].took
    );
    assert!(text(&loaded, 80, false).contains("partita check"));
    assert!(
        junit(&loaded).contains(r#"errors="1""#),
        "a run that was not judged does not pass"
    );
    assert!(data(&html(&loaded)).contains("may have been cut short"));
}

#[test]
fn a_packed_run_reads_as_before() {
    let run = written(&sample::invalid(&brief()));
    let at = |name: &str| run.directory.join(name);
    let history = fs::read(at("history.jsonl")).unwrap();
    for cut in [0, 9] {
        fs::write(at("history.jsonl"), &history[..history.len() - cut]).unwrap();
        let before = load(&run.directory).unwrap();
        lines::pack(&run.directory).unwrap();
        assert!(!at("history.jsonl").exists() && !at("metrics.jsonl").exists());
        assert_eq!(load(&run.directory).unwrap(), before);
        let alone = partita_reports::history(&run.directory).unwrap().unwrap();
        assert_eq!(alone.len(), before.history.len());
        // One that was broken off while it was packed has both: the plain one is whole.
        fs::write(at("history.jsonl"), &history).unwrap();
        assert!(load(&run.directory).unwrap().notes.is_empty());
    }
    let packed = fs::read(at("history.jsonl.gz")).unwrap();
    fs::remove_file(at("history.jsonl")).unwrap();
    fs::write(at("history.jsonl.gz"), &packed[..packed.len() / 2]).unwrap();
    let error = load(&run.directory).unwrap_err().to_string();
    assert!(
        error.contains("history.jsonl.gz: line ") && error.contains("can't be read"),
        "{error}"
    );
}

#[test]
fn what_only_adds_to_a_report_may_be_broken() {
    let run = written(&sample::harness_failure());
    let at = |name: &str| run.directory.join(name);
    fs::write(at("metrics.jsonl"), "{\"node\":\"n1\"}\n\n{\"node\":7}\n{\n").unwrap();
    fs::write(at("nodes/notes.txt"), "a file among the nodes").unwrap();
    fs::create_dir_all(at("nodes/n9/node.log")).unwrap();
    let loaded = load(&run.directory).unwrap();
    assert_eq!((loaded.metrics.len(), loaded.logs.len()), (1, 1));
    assert_eq!(
        loaded.notes,
        [
            "2 unreadable lines of metrics.jsonl left out, the first of them line 3: invalid type: integer `7`, \
             expected a string at line 1 column 9."
        ]
    );
    fs::remove_dir_all(at("nodes")).unwrap();
    fs::write(at("nodes"), "not a directory").unwrap();
    assert!(load(&run.directory).unwrap().logs.is_empty());
}

#[test]
fn the_ends_of_logs_in_a_reason_stay_lines() {
    let mut sample = sample::harness_failure();
    sample.summary.reason = "raft did not start\n--- the end of n1's log\nno such file".into();
    let run = written(&sample);
    let loaded = load(&run.directory).unwrap();
    let lines = "  raft did not start\n  --- the end of n1's log\n  no such file\n";
    assert!(
        text(&loaded, 80, false).contains(lines),
        "{}",
        text(&loaded, 80, false)
    );
    assert!(markdown(&loaded).contains("raft did not start<br>--- the end of n1's log<br>no such file"));
}

#[test]
fn a_run_that_only_has_a_plan_is_shown() {
    let run = written(&sample::harness_failure());
    for file in ["history.jsonl", "faults.jsonl", "metrics.jsonl", "verdict.json"] {
        fs::remove_file(run.directory.join(file)).unwrap();
    }
    let loaded = load(&run.directory).unwrap();
    assert_eq!(
        loaded.notes,
        ["history.jsonl is missing: no operation was recorded."]
    );
    assert_eq!(loaded.logs.len(), 1);
    assert!(data(&html(&loaded)).contains(r#""timeline":null"#));
}

#[test]
fn mistakes_name_the_file_and_the_line() {
    let check = |file: &str, text: &str, expected: &str| {
        let run = written(&sample::valid(&brief()));
        let path = run.directory.join(file);
        fs::write(&path, text).unwrap();
        let error = load(&run.directory).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: {expected}", path.display()));
    };
    check(
        "history.jsonl",
        "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n{\"process\":0,\"type\":\"done\",\"f\":\"read\"}\n",
        "line 2: unknown type `done`, expected invoke, ok, fail, info or fault",
    );
    check(
        "verdict.json",
        "{\n  \"verdict\": \"fine\"\n}",
        "line 2, column 19: unknown variant `fine`, expected one of `valid`, `not-exercised`, `unknown`, \
         `invalid`, `harness-failure`",
    );
}

#[test]
fn a_directory_that_is_no_run_is_refused() {
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(load(empty.path()), Err(LoadError::NotARun(_))));
    assert!(matches!(
        load(&empty.path().join("nowhere")),
        Err(LoadError::NotARun(_))
    ));
    assert!(matches!(write(empty.path()), Err(LoadError::NotARun(_))));
    assert_eq!(
        fs::read_dir(empty.path()).unwrap().count(),
        0,
        "nothing is written into it"
    );
}

#[test]
fn a_verdict_of_another_history_does_no_harm() {
    let run = written(&sample::invalid(&brief()));
    let other = written(&sample::harness_failure());
    fs::copy(
        run.directory.join("verdict.json"),
        other.directory.join("verdict.json"),
    )
    .unwrap();
    let loaded = load(&other.directory).unwrap();
    assert!(
        loaded
            .notes
            .iter()
            .any(|note| note.contains("do not belong together")),
        "{:?}",
        loaded.notes
    );
    assert!(data(&html(&loaded)).contains(r#""operations":[],"edges":[]"#));
}

#[test]
fn only_the_end_of_a_long_log_is_kept() {
    let run = written(&sample::valid(&brief()));
    let log: String = (0..150_000).map(|i| format!("line {i}\n")).collect();
    fs::write(run.directory.join("nodes/n2/node.log"), log).unwrap();
    let loaded = load(&run.directory).unwrap();
    let log = &loaded.logs[1];
    assert_eq!(
        (log.node.as_str(), log.lines.len(), log.cut),
        ("n2", 50_000, true)
    );
    assert_eq!(
        (log.lines[0].as_str(), log.lines[49_999].as_str()),
        ("line 100000", "line 149999")
    );
}
