//! `partita report RUN`: builds the report of a run again.

use std::path::PathBuf;

use partita_checker::Verdict;
use partita_reports::LoadError;

use super::{Failure, print};

/// Arguments of `report`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The run's directory
    #[arg(default_value = "runs/latest")]
    run: PathBuf,
}

pub(super) fn main(arguments: &Arguments) -> Result<Verdict, Failure> {
    let path = partita_reports::write(&arguments.run).map_err(|error| match error {
        LoadError::Io { .. } => Failure::Harness(error.into()),
        error => Failure::usage(error),
    })?;
    print(&format!("{}\n", path.display()));
    Ok(Verdict::Valid)
}
