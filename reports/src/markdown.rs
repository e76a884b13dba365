//! The summary for a page that renders Markdown: a step summary of GitHub Actions, a bug report.

use std::fmt::Write as _;

use partita_checker::{Analysis, Anomaly, Severity, Verdict};

use crate::evidence;
use crate::ledger::{self, Ledger};
use crate::load::Run;
use crate::words;

/// How many violations are told in full.
const ANOMALIES_MAX: usize = 3;
/// How many items of a set or queue are told of.
const ITEMS_MAX: usize = 10;

/// The summary of a run in GitHub's Markdown: verdict and reason, the story of the violation and its evidence, the
/// command that repeats it, and how hard the run looked.
pub fn markdown(run: &Run) -> String {
    let summary = &run.summary;
    let sign = match run.verdict() {
        Verdict::Valid => "✅",
        Verdict::Invalid => "❌",
        Verdict::Unknown => "❓",
        Verdict::NotExercised => "⚪",
        Verdict::HarnessFailure => "💥",
    };
    let mut out = format!("## {sign} {}: {}\n\n", run.verdict(), plain(&summary.run));
    paragraph(&mut out, &words::reason(&summary.reason));
    for note in &run.notes {
        paragraph(&mut out, note);
    }
    let anomalies = summary.checks.iter();
    let anomalies = anomalies.flat_map(|check| check.anomalies.iter().map(move |anomaly| (check, anomaly)));
    let anomalies: Vec<_> = anomalies.collect();
    for (check, anomaly) in anomalies.iter().take(ANOMALIES_MAX) {
        told(&mut out, run, check, anomaly);
    }
    if anomalies.len() > ANOMALIES_MAX {
        let more = (anomalies.len() - ANOMALIES_MAX) as u64;
        paragraph(
            &mut out,
            &format!("And {} more, in the report.", words::counted(more, "violation")),
        );
    }
    if !summary.command.is_empty() {
        let command = words::printable(&summary.command).replace(['\n', '\r'], " ");
        let fence = "`".repeat(longest_ticks(&command).max(2) + 1);
        let _ = write!(out, "Again:\n\n{fence}sh\n{command}\n{fence}\n\n");
    }
    operations(&mut out, run);
    faults(&mut out, run);
    if !summary.not_exercised.is_empty() {
        out.push_str("**Never exercised:**\n\n");
        for missing in &summary.not_exercised {
            let _ = writeln!(out, "- {}", plain(missing));
        }
        out.push('\n');
    }
    out
}

fn told(out: &mut String, run: &Run, check: &Analysis, anomaly: &Anomaly) {
    let key = anomaly
        .key
        .as_ref()
        .map(|key| format!(" on key {}", words::value(key)));
    let _ = write!(
        out,
        "### {}\n\n",
        plain(&format!("{}{}", anomaly.name, key.unwrap_or_default()))
    );
    paragraph(out, &words::story(&anomaly.story));
    paragraph(out, &evidence::evidence(run, anomaly).join(" "));
    for line in anomaly.severity.iter().flat_map(Severity::lines) {
        let _ = writeln!(out, "- {}", plain(&line));
    }
    if anomaly.severity.is_some() {
        out.push('\n');
    }
    if let Some(ledger) = ledger::ledger(run, check, anomaly, ITEMS_MAX) {
        items(out, &ledger);
    }
}

/// What became of the items of a set or queue.
fn items(out: &mut String, ledger: &Ledger) {
    out.push_str("| item | what became of it | added | against that | last seen |\n|---|---|---|---|---|\n");
    for line in &ledger.rows {
        let cells = [
            line.item.as_str(),
            line.fate,
            &line.added,
            &line.missed,
            &line.seen,
        ]
        .map(plain);
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out.push('\n');
    if !ledger.more.is_empty() {
        paragraph(out, &format!("And {}.", ledger.more));
    }
}

fn operations(out: &mut String, run: &Run) {
    let summary = &run.summary;
    if summary.operations.is_empty() {
        return;
    }
    out.push_str("| operations | ok | failed | unknown |\n|---|--:|--:|--:|\n");
    for (f, count) in &summary.operations {
        let [ok, fail, info] = [count.ok, count.fail, count.info].map(words::thousands);
        let _ = writeln!(out, "| {} | {ok} | {fail} | {info} |", plain(f));
    }
    out.push('\n');
}

fn faults(out: &mut String, run: &Run) {
    let summary = &run.summary;
    if summary.faults.is_empty() {
        return;
    }
    out.push_str("| faults | planned | took | skipped | uncertain | healed | roles hit |\n|---|--:|--:|--:|--:|--:|---|\n");
    for (name, count) in &summary.faults {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            plain(name),
            count.planned,
            count.took,
            count.skipped,
            count.uncertain,
            count.healed,
            plain(&words::roles(count)),
        );
    }
    out.push('\n');
}

fn paragraph(out: &mut String, text: &str) {
    if !text.is_empty() {
        // Within one line of Markdown, a line of a log can't become a heading or a list.
        let lines: Vec<String> = text.lines().map(plain).collect();
        let _ = write!(out, "{}\n\n", lines.join("<br>"));
    }
}

/// The text as it stands: no markup, no link, no mention of a person.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for char in words::printable(text).chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '!' | '$' => {
                out.push('\\');
                out.push(char);
            }
            '\n' | '\r' | '\t' => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

fn longest_ticks(text: &str) -> usize {
    let runs = text.split(|char| char != '`').map(str::len);
    runs.max().unwrap_or(0)
}
