//! What there is to see, as rows.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use partita_checker::Verdict;
use partita_reports::run::{FaultCount, Outcomes, Rate};
use serde::Deserialize;

use crate::matrix::night;

/// What of `verdict.json` is of interest here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Row {
    /// Where it is, below the directory that is served.
    #[serde(skip)]
    pub(super) path: String,
    /// Whether it came to a verdict.
    #[serde(skip)]
    pub(super) judged: bool,
    pub(super) verdict: Verdict,
    pub(super) reason: String,
    pub(super) command: String,
    pub(super) seed: u64,
    pub(super) target: String,
    pub(super) workload: String,
    pub(super) defect: Option<String>,
    pub(super) nodes: Vec<String>,
    pub(super) started: String,
    pub(super) duration_ms: u64,
    pub(super) rate: Rate,
    pub(super) operations: BTreeMap<String, Outcomes>,
    pub(super) faults: BTreeMap<String, FaultCount>,
    pub(super) facts: BTreeMap<String, String>,
    checks: Vec<Check>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Check {
    anomalies: Vec<Anomaly>,
}

#[derive(Clone, Debug, Deserialize)]
struct Anomaly {
    name: String,
}

impl Row {
    /// The names of the anomalies, each once.
    pub(super) fn anomalies(&self) -> Vec<&str> {
        let anomalies = self.checks.iter().flat_map(|check| &check.anomalies);
        let mut names: Vec<_> = anomalies.map(|anomaly| anomaly.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The verdict, or that there is none.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.judged.then_some(self.verdict)
    }
}

/// All runs below a directory: those in it, and those of the nights in it.
pub(super) struct Runs {
    pub(super) root: PathBuf,
    /// By the path of the verdict, as it was then.
    read: Mutex<BTreeMap<PathBuf, (SystemTime, Row)>>,
}

impl Runs {
    pub(super) fn new(root: PathBuf) -> Runs {
        Runs {
            root,
            read: Mutex::default(),
        }
    }

    /// Every run, the newest first.
    pub(super) fn all(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for name in directories(&self.root) {
            if is_run(&self.root.join(&name)) {
                rows.push(self.row(name));
            } else if self.root.join(&name).join(night::FILE).is_file() {
                let within = format!("{name}/runs");
                for run in directories(&self.root.join(&within)) {
                    rows.push(self.row(format!("{within}/{run}")));
                }
            }
        }
        rows.sort_by(|a, b| (&b.started, &b.path).cmp(&(&a.started, &a.path)));
        rows
    }

    /// The nights, the newest last.
    pub(super) fn nights(&self) -> Vec<(String, night::Place)> {
        let read = |name: String| Some((name.clone(), night::Place::read(&self.root.join(name)).ok()?));
        let mut nights: Vec<_> = directories(&self.root).into_iter().filter_map(read).collect();
        nights.sort_by(|(_, a), (_, b)| a.night.started.cmp(&b.night.started));
        nights
    }

    /// One run, by its path below the root, which must have been looked at before.
    pub(super) fn row(&self, path: String) -> Row {
        let file = self.root.join(&path).join("verdict.json");
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let modified = fs::metadata(&file).and_then(|metadata| metadata.modified()).ok();
        let Some(modified) = modified else {
            return Row {
                reason: "it came to no verdict: it goes on, or was killed".into(),
                started: started(&name),
                path,
                ..Row::default()
            };
        };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, row)) = read.get(&file)
            && *then == modified
        {
            return row.clone();
        }
        let parsed = File::open(&file)
            .map_err(serde_json::Error::io)
            .and_then(|file| serde_json::from_reader::<_, Row>(BufReader::new(file)));
        let row = match parsed {
            Ok(row) => Row {
                path,
                judged: true,
                ..row
            },
            Err(error) => Row {
                reason: format!("its verdict.json can't be read: {error}"),
                started: started(&name),
                path,
                ..Row::default()
            },
        };
        read.insert(file, (modified, row.clone()));
        row
    }
}

/// When a run began, from its name: `20261121T055728Z-raft-...`.
fn started(name: &str) -> String {
    let stamp: Vec<char> = name.chars().take(16).collect();
    let part = |from: usize, to: usize| stamp.get(from..to).map(|part| part.iter().collect::<String>());
    let parts = || {
        Some(format!(
            "{}-{}-{}T{}:{}:{}Z",
            part(0, 4)?,
            part(4, 6)?,
            part(6, 8)?,
            part(9, 11)?,
            part(11, 13)?,
            part(13, 15)?
        ))
    };
    parts().unwrap_or_default()
}

/// Is this the directory of a run?
pub(super) fn is_run(directory: &Path) -> bool {
    directory.join("plan.toml").is_file()
}

/// The directories in a directory, links and names that are no text left out, in order.
fn directories(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let entries = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}
