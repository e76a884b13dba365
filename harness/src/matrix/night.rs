//! The directory of a night: all that is needed to take it up again after it was killed.
//!
//! ```text
//! night.json     what is to be done (written once, and locked while somebody does it)
//! cells/N.json   what came of cell N (each written whole or not at all)
//! runs/          the run directories
//! index.html, junit.xml, summary.md, result.json   made from the above
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::cell::{Cell, Done};
use crate::run::directory;

/// The version of `night.json` and of the cells.
const FORMAT: u32 = 1;
/// What is to be done.
pub(crate) const FILE: &str = "night.json";
/// What came of it: there only when it is over.
pub(crate) const RESULT: &str = "result.json";

/// `night.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Night {
    /// The version of the format.
    pub(crate) format: u32,
    /// The version of the program.
    pub(crate) version: String,
    /// The file that the cells were read from, as it was given.
    pub(crate) matrix: String,
    /// When it began, in UTC, as `2026-11-21T04:05:06Z`.
    pub(crate) started: String,
    /// The seed of everything random.
    pub(crate) seed: u64,
    /// Which part of all, as `3/8`.
    pub(crate) shard: Option<String>,
    /// After this time nothing more is begun, in milliseconds.
    pub(crate) time_budget_ms: Option<u64>,
    /// How often what failed is tried again.
    pub(crate) retries: u32,
    /// How many cells go on at a time.
    pub(crate) jobs: usize,
    /// What is to be done, in this order.
    pub(crate) cells: Vec<Cell>,
}

/// A night in its directory.
pub(crate) struct Place {
    pub(crate) directory: PathBuf,
    pub(crate) night: Night,
    /// What came of cells, by their position.
    pub(crate) done: BTreeMap<usize, Done>,
    /// Held, and thereby locked, while the night goes on.
    _lock: Option<File>,
}

impl Place {
    /// Makes the directory of a new night.
    ///
    /// # Errors
    /// When it is there already, or can't be made.
    pub(crate) fn create(directory: &Path, night: Night) -> anyhow::Result<Place> {
        let cannot = || {
            format!(
                "the directory of the night can't be made: `{}`",
                directory.display()
            )
        };
        if let Some(parent) = directory.parent() {
            fs::create_dir_all(parent).with_context(cannot)?;
        }
        fs::create_dir(directory).with_context(cannot)?;
        for name in ["cells", "runs"] {
            fs::create_dir(directory.join(name)).with_context(cannot)?;
        }
        let text = serde_json::to_string_pretty(&night)?;
        let unfinished = directory.join(".night.json");
        let mut file = File::create_new(&unfinished).with_context(cannot)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| file.lock())
            .and_then(|()| fs::rename(&unfinished, directory.join(FILE)))
            .with_context(cannot)?;
        Ok(Place {
            directory: directory.to_owned(),
            night,
            done: BTreeMap::new(),
            _lock: Some(file),
        })
    }

    /// Takes a night up again.
    ///
    /// # Errors
    /// When there is none, it can't be read, or somebody is at it.
    pub(crate) fn resume(directory: &Path) -> anyhow::Result<Place> {
        let file = File::open(directory.join(FILE))
            .with_context(|| format!("`{}` is not the directory of a night", directory.display()))?;
        if file.try_lock().is_err() {
            bail!("the night in `{}` goes on", directory.display());
        }
        let mut place = Place::read(directory)?;
        // Nothing of ours goes on, so these were killed.
        for run in directory::killed(&directory.join("runs")) {
            directory::remove_data(&run).with_context(|| format!("`{}`", run.display()))?;
        }
        // What it came to is not known again until it is over: nobody must take it for over in the meantime.
        match fs::remove_file(directory.join(RESULT)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("`{}`", directory.join(RESULT).display()));
            }
            _ => {}
        }
        place._lock = Some(file);
        Ok(place)
    }

    /// Reads a night, without taking it up.
    ///
    /// # Errors
    /// When there is none, or it can't be read.
    pub(crate) fn read(directory: &Path) -> anyhow::Result<Place> {
        let path = directory.join(FILE);
        let about = || format!("`{}`", path.display());
        let text = fs::read_to_string(&path).with_context(about)?;
        let night: Night = serde_json::from_str(&text).with_context(about)?;
        if night.format != FORMAT {
            bail!(
                "{}: is of format {}, and this program reads {FORMAT}",
                about(),
                night.format
            );
        }
        let mut done = BTreeMap::new();
        for (number, cell) in night.cells.iter().enumerate() {
            let path = cell_path(directory, number);
            let text = match fs::read_to_string(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                read => read.with_context(|| format!("`{}`", path.display()))?,
            };
            let it: Done = serde_json::from_str(&text).with_context(|| format!("`{}`", path.display()))?;
            if it.name != cell.name {
                bail!("`{}` is of `{}`, not of `{}`", path.display(), it.name, cell.name);
            }
            done.insert(number, it);
        }
        Ok(Place {
            directory: directory.to_owned(),
            night,
            done,
            _lock: None,
        })
    }

    /// Keeps what came of a cell.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn keep(&mut self, number: usize, done: Done) -> anyhow::Result<()> {
        let path = cell_path(&self.directory, number);
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = serde_json::to_string_pretty(&done)?;
        directory::write(&self.directory.join("cells"), &name, &text)?;
        self.done.insert(number, done);
        Ok(())
    }

    /// The cells that are still to be done, or to be tried again, by their position.
    pub(crate) fn to_do(&self) -> Vec<usize> {
        let is_done = |number: &usize| self.done.get(number).is_some_and(|done| !done.unfinished);
        (0..self.night.cells.len())
            .filter(|number| !is_done(number))
            .collect()
    }

    /// Where run directories are made.
    pub(crate) fn runs(&self) -> PathBuf {
        self.directory.join("runs")
    }

    /// What of the time budget is left. The time between being killed and being taken up again does not count.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let budget = Duration::from_millis(self.night.time_budget_ms?);
        let spent: f64 = self.done.values().map(|done| done.seconds).sum();
        let spent = Duration::try_from_secs_f64(spent / self.night.jobs.max(1) as f64).unwrap_or_default();
        Some(budget.saturating_sub(spent))
    }
}

fn cell_path(directory: &Path, number: usize) -> PathBuf {
    directory.join("cells").join(format!("{number:05}.json"))
}

#[cfg(test)]
pub(crate) mod tests {
    use partita_checker::Verdict;

    use super::super::cell::tests::{attempt, cell};
    use super::*;

    pub(crate) fn night(cells: Vec<Cell>) -> Night {
        Night {
            format: FORMAT,
            version: "0.1.0".into(),
            matrix: "nightly.toml".into(),
            started: "2026-11-21T02:00:00Z".into(),
            seed: 7,
            shard: None,
            time_budget_ms: Some(60_000),
            retries: 0,
            jobs: 1,
            cells,
        }
    }

    #[test]
    fn a_night_is_taken_up_where_it_was_killed() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("nights/one");
        let cells = vec![cell("a seed 1", None), cell("b seed 1", None)];
        let mut place = Place::create(&directory, night(cells.clone())).unwrap();
        place
            .keep(1, cells[1].judge(vec![attempt(Verdict::Valid, "")], 20.0))
            .unwrap();
        let error = Place::resume(&directory).err().unwrap().to_string();
        assert!(error.contains("goes on"), "{error}");
        assert_eq!(place.to_do(), [0]);
        let half = Done {
            unfinished: true,
            ..cells[0].judge(vec![attempt(Verdict::Invalid, "stale read")], 0.0)
        };
        place.keep(0, half).unwrap();
        let done = place.done.clone();
        drop(place);
        fs::write(directory.join(RESULT), "{}").unwrap();
        // What a killed writer leaves is no result.
        fs::write(directory.join("cells/.00000.json"), "{\"na").unwrap();
        let place = Place::resume(&directory).unwrap();
        assert_eq!((&place.night.cells, &place.done), (&cells, &done));
        assert_eq!(place.to_do(), [0], "it is to be tried again");
        assert_eq!(place.done[&0].verdict, Verdict::Invalid, "and has failed");
        assert!(!directory.join(RESULT).exists(), "it is not over");
        assert_eq!(place.time_left(), Some(Duration::from_secs(40)));
        assert!(Place::create(&directory, night(cells)).is_err());
        assert!(Place::resume(home.path()).is_err());
    }
}
