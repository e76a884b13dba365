//! `partita calibrate`: how well do we find planted bugs?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use partita_checker::Verdict;
use partita_protocols::{Defect, ProtocolKind};
use partita_simulator::{Options, Simulator};

use super::{Failure, print, say, units};
use crate::calibrate::aimed::Aimed;
use crate::calibrate::is_expected_in_simulation;
use crate::calibrate::processes::{self, Faults, Run};
use crate::calibrate::render::{Calibration, html, markdown};
use crate::calibrate::trial::{Row, Trial};
use crate::child;

/// Arguments of `calibrate`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Only these protocols, with commas between
    #[arg(long, value_delimiter = ',')]
    protocol: Vec<String>,
    /// Only these defects, with commas between (see `partita list defects`)
    #[arg(long, value_delimiter = ',')]
    defect: Vec<String>,
    /// How many seeds each defect is tried with in virtual time
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// How many runs of real processes each defect is tried with, under each kind of faults that should expose it
    #[arg(long, default_value_t = 0)]
    runs: u64,
    /// How long a run of real processes may take to find it
    #[arg(long, default_value = "120s", value_parser = units::duration)]
    time_limit: Duration,
    /// How many nodes
    #[arg(long, default_value_t = 5)]
    nodes: usize,
    /// How many trials go on at once; by default one a core
    #[arg(long)]
    jobs: Option<usize>,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the directory with the results is made
    #[arg(long, default_value = "runs")]
    runs_dir: PathBuf,
    /// Print the results as one JSON object on standard output, and nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn main(arguments: &Arguments) -> Result<Verdict, Failure> {
    let (protocols, defects) = chosen(arguments).map_err(Failure::Usage)?;
    if arguments.seeds == 0 && arguments.runs == 0 {
        return Err(Failure::usage(anyhow!(
            "with --seeds 0 and --runs 0 nothing is tried"
        )));
    }
    let name = format!("calibration-{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ"));
    let directory = arguments.runs_dir.join(name);
    std::fs::create_dir_all(&directory).with_context(|| format!("failed to make {}", directory.display()))?;
    let mut calibration = Calibration {
        format: 1,
        version: env!("CARGO_PKG_VERSION"),
        date: Timestamp::now().strftime("%Y-%m-%d").to_string(),
        simulated: Vec::new(),
        processes: Vec::new(),
    };
    for &protocol in &protocols {
        let fitting: Vec<_> = defects
            .iter()
            .copied()
            .filter(|defect| defect.fits(protocol.name()))
            .collect();
        for defect in fitting.iter().copied().map(Some).chain([None]) {
            if arguments.seeds > 0 {
                let simulator = Simulator::by_name(protocol.name()).context("it can't be simulated")?;
                let row = simulated(arguments, simulator, defect);
                tell(arguments, &row, "virtual time");
                calibration.simulated.push(row);
            }
            if arguments.runs > 0 {
                let kinds = kinds(defect, &fitting);
                let aimed = thought_out(protocol, defect, &fitting);
                if let Some(defect) = defect.filter(|_| kinds.is_empty() && aimed.is_empty()) {
                    let needed = defect.faults.join(" or ");
                    say(&format!(
                        "{defect} is not tried in processes: it needs {needed}, which real runs do not have"
                    ));
                }
                let named = kinds.into_iter().map(Faults::Named);
                for faults in named.chain(aimed.into_iter().map(Faults::Aimed)) {
                    let row = in_processes(arguments, protocol, defect, faults, &directory);
                    tell(arguments, &row, "processes");
                    calibration.processes.push(row);
                }
            }
            // What is measured is kept, whatever comes next.
            write(&directory, &calibration)?;
        }
    }
    let alarms = calibration.false_alarms();
    let never = calibration.never_found();
    if arguments.json {
        let text = serde_json::to_string(&calibration).context("the results can't be written as JSON")?;
        print(&format!("{text}\n"));
    } else {
        print(&markdown(&calibration));
        print(&format!(
            "\n{alarms} false alarms; never found: {}\n",
            list(&never)
        ));
        print(&format!("in {}\n", directory.display()));
    }
    Ok(if alarms > 0 {
        Verdict::Invalid
    } else if never.is_empty() {
        Verdict::Valid
    } else {
        Verdict::NotExercised
    })
}

fn list(names: &[&str]) -> String {
    match names {
        [] => "none".into(),
        names => names.join(", "),
    }
}

fn chosen(arguments: &Arguments) -> anyhow::Result<(Vec<ProtocolKind>, Vec<&'static Defect>)> {
    let defects: Vec<&'static Defect> = match arguments.defect.as_slice() {
        [] => Defect::all().collect(),
        names => names
            .iter()
            .map(|name| Defect::by_name(name))
            .collect::<Result<_, _>>()?,
    };
    let protocols: Vec<ProtocolKind> = match arguments.protocol.as_slice() {
        // Those that the defects are bugs of.
        [] => ProtocolKind::ALL
            .iter()
            .copied()
            .filter(|kind| defects.iter().any(|defect| defect.fits(kind.name())))
            .collect(),
        names => names.iter().map(|name| name.parse()).collect::<Result<_, _>>()?,
    };
    for defect in &defects {
        if !arguments.defect.is_empty() && !protocols.iter().any(|kind| defect.fits(kind.name())) {
            return Err(anyhow!("{defect} is no bug of the protocols that were chosen"));
        }
    }
    Ok((protocols, defects))
}

/// The kinds of faults to try a defect under, each by itself; without one, those of all of them.
fn kinds(defect: Option<&'static Defect>, all: &[&'static Defect]) -> Vec<&'static str> {
    let mut kinds: Vec<&'static str> = match defect {
        Some(defect) => defect.faults.to_vec(),
        None => all
            .iter()
            .flat_map(|defect| defect.faults.iter().copied())
            .collect(),
    };
    kinds.sort_unstable();
    kinds.dedup();
    // Not all that a simulator can do, real processes can be made to suffer.
    kinds.retain(|kind| {
        partita_nemesis::fault::ALL
            .iter()
            .any(|fault| fault.name() == *kind)
    });
    kinds
}

/// The schedules that were thought out for a defect; without one, those for all of them.
fn thought_out(
    protocol: ProtocolKind,
    defect: Option<&'static Defect>,
    all: &[&'static Defect],
) -> Vec<Aimed> {
    let defects = defect.map_or_else(|| all.to_vec(), |defect| vec![defect]);
    let schedule = |defect: &Defect| Aimed::at(protocol.name(), defect.name);
    defects.into_iter().filter_map(schedule).collect()
}

/// What came of each trial, in their order; as many go on at once as were asked for.
fn trials(
    arguments: &Arguments,
    count: u64,
    trial: impl Fn(u64) -> anyhow::Result<Trial> + Sync,
) -> Vec<anyhow::Result<Trial>> {
    let next = AtomicU64::new(0);
    let done = Mutex::new(BTreeMap::new());
    let jobs = arguments
        .jobs
        .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
        .unwrap_or(1);
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let tried = trial(arguments.seed + number);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(number, tried);
                }
            });
        }
    });
    done.into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .into_values()
        .collect()
}

fn simulated(arguments: &Arguments, simulator: &Simulator, defect: Option<&'static Defect>) -> Row {
    let options = Options {
        nodes: arguments.nodes,
        defect,
        ..Options::default()
    };
    let trials = trials(arguments, arguments.seeds, |seed| {
        let violation = (simulator.simulate)(seed, &options).violation;
        let seconds = violation
            .as_ref()
            .map_or(0.0, |violation| violation.time_us as f64 / 1e6);
        Ok(Trial {
            found: violation
                .map(|violation| violation.property.to_owned())
                .into_iter()
                .collect(),
            seconds,
        })
    });
    Row::new(
        simulator.name,
        defect.map(|defect| defect.name),
        "all",
        trials,
        |found| is_expected_in_simulation(defect, found),
    )
}

fn in_processes(
    arguments: &Arguments,
    protocol: ProtocolKind,
    defect: Option<&'static Defect>,
    faults: Faults<'_>,
    directory: &Path,
) -> Row {
    let first = match faults {
        Faults::Aimed(aimed) => aimed.seed().unwrap_or(0),
        Faults::Named(_) => 0,
    };
    let trials = trials(arguments, arguments.runs, |seed| {
        let seed = first + seed;
        let tried = processes::run(Run {
            protocol: protocol.name(),
            defect: defect.map(|defect| defect.name),
            workload: defect.and_then(|defect| workload(defect, protocol)),
            faults,
            nodes: arguments.nodes,
            time_limit: arguments.time_limit,
            seed,
            runs_dir: directory,
        });
        if let Err(error) = &tried {
            say(&format!("warning: {error:#}"));
        }
        tried
    });
    let is_expected = |found: &str| {
        defect
            .is_some_and(|defect| defect.anomalies.contains(&found) || child::FOUND_BY_NODES.contains(&found))
    };
    let label = match (faults, defect) {
        (Faults::Named(names), _) => names.to_owned(),
        (Faults::Aimed(_), Some(_)) => "its own schedule".to_owned(),
        (Faults::Aimed(aimed), None) => format!("schedule of {}", aimed.defect),
    };
    Row::new(
        protocol.name(),
        defect.map(|defect| defect.name),
        &label,
        trials,
        is_expected,
    )
}

/// The workload that should expose the defect; none if this protocol serves no such objects, and its own must do.
fn workload(defect: &Defect, protocol: ProtocolKind) -> Option<&'static str> {
    let workload = partita_workloads::find(defect.workload)?;
    let target = partita_targets::find(protocol.name())?;
    let offered = target.functions(workload.object());
    let serves = workload.functions().iter().all(|f| offered.contains(f));
    serves.then(|| workload.name())
}

fn tell(arguments: &Arguments, row: &Row, place: &str) {
    if !arguments.json {
        let defect = row.defect.unwrap_or("no defect");
        let hits = if row.defect.is_some() {
            row.expected
        } else {
            row.found
        };
        say(&format!(
            "{}: {defect}, {place}, {}: {hits} of {}",
            row.protocol, row.faults, row.trials
        ));
    }
}

fn write(directory: &Path, calibration: &Calibration) -> anyhow::Result<()> {
    let files = [
        ("calibration.json", serde_json::to_string_pretty(calibration)?),
        ("calibration.md", markdown(calibration)),
        ("calibration.html", html(calibration)),
    ];
    for (name, text) in files {
        let path = directory.join(name);
        std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a simulator does to nodes and real runs can't.
    const SIMULATED_ONLY: &str = "disk";

    #[test]
    fn every_fault_that_should_expose_a_defect_is_one_that_there_is() {
        for defect in Defect::all() {
            for fault in defect.faults {
                let there = partita_nemesis::fault::find(fault).is_some();
                assert!(there || *fault == SIMULATED_ONLY, "{defect}: {fault}");
            }
        }
    }
}
