//! `partita compare SIDE SIDE...`: do they differ?

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, anyhow};
use partita_checker::Verdict;

use super::{Failure, print, run, say};
use crate::child::{self, Outcome};
use crate::compare::side::Side;
use crate::compare::table;
use crate::matrix::night;

/// Arguments of `compare`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// What to compare: directories of runs, directories of nights, targets, or builds of this program (paths). Targets
    /// and builds are run, side by side with the same load and the same faults
    #[arg(required = true, num_args = 2..)]
    sides: Vec<String>,
    /// How many runs of each target or build
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where run directories are made
    #[arg(long, default_value = "runs/comparing")]
    runs_dir: PathBuf,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    json: bool,
    /// Further arguments of each `partita run`
    #[arg(last = true)]
    options: Vec<String>,
}

/// What a word stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Run,
    Night,
    Target,
    Build,
}

fn kind(word: &str) -> Result<Kind, Failure> {
    let path = Path::new(word);
    if path.join("plan.toml").is_file() {
        return Ok(Kind::Run);
    }
    if path.join(night::FILE).is_file() {
        return Ok(Kind::Night);
    }
    if partita_targets::find(word).is_some() {
        return Ok(Kind::Target);
    }
    if path.is_file() {
        return Ok(Kind::Build);
    }
    Err(Failure::usage(anyhow!(
        "`{word}` is no run, no night, no target (see `partita list targets`) and no program"
    )))
}

pub(super) fn main(arguments: &Arguments) -> Result<Verdict, Failure> {
    let kinds = arguments.sides.iter().map(|word| kind(word));
    let kinds: Vec<Kind> = kinds.collect::<Result<_, _>>()?;
    let first = kinds[0];
    if kinds.iter().any(|kind| *kind != first) {
        return Err(Failure::usage(anyhow!(
            "runs, nights, targets and builds can be compared with their like only"
        )));
    }
    let words = arguments.sides.iter();
    let sides: Vec<Side> = match first {
        Kind::Run => words.map(|word| Side::of_run(Path::new(word))).collect(),
        Kind::Night => words.map(|word| Side::of_night(Path::new(word))).collect(),
        Kind::Target | Kind::Build => Ok(live(arguments, first)?),
    }
    .map_err(Failure::Usage)?;
    let (base, others) = (&sides[0], &sides[1..]);
    if arguments.json {
        print(&format!("{}\n", table::json(base, others)));
    } else {
        for side in others {
            print(&table::text(base, side));
        }
    }
    Ok(Verdict::Valid)
}

/// Runs every side with every seed: first one side first, then the other, so that a machine that grows slower or
/// faster in the meantime favours none.
fn live(arguments: &Arguments, kind: Kind) -> Result<Vec<Side>, Failure> {
    let words = |side: &str, seed: u64| {
        let mut words = vec!["run".to_owned()];
        if kind == Kind::Target {
            words.push(side.to_owned());
        }
        words.extend(arguments.options.iter().cloned());
        words.extend(["--seed".to_owned(), seed.to_string()]);
        words
    };
    let mut patience = std::time::Duration::ZERO;
    for side in &arguments.sides {
        let plan = run::plan(&words(side, arguments.seed)).map_err(Failure::Usage)?;
        patience = patience.max(child::patience_with(&plan));
    }
    let mut sides: Vec<Side> = arguments.sides.iter().map(|word| Side::new(word)).collect();
    for number in 0..arguments.runs {
        let seed = arguments.seed.wrapping_add(number);
        let mut order: Vec<usize> = (0..sides.len()).collect();
        if number % 2 == 1 {
            order.reverse();
        }
        for at in order {
            let side = &mut sides[at];
            let mut command = match kind {
                Kind::Build => Command::new(std::path::absolute(&side.name).context("that is no path")?),
                _ => child::partita()?,
            };
            command
                .args(words(&side.name, seed))
                .args(["--json", "--quiet", "--runs-dir"]);
            command.arg(&arguments.runs_dir);
            let name = side.name.clone();
            let outcome: anyhow::Result<Outcome> = child::json(command, patience);
            // One run that broke must not make naught of all others.
            let outcome = match outcome {
                Ok(outcome) => outcome,
                Err(error) => {
                    side.add_broken();
                    say(&format!("{name} with seed {seed} broke: {error:#}"));
                    continue;
                }
            };
            if let Err(error) = side.add_run(&format!("seed {seed}"), &outcome) {
                say(&format!("{name} with seed {seed} can't be measured: {error:#}"));
            }
            if !arguments.json {
                say(&format!(
                    "{name} with seed {seed}: {}, {:.0} ok/s",
                    outcome.verdict, outcome.rate.ok
                ));
            }
        }
    }
    Ok(sides)
}
