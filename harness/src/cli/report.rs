//! `partita report RUN`: builds the report of a run again.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use partita_checker::Verdict;
use partita_reports::{LoadError, Run};

use super::{Failure, print};

/// Arguments of `report`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The run's directory
    #[arg(default_value = "runs/latest")]
    run: PathBuf,
    /// Print the summary as Markdown instead of where the report is
    #[arg(long)]
    markdown: bool,
    /// Where to write the clearest anomaly alone, drawn; `anomaly.svg` beside the report holds it too
    #[arg(long)]
    svg: Option<PathBuf>,
}

pub(super) fn main(arguments: &Arguments) -> Result<Verdict, Failure> {
    let run = partita_reports::load(&arguments.run).map_err(failure)?;
    let path = partita_reports::write_loaded(&run).map_err(failure)?;
    if let Some(file) = &arguments.svg {
        draw(&run, file)?;
    }
    if arguments.markdown {
        print(&partita_reports::markdown(&run));
    } else {
        print(&format!("{}\n", path.display()));
    }
    Ok(Verdict::Valid)
}

fn draw(run: &Run, file: &Path) -> Result<(), Failure> {
    let picture = partita_reports::svg(run)
        .ok_or_else(|| Failure::usage(anyhow!("the run has no anomaly that could be drawn")))?;
    std::fs::write(file, picture)
        .map_err(|error| Failure::Harness(anyhow!("`{}` can't be written: {error}", file.display())))
}

fn failure(error: LoadError) -> Failure {
    match error {
        LoadError::Io { .. } => Failure::Harness(error.into()),
        error => Failure::usage(error),
    }
}
