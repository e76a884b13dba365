//! `partita simulate PROTOCOL`: our own protocols in virtual time.

mod record;
mod runs;
mod sweep;
mod view;
mod workload;

pub(super) use runs::Runs;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Parser;
use partita_checker::Verdict;
use partita_protocols::Defect;
use partita_protocols::defect::UnknownDefect;
use partita_simulator::{Options, Scenario, Simulator, Violation};
use partita_workloads::Workload;

use super::run::first_line;
use super::{Failure, print, say, units};
use crate::plan::quoted;
use sweep::{Found, Sweep, Tally};

/// How many violations are told one by one.
const TOLD_MAX: usize = 5;
/// How many smaller runs `--minimize` tries.
pub(super) const MINIMIZING_RUNS: u64 = 12_000;

/// Arguments of `simulate`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The protocol
    protocol: String,
    /// How many seeds
    #[arg(long, default_value_t = 1_000, conflicts_with_all = ["seed", "scenario"])]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// This seed only
    #[arg(long)]
    seed: Option<u64>,
    /// The run that `--minimize` wrote to this file
    #[arg(long, conflicts_with_all = ["seed", "nodes", "spares", "clients", "faulty", "calm", "defect"])]
    scenario: Option<PathBuf>,
    /// How many nodes the cluster begins with
    #[arg(long)]
    nodes: Option<usize>,
    /// How many nodes more may be made members
    #[arg(long)]
    spares: Option<usize>,
    /// How many clients work at a time
    #[arg(long)]
    clients: Option<usize>,
    /// For how long of virtual time things go wrong; in a short run faults follow each other sooner
    #[arg(long, value_parser = units::duration)]
    faulty: Option<Duration>,
    /// For how long of virtual time the cluster then has to show that it works
    #[arg(long, value_parser = units::duration)]
    calm: Option<Duration>,
    /// What clients do, instead of single-writer lists; its checker judges what they saw
    #[arg(long, conflicts_with = "scenario")]
    workload: Option<String>,
    /// Let reads rest on leases, or not; each seed draws it if nothing is said
    #[arg(long)]
    lease_reads: Option<bool>,
    /// By how many percent the fastest clock may outrun the slowest; leases assume 10
    #[arg(long)]
    clock_drift: Option<u32>,
    /// Let clocks jump even where reads rest on leases, which assume that none does
    #[arg(long)]
    jumps_under_leases: bool,
    /// A deliberate bug to switch on in all nodes (see `partita list defects`)
    #[arg(long)]
    defect: Option<String>,
    /// Look for a smaller run that fails like the first that did, and write it to this file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "scenario.json")]
    minimize: Option<PathBuf>,
    /// Write all that happens in the run to this file: that of --seed, or the first that failed
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Draw its end to this file, as a message sequence diagram
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write it as a run directory, with its report
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// How many seeds run at a time; one a core if nothing is said
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// Begin no further seed after this time
    #[arg(long, value_parser = units::duration)]
    time_limit: Option<Duration>,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    json: bool,
    /// Tell nothing on the way
    #[arg(long)]
    quiet: bool,
}

impl Arguments {
    /// Is what happens in the run to be kept?
    fn wants_trace(&self) -> bool {
        self.trace.is_some() || self.svg.is_some() || self.report.is_some()
    }
}

pub(super) fn main(arguments: &Arguments) -> Result<Verdict, Failure> {
    let simulator = simulator(&arguments.protocol)?;
    // What a core's own check finds is told as a violation.
    std::panic::set_hook(Box::new(|_| {}));
    let scenario = arguments.scenario.as_deref().map(self::scenario).transpose()?;
    if let Some(other) = scenario.as_ref().filter(|it| it.protocol != simulator.name) {
        let what = anyhow!(
            "that scenario is one of {}, not of {}",
            other.protocol,
            simulator.name
        );
        return Err(Failure::usage(what));
    }
    let options = match &scenario {
        Some(scenario) => scenario.options.clone(),
        None => options(arguments, simulator)?,
    };
    // A scenario says whose clients it has.
    let of_scenario = scenario.as_ref().and_then(|it| it.workload.as_deref());
    let named = of_scenario.or(arguments.workload.as_deref());
    let runs = Runs {
        simulator,
        workload: named.map(workload).transpose()?,
    };
    let alone = scenario.as_ref().map(|it| it.seed).or(arguments.seed);
    let tally = match (&scenario, alone) {
        (Some(scenario), _) => {
            let recorded = runs.again(scenario)?;
            Tally::of(recorded.report)
        }
        (None, alone) => sweep::run(&Sweep {
            runs,
            options: &options,
            seeds: match alone {
                Some(seed) => seed..seed.saturating_add(1),
                None => arguments.first..arguments.first.saturating_add(arguments.seeds),
            },
            jobs: arguments.jobs,
            time_limit: arguments.time_limit,
            quiet: arguments.quiet,
        })?,
    };
    let verdict = tally.verdict(alone.is_some());
    if arguments.json {
        print(&format!("{}\n", tally.json(simulator.name, &options, verdict)));
    } else {
        for found in tally.found.iter().take(TOLD_MAX) {
            print(&tell(found, arguments, scenario.is_some()));
        }
        print(&tally.text(&options, verdict));
    }
    let to_show = alone.or_else(|| tally.found.first().map(|found| found.seed));
    let is_wanted = arguments.minimize.is_some() || arguments.wants_trace();
    if let Some(seed) = to_show.filter(|_| is_wanted) {
        let mut shown = match scenario {
            Some(scenario) => scenario,
            None => runs.drawn(seed, options)?,
        };
        if let Some(file) = &arguments.minimize {
            shown = minimize(runs, shown, file, arguments)?;
        }
        show(runs, &shown, arguments)?;
    }
    Ok(verdict)
}

/// So that words are read as a command line.
#[derive(Parser)]
struct Alone {
    #[command(flatten)]
    arguments: Arguments,
}

/// Could these words of a command line, `simulate` first, be carried out?
pub(crate) fn check(words: &[String]) -> anyhow::Result<()> {
    let alone = Alone::try_parse_from(words).map_err(|error| anyhow!("{}", first_line(&error)))?;
    let arguments = &alone.arguments;
    let checked = || -> Result<(), Failure> {
        options(arguments, simulator(&arguments.protocol)?)?;
        arguments.workload.as_deref().map(workload).transpose()?;
        Ok(())
    };
    checked().map_err(|failure| match failure {
        Failure::Usage(error) | Failure::Harness(error) => error,
    })
}

fn options(arguments: &Arguments, simulator: &Simulator) -> Result<Options, Failure> {
    let mut options = Options::default();
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2_000);
    options.nodes = arguments.nodes.unwrap_or(options.nodes);
    options.spares = arguments.spares.unwrap_or(options.spares);
    options.clients = arguments.clients.unwrap_or(options.clients);
    options.faulty_ms = arguments.faulty.map_or(options.faulty_ms, milliseconds);
    options.calm_ms = arguments.calm.map_or(options.calm_ms, milliseconds);
    options.lease_reads = arguments.lease_reads;
    options.jumps_under_leases = arguments.jumps_under_leases;
    options.clock_drift_percent = arguments.clock_drift.unwrap_or(options.clock_drift_percent);
    let defect = arguments.defect.as_deref().map(Defect::by_name).transpose();
    options.defect = defect.map_err(|error: UnknownDefect| Failure::usage(error))?;
    if options.nodes == 0 || options.clients == 0 {
        return Err(Failure::usage(anyhow!(
            "at least one node and one client are wanted"
        )));
    }
    match options.defect.filter(|defect| !defect.fits(simulator.name)) {
        Some(defect) => Err(Failure::usage(anyhow!(
            "{} can not have the defect {defect}",
            simulator.name
        ))),
        None => Ok(options),
    }
}

/// The runs that a scenario is one of.
pub(super) fn runs_of(scenario: &Scenario) -> Result<Runs, Failure> {
    Ok(Runs {
        simulator: simulator(&scenario.protocol)?,
        workload: scenario.workload.as_deref().map(workload).transpose()?,
    })
}

/// The usual options, with a defect.
pub(super) fn options_with(simulator: &Simulator, defect: Option<&str>) -> Result<Options, Failure> {
    let words = ["simulate", simulator.name].into_iter();
    let words = words.chain(defect.into_iter().flat_map(|name| ["--defect", name]));
    let alone = Alone::try_parse_from(words).map_err(Failure::usage)?;
    options(&alone.arguments, simulator)
}

/// The simulator of this protocol.
pub(super) fn simulator(name: &str) -> Result<&'static Simulator, Failure> {
    Simulator::by_name(name).ok_or_else(|| {
        let names: Vec<_> = Simulator::ALL.iter().map(|simulator| simulator.name).collect();
        Failure::usage(anyhow!(
            "{name:?} is no protocol of ours; there are: {}",
            names.join(", ")
        ))
    })
}

pub(super) fn workload(name: &str) -> Result<&'static dyn Workload, Failure> {
    let workload = partita_workloads::find(name);
    let fitting = workload.filter(|workload| workload::fits(*workload));
    fitting.ok_or_else(|| Failure::usage(anyhow!("{name:?} is no workload of simulated clients")))
}

/// A violation, and the command that repeats it.
fn tell(found: &Found, arguments: &Arguments, is_scenario: bool) -> String {
    let violation = &found.violation;
    let at = violation.node.map_or(String::new(), |node| format!(" at {node}"));
    let seconds = violation.time_us as f64 / 1e6;
    let mut text = format!(
        "seed {}: {} violated{at} after {seconds:.3} s: {}\n",
        found.seed, violation.property, violation.what
    );
    if !is_scenario {
        text += &format!("  again: {}\n", repeat(found.seed, arguments));
    }
    text
}

/// The command that repeats a seed.
fn repeat(seed: u64, arguments: &Arguments) -> String {
    let mut command = format!("partita simulate {} --seed {seed}", arguments.protocol);
    let mut add = |option: &str, value: Option<String>| {
        if let Some(value) = value {
            command += &format!(" --{option} {value}");
        }
    };
    let milliseconds = |time: Duration| format!("{}ms", time.as_millis());
    add("nodes", arguments.nodes.map(|it| it.to_string()));
    add("spares", arguments.spares.map(|it| it.to_string()));
    add("clients", arguments.clients.map(|it| it.to_string()));
    add("faulty", arguments.faulty.map(milliseconds));
    add("calm", arguments.calm.map(milliseconds));
    add("lease-reads", arguments.lease_reads.map(|it| it.to_string()));
    add("clock-drift", arguments.clock_drift.map(|it| it.to_string()));
    add("defect", arguments.defect.clone());
    add("workload", arguments.workload.clone());
    if arguments.jumps_under_leases {
        command += " --jumps-under-leases";
    }
    command
}

/// Reads a scenario from its file.
pub(super) fn scenario(file: &Path) -> Result<Scenario, Failure> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} can't be read", file.display()))
        .map_err(Failure::Usage)?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is no scenario", file.display()))
        .map_err(Failure::Usage)
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).with_context(|| format!("{} can't be written", file.display()))?;
    Ok(())
}

/// Looks for a smaller run that fails alike, and writes it.
fn minimize(runs: Runs, scenario: Scenario, file: &Path, arguments: &Arguments) -> Result<Scenario, Failure> {
    let Some((small, violation)) = runs.minimize(&scenario, MINIMIZING_RUNS)? else {
        say("nothing is violated there, so nothing is made smaller");
        return Ok(scenario);
    };
    save(&small, file)?;
    if !arguments.json {
        print(&smaller(&scenario, &small, &violation, file));
    }
    Ok(small)
}

/// Writes a scenario to a file.
pub(super) fn save(scenario: &Scenario, file: &Path) -> Result<(), Failure> {
    write(file, &format!("{:#}\n", json(scenario)?))
}

/// A scenario in its file (reports/FORMATS.md).
fn json(scenario: &Scenario) -> anyhow::Result<serde_json::Value> {
    let mut json = serde_json::to_value(scenario).context("a scenario as JSON")?;
    json["format"] = partita_reports::run::FORMAT.into();
    Ok(json)
}

/// What became of a scenario that was made smaller, and the command that repeats it.
pub(super) fn smaller(before: &Scenario, after: &Scenario, violation: &Violation, file: &Path) -> String {
    let operations = match &after.turns {
        Some(turns) => format!("{} operations", turns.len()),
        None => "as many operations as before".to_owned(),
    };
    format!(
        "smaller: {} of {} faults, {} nodes, {} clients, {operations}: {}\n  again: {}\n",
        after.schedule.0.len(),
        before.schedule.0.len(),
        after.options.nodes,
        after.options.clients,
        violation.what,
        again(&before.protocol, file)
    )
}

/// The command that repeats a scenario.
fn again(protocol: &str, file: &Path) -> String {
    format!(
        "partita simulate {protocol} --scenario {}",
        quoted(&file.display().to_string())
    )
}

/// Writes and draws what happens in a run, if that is asked for.
fn show(runs: Runs, scenario: &Scenario, arguments: &Arguments) -> Result<(), Failure> {
    if !arguments.wants_trace() {
        return Ok(());
    }
    let judged = runs.traced(scenario)?;
    let recorded = &judged.recorded;
    if let Some(file) = &arguments.trace {
        write(file, &view::text(&recorded.events))?;
    }
    if let Some(file) = &arguments.svg {
        write(file, &view::diagram(&scenario.protocol, recorded).svg())?;
    }
    if let Some(directory) = &arguments.report {
        let smaller = arguments.minimize.as_ref().or(arguments.scenario.as_ref());
        let command = match smaller {
            Some(file) => again(&scenario.protocol, file),
            None => repeat(scenario.seed, arguments),
        };
        record::write(directory, scenario, &judged, command)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::pretty;
    use crate::formats::assert_documented;

    fn violation() -> Violation {
        Violation {
            time_us: 1_250_000,
            property: "stale read",
            node: None,
            what: "x was 7, and had been overwritten".into(),
        }
    }

    #[test]
    fn a_violation_is_told_with_the_command_that_repeats_it() {
        let words = "simulate raft --nodes 3 --spares 0 --clients 2 --faulty 2s --calm 1500ms --lease-reads true \
                     --clock-drift 20 --jumps-under-leases --defect stale-reads --workload set";
        let alone = Alone::try_parse_from(words.split_whitespace()).unwrap();
        let found = Found {
            seed: 7,
            violation: violation(),
        };
        insta::assert_snapshot!(
            tell(&found, &alone.arguments, false) + &tell(&found, &alone.arguments, true)
        );
    }

    #[test]
    fn the_messages_of_a_run_are_documented() {
        let text = r#"{"format": 1, "title": "raft", "lanes": ["n1", "n2"], "from_us": 1, "to_us": 9,
            "arrows": [{"from": 0, "to": 1, "sent_us": 2, "arrived_us": null, "word": "Append", "label": "term: 1"}],
            "marks": [{"lane": null, "time_us": 3, "kind": "fault", "text": "storm"}],
            "states": [{"lane": 0, "from_us": 0, "kind": "leads"}]}"#;
        let diagram: partita_reports::sequence::Diagram = serde_json::from_str(text).unwrap();
        assert_documented("messages.json", &serde_json::to_value(diagram).unwrap());
    }

    #[test]
    fn scenarios_as_text_and_json() {
        let simulator = Simulator::by_name("raft").unwrap();
        let mut drawn = Runs {
            simulator,
            workload: None,
        }
        .drawn(7, Options::default())
        .unwrap();
        assert_documented("scenario", &json(&drawn).unwrap());
        let text = r#"{"protocol": "raft", "seed": 7, "options": {"nodes": 3, "spares": 0, "clients": 2, "faulty_ms": 2000,
            "calm_ms": 1000, "calm_operations_min": 1, "snapshot_entries": 50, "lease_reads": null,
            "clock_drift_percent": 10, "defect": "stale-reads"}, "schedule": [
            {"at_us": 1, "fault": {"crash": ["n1"]}, "for_us": 2}, {"at_us": 1, "fault": {"crash-at-sync": "n1"}, "for_us": 2},
            {"at_us": 1, "fault": {"torn-write": "n1"}, "for_us": 2}, {"at_us": 1, "fault": {"pause": "n1"}, "for_us": 2},
            {"at_us": 1, "fault": {"partition": {"one": ["n1"], "other": ["n2", "n3"], "one_way": true}}, "for_us": 2},
            {"at_us": 1, "fault": "storm", "for_us": 2}, {"at_us": 1, "fault": {"clock": {"node": "n1", "percent": 90}}, "for_us": 2},
            {"at_us": 1, "fault": {"clock-jump": {"node": "n1", "by_ms": -5}}, "for_us": 0},
            {"at_us": 1, "fault": {"slow-disk": "n1"}, "for_us": 2}, {"at_us": 1, "fault": {"rot": "n1"}, "for_us": 2},
            {"at_us": 1, "fault": {"add-member": "n4"}, "for_us": 0}, {"at_us": 1, "fault": {"remove-member": "n1"}, "for_us": 0},
            {"at_us": 1, "fault": {"transfer": null}, "for_us": 0}, {"at_us": 1, "fault": {"snapshot": "n1"}, "for_us": 0}],
            "turns": [{"at_us": 5, "client": 1}], "independent_turns": true}"#;
        let small: Scenario = serde_json::from_str(text).unwrap();
        let told = json(&small).unwrap();
        assert_documented("scenario", &told);
        assert_eq!(serde_json::from_value::<Scenario>(told.clone()).unwrap(), small);
        insta::assert_snapshot!("scenario-json", pretty(&told));
        let file = Path::new("small scenario.json");
        drawn.schedule.0.truncate(20);
        insta::assert_snapshot!("scenario-text", smaller(&drawn, &small, &violation(), file));
    }
}
