//! What there is to see, as rows.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use partita_checker::Verdict;
use partita_reports::run::{FaultCount, Outcomes, Rate};
use serde::Deserialize;

use super::paths::{Found, as_path, entries, open_beneath};
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
    /// The directory, open.
    pub(super) root: File,
    /// By the path of the run, as it was then.
    read: Mutex<BTreeMap<String, (SystemTime, Row)>>,
}

impl Runs {
    pub(super) fn new(root: File) -> Runs {
        Runs {
            root,
            read: Mutex::default(),
        }
    }

    /// Every run, the newest first.
    pub(super) fn all(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for name in directories(&self.root, "") {
            if is_run(&self.root, &name) {
                rows.push(self.row(name));
            } else if is_night(&self.root, &name) {
                let within = format!("{name}/runs");
                for run in directories(&self.root, &within) {
                    rows.push(self.row(format!("{within}/{run}")));
                }
            }
        }
        rows.sort_by(|a, b| (&b.started, &b.path).cmp(&(&a.started, &a.path)));
        rows
    }

    /// The nights, the newest last.
    pub(super) fn nights(&self) -> Vec<(String, night::Place)> {
        let read = |name: String| Some((name.clone(), self.night(&name)?));
        let mut nights: Vec<_> = directories(&self.root, "").into_iter().filter_map(read).collect();
        nights.sort_by(|(_, a), (_, b)| a.night.started.cmp(&b.night.started));
        nights
    }

    /// A night, if it is one, in which nothing is but files where files are to be.
    fn night(&self, name: &str) -> Option<night::Place> {
        let directory = open_beneath(&self.root, name).ok()?.directory()?;
        open_beneath(&directory, night::FILE).ok()?.file()?;
        let cells = open_beneath(&directory, "cells").ok()?.directory()?;
        let all = entries(&cells).ok()?;
        if !all.iter().all(|(_, kind)| kind.is_file()) {
            return None;
        }
        night::Place::read(&as_path(&directory)).ok()
    }

    /// One run, by its path below the root.
    pub(super) fn row(&self, path: String) -> Row {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let file = open_beneath(&self.root, &format!("{path}/verdict.json"));
        let file = file.ok().and_then(Found::file);
        let found = file.and_then(|file| {
            let modified = file.metadata().and_then(|metadata| metadata.modified()).ok()?;
            Some((file, modified))
        });
        let Some((file, modified)) = found else {
            return Row {
                reason: "it came to no verdict: it goes on, or was killed".into(),
                started: started(&name),
                path,
                ..Row::default()
            };
        };
        let read = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, row)) = read().get(&path)
            && *then == modified
        {
            return row.clone();
        }
        let row = match serde_json::from_reader::<_, Row>(BufReader::new(file)) {
            Ok(row) => Row {
                path: path.clone(),
                judged: true,
                ..row
            },
            Err(error) => Row {
                reason: format!("its verdict.json can't be read: {error}"),
                started: started(&name),
                path: path.clone(),
                ..Row::default()
            },
        };
        read().insert(path, (modified, row.clone()));
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

/// Is this path below the root the directory of a run?
pub(super) fn is_run(root: &File, path: &str) -> bool {
    has(root, path, "plan.toml")
}

/// Is it that of a night?
pub(super) fn is_night(root: &File, path: &str) -> bool {
    has(root, path, night::FILE)
}

fn has(root: &File, path: &str, name: &str) -> bool {
    let directory = open_beneath(root, path).ok().and_then(Found::directory);
    let file = directory.and_then(|directory| open_beneath(&directory, name).ok()?.file());
    file.is_some()
}

/// The directories in a directory, links and names that are no text left out, in order.
fn directories(root: &File, path: &str) -> Vec<String> {
    let directory = open_beneath(root, path).ok().and_then(Found::directory);
    let entries = directory.and_then(|directory| entries(&directory).ok());
    let directories = entries.into_iter().flatten().filter(|(_, kind)| kind.is_dir());
    directories
        .filter_map(|(name, _)| name.into_string().ok())
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The `verdict.json` of a run that was never run.
    pub(in crate::serve) fn verdict(verdict: &str) -> serde_json::Value {
        let anomaly = serde_json::json!({"name": "stale read"});
        let anomalies: Vec<_> = (verdict == "invalid").then_some(anomaly).into_iter().collect();
        serde_json::json!({
            "format": 1, "verdict": verdict, "reason": "because of a <script>", "target": "raft", "workload": "register",
            "command": "partita run raft --seed 7", "seed": 7, "nodes": ["n1", "n2", "n3"],
            "started": "2026-11-21T02:00:00Z", "duration_ms": 10_000,
            "rate": {"asked": 500.0, "invoked": 400.0, "ok": 390.0},
            "operations": {"write": {"ok": 9, "fail": 1, "info": 2}},
            "faults": {"kill": {"planned": 2, "took": 1, "skipped": 1, "uncertain": 0, "healed": 2, "roles": {}}},
            "facts": {"target version": "1.0"},
            "defect": (verdict == "invalid").then_some("stale-reads"),
            "checks": [{"anomalies": anomalies}],
        })
    }

    /// Its row.
    pub(in crate::serve) fn row(path: &str, verdict: &str) -> Row {
        Row {
            path: path.into(),
            judged: true,
            ..serde_json::from_value(self::verdict(verdict)).unwrap()
        }
    }
}
