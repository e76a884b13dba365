//! `partita check FILE...`: judges recorded histories, and says what it finds wrong with the tests that made them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use partita_checker::linter;
use partita_checker::{Analysis, Finding, Severity, Verdict, Witness};
use partita_history::History;

use super::reading::Reading;
use super::{Failure, print, units};
use crate::plan::quoted;

/// Arguments of `check`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Histories, in any format that there is (see `partita list formats`), compressed with gzip or zstd or not;
    /// directories of runs; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// What decides: a `monitor` (near-linear), the `search`, or the first where it applies
    #[arg(long, default_value = "auto", value_parser = ["auto", "monitor", "search"])]
    engine: String,
    /// How long the checker may take for a file
    #[arg(long, default_value = "60s", value_parser = units::duration)]
    time: Duration,
    /// How much memory the checker may take
    #[arg(long, default_value = "4GiB", value_parser = units::bytes)]
    memory: u64,
    /// Where to write the linearization found, for `partita verify` to check (of one history, if it is valid)
    #[arg(long)]
    witness: Option<PathBuf>,
    /// Where to write a report of one history: a page that needs no network and no other file
    #[arg(long)]
    html: Option<PathBuf>,
    /// Print one JSON object, and nothing else
    #[arg(long)]
    json: bool,
}

/// A file and what was found in it.
struct Judged<'a> {
    file: &'a Path,
    operations: usize,
    analysis: Analysis,
    /// About the test, not the system.
    findings: Vec<Finding>,
}

pub(super) fn main(arguments: Arguments) -> Result<Verdict, Failure> {
    let model = arguments.reading.model()?;
    let format = arguments.reading.format()?;
    let is_single = arguments.files.len() == 1;
    for (option, given) in [
        ("--witness", arguments.witness.is_some()),
        ("--html", arguments.html.is_some()),
    ] {
        if given && !is_single {
            return Err(Failure::usage(anyhow!("{option} is for one history at a time")));
        }
    }
    let options = partita_checker::Options {
        engine: match arguments.engine.as_str() {
            "monitor" => partita_checker::Engine::Monitor,
            "search" => partita_checker::Engine::Search,
            _ => partita_checker::Engine::Auto,
        },
        memory_bytes_max: arguments.memory,
        ..arguments.reading.options()
    };
    let mut judged = Vec::new();
    for file in &arguments.files {
        let history = arguments.reading.read(file, format).map_err(Failure::Usage)?;
        // A time too long to be counted is no limit.
        let deadline = Instant::now().checked_add(arguments.time);
        let stop = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let (analysis, witnesses) = partita_checker::check_with_witness(&history, model, &options, &stop)
            .with_context(|| format!("`{}`", file.display()))
            .map_err(Failure::Usage)?;
        let findings = partita_checker::lint(&history, model, &options);
        if let Some(path) = arguments
            .witness
            .as_ref()
            .filter(|_| analysis.verdict == Verdict::Valid)
        {
            std::fs::write(path, in_json(&witnesses).to_string())
                .with_context(|| format!("`{}` can't be written", path.display()))?;
        }
        let result = Judged {
            file,
            operations: history.len(),
            analysis,
            findings,
        };
        if !arguments.json {
            print(&result.line(is_single));
        }
        if let Some(path) = &arguments.html {
            std::fs::write(path, result.page(history))
                .with_context(|| format!("`{}` can't be written", path.display()))?;
        }
        judged.push(result);
    }
    let verdict = judged.iter().fold(Verdict::Valid, |verdict, result| {
        verdict.join(result.analysis.verdict)
    });
    if arguments.json {
        print(&json(verdict, &judged));
    } else if judged.len() > 1 {
        print(&total(verdict, &judged));
    }
    Ok(verdict)
}

impl Judged<'_> {
    /// The verdict on a line, and what goes with it; findings about the test in full only `if_alone`.
    fn line(&self, if_alone: bool) -> String {
        let Judged {
            file,
            operations,
            analysis,
            findings,
        } = self;
        let mut text = format!(
            "{}: {} ({}, {}): {}\n",
            file.display(),
            analysis.verdict,
            units::counted(*operations as u64, "operation"),
            units::counted(analysis.keys.len() as u64, "key"),
            analysis.reason
        );
        for anomaly in &analysis.anomalies {
            text.push_str(&format!("  {}: {}\n", anomaly.name, anomaly.story));
            for line in anomaly.severity.iter().flat_map(Severity::lines) {
                text.push_str(&format!("    {line}\n"));
            }
        }
        if if_alone {
            for finding in findings {
                text.push_str(&format!("  about the test: {}\n", in_words(finding)));
            }
        } else if let Some(findings) = linter::in_short(findings) {
            text.push_str(&format!("  about the test: {findings}\n"));
        }
        text
    }

    /// The report as one HTML page.
    fn page(&self, history: History) -> String {
        let command: Vec<String> = std::env::args().skip(1).map(|word| quoted(&word)).collect();
        let notes = self
            .findings
            .iter()
            .map(|finding| format!("About the test: {}", in_words(finding)));
        let run = partita_reports::Run::of_history(
            self.file,
            history,
            self.analysis.clone(),
            format!("partita {}", command.join(" ")),
            notes.collect(),
        );
        partita_reports::html(&run)
    }
}

fn in_words(finding: &Finding) -> String {
    format!("{}: {}", finding.kind, finding.text)
}

fn total(verdict: Verdict, judged: &[Judged<'_>]) -> String {
    let counts: Vec<_> = [
        Verdict::Valid,
        Verdict::Invalid,
        Verdict::Unknown,
        Verdict::NotExercised,
    ]
    .into_iter()
    .map(|verdict| {
        (
            verdict,
            judged
                .iter()
                .filter(|result| result.analysis.verdict == verdict)
                .count(),
        )
    })
    .filter(|&(_, count)| count > 0)
    .map(|(verdict, count)| format!("{count} {verdict}"))
    .collect();
    format!(
        "{} files: {}; together: {verdict}\n",
        judged.len(),
        counts.join(", ")
    )
}

/// What `--witness` writes (reports/FORMATS.md).
fn in_json(witnesses: &[Witness]) -> serde_json::Value {
    serde_json::json!({ "format": partita_reports::run::FORMAT, "witnesses": witnesses })
}

/// The one object that `--json` prints (reports/FORMATS.md).
fn json(verdict: Verdict, judged: &[Judged<'_>]) -> String {
    let files: Vec<_> = judged
        .iter()
        .map(|result| {
            serde_json::json!({
                "file": result.file.display().to_string(),
                "operations": result.operations,
                "verdict": result.analysis.verdict,
                "analysis": result.analysis,
                "findings": result.findings,
            })
        })
        .collect();
    let format = partita_reports::run::FORMAT;
    let all = serde_json::json!({ "format": format, "verdict": verdict, "exit_code": verdict.exit_code(), "files": files });
    format!("{all}\n")
}

#[cfg(test)]
pub(super) mod tests {
    use partita_checker::{Model, Options};

    use super::*;
    use crate::cli::tests::pretty;
    use crate::formats::assert_documented;

    /// A write, another, and a read of the first, long after.
    fn stale() -> History {
        let line = |process, kind, f, value, time| {
            format!(
                r#"{{"process":{process},"type":"{kind}","f":"{f}","value":{value},"time":{time},"node":"n1"}}"#
            ) + "\n"
        };
        let text = line(0, "invoke", "write", "1", 1_000_000)
            + &line(0, "ok", "write", "1", 2_000_000)
            + &line(0, "invoke", "write", "2", 3_000_000)
            + &line(0, "ok", "write", "2", 4_000_000)
            + &line(1, "invoke", "read", "null", 384_000_000)
            + &line(1, "ok", "read", "1", 385_000_000);
        partita_history::jsonl::read(text.as_bytes(), false).unwrap()
    }

    /// What is said of it.
    pub(in crate::cli) fn stale_read() -> Analysis {
        let model = Model::by_name("register").unwrap();
        partita_checker::check(&stale(), model, &Options::default(), &|| false).unwrap()
    }

    #[test]
    fn a_judged_history_as_text_and_json() {
        let history = stale();
        let model = Model::by_name("register").unwrap();
        let options = Options::default();
        let judged = || Judged {
            file: Path::new("history.jsonl"),
            operations: history.len(),
            analysis: partita_checker::check(&history, model, &options, &|| false).unwrap(),
            findings: partita_checker::lint(&history, model, &options),
        };
        let both = [judged(), judged()];
        let lines: String = both.iter().map(|judged| judged.line(false)).collect();
        insta::assert_snapshot!(
            "checked-text",
            both[0].line(true) + &lines + &total(Verdict::Invalid, &both)
        );
        let told: serde_json::Value = serde_json::from_str(&json(Verdict::Invalid, &both[..1])).unwrap();
        assert_documented("partita check --json", &told);
        insta::assert_snapshot!("checked-json", pretty(&told));
    }

    #[test]
    fn a_witness_as_json() {
        let witness = Witness {
            key: Some("x".into()),
            order: vec![0, 2, 1],
        };
        let told = in_json(&[witness]);
        assert_documented("partita check --witness", &told);
        insta::assert_snapshot!("witness-json", pretty(&told));
    }
}
