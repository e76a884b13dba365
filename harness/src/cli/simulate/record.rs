//! A simulated run as a run directory: what reads those of real runs (`report`, `serve`, `check`) reads it as well.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use partita_checker::{Analysis, Verdict};
use partita_history::{Event, FaultEvent, FaultOutcome, FaultPhase, FaultValue, History, jsonl};
use partita_reports::run::{FORMAT, Metric, Rate, Summary, count_faults};
use partita_simulator::schedule::Fault;
use partita_simulator::{Happened, Recorded, Scenario, TraceEvent};

use super::view;
use super::workload::Judged;
use crate::run::judge;

/// Virtual time begins here, so that the same run gives the same bytes.
const TIME_ZERO: &str = "1970-01-01T00:00:00Z";

/// How often a node of which something happens is said to be what it was before, in nanoseconds.
const TOLD_EVERY_NS: u64 = 10_000_000;

/// Writes the run, with its report.
pub(super) fn write(
    directory: &Path,
    scenario: &Scenario,
    judged: &Judged,
    command: String,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("{} can't be made", directory.display()))?;
    if std::fs::read_dir(directory)?.next().is_some() {
        bail!(
            "{}: is not empty; name a directory that is, or none yet",
            directory.display()
        );
    }
    let Judged { recorded, .. } = judged;
    let faults = faults(&recorded.events);
    let (mut history, mut fault_lines) = (Vec::new(), Vec::new());
    for event in &judged.operations {
        jsonl::write(&mut history, event)?;
    }
    for event in &faults {
        jsonl::write(&mut fault_lines, &Event::Fault(event.clone()))?;
    }
    let diagram = view::diagram(&scenario.protocol, recorded);
    let mut summary = summary(scenario, judged, &faults)?;
    let name = std::path::absolute(directory)?;
    summary.run = name
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    summary.command = command;
    let put = |name: &str, bytes: &[u8]| {
        let path = directory.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("{} can't be written", path.display()))
    };
    put("history.jsonl", &history)?;
    put("faults.jsonl", &fault_lines)?;
    put("metrics.jsonl", metrics(&recorded.events)?.as_bytes())?;
    put("messages.json", &serde_json::to_vec(&diagram)?)?;
    put("verdict.json", serde_json::to_string_pretty(&summary)?.as_bytes())?;
    for (node, lines) in logs(&recorded.events) {
        std::fs::create_dir_all(directory.join("nodes").join(&node))?;
        put(&format!("nodes/{node}/node.log"), lines.as_bytes())?;
    }
    partita_reports::lines::pack(directory)?;
    partita_reports::write(directory)?;
    Ok(())
}

fn summary(scenario: &Scenario, judged: &Judged, faults: &[FaultEvent]) -> anyhow::Result<Summary> {
    let report = &judged.recorded.report;
    let history = History::from_events(judged.operations.iter().cloned())?;
    let operations = judge::outcomes(&history);
    let seconds = report.virtual_us as f64 / 1e6;
    let mut checks: Vec<Analysis> = judged.analysis.iter().cloned().collect();
    // What the checker found is the violation that is reported.
    if let Some(violation) = report.violation.as_ref().filter(|_| !judged.is_invalid()) {
        let at = violation.node.map_or(String::new(), |node| format!(" at {node}"));
        checks.push(Analysis {
            checker: violation.property.to_owned(),
            verdict: Verdict::Invalid,
            reason: format!(
                "{}{at} after {:.6} s of virtual time: {}.",
                violation.property,
                violation.time_us as f64 / 1e6,
                violation.what
            ),
            ..Analysis::default()
        });
    }
    let join = |verdict: Verdict, check: &Analysis| verdict.join(check.verdict);
    let verdict = checks.iter().fold(Verdict::Valid, join);
    let mut facts = BTreeMap::from([
        (partita_reports::TIME_ZERO.to_owned(), TIME_ZERO.to_owned()),
        ("time".to_owned(), "virtual".to_owned()),
    ]);
    if scenario.workload.is_none() {
        let told =
            "those of the protocol's own clients, which are not recorded (--workload has some that are)";
        facts.insert("operations".to_owned(), told.to_owned());
    }
    let reason = checks.iter().find(|check| check.verdict == verdict);
    Ok(Summary {
        format: FORMAT,
        verdict,
        exit_code: verdict.exit_code(),
        reason: reason.map_or("No property was violated.".to_owned(), |check| {
            check.reason.clone()
        }),
        seed: scenario.seed,
        target: scenario.protocol.clone(),
        workload: scenario.workload.clone().unwrap_or_default(),
        defect: scenario.options.defect.map(|defect| defect.to_string()),
        nodes: nodes(&judged.recorded),
        network: "simulated".to_owned(),
        duration_ms: report.virtual_us / 1_000,
        ended: if report.violation.is_some() {
            "violation"
        } else {
            "all was done"
        }
        .to_owned(),
        rate: Rate {
            asked: 0.0,
            invoked: judge::per_second(history.len() as u64, seconds),
            ok: judge::per_second(operations.values().map(|count| count.ok).sum(), seconds),
        },
        operations,
        faults: count_faults(faults),
        checks,
        facts,
        ..Summary::default()
    })
}

/// All that had a part in the run, in the order in which they came.
fn nodes(recorded: &Recorded) -> Vec<String> {
    let mut nodes: Vec<String> = Vec::new();
    for node in recorded.events.iter().filter_map(|event| event.node.as_ref()) {
        if !nodes.contains(node) {
            nodes.push(node.clone());
        }
    }
    nodes
}

/// The phases of all faults.
fn faults(events: &[TraceEvent]) -> Vec<FaultEvent> {
    let mut roles: BTreeMap<String, String> = BTreeMap::new();
    let mut faults = Vec::new();
    for event in events {
        let (number, fault, phases): (_, _, &[_]) = match &event.what {
            Happened::Became { role, .. } => {
                roles.extend(event.node.clone().map(|node| (node, role.clone())));
                continue;
            }
            Happened::FaultBegan { number, fault } => {
                (*number, fault, &[FaultPhase::Planned, FaultPhase::Injected])
            }
            Happened::FaultEnded { number, fault } => (*number, fault, &[FaultPhase::Healed]),
            _ => continue,
        };
        for phase in phases {
            faults.push(fault_event(event.time_us, (number, fault), *phase, &roles));
        }
    }
    for (index, fault) in (0..).zip(&mut faults) {
        fault.index = index;
    }
    faults
}

fn fault_event(
    time_us: u64,
    (number, fault): (usize, &Fault),
    phase: FaultPhase,
    roles: &BTreeMap<String, String>,
) -> FaultEvent {
    let nodes: Vec<String> = fault.nodes().iter().map(ToString::to_string).collect();
    let role = |node: &String| Some((node.clone(), roles.get(node)?.clone()));
    FaultEvent {
        index: 0,
        time: time_us * 1_000,
        f: fault.name().to_owned(),
        value: FaultValue {
            id: number as u64,
            phase,
            // What is simulated takes, always.
            outcome: (phase != FaultPhase::Planned).then_some(FaultOutcome::Took),
            what: what(fault, &nodes),
            started: time_us * 1_000,
            roles: nodes.iter().filter_map(role).collect(),
            nodes,
            links: links(fault),
            evidence: String::new(),
        },
    }
}

/// What was done to whom, as a label.
fn what(fault: &Fault, nodes: &[String]) -> String {
    let whom = nodes.join(", ");
    match fault {
        Fault::Partition { other, one_way, .. } => {
            let other: Vec<String> = other.iter().map(ToString::to_string).collect();
            let sign = if *one_way { ">" } else { "|" };
            format!("{whom} {sign} {}", other.join(", "))
        }
        Fault::Clock { percent, .. } => format!("{whom}: {percent} %"),
        Fault::ClockJump { by_ms, .. } => format!("{whom}: {by_ms} ms"),
        _ => whom,
    }
}

fn links(fault: &Fault) -> Vec<String> {
    let Fault::Partition { one, other, one_way } = fault else {
        return Vec::new();
    };
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (a, b)));
    let both = pairs.flat_map(|(a, b)| {
        let back = (!one_way).then(|| format!("{b}>{a}"));
        std::iter::once(format!("{a}>{b}")).chain(back)
    });
    both.collect()
}

/// What each node was, as lines of `metrics.jsonl`: whenever that changed, and now and then while it went on.
fn metrics(events: &[TraceEvent]) -> anyhow::Result<String> {
    let mut now: BTreeMap<&str, Metric> = BTreeMap::new();
    let mut lines = String::new();
    for event in events {
        let Some(node) = event.node.as_deref() else {
            continue;
        };
        let metric = now.entry(node).or_default();
        let before = metric.clone();
        match &event.what {
            Happened::Started => metric.up = true,
            Happened::Crashed { .. } => *metric = Metric::default(),
            Happened::Became { role, term } => {
                (metric.role, metric.term) = (Some(role.clone()), Some(*term));
            }
            Happened::Applied { index } | Happened::Restored { index } => metric.applied = Some(*index),
            _ => {}
        }
        let time = event.time_us * 1_000;
        let is_due = metric.up && time.saturating_sub(before.time) >= TOLD_EVERY_NS;
        if *metric != before || is_due {
            (metric.time, metric.node) = (time, node.to_owned());
            lines += &serde_json::to_string(metric)?;
            lines.push('\n');
        }
    }
    Ok(lines)
}

/// What happened at each node, as its log.
fn logs(events: &[TraceEvent]) -> BTreeMap<String, String> {
    let mut logs: BTreeMap<String, String> = BTreeMap::new();
    for event in events {
        let Some(node) = &event.node else { continue };
        let (seconds, micros) = (event.time_us / 1_000_000, event.time_us % 1_000_000);
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        let line = format!(
            "1970-01-01T{hours:02}:{minutes:02}:{:02}.{micros:06}Z {}\n",
            seconds % 60,
            event.what
        );
        logs.entry(node.clone()).or_default().push_str(&line);
    }
    logs
}

#[cfg(test)]
mod tests {
    use partita_protocols::Defect;
    use partita_reports::Run;
    use partita_simulator::{Options, Simulator};

    use super::*;
    use crate::cli::simulate::Runs;

    /// The run of a seed, written and read.
    fn written(protocol: &str, defect: &str, workload: Option<&str>, seed: u64) -> (Run, String) {
        let runs = Runs {
            simulator: Simulator::by_name(protocol).unwrap(),
            workload: workload.map(|name| partita_workloads::find(name).unwrap()),
        };
        let options = Options {
            defect: Some(Defect::by_name(defect).unwrap()),
            ..Options::default()
        };
        let scenario = runs.drawn(seed, options).unwrap();
        let judged = runs.traced(&scenario).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("run");
        write(&directory, &scenario, &judged, "the command".to_owned()).unwrap();
        let again = write(&directory, &scenario, &judged, String::new()).unwrap_err();
        assert!(again.to_string().contains("is not empty"), "{again}");
        let page = std::fs::read_to_string(directory.join("report.html")).unwrap();
        (partita_reports::load(&directory).unwrap(), page)
    }

    #[test]
    fn what_clients_of_a_workload_saw_is_a_history_with_nodes() {
        // Which seed finds it may change with the simulator: some of these do.
        let (run, page) = (100..140)
            .map(|seed| written("raft", "stale-reads", Some("register"), seed))
            .find(|(run, _)| run.summary.verdict == Verdict::Invalid)
            .expect("a stale read");
        assert_eq!(run.notes, Vec::<String>::new());
        let analysis = &run.summary.checks[0];
        let culprit = run.history.get(analysis.anomalies[0].culprit).unwrap();
        let node = culprit.node.expect("who answered");
        assert!(
            analysis.anomalies[0].story.contains(node),
            "{}",
            analysis.anomalies[0].story
        );
        assert!(run.summary.faults.values().any(|count| count.took > 0));
        assert!(
            run.metrics
                .iter()
                .any(|metric| metric.role.as_deref() == Some("leader"))
        );
        assert_eq!(run.logs.len(), run.summary.nodes.len());
        assert!(page.contains("class=\"sequence\""), "the messages are drawn");
        let told = run.messages.expect("messages").marks;
        assert!(told.iter().any(|mark| mark.text.starts_with("linearizability")));
    }

    #[test]
    fn a_violated_invariant_is_a_check_and_the_same_seed_gives_the_same_run() {
        let (mut run, _) = (0..100)
            .map(|seed| written("zab", "early-broadcast", None, seed))
            .find(|(run, _)| run.summary.verdict == Verdict::Invalid)
            .expect("a violation");
        let check = &run.summary.checks[0];
        assert_eq!((check.verdict, run.summary.exit_code), (Verdict::Invalid, 1));
        assert!(
            run.summary.reason.starts_with(&check.checker),
            "{}",
            run.summary.reason
        );
        assert!(run.summary.facts["operations"].contains("not recorded"));
        let (again, _) = written("zab", "early-broadcast", None, run.summary.seed);
        run.directory.clone_from(&again.directory);
        assert!(again == run, "two runs of a seed differ");
    }
}
