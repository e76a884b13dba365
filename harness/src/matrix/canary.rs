//! Canaries: runs with a deliberate bug, which must be found. A night in which one is not says nothing about anything.
//!
//! ```toml
//! [[canaries]]
//! protocol = "raft"
//! defects = ["stale-reads", "early-acks"]  # by default all that the protocol can have
//! draw = 1                                 # so many of them a night, by its seed
//! simulated = false                        # in processes, or in virtual time
//! tries = 4                                # runs (or seeds), until it is found
//! options = "--time-limit 25s"
//! ```

use anyhow::Context;
use partita_generator::random;
use partita_protocols::{Defect, ProtocolKind};
use rand::seq::SliceRandom;
use serde::Deserialize;
use toml::Spanned;

use super::cell::{Cell, Expected, Kind};
use super::source::Source;
use crate::cli::units;
use crate::plan::unknown;

/// Chance decides whether one run meets a bug: what a fault hits depends on the moment.
const RUNS: u64 = 4;
/// In virtual time much more can be tried.
const SEEDS: u64 = 400;
/// More runs than this no night has time for.
const RUNS_MAX: u64 = 1_000;
/// How long one run may look for a bug, if nothing is said.
const TIME_LIMIT: &str = "25s";
/// What a simulated seed takes at most, in milliseconds, on a busy machine.
const SEED_MS: u64 = 100;
/// The bugs that every night without canaries of its own draws from: runs find them within seconds.
const OF_EVERY_NIGHT: [&str; 3] = ["stale-reads", "early-acks", "unsynced-acks"];
/// The protocol that has them.
const PROTOCOL_OF_EVERY_NIGHT: &str = "raft";

/// `[[canaries]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Canaries {
    protocol: Spanned<String>,
    #[serde(default)]
    defects: Vec<Spanned<String>>,
    draw: Option<usize>,
    #[serde(default)]
    simulated: bool,
    tries: Option<u64>,
    #[serde(default)]
    options: String,
}

/// How long so many simulated seeds may take, in milliseconds.
pub(super) fn simulation_ms(seeds: u64) -> u64 {
    seeds.saturating_mul(SEED_MS)
}

/// The faults that should expose a defect and that real processes can be made to suffer.
fn real_faults(defect: &Defect) -> Vec<&'static str> {
    let known = |name: &&&str| partita_nemesis::fault::find(name).is_some();
    defect.faults.iter().filter(known).copied().collect()
}

/// Those of a night whose file has none.
pub(super) fn of_every_night(cells: &[Cell], seed: u64) -> Vec<Cell> {
    let defects = OF_EVERY_NIGHT
        .iter()
        .filter_map(|name| Defect::by_name(name).ok());
    let mut defects: Vec<_> = defects.collect();
    defects.shuffle(&mut random(seed, "canaries"));
    let Some(&defect) = defects.first() else {
        return Vec::new();
    };
    let mut canaries = vec![simulation(PROTOCOL_OF_EVERY_NIGHT, defect, SEEDS, "", seed)];
    if cells.iter().any(|cell| cell.kind == Kind::Run) {
        canaries.push(run(PROTOCOL_OF_EVERY_NIGHT, defect, RUNS, "", seed));
    }
    canaries
}

/// Those that a table of a file asks for, by the table's number.
pub(super) fn of_file(
    source: &Source<'_>,
    canaries: &Spanned<Canaries>,
    number: usize,
    seed: u64,
    cells: &mut Vec<Cell>,
) -> anyhow::Result<()> {
    let span = canaries.span();
    let it = canaries.get_ref();
    let protocol = it.protocol.get_ref();
    if protocol.parse::<ProtocolKind>().is_err() {
        let names = ProtocolKind::ALL.iter().map(|kind| kind.name());
        return Err(source.error(it.protocol.span(), &unknown("protocol", protocol, names)));
    }
    let fitting = || {
        Defect::all()
            .filter(|defect| defect.fits(protocol))
            .filter(|defect| it.simulated || !real_faults(defect).is_empty())
    };
    let mut defects: Vec<&'static Defect> = Vec::new();
    for name in &it.defects {
        let found = fitting().find(|defect| defect.name == name.get_ref());
        defects.push(found.ok_or_else(|| {
            let names = fitting().map(|defect| defect.name);
            let kind = format!("defect of {protocol}");
            source.error(name.span(), &unknown(&kind, name.get_ref(), names))
        })?);
    }
    if defects.is_empty() {
        defects.extend(fitting());
    }
    let draw = it.draw.unwrap_or(1);
    let tries = it.tries.unwrap_or(if it.simulated { SEEDS } else { RUNS });
    if draw == 0 || tries == 0 {
        return Err(source.error(span, "with `draw` or `tries` 0 nothing has to be found"));
    }
    if !it.simulated && tries > RUNS_MAX {
        let told = format!("`tries` in processes must be 1 to {RUNS_MAX}");
        return Err(source.error(span, &told));
    }
    // Each table draws for itself, so that they don't all have the same.
    defects.shuffle(&mut random(seed, &format!("canaries {number}")));
    for defect in defects.into_iter().take(draw) {
        let mut cell = if it.simulated {
            simulation(protocol, defect, tries, &it.options, seed)
        } else {
            run(protocol, defect, tries, &it.options, seed)
        };
        check(&cell).map_err(|error| source.error(span.clone(), &format!("{error:#}")))?;
        // Whether two tables draw the same must not decide whether the file is good.
        if cells.iter().any(|other| other.name == cell.name) {
            cell.group += &format!(" (table {number})");
            cell.name = cell.group.clone();
        }
        cells.push(cell);
    }
    Ok(())
}

/// A name with the options, as those of other cells have them.
fn named(name: &str, options: &str) -> String {
    format!("{name} {}", options.trim()).trim_end().to_owned()
}

/// Could it be started?
fn check(cell: &Cell) -> anyhow::Result<()> {
    let arguments = cell.tries.first().context("nothing is tried")?;
    match cell.kind {
        Kind::Run => crate::cli::run::plan(arguments).map(|_| ()),
        Kind::Simulation => crate::cli::simulate::check(arguments),
    }
}

fn run(protocol: &str, defect: &'static Defect, tries: u64, options: &str, seed: u64) -> Cell {
    let faults = real_faults(defect);
    let words: Vec<&str> = options.split_whitespace().collect();
    let given = words.windows(2).find(|pair| pair[0] == "--time-limit");
    let limit = given.map_or(TIME_LIMIT, |pair| pair[1]);
    let default = if given.is_some() {
        String::new()
    } else {
        format!("--time-limit {TIME_LIMIT}")
    };
    let one_try = |number: u64| {
        // Each by itself exposes it, and undisturbed sooner.
        let fault = faults[(number as usize) % faults.len()];
        let seed = seed.wrapping_add(number) & (i64::MAX as u64);
        let line = format!(
            "run {protocol} --defect {} --workload {} --nemesis {fault} --on-violation stop --seed {seed} {default} {options}",
            defect.name, defect.workload
        );
        line.split_whitespace().map(str::to_owned).collect()
    };
    let name = named(&format!("canary {protocol} {}", defect.name), options);
    Cell {
        group: name.clone(),
        name,
        kind: Kind::Run,
        target: protocol.to_owned(),
        tries: (0..tries).map(one_try).collect(),
        load_ms: units::duration(limit).map_or(0, |limit| limit.as_millis() as u64),
        canary: Some(Expected {
            defect: defect.name.to_owned(),
            simulated: false,
            findings: defect.anomalies.iter().map(|name| (*name).to_owned()).collect(),
        }),
    }
}

fn simulation(protocol: &str, defect: &'static Defect, seeds: u64, options: &str, seed: u64) -> Cell {
    let first = seed & u64::from(u32::MAX);
    let line = format!(
        "simulate {protocol} --defect {} --seeds {seeds} --first {first} {options}",
        defect.name
    );
    let name = named(&format!("canary simulated {protocol} {}", defect.name), options);
    Cell {
        group: name.clone(),
        name,
        kind: Kind::Simulation,
        target: protocol.to_owned(),
        tries: vec![line.split_whitespace().map(str::to_owned).collect()],
        load_ms: simulation_ms(seeds),
        canary: Some(Expected {
            defect: defect.name.to_owned(),
            simulated: true,
            findings: Vec::new(),
        }),
    }
}
