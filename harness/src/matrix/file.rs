//! The file that says what a night runs.
//!
//! ```toml
//! time-budget = "60m"                  # begin nothing more after that
//! retries = 1                          # what failed is tried again, to tell how often it does
//!
//! [[runs]]                             # every target with every workload, every set of faults, every seed
//! targets = ["raft", "zab"]
//! workloads = ["register", "set"]      # or ["all"]: all that fit the target
//! faults = ["partition,kill", "all"]   # each as --nemesis takes it
//! seeds = 2
//! options = "--nodes 5 --time-limit 20s"   # as on the command line of `partita run`
//!
//! [[simulations]]
//! protocols = ["raft", "zab"]
//! seeds = 2000
//! options = "--faulty 4s"              # as on the command line of `partita simulate`
//!
//! [[canaries]]                         # see the module `canary`
//! protocol = "raft"
//! defects = ["stale-reads", "early-acks"]
//! ```

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use toml::Spanned;

use super::canary::{self, Canaries};
use super::cell::{Cell, Kind};
use super::source::Source;
use crate::cli::units;
use crate::plan::unknown;

/// More seeds of one kind than this are surely a mistake.
const SEEDS_MAX: u64 = 10_000_000;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Contents {
    time_budget: Option<Spanned<String>>,
    #[serde(default)]
    retries: u32,
    #[serde(default)]
    runs: Vec<Spanned<Runs>>,
    #[serde(default)]
    simulations: Vec<Spanned<Simulations>>,
    #[serde(default)]
    canaries: Vec<Spanned<Canaries>>,
}

/// `[[runs]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Runs {
    targets: Vec<Spanned<String>>,
    workloads: Vec<Spanned<String>>,
    faults: Vec<Spanned<String>>,
    #[serde(default = "one")]
    seeds: u64,
    #[serde(default)]
    options: String,
}

/// `[[simulations]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Simulations {
    protocols: Vec<Spanned<String>>,
    /// None: the protocols' own clients.
    #[serde(default)]
    workloads: Vec<Spanned<String>>,
    seeds: u64,
    #[serde(default)]
    options: String,
}

fn one() -> u64 {
    1
}

/// What a file comes to, for one seed of everything random.
#[derive(Debug)]
pub(crate) struct Matrix {
    pub(crate) time_budget: Option<Duration>,
    pub(crate) retries: u32,
    /// Those that must fail first, then in rounds: a night that is cut short has done a little of everything.
    pub(crate) cells: Vec<Cell>,
}

/// A part of a matrix: the `number`th of `of`, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) number: u64,
    pub(crate) of: u64,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Shard { number, of }),
            _ => Err("expected a part of all, such as 3/8".into()),
        }
    }
}

/// Reads a matrix, checks every name in it, and gives its cells.
///
/// # Errors
/// When it can't be read, or anything in it is unknown, does not fit, or comes to nothing: with the line.
pub(crate) fn read(path: &Path, seed: u64, shard: Option<Shard>) -> anyhow::Result<Matrix> {
    let text = std::fs::read_to_string(path).with_context(|| format!("`{}`", path.display()))?;
    parse(path, &text, seed, shard)
}

fn parse(path: &Path, text: &str, seed: u64, shard: Option<Shard>) -> anyhow::Result<Matrix> {
    let contents: Contents = toml::from_str(text).with_context(|| format!("`{}`", path.display()))?;
    let source = Source { path, text };
    let time_budget = match &contents.time_budget {
        Some(time) => {
            let span = time.span();
            Some(units::duration(time.get_ref()).map_err(|error| source.error(span, &error))?)
        }
        None => None,
    };
    // One group a kind of cell, and in it one cell a seed.
    let mut groups: Vec<Vec<Cell>> = Vec::new();
    for runs in &contents.runs {
        of_runs(&source, runs, seed, &mut groups)?;
    }
    for simulations in &contents.simulations {
        of_simulations(&source, simulations, seed, &mut groups)?;
    }
    if groups.iter().all(Vec::is_empty) {
        bail!(
            "{}: the matrix is empty: it has neither [[runs]] nor [[simulations]] that come to anything",
            path.display()
        );
    }
    let rounds = groups.iter().map(Vec::len).max().unwrap_or(0);
    let cells = (0..rounds).flat_map(|round| groups.iter().filter_map(move |group| group.get(round)));
    let Shard { number, of } = shard.unwrap_or(Shard { number: 1, of: 1 });
    let mine = cells.zip(0..).filter(|(_, at)| at % of == number - 1);
    let mine: Vec<Cell> = mine.map(|(cell, _)| cell.clone()).collect();
    let canary_seed = seed.wrapping_add(number - 1);
    let mut cells = if contents.canaries.is_empty() {
        canary::of_every_night(&mine, canary_seed)
    } else {
        let mut canaries = Vec::new();
        for (number, it) in (1..).zip(&contents.canaries) {
            canary::of_file(&source, it, number, canary_seed, &mut canaries)?;
        }
        canaries
    };
    cells.extend(mine);
    let mut names: Vec<_> = cells.iter().map(|cell| &cell.name).collect();
    names.sort();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!("{}: `{}` is asked for twice", path.display(), twice[0]);
    }
    Ok(Matrix {
        time_budget,
        retries: contents.retries,
        cells,
    })
}

fn of_runs(
    source: &Source<'_>,
    runs: &Spanned<Runs>,
    seed: u64,
    groups: &mut Vec<Vec<Cell>>,
) -> anyhow::Result<()> {
    let span = runs.span();
    let runs = runs.get_ref();
    if runs.seeds == 0 || runs.seeds > SEEDS_MAX {
        return Err(source.error(span, &format!("seeds must be 1 to {SEEDS_MAX}")));
    }
    for (what, list) in [
        ("targets", &runs.targets),
        ("workloads", &runs.workloads),
        ("faults", &runs.faults),
    ] {
        if list.is_empty() {
            return Err(source.error(span, &format!("`{what}` is empty, so nothing is run")));
        }
    }
    for target in &runs.targets {
        let found = partita_targets::find(target.get_ref()).ok_or_else(|| {
            let names = partita_targets::ALL.iter().map(|target| target.name());
            source.error(target.span(), &unknown("target", target.get_ref(), names))
        })?;
        for (workload, at) in workloads(source, found, &runs.workloads)? {
            for faults in &runs.faults {
                let set = faults.get_ref();
                let mut group = Vec::new();
                for number in 0..runs.seeds {
                    let seed = of_night(seed, runs.seeds).wrapping_add(number);
                    let mut arguments: Vec<String> =
                        ["run", found.name(), "--workload", workload, "--nemesis"]
                            .map(str::to_owned)
                            .into();
                    arguments.push(set.clone());
                    arguments.extend(["--seed".to_owned(), seed.to_string()]);
                    arguments.extend(runs.options.split_whitespace().map(str::to_owned));
                    let plan = crate::cli::run::plan(&arguments).map_err(|error| {
                        let told = format!("{error:#}");
                        // A fault is the more likely mistake where both are named.
                        let at = if told.contains("workload `") {
                            at.clone()
                        } else {
                            faults.span()
                        };
                        source.error(at, &told)
                    })?;
                    let options = match runs.options.trim() {
                        "" => String::new(),
                        options => format!(" {options}"),
                    };
                    let name = format!("{} {workload} {set}{options}", found.name());
                    group.push(Cell {
                        group: name.clone(),
                        name: format!("{name} seed {seed}"),
                        kind: Kind::Run,
                        target: found.name().to_owned(),
                        tries: vec![arguments],
                        load_ms: plan.time_limit_ms,
                        canary: None,
                    });
                }
                groups.push(group);
            }
        }
    }
    Ok(())
}

/// The first of so many seeds of a night. Nights with consecutive seeds, such as the numbers of a CI system, have none in
/// common. They keep to 52 bits, so that every reader keeps them exact.
fn of_night(seed: u64, seeds: u64) -> u64 {
    seed.wrapping_mul(seeds) & ((1 << 52) - 1)
}

/// The workloads asked for, with where they stand; `all` is all that fit.
fn workloads<'a>(
    source: &Source<'_>,
    target: &dyn partita_targets::Target,
    asked: &'a [Spanned<String>],
) -> anyhow::Result<Vec<(&'a str, std::ops::Range<usize>)>> {
    let fits = |workload: &&dyn partita_workloads::Workload| {
        let offered = target.functions(workload.object());
        workload.functions().iter().all(|f| offered.contains(f))
    };
    let mut found = Vec::new();
    for name in asked {
        if name.get_ref() == "all" {
            let fitting = partita_workloads::ALL.iter().copied().filter(fits);
            found.extend(fitting.map(|workload| (workload.name(), name.span())));
        } else if partita_workloads::find(name.get_ref()).is_some() {
            found.push((name.get_ref().as_str(), name.span()));
        } else {
            let names = partita_workloads::ALL.iter().map(|workload| workload.name());
            let names = names.chain(["all"]);
            return Err(source.error(name.span(), &unknown("workload", name.get_ref(), names)));
        }
    }
    Ok(found)
}

fn of_simulations(
    source: &Source<'_>,
    simulations: &Spanned<Simulations>,
    seed: u64,
    groups: &mut Vec<Vec<Cell>>,
) -> anyhow::Result<()> {
    let span = simulations.span();
    let simulations = simulations.get_ref();
    if simulations.seeds == 0 || simulations.seeds > SEEDS_MAX {
        return Err(source.error(span, &format!("seeds must be 1 to {SEEDS_MAX}")));
    }
    if simulations.protocols.is_empty() {
        return Err(source.error(span, "`protocols` is empty, so nothing is run"));
    }
    let workloads: Vec<Option<&Spanned<String>>> = match simulations.workloads.as_slice() {
        [] => vec![None],
        names => names.iter().map(Some).collect(),
    };
    let first = of_night(seed, simulations.seeds);
    for protocol in &simulations.protocols {
        for workload in &workloads {
            let mut arguments: Vec<String> = vec!["simulate".into(), protocol.get_ref().clone()];
            let mut name = format!("simulated {}", protocol.get_ref());
            if let Some(workload) = workload {
                arguments.extend(["--workload".into(), workload.get_ref().clone()]);
                name = format!("{name} {}", workload.get_ref());
            }
            if !simulations.options.trim().is_empty() {
                name = format!("{name} {}", simulations.options.trim());
            }
            arguments.extend(["--seeds".into(), simulations.seeds.to_string()]);
            arguments.extend(["--first".into(), first.to_string()]);
            arguments.extend(simulations.options.split_whitespace().map(str::to_owned));
            crate::cli::simulate::check(&arguments).map_err(|error| {
                let told = format!("{error:#}");
                let at = workload.filter(|_| told.contains("is no workload"));
                source.error(at.unwrap_or(protocol).span(), &told)
            })?;
            groups.push(vec![Cell {
                name: format!("{name} seeds {first}+{}", simulations.seeds),
                group: name,
                kind: Kind::Simulation,
                target: protocol.get_ref().clone(),
                tries: vec![arguments],
                load_ms: canary::simulation_ms(simulations.seeds),
                canary: None,
            }]);
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
