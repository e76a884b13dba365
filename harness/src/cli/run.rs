//! `partita run [TARGET]`: one test.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Parser;
use jiff::Timestamp;
use partita_checker::Verdict;
use partita_nemesis::fault;
use partita_nemesis::lab::{self, EnterError, NetworkKind};
use partita_reports::run::Summary;
use partita_targets::{Options, Program, Target};

use super::{Failure, print, say, terminal, units};
use crate::plan::{OnViolation, Plan, Reads, Request, Tcp, Track, quoted};
use crate::progress::Progress;
use crate::run::phases::{self, Setting};
use crate::run::{directory, holes};

/// The arguments that a plan is made of.
const PLANNED: [&str; 21] = [
    "target",
    "nodes",
    "workload",
    "reads",
    "nemesis",
    "time_limit",
    "concurrency",
    "rate",
    "operation_timeout",
    "seed",
    "network",
    "tcp",
    "defect",
    "snapshot_entries",
    "lease_reads",
    "binary",
    "binary_b",
    "schedule",
    "checker_time",
    "checker_memory",
    "on_violation",
];

/// Arguments of `run`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The system under test (see `partita list targets`)
    #[arg(default_value = "raft")]
    target: String,
    /// How many nodes
    #[arg(long, default_value_t = 5)]
    nodes: usize,
    /// What clients do (see `partita list workloads`) [default: the first that fits the target]
    #[arg(long)]
    workload: Option<String>,
    /// Which state reads see: one with all that was done before, or whatever the node that is asked has
    #[arg(long, value_enum, default_value_t)]
    reads: Reads,
    /// Faults and sets of faults, with commas between (see `partita list faults` and `partita list sets`), those of
    /// links also over links named by hand, as in 'partition:n1>n2+n3'; or `none`
    #[arg(long, default_value = "standard", value_delimiter = ',')]
    nemesis: Vec<String>,
    /// A file with `[[schedule]]` tables, which say what faults come when, instead of a schedule that is drawn
    #[arg(long, value_name = "FILE", conflicts_with = "nemesis")]
    schedule: Option<PathBuf>,
    /// How long clients work
    #[arg(long, default_value = "30s", value_parser = units::duration)]
    time_limit: Duration,
    /// How many clients work at a time
    #[arg(long, default_value_t = 10)]
    concurrency: u32,
    /// Operations a second, over all clients
    #[arg(long, default_value_t = 500.0)]
    rate: f64,
    /// How long a client waits for an operation before its outcome is unknown
    #[arg(long, default_value = "1s", value_parser = units::duration)]
    operation_timeout: Duration,
    /// The seed of everything random; drawn and printed if not given
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    /// How nodes are connected: network namespaces and iptables, the same with our own switch, or forwarders on
    /// loopback
    #[arg(long, default_value = "auto", value_parser = ["auto", "netns", "switch", "proxy"])]
    network: String,
    /// How TCP behaves after a cut
    #[arg(long, value_enum, default_value_t)]
    tcp: Tcp,
    /// A deliberate bug to switch on in our own servers (see `partita list defects`)
    #[arg(long)]
    defect: Option<String>,
    /// Entries from one snapshot to the next, in our own servers [default: 500]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    snapshot_entries: Option<u64>,
    /// Have leaders of our own servers answer reads on a lease, which is safe only while clocks drift by 10 % at most
    #[arg(long)]
    lease_reads: bool,
    /// Another program for the target's nodes
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The program that the fault `upgrade` gives to nodes: another release
    #[arg(long, value_name = "BINARY")]
    binary_b: Option<PathBuf>,
    /// How long the checker may take
    #[arg(long, default_value = "60s", value_parser = units::duration)]
    checker_time: Duration,
    /// How much memory the checker may take
    #[arg(long, default_value = "4GiB", value_parser = units::bytes)]
    checker_memory: u64,
    /// What becomes of the run when a violation is seen: it goes on to its end, or it ends there and then
    #[arg(long, value_enum, default_value_t)]
    on_violation: OnViolation,
    /// Where run directories are made
    #[arg(long, default_value = "runs")]
    runs_dir: PathBuf,
    /// Do what this plan says (the `plan.toml` of a run), faults and all, instead of what options ask for
    #[arg(long, value_name = "FILE", conflicts_with_all = PLANNED)]
    plan: Option<PathBuf>,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    json: bool,
    /// Tell nothing while the run goes on
    #[arg(long)]
    quiet: bool,
}

/// So that `run` alone gives the defaults.
#[derive(Parser)]
struct Defaults {
    #[command(flatten)]
    arguments: Arguments,
}

pub(super) fn main(arguments: Arguments) -> Result<Verdict, Failure> {
    let began = Instant::now();
    let started = Timestamp::now();
    let quiet = arguments.quiet || arguments.json;
    if arguments.runs_dir.to_str().is_none() {
        return Err(Failure::usage(anyhow!(
            "--runs-dir must be valid UTF-8, as the nodes are told of it"
        )));
    }
    let plan = match &arguments.plan {
        Some(path) => Plan::read(path),
        None => request(&arguments).and_then(Plan::new),
    }
    .map_err(Failure::Usage)?;
    let target = partita_targets::find(&plan.target).context("the target is not there")?;
    let workload = partita_workloads::find(&plan.workload).context("the workload is not there")?;
    let options = Options {
        own_program: std::env::current_exe().context("our own program can't be found")?,
        binary: plan.binary.clone(),
        defect: plan.defect.clone(),
        snapshot_entries: plan.snapshot_entries,
        lease_reads: plan.lease_reads,
    };
    let program = locate(target, &options, "--binary")?;
    let other = plan.binary_b.clone().map(|binary| Options {
        binary: Some(binary),
        ..options.clone()
    });
    let other = other.map(|options| locate(target, &options, "--binary-b"));
    let other = other.transpose()?;
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(std::io::stderr)
        .init();

    // From here on this process may be another one, in namespaces of its own; there are no threads yet.
    let wishes = plan.wishes().map_err(|error| Failure::usage(anyhow!(error)))?;
    let lab = lab::enter(wishes).map_err(|error| match error {
        EnterError::Impossible { .. } => Failure::usage(error),
        error => Failure::Harness(error.into()),
    })?;
    let by_name = plan.asked_by_name();
    for fault in by_name.into_iter().filter_map(fault::find) {
        if !fault.networks().contains(&lab.kind()) {
            return Err(Failure::usage(anyhow!(
                "fault `{}` can't be had here: {} ({}); or leave it out",
                fault.name(),
                fault::not_over(fault, lab.kind()),
                lab.why()
            )));
        }
    }
    if target.needs_own_addresses() && lab.kind() == NetworkKind::Proxy {
        return Err(Failure::usage(anyhow!(
            "target `{}` needs an address for each node, which only network namespaces give, and here: {}",
            target.name(),
            lab.why()
        )));
    }
    let disk_faults = plan.disk_faults();
    if !disk_faults.is_empty()
        && let Some(obstacle) = partita_nemesis::disk::obstacle(&lab)
    {
        let names = disk_faults.into_iter().collect::<Vec<_>>().join(", ");
        return Err(Failure::usage(anyhow!(
            "{names}: not possible here: {obstacle}; or leave them out of --nemesis"
        )));
    }
    for planned in &plan.faults {
        if let Some(fault) = fault::find(&planned.fault)
            && let Some(why) = fault.impossible_with(&planned.settings)
        {
            return Err(Failure::usage(anyhow!(
                "fault `{}` can't be had here as it is set: {why}",
                planned.fault
            )));
        }
    }
    let (directory, _lock) = directory::create(&arguments.runs_dir, &plan, started)?;
    let mut summary = Summary {
        format: partita_reports::run::FORMAT,
        run: directory
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        command: if plan.is_as_drawn() {
            plan.command(&defaults()?)
        } else {
            let plan = directory.join("plan.toml");
            format!("partita run --plan {}", quoted(&plan.display().to_string()))
        },
        seed: plan.seed,
        target: plan.target.clone(),
        workload: plan.workload.clone(),
        defect: plan.defect.clone(),
        nodes: plan.nodes.clone(),
        network: format!("{}: {}", lab.kind(), lab.why()),
        started: started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        facts: lab.facts(),
        ..Summary::default()
    };
    if !plan.schedule.is_empty() && plan.is_as_drawn() {
        let tables = quoted(&directory.join("plan.toml").display().to_string());
        summary.command.push_str(&format!(" --schedule {tables}"));
    }
    if !quiet {
        for (fault, why) in &plan.left_out {
            say(&format!("left out: {fault}: {why}"));
        }
        if let Some(no_time) = plan.no_time() {
            say(&format!(
                "{no_time}: the run will count as not exercised; ask for more time, or for fewer faults by name"
            ));
        }
        say(&format!(
            "{}\nnetwork {}\nwriting to {}",
            summary.command,
            summary.network,
            directory.display()
        ));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROLLER_THREADS)
        .enable_all()
        .build()
        .context("the controller's threads can't be made")?;
    let ran = runtime.block_on(async {
        let progress = Progress::new(quiet).context("signals can't be listened for")?;
        let setting = Setting {
            plan: &plan,
            target,
            workload,
            options: &options,
            program: &program,
            other: other.as_ref(),
            lab: &lab,
            directory: &directory,
            began,
            progress: &progress,
        };
        phases::run(&setting, &mut summary).await
    });
    if let Err(error) = &ran {
        summary.verdict = Verdict::HarnessFailure;
        summary.exit_code = summary.verdict.exit_code();
        summary.reason = format!("{error:#}");
    }
    let finished = finish(&arguments, &directory, &summary);
    // What went wrong first is what to mend; that it could then not be reported either is its consequence.
    ran.and(finished)?;
    Ok(summary.verdict)
}

/// The program of the nodes, which an option may have named.
fn locate(target: &dyn Target, options: &Options, option: &str) -> Result<Program, Failure> {
    let Some(path) = &options.binary else {
        return target
            .locate(options)
            .map_err(|error| Failure::Harness(anyhow!(error)));
    };
    if path.components().count() > 1 && !path.is_file() {
        let path = path.display();
        return Err(Failure::usage(anyhow!("{option}: there is no file `{path}`")));
    }
    target
        .locate(options)
        .map_err(|error| Failure::usage(anyhow!("{option}: {error}")))
}

/// The controller must leave the cores to the nodes.
const CONTROLLER_THREADS: usize = 2;

fn request(arguments: &Arguments) -> anyhow::Result<Request> {
    // Nodes start in folders of their own; a bare name is looked for on the search path.
    let absolute = |path: &Option<PathBuf>| match path {
        Some(path) if path.components().count() > 1 => std::path::absolute(path).map(Some),
        other => Ok(other.clone()),
    };
    Ok(Request {
        target: arguments.target.clone(),
        binary: absolute(&arguments.binary)?,
        binary_b: absolute(&arguments.binary_b)?,
        defect: arguments.defect.clone(),
        snapshot_entries: arguments.snapshot_entries,
        lease_reads: arguments.lease_reads,
        workload: arguments.workload.clone(),
        reads: arguments.reads,
        nodes: arguments.nodes,
        network: arguments.network.clone(),
        tcp: arguments.tcp,
        nemesis: arguments.nemesis.clone(),
        schedule: match &arguments.schedule {
            Some(path) => Track::read(path)?,
            None => Vec::new(),
        },
        schedule_file: arguments.schedule.clone(),
        obstacle: |fault| fault.impossible(),
        concurrency: arguments.concurrency,
        rate: arguments.rate,
        time_limit: arguments.time_limit,
        operation_timeout: arguments.operation_timeout,
        checker_time: arguments.checker_time,
        checker_memory_bytes: arguments.checker_memory,
        on_violation: arguments.on_violation,
        // Short enough to be typed.
        seed: arguments
            .seed
            .unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 32),
    })
}

/// The plan that `partita run` alone gives.
fn defaults() -> anyhow::Result<Plan> {
    Plan::new(request(&Defaults::try_parse_from(["run"])?.arguments)?)
}

/// The plan that these words of a command line, `run` first, would give.
pub(crate) fn plan(words: &[String]) -> anyhow::Result<Plan> {
    let arguments = Defaults::try_parse_from(words).map_err(|error| anyhow!("{}", first_line(&error)))?;
    Plan::new(request(&arguments.arguments)?)
}

/// What is wrong with a command line, without how it is used.
pub(super) fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

/// Writes what came of the run, and tells it.
fn finish(arguments: &Arguments, directory: &Path, summary: &Summary) -> anyhow::Result<()> {
    directory::write(directory, "verdict.json", &serde_json::to_string_pretty(summary)?)?;
    if summary.verdict == Verdict::Valid {
        directory::remove_data(directory).context("the nodes' data can't be removed")?;
    } else if let Err(error) = holes::dig(&directory.join("nodes")) {
        // It only takes more room.
        say(&format!("the nodes' data stays as large as it is: {error}"));
    }
    let run = partita_reports::load(directory)?;
    partita_reports::write_loaded(&run)?;
    if let Err(error) = partita_reports::lines::pack(directory) {
        // It is as good unpacked.
        say(&format!(
            "the history stays as it is, as it can't be packed: {error}"
        ));
    }
    if arguments.json {
        print(&format!("{}\n", json(summary, directory)));
    } else {
        print(&partita_reports::text(&run, terminal::width(), terminal::color()));
        print(&format!(
            "  {:<14}{}\n",
            "size",
            units::size(directory::size(directory)?)
        ));
    }
    if arguments.quiet {
        // One of many runs: whoever began it tells of all.
        return Ok(());
    }
    terminal::add_to_step_summary(|| partita_reports::markdown(&run))
        .context("the step's summary can't be written")
}

/// The one object that `--json` prints (reports/FORMATS.md).
fn json(summary: &Summary, directory: &Path) -> serde_json::Value {
    let anomalies: Vec<_> = summary.checks.iter().flat_map(|check| &check.anomalies).collect();
    let checks = summary.checks.iter().map(|check| {
        serde_json::json!({ "checker": check.checker, "verdict": check.verdict, "reason": check.reason })
    });
    serde_json::json!({
        "format": partita_reports::run::FORMAT,
        "verdict": summary.verdict,
        "exit_code": summary.exit_code,
        "reason": summary.reason,
        "anomalies": anomalies,
        "checks": checks.collect::<Vec<_>>(),
        "ended": summary.ended,
        "duration_ms": summary.duration_ms,
        "ops": summary.operations,
        "rate": summary.rate,
        "faults": summary.faults,
        "snapshots_installed": summary.snapshots_installed,
        "not_exercised": summary.not_exercised,
        "bytes": directory::size(directory).ok(),
        "run_dir": directory.display().to_string(),
        "seed": summary.seed,
        "command": summary.command,
        "network": summary.network,
        "facts": summary.facts,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use partita_checker::Analysis;
    use partita_history::{
        Event, EventType, FaultEvent, FaultOutcome, FaultPhase, FaultValue, OpEvent, Value, jsonl,
    };
    use partita_reports::run::{Coverage, FaultCount, Metric, Outcomes, Rate};

    use super::*;
    use crate::cli::check::tests::stale_read;
    use crate::cli::tests::pretty;
    use crate::formats::assert_documented;

    fn summary() -> Summary {
        let count = Outcomes {
            ok: 90,
            fail: 7,
            info: 3,
        };
        let kill = FaultCount {
            planned: 2,
            took: 2,
            roles: BTreeMap::from([("leader".into(), 2)]),
            coverage: BTreeMap::from([("leader".into(), Coverage::default())]),
            ..FaultCount::default()
        };
        let checks = ["linearizability", "recovery"].map(|checker| Analysis {
            checker: checker.into(),
            model: String::new(),
            verdict: Verdict::Valid,
            reason: "it holds".into(),
            anomalies: Vec::new(),
            keys: Vec::new(),
            assumptions: Vec::new(),
        });
        Summary {
            format: partita_reports::run::FORMAT,
            run: "none".into(),
            verdict: Verdict::Valid,
            reason: "100 operations".into(),
            command: "partita run raft --seed 7".into(),
            seed: 7,
            network: "netns: as root".into(),
            duration_ms: 10_000,
            ended: "time limit".into(),
            rate: Rate {
                asked: 20.0,
                invoked: 10.0,
                ok: 9.0,
            },
            operations: BTreeMap::from([("write".into(), count)]),
            faults: BTreeMap::from([("kill".into(), kill)]),
            checks: checks.into(),
            facts: BTreeMap::from([("target version".into(), "1.0".into())]),
            ..Summary::default()
        }
    }

    #[test]
    fn what_a_run_tells_programs() {
        let mut summary = summary();
        // A directory that is not there has no size.
        let told = json(&summary, Path::new("runs/none"));
        assert_documented("partita run --json", &told);
        insta::assert_snapshot!("run-json", pretty(&told));
        let written = serde_json::to_value(&summary).unwrap();
        assert_documented("verdict.json", &written);
        insta::assert_snapshot!("verdict-json", pretty(&written));
        summary.checks = vec![stale_read()];
        assert!(!summary.checks[0].anomalies.is_empty());
        assert_documented("partita run --json", &json(&summary, Path::new("runs/none")));
        assert_documented("verdict.json", &serde_json::to_value(&summary).unwrap());
    }

    #[test]
    fn the_lines_of_a_run() {
        let told = |event: &Event| -> serde_json::Value {
            let mut line = Vec::new();
            jsonl::write(&mut line, event).unwrap();
            serde_json::from_slice(&line).unwrap()
        };
        let refused = told(&Event::Op(OpEvent {
            index: 3,
            time: 2_110_001,
            process: 7,
            kind: EventType::Fail,
            f: "cas".into(),
            key: Some("x".into()),
            value: Value::List(vec![1.into(), 2.into()]),
            observed: Some(3.into()),
            node: Some("n1".into()),
            error: Some("refused".into()),
        }));
        assert_documented("history.jsonl", &refused);
        let fault = told(&Event::Fault(FaultEvent {
            index: 4,
            time: 2_200_000,
            f: "partition".into(),
            value: FaultValue {
                id: 1,
                phase: FaultPhase::Injected,
                outcome: Some(FaultOutcome::Took),
                what: "isolate the leader".into(),
                started: 2_150_000,
                nodes: vec!["n1".into()],
                roles: BTreeMap::from([("n1".into(), "leader".into())]),
                links: vec!["n1>n2".into()],
                evidence: "2 of 2 probes were lost".into(),
            },
        }));
        assert_documented("faults.jsonl", &fault);
        let metric = Metric {
            time: 3_000_000,
            node: "n1".into(),
            up: true,
            role: Some("leader".into()),
            term: Some(3),
            ..Metric::default()
        };
        let metric = serde_json::to_value(metric).unwrap();
        assert_documented("metrics.jsonl", &metric);
        insta::assert_snapshot!(
            "lines",
            [refused, fault, metric].map(|line| pretty(&line)).join("\n")
        );
    }
}
