//! Reading a run directory: the only module that touches the disk.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use partita_checker::Verdict;
use partita_history::{History, Operation, Outcome, ReadError, jsonl};

use crate::lines::{self, Lines};
use crate::recover;
use crate::run::{Metric, Summary};
use crate::sequence::Diagram;
use crate::view::{self, Leadership};
use crate::words;

/// How many lines of the end of a node's log are kept.
const LOG_LINES_MAX: usize = 50_000;
/// How far from its end a node's log is read, in bytes.
const LOG_BYTES_MAX: u64 = 8 << 20;
/// The most that is read of `verdict.json`, `metrics.jsonl` or `plan.toml`, in bytes.
const TEXT_BYTES_MAX: u64 = 256 << 20;

/// All that a report is made from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// The run directory, as it was given.
    pub directory: PathBuf,
    /// `verdict.json`; where there is none, what can be said from the rest, with [`Verdict::Unknown`].
    pub summary: Summary,
    /// Whether there was a `verdict.json`.
    pub judged: bool,
    /// The history; empty where there was none.
    pub history: History,
    /// What the nodes said of themselves, in the order of the file.
    pub metrics: Vec<Metric>,
    /// `plan.toml`, as it stands.
    pub plan: Option<String>,
    /// The ends of the nodes' logs, in the order of the nodes.
    pub logs: Vec<NodeLog>,
    /// The messages of a simulated run.
    pub messages: Option<Diagram>,
    /// What was missing or cut short, in words.
    pub notes: Vec<String>,
}

/// The end of a node's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeLog {
    /// The node.
    pub node: String,
    /// Its last lines.
    pub lines: Vec<String>,
    /// Whether there is more before them.
    pub cut: bool,
}

/// Why a run directory could not be read, or its report not be written.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The directory holds no file of a run.
    #[error("{}: is not a run directory (it has no plan.toml, history.jsonl or verdict.json)", .0.display())]
    NotARun(PathBuf),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A history does not parse.
    #[error("{}: {source}", path.display())]
    History {
        /// The file.
        path: PathBuf,
        /// Where, and what was expected.
        source: ReadError,
    },
    /// Another file does not parse.
    #[error("{}: line {line}, column {column}: {message}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What was wrong.
        message: String,
    },
}

/// Reads a run directory. Files that a killed run had not yet written may be missing, and the last line of a
/// `.jsonl` file may be cut short; [`Run::notes`] then says so. Those files may be packed ([`lines`]).
///
/// # Errors
/// When the directory holds no run, or one of its files can't be read or does not parse.
pub fn load(directory: &Path) -> Result<Run, LoadError> {
    let at = |name: &str| directory.join(name);
    if !["plan.toml", "history.jsonl", "verdict.json"]
        .iter()
        .any(|name| lines::find(&at(name)).is_some())
    {
        return Err(LoadError::NotARun(directory.to_owned()));
    }
    let mut notes = Vec::new();
    let mut history = read_history(&at("history.jsonl"), &mut notes)?.unwrap_or_else(|| {
        notes.push("history.jsonl is missing: no operation was recorded.".to_owned());
        History::default()
    });
    if history.faults.is_empty()
        && let Some(faults) = read_history(&at("faults.jsonl"), &mut notes)?
    {
        history.faults = faults.faults;
    }
    let metrics = read_metrics(&at("metrics.jsonl"), &mut notes)?;
    let plan = read_text(&at("plan.toml"))?;
    let (summary, judged) = match read_text(&at("verdict.json"))? {
        Some(text) => {
            let summary =
                serde_json::from_str(&text).map_err(|error| json_error(&at("verdict.json"), 0, &error))?;
            (summary, true)
        }
        None => (recover::summary(directory, &history), false),
    };
    let messages = read_messages(&at("messages.json"))?;
    check_references(&summary, &history, &mut notes);
    let logs = read_logs(&at("nodes"), &summary.nodes)?;
    Ok(Run {
        directory: directory.to_owned(),
        summary,
        judged,
        history,
        metrics,
        plan,
        logs,
        messages,
        notes,
    })
}

/// The history of a run, whole or cut short; none if there is none.
///
/// # Errors
/// When it can't be read or does not parse.
pub fn history(directory: &Path) -> Result<Option<History>, LoadError> {
    read_history(&directory.join("history.jsonl"), &mut Vec::new())
}

/// How well the cluster of a run was led until a time, in nanoseconds; none if its nodes tell of no leaders.
///
/// # Errors
/// When its metrics can't be read.
pub fn leadership(directory: &Path, nodes: usize, end_ns: u64) -> Result<Option<Leadership>, LoadError> {
    let metrics = read_metrics(&directory.join("metrics.jsonl"), &mut Vec::new())?;
    Ok(view::leadership(&metrics, nodes, end_ns))
}

/// Whether it says that there is no such file, or something else in its place.
fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory)
}

/// Opens a file; none if there is no such file.
fn open(path: &Path) -> Result<Option<File>, LoadError> {
    match File::open(path) {
        // Some systems open directories as well.
        Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_dir()) => Ok(None),
        Ok(file) => Ok(Some(file)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(source) => Err(LoadError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

fn read_text(path: &Path) -> Result<Option<String>, LoadError> {
    let Some(lines) = open_lines(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    lines
        .take(TEXT_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|source| LoadError::Io {
            path: path.to_owned(),
            source,
        })?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Opens a file of lines, in either form; none if there is no such file.
fn open_lines(path: &Path) -> Result<Option<Lines>, LoadError> {
    let path = lines::find(path).unwrap_or_else(|| path.to_owned());
    let Some(file) = open(&path)? else {
        return Ok(None);
    };
    Lines::of(file)
        .map(Some)
        .map_err(|source| LoadError::Io { path, source })
}

fn read_history(path: &Path, notes: &mut Vec<String>) -> Result<Option<History>, LoadError> {
    let Some(mut lines) = open_lines(path)? else {
        return Ok(None);
    };
    let history = jsonl::read(BufReader::with_capacity(1 << 20, &mut lines), true);
    let history = history.map_err(|source| LoadError::History {
        path: lines::find(path).unwrap_or_else(|| path.to_owned()),
        source,
    })?;
    if !lines.ended_whole() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        notes.push(format!(
            "The last line of {name} may have been cut short. If so, it is left out."
        ));
    }
    Ok(Some(history))
}

/// Metrics only add to what is known: a line that does not parse is noted, and left out.
fn read_metrics(path: &Path, notes: &mut Vec<String>) -> Result<Vec<Metric>, LoadError> {
    let text = read_text(path)?.unwrap_or_default();
    let mut metrics = Vec::new();
    let (mut bad, mut first_bad) = (0, None);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        // A line without its newline is what a killed writer leaves.
        let Some(line) = line.strip_suffix('\n') else {
            break;
        };
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(line) {
            Ok(metric) => metrics.push(metric),
            Err(error) => {
                bad += 1;
                first_bad.get_or_insert((index + 1, error));
            }
        }
    }
    if let Some((line, error)) = first_bad {
        notes.push(format!(
            "{} of metrics.jsonl left out, the first of them line {line}: {error}.",
            words::counted(bad, "unreadable line"),
        ));
    }
    Ok(metrics)
}

fn read_messages(path: &Path) -> Result<Option<Diagram>, LoadError> {
    let parse = |text: String| serde_json::from_str(&text).map_err(|error| json_error(path, 0, &error));
    read_text(path)?.map(parse).transpose()
}

/// Where a mistake is, given how many lines come before the text that was parsed.
fn json_error(path: &Path, lines_before: usize, error: &serde_json::Error) -> LoadError {
    let full = error.to_string();
    LoadError::Json {
        path: path.to_owned(),
        line: lines_before + error.line(),
        column: error.column(),
        message: full.split(" at line ").next().unwrap_or_default().to_owned(),
    }
}

/// Notes a verdict that speaks of operations that the history does not have.
fn check_references(summary: &Summary, history: &History, notes: &mut Vec<String>) {
    let known = history.len();
    let anomalies = summary.checks.iter().flat_map(|check| &check.anomalies);
    if anomalies
        .flat_map(|anomaly| &anomaly.operations)
        .any(|&id| id >= known)
    {
        notes.push(
            "verdict.json names operations that history.jsonl does not have: they do not belong together, \
             and what is drawn is incomplete."
                .to_owned(),
        );
    }
}

/// The ends of all logs: first those of the nodes that the run names, then of any others.
fn read_logs(directory: &Path, nodes: &[String]) -> Result<Vec<NodeLog>, LoadError> {
    let io_error = |source| LoadError::Io {
        path: directory.to_owned(),
        source,
    };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(source) => return Err(io_error(source)),
    };
    let mut logs = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_error)?.path();
        let node = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if let Some(log) = read_log(&path.join("node.log"), node)? {
            logs.push(log);
        }
    }
    logs.sort_by_cached_key(|log| {
        let place = nodes
            .iter()
            .position(|node| *node == log.node)
            .unwrap_or(nodes.len());
        (place, log.node.clone())
    });
    Ok(logs)
}

fn read_log(path: &Path, node: String) -> Result<Option<NodeLog>, LoadError> {
    let Some(mut file) = open(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    let skipped = file
        .seek(SeekFrom::End(0))
        .and_then(|length| file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES_MAX))))
        .and_then(|start| {
            file.take(LOG_BYTES_MAX)
                .read_to_end(&mut bytes)
                .map(|_| start > 0)
        })
        .map_err(|source| LoadError::Io {
            path: path.to_owned(),
            source,
        })?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.lines().collect();
    if skipped && lines.len() > 1 {
        // Where reading began is hardly ever where a line begins.
        lines.remove(0);
    }
    let first = lines.len().saturating_sub(LOG_LINES_MAX);
    let cut = skipped || first > 0;
    let lines = lines[first..].iter().map(|&line| line.to_owned()).collect();
    Ok(Some(NodeLog { node, lines, cut }))
}

impl Run {
    /// How many operations have no completion, not even an unknown one.
    pub(crate) fn unended(&self) -> usize {
        let open = |operation: &Operation| operation.completed.is_none();
        self.history.operations().filter(open).count()
    }

    /// The verdict that all formats show.
    pub(crate) fn verdict(&self) -> Verdict {
        self.summary.verdict
    }

    /// How often an operation ended in a way, over all functions.
    pub(crate) fn total(&self, outcome: Outcome) -> u64 {
        let counts = self.summary.operations.values();
        counts
            .map(|count| match outcome {
                Outcome::Ok => count.ok,
                Outcome::Fail => count.fail,
                Outcome::Info => count.info,
            })
            .sum()
    }
}
