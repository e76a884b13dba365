//! `partita matrix FILE.toml`: many runs, one verdict.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use partita_checker::Verdict;

use super::clean::remove_old;
use super::{Failure, print, say, terminal, units};
use crate::matrix::file::{self, Shard};
use crate::matrix::night::{Night, Place, RESULT};
use crate::matrix::tally::{Tally, telling};
use crate::matrix::{junit, markdown, page, work};
use crate::run::directory;
use crate::run::keep::Keep;

/// Arguments of `matrix`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// What to run
    #[arg(default_value = "nightly.toml", conflicts_with = "resume")]
    file: PathBuf,
    /// The directory of the night, made anew [default: runs/night-TIME]
    #[arg(long, conflicts_with = "resume")]
    dir: Option<PathBuf>,
    /// Go on with the night in this directory, which was killed
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Only this part of all cells, such as 3/8; parts of one night have one --seed
    #[arg(long, conflicts_with = "resume")]
    shard: Option<Shard>,
    /// The seed of everything random; drawn and printed if not given
    #[arg(long, conflicts_with = "resume", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    /// Begin nothing more after this time, whatever the file says
    #[arg(long, conflicts_with = "resume", value_parser = units::duration)]
    time_budget: Option<Duration>,
    /// How many clusters at a time [default: one for every four cores, so that they do not disturb each other]
    #[arg(long, conflicts_with = "resume", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// List the cells, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    keep: Keep,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn main(arguments: &Arguments) -> Result<Verdict, Failure> {
    let mut place = match &arguments.resume {
        Some(directory) if arguments.dry_run => {
            let place = Place::read(directory).map_err(Failure::Usage)?;
            list(&place.night, &place.to_do());
            return Ok(Verdict::Valid);
        }
        Some(directory) => Place::resume(directory).map_err(Failure::Usage)?,
        None => {
            let night = night(arguments).map_err(Failure::Usage)?;
            if arguments.dry_run {
                let all: Vec<_> = (0..night.cells.len()).collect();
                print(&list(&night, &all));
                return Ok(Verdict::Valid);
            }
            let directory = arguments.dir.clone().unwrap_or_else(|| {
                let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
                PathBuf::from(format!("runs/night-{time}"))
            });
            Place::create(&directory, night).map_err(Failure::Usage)?
        }
    };
    let all = place.night.cells.len();
    if !arguments.json {
        let left = place.to_do().len();
        say(&format!(
            "{left} of {all} cells to do, seed {}, {} at a time, in {}",
            place.night.seed,
            place.night.jobs,
            place.directory.display()
        ));
    }
    work::work(&mut place, &|number, cell, done| {
        if !arguments.json {
            say(&work::line(number, all, cell, done));
        }
    })?;
    let tally = Tally::of(&place);
    write(&place, &tally)?;
    if arguments.json {
        print(&format!("{}\n", json(&place, &tally)));
    } else {
        print(&told(&place, &tally));
    }
    terminal::add_to_step_summary(|| markdown::markdown(&place, &tally))
        .context("the step's summary can't be written")?;
    // What this night came to does not hang on what becomes of others.
    if let Err(error) = remove_others(arguments, &place) {
        say(&format!("warning: {error:#}"));
    }
    Ok(tally.verdict)
}

fn remove_others(arguments: &Arguments, place: &Place) -> anyhow::Result<()> {
    let directory = std::path::absolute(&place.directory).context("the night has no path")?;
    match directory.parent() {
        Some(nights) => remove_old(&arguments.keep, nights, Some(&directory)),
        None => Ok(()),
    }
}

fn night(arguments: &Arguments) -> anyhow::Result<Night> {
    // Short enough to be typed.
    let drawn = || RandomState::new().build_hasher().finish() >> 32;
    let seed = arguments.seed.unwrap_or_else(drawn);
    let matrix = file::read(&arguments.file, seed, arguments.shard)?;
    let budget = arguments.time_budget.or(matrix.time_budget);
    Ok(Night {
        format: 1,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        matrix: arguments.file.display().to_string(),
        started: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        seed,
        shard: arguments
            .shard
            .map(|Shard { number, of }| format!("{number}/{of}")),
        time_budget_ms: budget.map(|budget| u64::try_from(budget.as_millis()).unwrap_or(u64::MAX)),
        retries: matrix.retries,
        jobs: arguments.jobs.map_or_else(work::jobs_by_default, usize::from),
        cells: matrix.cells,
    })
}

/// What would be done.
fn list(night: &Night, to_do: &[usize]) -> String {
    let cells: Vec<_> = to_do.iter().map(|&number| &night.cells[number]).collect();
    let names: String = cells.iter().map(|cell| format!("{}\n", cell.name)).collect();
    let load: u64 = cells.iter().map(|cell| cell.load_ms).sum();
    let canaries = cells.iter().filter(|cell| cell.canary.is_some()).count();
    names
        + &format!(
            "{} cells, of which {canaries} are canaries; at least {} min of load, {} at a time\n",
            cells.len(),
            load.div_ceil(60_000),
            night.jobs
        )
}

fn write(place: &Place, tally: &Tally) -> anyhow::Result<()> {
    for (name, text) in [
        ("index.html", page::page(place, tally)),
        ("junit.xml", junit::junit(place, tally)),
        ("summary.md", markdown::markdown(place, tally)),
        (RESULT, serde_json::to_string_pretty(&json(place, tally))?),
    ] {
        directory::write(&place.directory, name, &text)?;
    }
    Ok(())
}

/// The object that `--json` prints; also `result.json`.
fn json(place: &Place, tally: &Tally) -> serde_json::Value {
    let cells = place.night.cells.iter().enumerate();
    let cells: Vec<_> = cells
        .map(|(number, cell)| {
            let done = place.done.get(&number);
            serde_json::json!({
                "name": cell.name,
                "group": cell.group,
                "canary": cell.canary.as_ref().map(|canary| &canary.defect),
                "verdict": done.map(|done| done.verdict),
                "reason": done.map(|done| &done.reason),
                "seconds": done.map(|done| done.seconds),
                "attempts": done.map(|done| &done.attempts),
            })
        })
        .collect();
    serde_json::json!({
        "format": partita_reports::run::FORMAT,
        "verdict": tally.verdict,
        "exit_code": tally.verdict.exit_code(),
        "reason": tally.reason,
        "seed": place.night.seed,
        "started": place.night.started,
        "directory": place.directory.display().to_string(),
        "tally": tally,
        "cells": cells,
    })
}

fn told(place: &Place, tally: &Tally) -> String {
    let (on, off) = if terminal::color() {
        ("\u{1b}[1m", "\u{1b}[0m")
    } else {
        ("", "")
    };
    let mut text = format!(
        "{on}{}{off}: {}\n{}\n",
        tally.verdict.to_string().to_uppercase(),
        tally.reason,
        tally.work()
    );
    for done in place.done.values().filter(|done| done.verdict != Verdict::Valid) {
        text += &format!("  {}: {}: {}\n", done.name, done.verdict, done.reason);
        if let Some(attempt) = telling(done) {
            text += &format!("    again: {}\n", attempt.command);
        }
    }
    let size = size_of(&place.directory).map_or_else(|_| "?".into(), units::size);
    text + &format!(
        "in {} ({size}); see {}\n",
        place.directory.display(),
        place.directory.join("index.html").display()
    )
}

/// What all files in a directory take, in bytes.
fn size_of(directory: &Path) -> anyhow::Result<u64> {
    crate::run::directory::size(directory).with_context(|| anyhow!("`{}`", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::pretty;
    use crate::formats::assert_documented;
    use crate::matrix::tally::tests::place;

    #[test]
    fn a_night_as_text_and_json() {
        let home = tempfile::tempdir().unwrap();
        let place = place(home.path());
        let tally = Tally::of(&place);
        let fixed = |text: String| text.replace(&home.path().display().to_string(), "nights");
        let result = json(&place, &tally);
        assert_documented("result.json", &result);
        insta::assert_snapshot!("night-json", fixed(pretty(&result)));
        let cells = &place.night.cells;
        let lines = place.done.iter().map(|(&number, done)| {
            let cell = &cells[number];
            work::line(number, cells.len(), cell, done) + "\n"
        });
        let text = list(&place.night, &[0, 1, 2, 3]) + &lines.collect::<String>() + &told(&place, &tally);
        // What the directory takes hangs on the length of its name.
        let (text, size) = (fixed(text), units::size(size_of(&place.directory).unwrap()));
        insta::assert_snapshot!("night-text", text.replace(&size, "SIZE"));
        let plan = serde_json::to_value(&place.night).unwrap();
        assert_documented("night.json", &plan);
        insta::assert_snapshot!("night-plan-json", pretty(&plan));
        for done in place.done.values() {
            assert_documented("cells/N.json", &serde_json::to_value(done).unwrap());
        }
    }
}
