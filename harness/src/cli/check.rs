//! `partita check FILE...`: judges recorded histories.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use partita_checker::{Analysis, Verdict};

use super::reading::Reading;
use super::{Failure, print, units};

/// Arguments of `check`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Histories, in any format that there is (see `partita list formats`), compressed with zstd or not
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
    /// Print one JSON object, and nothing else
    #[arg(long)]
    json: bool,
}

/// A file and what was found in it.
struct Judged<'a> {
    file: &'a Path,
    operations: usize,
    analysis: Analysis,
}

pub(super) fn main(arguments: Arguments) -> Result<Verdict, Failure> {
    let model = arguments.reading.model()?;
    let format = arguments.reading.format()?;
    if arguments.witness.is_some() && arguments.files.len() > 1 {
        return Err(Failure::usage(anyhow!("--witness is for one history at a time")));
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
        if let Some(path) = arguments
            .witness
            .as_ref()
            .filter(|_| analysis.verdict == Verdict::Valid)
        {
            let text = serde_json::to_string(&witnesses).context("the witness can't be put in words")?;
            std::fs::write(path, text).with_context(|| format!("`{}` can't be written", path.display()))?;
        }
        let result = Judged {
            file,
            operations: history.len(),
            analysis,
        };
        if !arguments.json {
            print(&result.line());
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
    fn line(&self) -> String {
        let Judged {
            file,
            operations,
            analysis,
        } = self;
        let mut text = format!(
            "{}: {} ({operations} operations, {} keys): {}\n",
            file.display(),
            analysis.verdict,
            analysis.keys.len(),
            analysis.reason
        );
        for anomaly in &analysis.anomalies {
            text.push_str(&format!("  {}: {}\n", anomaly.name, anomaly.story));
        }
        text
    }
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

fn json(verdict: Verdict, judged: &[Judged<'_>]) -> String {
    let files: Vec<_> = judged
        .iter()
        .map(|result| {
            serde_json::json!({
                "file": result.file.display().to_string(),
                "operations": result.operations,
                "verdict": result.analysis.verdict,
                "analysis": result.analysis,
            })
        })
        .collect();
    let all = serde_json::json!({ "verdict": verdict, "exit_code": verdict.exit_code(), "files": files });
    format!("{all}\n")
}
