//! What `check` and `verify` must know to make sense of a recorded history.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use partita_checker::{FailMeaning, Model, NilReads, Options};
use partita_history::format::{self, Format};
use partita_history::{History, Value};
use partita_reports::lines;

use super::{Failure, say};
use crate::plan::unknown;

/// The name that stands for standard input.
pub(super) const STDIN: &str = "-";

/// What the history in a directory may be called, by us and by Jepsen. Each may be packed, with `.gz` after it.
const HISTORIES: [&str; 5] = [
    "history.jsonl",
    "history.jsonl.zst",
    "history.json",
    "history.edn",
    "history.txt",
];

/// The file itself, which may have been packed since it was named; of a directory, the history in it.
fn in_directory(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        return Ok(lines::find(path).unwrap_or_else(|| path.to_owned()));
    }
    HISTORIES
        .iter()
        .find_map(|name| lines::find(&path.join(name)))
        .ok_or_else(|| {
            anyhow!(
                "`{}` is a directory without a history ({})",
                path.display(),
                HISTORIES.join(", ")
            )
        })
}

/// How a history is written, and what it means.
#[derive(clap::Args)]
pub(super) struct Reading {
    /// The format of the files (see `partita list formats`); `auto`: found by looking at each
    #[arg(long, default_value = "auto")]
    format: String,
    /// Values are `[key value]`, as tests with jepsen.independent write them
    #[arg(long)]
    independent: bool,
    /// The model to judge against (see `partita list models`)
    #[arg(long, default_value = "cas-register")]
    model: String,
    /// The value before anything is written, as JSON
    #[arg(long, default_value = "null")]
    initial: String,
    /// What a failed operation says: `dropped`: it did not happen; `observed`: also, that it could not
    #[arg(long, default_value = "dropped", value_parser = ["dropped", "observed"])]
    fail: String,
    /// Whether a read of null is taken at its word (`exact`), or says nothing (`any`)
    #[arg(long, default_value = "exact", value_parser = ["exact", "any"])]
    nil_reads: String,
}

impl Reading {
    /// The model of this name.
    pub(super) fn model(&self) -> Result<&'static Model, Failure> {
        Model::by_name(&self.model).ok_or_else(|| {
            let names = partita_checker::model::ALL.iter().map(|model| model.name);
            Failure::Usage(anyhow!(unknown("model", &self.model, names)))
        })
    }

    /// The format of this name; none if it is to be found by looking.
    pub(super) fn format(&self) -> Result<Option<&'static Format>, Failure> {
        match self.format.as_str() {
            "auto" => Ok(None),
            name => format::find(name).map(Some).ok_or_else(|| {
                let names = std::iter::once("auto").chain(format::ALL.iter().map(|format| format.name));
                Failure::Usage(anyhow!(unknown("format", name, names)))
            }),
        }
    }

    /// What the checker is to assume.
    pub(super) fn options(&self) -> Options {
        Options {
            // JSON if it is JSON, else the text itself.
            initial: serde_json::from_str(&self.initial)
                .unwrap_or_else(|_| Value::from(self.initial.as_str())),
            fail: match self.fail.as_str() {
                "observed" => FailMeaning::Observed,
                _ => FailMeaning::Dropped,
            },
            nil_reads: match self.nil_reads.as_str() {
                "any" => NilReads::Any,
                _ => NilReads::Exact,
            },
            ..Options::default()
        }
    }

    /// Reads a history: a file, standard input (`-`), or the history in the directory of a run. In the directory of
    /// a run that was killed, the last line may be cut short.
    pub(super) fn read(&self, path: &Path, format: Option<&Format>) -> anyhow::Result<History> {
        if path == Path::new(STDIN) {
            let options = format::Options {
                cut_short: false,
                independent: self.independent,
            };
            return format::read(io::stdin().lock(), format, &options).context("standard input");
        }
        let file = &in_directory(path)?;
        let opened = File::open(file).with_context(|| format!("`{}` can't be opened", file.display()))?;
        let beside = |name: &str| file.with_file_name(name).exists();
        let killed = beside("plan.toml") && !beside("verdict.json");
        if killed {
            say(&format!(
                "{}: of a run that did not end; judging what was recorded",
                file.display()
            ));
        }
        let options = format::Options {
            cut_short: killed,
            independent: self.independent,
        };
        format::read(BufReader::new(opened), format, &options)
            .with_context(|| format!("`{}`", file.display()))
    }
}
