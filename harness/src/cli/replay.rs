//! `partita replay RUN`: the same plan and the same seed again.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use partita_checker::Verdict;
use partita_reports::run::{FORMAT, Summary};

use super::{Failure, print, say};
use crate::calibrate::interval;
use crate::child::{self, Outcome};
use crate::plan::Plan;

/// Arguments of `replay`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The run's directory
    #[arg(default_value = "runs/latest")]
    run: PathBuf,
    /// How many times
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    times: u64,
    /// Where the new run directories are made
    #[arg(long, default_value = "runs")]
    runs_dir: PathBuf,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    json: bool,
}

/// What is to come again.
pub(super) struct Original {
    pub(super) verdict: Verdict,
    /// The names of its anomalies.
    pub(super) anomalies: Vec<String>,
}

pub(super) fn main(arguments: &Arguments) -> Result<Verdict, Failure> {
    // `latest` will be another before this is over.
    let run = arguments.run.canonicalize();
    let run = run
        .with_context(|| format!("`{}`", arguments.run.display()))
        .map_err(Failure::Usage)?;
    let file = run.join("plan.toml");
    let plan = Plan::read(&file).map_err(Failure::Usage)?;
    let original = original(&run).map_err(Failure::Usage)?;
    let mut worst = Verdict::Valid;
    let (mut trials, mut again) = (0, 0);
    let mut same_anomaly = 0;
    let mut runs = Vec::new();
    for number in 1..=arguments.times {
        let mut command = child::partita()?;
        command.args(["run", "--json", "--quiet", "--plan"]).arg(&file);
        command.arg("--runs-dir").arg(&arguments.runs_dir);
        let outcome: Outcome = match child::json(command, child::patience_with(&plan)) {
            Ok(outcome) => outcome,
            Err(error) => Outcome {
                verdict: Verdict::HarnessFailure,
                reason: format!("{error:#}"),
                ..Outcome::default()
            },
        };
        worst = worst.join(outcome.verdict);
        // What broke might have come to either.
        let is_trial = outcome.verdict != Verdict::HarnessFailure;
        trials += u64::from(is_trial);
        let findings = outcome.findings();
        let came_again = is_trial && original.as_ref().is_some_and(|it| it.verdict == outcome.verdict);
        let same = original.as_ref().is_some_and(|it| it.comes_again_in(&findings));
        again += u64::from(came_again);
        same_anomaly += u64::from(same);
        if !arguments.json {
            say(&format!(
                "{number} of {}: {} ({}), in {}",
                arguments.times,
                outcome.verdict,
                if findings.is_empty() {
                    &outcome.reason
                } else {
                    &findings[0]
                },
                outcome.run_dir.display()
            ));
        }
        runs.push(outcome);
    }
    let counts = Counts {
        trials,
        again,
        same_anomaly,
    };
    print(&if arguments.json {
        format!("{}\n", json(original.as_ref(), &counts, &runs))
    } else {
        told(original.as_ref(), &counts)
    });
    Ok(worst)
}

/// How often what was to come again did.
struct Counts {
    /// Runs that did not break.
    trials: u64,
    /// Those with the same verdict.
    again: u64,
    same_anomaly: u64,
}

/// For a program (reports/FORMATS.md).
fn json(original: Option<&Original>, counts: &Counts, runs: &[Outcome]) -> serde_json::Value {
    let worst = runs
        .iter()
        .fold(Verdict::Valid, |worst, run| worst.join(run.verdict));
    let each = runs.iter().map(|run| {
        serde_json::json!({
            "verdict": run.verdict,
            "reason": run.reason,
            "findings": run.findings(),
            "run_dir": run.run_dir,
        })
    });
    let original = original.map(|it| serde_json::json!({"verdict": it.verdict, "anomalies": it.anomalies}));
    serde_json::json!({
        "format": FORMAT,
        "verdict": worst,
        "exit_code": worst.exit_code(),
        "original": original,
        "times": runs.len(),
        "trials": counts.trials,
        "verdict_again": counts.again,
        "anomaly_again": counts.same_anomaly,
        "runs": each.collect::<Vec<_>>(),
    })
}

/// What the run came to; none if it was killed before it had a verdict.
pub(super) fn original(run: &Path) -> anyhow::Result<Option<Original>> {
    let path = run.join("verdict.json");
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| format!("`{}`", path.display()))?,
    };
    let summary: Summary =
        serde_json::from_str(&text).map_err(|error| anyhow!("`{}`: {error}", path.display()))?;
    let anomalies = summary.checks.iter().flat_map(|check| &check.anomalies);
    let mut anomalies: Vec<_> = anomalies.map(|anomaly| anomaly.name.clone()).collect();
    anomalies.sort();
    anomalies.dedup();
    Ok(Some(Original {
        verdict: summary.verdict,
        anomalies,
    }))
}

impl Original {
    /// Is an anomaly of the same name among these?
    pub(super) fn comes_again_in(&self, findings: &[String]) -> bool {
        self.anomalies.iter().any(|name| findings.contains(name))
    }
}

fn told(original: Option<&Original>, counts: &Counts) -> String {
    let Some(original) = original else {
        return "the run had no verdict that could come again: it was killed before\n".into();
    };
    let how_often = |hits: u64| {
        let (low, high) = interval::wilson(hits, counts.trials);
        format!(
            "in {hits} of {} runs (95 %: {:.0} to {:.0} % of all)",
            counts.trials,
            100.0 * low,
            100.0 * high
        )
    };
    let mut text = format!(
        "the verdict, {}, came again {}\n",
        original.verdict,
        how_often(counts.again)
    );
    if !original.anomalies.is_empty() {
        text += &format!(
            "the anomaly, {}, came again {}\n",
            original.anomalies.join(" or "),
            how_often(counts.same_anomaly)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::pretty;
    use crate::formats::assert_documented;

    #[test]
    fn it_is_told_how_often_what_came_again() {
        let original = Original {
            verdict: Verdict::Invalid,
            anomalies: vec!["lost write".into(), "stale read".into()],
        };
        let counts = Counts {
            trials: 4,
            again: 3,
            same_anomaly: 2,
        };
        insta::assert_snapshot!(
            "replayed-text",
            told(Some(&original), &counts) + &told(None, &counts)
        );
        let broken = Outcome {
            verdict: Verdict::HarnessFailure,
            reason: "no network".into(),
            run_dir: "runs/a".into(),
            ..Outcome::default()
        };
        let none = Counts {
            trials: 0,
            again: 0,
            same_anomaly: 0,
        };
        let again = json(Some(&original), &none, std::slice::from_ref(&broken));
        assert_documented("partita replay --json", &again);
        assert_documented("partita replay --json", &json(None, &none, &[broken]));
        insta::assert_snapshot!("replayed-json", pretty(&again));
        assert!(
            original.comes_again_in(&["stale read".into()]) && !original.comes_again_in(&["cycle".into()])
        );
    }
}
