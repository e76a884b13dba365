//! What the formats look like, as a whole.

use partita_reports::{Run, html, junit, load, markdown, svg, text};

use crate::sample::{self, Sample};
use crate::{brief, data, written};

/// The run, as if it lay in `runs/`.
fn placed(sample: &Sample) -> Run {
    let mut run = load(&written(sample).directory).unwrap();
    run.directory = "runs/sample".into();
    run
}

/// The page's data, a member a line at the outer levels, so that a change shows where it is.
fn page(run: &Run) -> String {
    fn write(out: &mut String, value: &serde_json::Value, depth: usize) {
        let margin = "  ".repeat(3 - depth);
        match value {
            serde_json::Value::Object(members) if depth > 0 => {
                for (name, member) in members {
                    out.push_str(&format!("\n{margin}{name}: "));
                    write(out, member, depth - 1);
                }
            }
            serde_json::Value::Array(items)
                if depth > 0 && items.iter().any(serde_json::Value::is_object) =>
            {
                for item in items {
                    out.push_str(&format!("\n{margin}- "));
                    write(out, item, depth - 1);
                }
            }
            _ => out.push_str(&value.to_string()),
        }
    }
    let page = html(run);
    let mut out = String::new();
    write(&mut out, &serde_json::from_str(data(&page)).unwrap(), 3);
    out
}

#[test]
fn a_valid_run() {
    let run = placed(&sample::valid(&brief()));
    insta::assert_snapshot!("valid-text", text(&run, 100, false));
    insta::assert_snapshot!("valid-junit", junit(&run));
    insta::assert_snapshot!("valid-markdown", markdown(&run));
    insta::assert_snapshot!("valid-page", page(&run));
    assert_eq!(svg(&run), None);
}

#[test]
fn an_invalid_run() {
    let run = placed(&sample::invalid(&brief()));
    insta::assert_snapshot!("invalid-text", text(&run, 80, false));
    insta::assert_snapshot!("invalid-junit", junit(&run));
    insta::assert_snapshot!("invalid-markdown", markdown(&run));
    insta::assert_snapshot!("invalid-page", page(&run));
    insta::assert_snapshot!("invalid-svg", svg(&run).unwrap());
}

#[test]
fn a_run_that_could_not_be_judged_in_time() {
    let run = placed(&sample::unknown(&brief()));
    insta::assert_snapshot!("unknown-text", text(&run, 80, false));
    insta::assert_snapshot!("unknown-junit", junit(&run));
    insta::assert_snapshot!("unknown-markdown", markdown(&run));
}

#[test]
fn a_run_that_did_too_little() {
    let run = placed(&sample::not_exercised(&brief()));
    insta::assert_snapshot!("not-exercised-text", text(&run, 80, false));
    insta::assert_snapshot!("not-exercised-junit", junit(&run));
    insta::assert_snapshot!("not-exercised-markdown", markdown(&run));
}

#[test]
fn a_target_that_would_not_start() {
    let run = placed(&sample::harness_failure());
    insta::assert_snapshot!("harness-failure-text", text(&run, 80, false));
    insta::assert_snapshot!("harness-failure-junit", junit(&run));
    insta::assert_snapshot!("harness-failure-markdown", markdown(&run));
}

#[test]
fn color_changes_nothing_but_color() {
    let run = placed(&sample::invalid(&brief()));
    let colored = text(&run, 80, true);
    assert!(colored.starts_with("\u{1b}[1;31m✗ INVALID\u{1b}[0m"), "{colored}");
    let plain = colored
        .replace("\u{1b}[1;31m", "")
        .replace("\u{1b}[1m", "")
        .replace("\u{1b}[0m", "");
    assert_eq!(plain, text(&run, 80, false));
}

#[test]
fn text_keeps_to_its_width() {
    let run = placed(&sample::invalid(&brief()));
    for line in text(&run, 72, false)
        .lines()
        .filter(|line| !line.starts_with("  again"))
    {
        assert!(line.chars().count() <= 72, "{line}");
    }
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let sample = sample::invalid(&brief());
    assert_eq!(html(&placed(&sample)), html(&placed(&sample)));
}
