//! `partita shrink`: what of a failure is really needed to see it?

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use partita_checker::{Anomaly, Model, Verdict};
use partita_history::{Event, jsonl};
use partita_reports::run::FORMAT;
use partita_simulator::{Scenario, Violation};

use super::reading::Reading;
use super::simulate::{self, Runs};
use super::{Failure, print, replay, say, units};
use crate::plan::{Plan, quoted};
use crate::shrink::{Progress, Shrunk, Trials, history, shrink};

/// Arguments of `shrink`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A run's directory, the file of a scenario or of a history; or a protocol, with --seed
    #[arg(default_value = "runs/latest")]
    what: PathBuf,
    /// Of a protocol: the seed whose run fails in virtual time
    #[arg(long)]
    seed: Option<u64>,
    /// Of a protocol: the deliberate bug that is switched on
    #[arg(long, requires = "seed")]
    defect: Option<String>,
    /// Of a protocol: whose clients, if not its own
    #[arg(long, requires = "seed")]
    workload: Option<String>,
    /// Where to write what is left [default: plan.toml, scenario.json or history.jsonl, with `small-` before it]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Of a run: how often something smaller is tried before it counts as not failing
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    tries: u64,
    /// Of a run: how often what is left is run in the end, to say how often it fails
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    final_runs: u64,
    /// Of a run: look for something smaller for so long
    #[arg(long, default_value = "20m", value_parser = units::duration)]
    time_budget: Duration,
    /// Of a run: where the run directories of the tries are made
    #[arg(long, default_value = "runs/shrinking")]
    runs_dir: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn main(arguments: &Arguments) -> Result<Verdict, Failure> {
    let what = &arguments.what;
    if let Some(seed) = arguments.seed {
        return of_seed(arguments, seed);
    }
    if what.join("plan.toml").is_file() {
        return of_run(arguments);
    }
    if !what.exists() {
        return Err(Failure::usage(anyhow!(
            "`{}` is neither a run nor a file; a protocol needs --seed",
            what.display()
        )));
    }
    // A scenario is one JSON object, which no history is.
    match simulate::scenario(what) {
        Ok(scenario) => of_scenario(arguments, scenario),
        Err(_) => of_history(arguments),
    }
}

fn of_seed(arguments: &Arguments, seed: u64) -> Result<Verdict, Failure> {
    let name = arguments
        .what
        .to_str()
        .ok_or_else(|| Failure::usage(anyhow!("that is no protocol")))?;
    let simulator = simulate::simulator(name)?;
    let workload = arguments
        .workload
        .as_deref()
        .map(simulate::workload)
        .transpose()?;
    let options = simulate::options_with(simulator, arguments.defect.as_deref())?;
    quiet_panics();
    let scenario = Runs { simulator, workload }.drawn(seed, options)?;
    of_scenario(arguments, scenario)
}

/// What a core's own check finds is told as a violation.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}

fn of_scenario(arguments: &Arguments, scenario: Scenario) -> Result<Verdict, Failure> {
    quiet_panics();
    let runs = simulate::runs_of(&scenario)?;
    let found = runs.minimize(&scenario, simulate::MINIMIZING_RUNS)?;
    let (small, violation) = found.ok_or_else(|| {
        Failure::usage(anyhow!(
            "nothing is violated there, so there is nothing to make smaller"
        ))
    })?;
    let file = out(arguments, "small-scenario.json");
    simulate::save(&small, &file)?;
    if arguments.json {
        print(&format!(
            "{}\n",
            json_of_scenario(&scenario, &small, &violation, &file)
        ));
    } else {
        print(&simulate::smaller(&scenario, &small, &violation, &file));
    }
    Ok(Verdict::Invalid)
}

/// For a program (reports/FORMATS.md).
fn json_of_scenario(
    before: &Scenario,
    small: &Scenario,
    violation: &Violation,
    file: &Path,
) -> serde_json::Value {
    let quoted = quoted(&file.display().to_string());
    serde_json::json!({
        "format": FORMAT,
        "property": violation.property,
        "what": violation.what,
        "faults": small.schedule.0.len(),
        "faults_before": before.schedule.0.len(),
        "nodes": small.options.nodes,
        "clients": small.options.clients,
        "operations": small.turns.as_ref().map(Vec::len),
        "file": file,
        "command": format!("partita simulate {} --scenario {quoted}", small.protocol),
    })
}

fn out(arguments: &Arguments, name: &str) -> PathBuf {
    arguments.out.clone().unwrap_or_else(|| name.into())
}

fn of_history(arguments: &Arguments) -> Result<Verdict, Failure> {
    let model = arguments.reading.model()?;
    let format = arguments.reading.format()?;
    let history = arguments
        .reading
        .read(&arguments.what, format)
        .map_err(Failure::Usage)?;
    let options = arguments.reading.options();
    let analysis = partita_checker::check(&history, model, &options, &|| false)
        .with_context(|| format!("`{}`", arguments.what.display()))
        .map_err(Failure::Usage)?;
    let Some(anomaly) = analysis.anomalies.first() else {
        return Err(Failure::usage(anyhow!(
            "`{}` is {}: there is nothing to make smaller",
            arguments.what.display(),
            analysis.verdict
        )));
    };
    let (small, events) =
        history::only(&history, &anomaly.operations).context("the operations are no history")?;
    // Whoever reads it must see the same in it.
    let again = partita_checker::check(&small, model, &options, &|| false).context("the smaller history")?;
    if again.verdict != Verdict::Invalid {
        return Err(Failure::Harness(anyhow!(
            "the checker does not stand by its own counterexample: {}",
            again.reason
        )));
    }
    let file = out(arguments, "small-history.jsonl");
    write_history(&file, &events)?;
    let counts = (small.len(), history.len());
    print(&if arguments.json {
        format!("{}\n", json_of_history(counts, anomaly, &file))
    } else {
        told_of_history(counts, anomaly, &file, model)
    });
    Ok(Verdict::Invalid)
}

/// For a program (reports/FORMATS.md): how many operations are left, and there were.
fn json_of_history((left, before): (usize, usize), anomaly: &Anomaly, file: &Path) -> serde_json::Value {
    serde_json::json!({
        "format": FORMAT,
        "anomaly": anomaly.name,
        "operations": left,
        "operations_before": before,
        "file": file,
    })
}

fn told_of_history((left, before): (usize, usize), anomaly: &Anomaly, file: &Path, model: &Model) -> String {
    format!(
        "smaller: {left} of {before} operations: {}: {}\n  again: partita check {} --model {}\n",
        anomaly.name,
        anomaly.story,
        quoted(&file.display().to_string()),
        model.name
    )
}

fn write_history(file: &Path, events: &[Event]) -> anyhow::Result<()> {
    let cannot = || format!("`{}` can't be written", file.display());
    let mut text = Vec::new();
    for event in events {
        jsonl::write(&mut text, event).with_context(cannot)?;
    }
    std::fs::write(file, text).with_context(cannot)
}

fn of_run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let plan = Plan::read(&arguments.what.join("plan.toml")).map_err(Failure::Usage)?;
    let original = replay::original(&arguments.what).map_err(Failure::Usage)?;
    let original = original
        .filter(|it| it.verdict == Verdict::Invalid)
        .ok_or_else(|| {
            Failure::usage(anyhow!(
                "`{}` did not find anything, so there is nothing to make smaller",
                arguments.what.display()
            ))
        })?;
    let trials = Trials {
        seen_by_clients: !original.anomalies.is_empty(),
        runs_dir: arguments.runs_dir.clone(),
        tries: arguments.tries,
        final_runs: arguments.final_runs,
        time_budget: arguments.time_budget,
    };
    let json = arguments.json;
    let tell = move |progress: Progress<'_>| {
        if !json {
            say(&progress.to_string());
        }
    };
    let Some(shrunk) = shrink(&plan, &trials, &tell)? else {
        return Err(Failure::Usage(anyhow!(
            "it did not fail again in {} runs, so nothing can be said of smaller ones; try a larger --tries",
            trials.tries
        )));
    };
    let file = out(arguments, "small-plan.toml");
    let text = toml::to_string(&shrunk.plan).context("the plan can't be put in words")?;
    std::fs::write(&file, text).with_context(|| format!("`{}` can't be written", file.display()))?;
    if arguments.json {
        print(&format!("{}\n", shrunk.json(&plan, &file)));
    } else {
        print(&told(&shrunk, &plan, &file));
    }
    Ok(Verdict::Invalid)
}

fn told(shrunk: &Shrunk, before: &Plan, file: &Path) -> String {
    let (low, high) = shrunk.interval();
    let faults: Vec<_> = shrunk
        .plan
        .faults
        .iter()
        .map(|fault| format!("{}:{}", fault.fault, fault.shape))
        .collect();
    let faults = if faults.is_empty() {
        "none".to_owned()
    } else {
        faults.join(", ")
    };
    format!(
        "smaller: {} of {} faults ({faults}), {} of {} nodes, {} of {} clients, {} of {} operations a second, {} of {} s\n  \
         again: partita run --plan {}\n  it fails alike in {} of {} runs (95 %: {:.0} to {:.0} % of all)\n",
        shrunk.plan.faults.len(),
        before.faults.len(),
        shrunk.plan.nodes.len(),
        before.nodes.len(),
        shrunk.plan.concurrency,
        before.concurrency,
        shrunk.plan.rate,
        before.rate,
        shrunk.plan.time_limit_ms as f64 / 1000.0,
        before.time_limit_ms as f64 / 1000.0,
        quoted(&file.display().to_string()),
        shrunk.hits,
        shrunk.runs,
        100.0 * low,
        100.0 * high
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::pretty;
    use crate::formats::assert_documented;
    use crate::plan::tests::plan;

    #[test]
    fn what_is_left_of_a_run_as_text_and_json() {
        let before = plan("partition");
        let mut small = before.clone();
        small.faults.truncate(1);
        small.nodes.truncate(3);
        (small.concurrency, small.rate, small.time_limit_ms) = (3, 62.5, 4_500);
        let shrunk = Shrunk {
            plan: small,
            hits: 7,
            runs: 10,
        };
        let file = Path::new("small plan.toml");
        insta::assert_snapshot!("shrunk-text", told(&shrunk, &before, file));
        let told = shrunk.json(&before, file);
        assert_documented("partita shrink --json of a run", &told);
        insta::assert_snapshot!("shrunk-json", pretty(&told));
        let broken = anyhow!("no network");
        let lines = [
            Progress::Tried("without the last fault", Some(2)),
            Progress::Tried("3 nodes", None),
            Progress::Final(1, 10, true),
            Progress::Final(2, 10, false),
            Progress::Broke(&broken),
            Progress::OutOfTime,
        ];
        let lines = lines.map(|line| line.to_string());
        insta::assert_snapshot!("shrinking-text", lines.join("\n"));
    }

    #[test]
    fn what_is_left_of_a_simulated_run_as_json() {
        let simulator = simulate::simulator("raft").ok().unwrap();
        let runs = Runs {
            simulator,
            workload: None,
        };
        let mut before = runs.drawn(7, partita_simulator::Options::default()).unwrap();
        before.schedule.0.truncate(4);
        let mut small = before.clone();
        small.schedule.0.truncate(1);
        (small.options.nodes, small.options.clients) = (3, 2);
        let violation = Violation {
            time_us: 1_250_000,
            property: "stale read",
            node: None,
            what: "x was 7, and had been overwritten".into(),
        };
        let told = json_of_scenario(&before, &small, &violation, Path::new("small scenario.json"));
        assert_documented("partita shrink --json of a simulated run", &told);
        insta::assert_snapshot!(pretty(&told));
    }

    #[test]
    fn what_is_left_of_a_history_as_text_and_json() {
        let text = r#"{"process":0,"type":"invoke","f":"read","value":null}
{"process":0,"type":"ok","f":"read","value":7}
"#;
        let read = partita_history::jsonl::read(text.as_bytes(), false).unwrap();
        let model = Model::by_name("register").unwrap();
        let analysis = partita_checker::check(&read, model, &Default::default(), &|| false).unwrap();
        let (anomaly, file) = (&analysis.anomalies[0], Path::new("small history.jsonl"));
        let told = json_of_history((1, 80), anomaly, file);
        assert_documented("partita shrink --json of a history", &told);
        insta::assert_snapshot!("history-json", pretty(&told));
        insta::assert_snapshot!("history-text", told_of_history((1, 80), anomaly, file, model));
    }
}
