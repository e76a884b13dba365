//! The verdict for CI systems, as JUnit XML.

use std::fmt::Write as _;

use partita_checker::{Analysis, Verdict};

use crate::load::Run;
use crate::words;

/// How a test case ended.
enum Case {
    Passed,
    Failed {
        kind: &'static str,
        message: String,
        body: String,
    },
    Errored {
        kind: &'static str,
        message: String,
        body: String,
    },
}

/// `junit.xml`: one test case for each check, and one, `exercised`, for whether enough was done.
///
/// A violation and a run that did too little are failures; an unknown verdict and a failure of the harness are
/// errors. A suite passes only where the exit code is 0. Control characters, which XML can't hold, are written
/// as `\u{..}`.
pub fn junit(run: &Run) -> String {
    let summary = &run.summary;
    let mut cases: Vec<(String, Case)> = summary
        .checks
        .iter()
        .map(|check| (name(check), case(check)))
        .collect();
    let explained = cases.iter().any(|(_, case)| !matches!(case, Case::Passed));
    cases.push(("exercised".to_owned(), exercised(run, explained)));
    let failures = cases
        .iter()
        .filter(|(_, case)| matches!(case, Case::Failed { .. }))
        .count();
    let errors = cases
        .iter()
        .filter(|(_, case)| matches!(case, Case::Errored { .. }))
        .count();
    let seconds = format!("{}.{:03}", summary.duration_ms / 1000, summary.duration_ms % 1000);
    let suite = ["partita", &summary.target, &summary.workload].join(".");
    let suite = escape(suite.trim_end_matches('.'));
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let _ = writeln!(
        out,
        r#"  <testsuite name="{suite}" tests="{}" failures="{failures}" errors="{errors}" skipped="0" time="{seconds}">"#,
        cases.len()
    );
    let _ = writeln!(out, "    <properties>");
    for (name, value) in [
        ("run", summary.run.clone()),
        ("verdict", run.verdict().to_string()),
        ("seed", summary.seed.to_string()),
        ("command", summary.command.clone()),
    ] {
        let _ = writeln!(
            out,
            r#"      <property name="{name}" value="{}"/>"#,
            escape(&value)
        );
    }
    let _ = writeln!(out, "    </properties>");
    for (name, case) in &cases {
        write_case(&mut out, &suite, name, case);
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

fn write_case(out: &mut String, suite: &str, name: &str, case: &Case) {
    let (element, kind, message, body) = match case {
        Case::Passed => {
            let _ = writeln!(
                out,
                r#"    <testcase classname="{suite}" name="{}"/>"#,
                escape(name)
            );
            return;
        }
        Case::Failed { kind, message, body } => ("failure", kind, message, body),
        Case::Errored { kind, message, body } => ("error", kind, message, body),
    };
    let _ = writeln!(
        out,
        r#"    <testcase classname="{suite}" name="{}">"#,
        escape(name)
    );
    let _ = writeln!(
        out,
        r#"      <{element} type="{}" message="{}">{}</{element}>"#,
        escape(kind),
        escape(message),
        escape(body)
    );
    out.push_str("    </testcase>\n");
}

fn name(check: &Analysis) -> String {
    if check.model.is_empty() {
        check.checker.clone()
    } else {
        format!("{} ({})", check.checker, check.model)
    }
}

fn case(check: &Analysis) -> Case {
    let message = words::reason(&check.reason);
    let stories: Vec<String> = check
        .anomalies
        .iter()
        .map(|anomaly| format!("{}: {}", anomaly.name, words::story(&anomaly.story)))
        .collect();
    let body = stories.join("\n\n");
    let kind = words::verdict_id(check.verdict);
    match check.verdict {
        Verdict::Valid => Case::Passed,
        Verdict::Invalid | Verdict::NotExercised => Case::Failed { kind, message, body },
        Verdict::Unknown | Verdict::HarnessFailure => Case::Errored { kind, message, body },
    }
}

/// Whether enough was done. Also carries a bad verdict that no check explains, so that it is never lost.
fn exercised(run: &Run, explained: bool) -> Case {
    let kind = words::verdict_id(run.verdict());
    let message = words::reason(&run.summary.reason);
    let body = run.summary.not_exercised.join("\n");
    match run.verdict() {
        Verdict::NotExercised => Case::Failed { kind, message, body },
        Verdict::Invalid if !explained => Case::Failed { kind, message, body },
        Verdict::Unknown | Verdict::HarnessFailure if !explained => Case::Errored { kind, message, body },
        Verdict::Valid | Verdict::Invalid | Verdict::Unknown | Verdict::HarnessFailure => Case::Passed,
    }
}

/// Text that may stand in an attribute or element of XML or HTML.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            // XML 1.0, section 2.2: these can't be written at all, not even as references.
            _ if char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(char));
            }
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_that_xml_cannot_hold_is_left() {
        assert_eq!(
            escape("a<b>&\"'\u{0}\u{1b}[0m\u{fffe}\n"),
            "a&lt;b&gt;&amp;&quot;&apos;\\u{0}\\u{1b}[0m\\u{fffe}&#10;"
        );
    }
}
