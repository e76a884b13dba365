//! `partita verify HISTORY WITNESS`: checks a linearization that `check --witness` wrote, by a kernel that shares
//! no code with the engines that found it.

use std::path::PathBuf;

use anyhow::Context;
use partita_checker::{Verdict, Witness};
use serde::Deserialize;

use super::reading::Reading;
use super::{Failure, print, units};

/// Arguments of `verify`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The history
    history: PathBuf,
    /// The linearization, as `partita check --witness` wrote it
    witness: PathBuf,
    #[command(flatten)]
    reading: Reading,
}

/// What `--witness` writes (reports/FORMATS.md), as far as it is of interest.
#[derive(Deserialize)]
struct Witnesses {
    witnesses: Vec<Witness>,
}

pub(super) fn main(arguments: &Arguments) -> Result<Verdict, Failure> {
    let model = arguments.reading.model()?;
    let format = arguments.reading.format()?;
    let history = arguments
        .reading
        .read(&arguments.history, format)
        .map_err(Failure::Usage)?;
    let name = arguments.witness.display();
    let text = std::fs::read_to_string(&arguments.witness)
        .with_context(|| format!("`{name}` can't be read"))
        .map_err(Failure::Usage)?;
    let Witnesses { witnesses } = serde_json::from_str(&text)
        .with_context(|| format!("`{name}` is no witness"))
        .map_err(Failure::Usage)?;
    match partita_checker::verify(&history, model, &arguments.reading.options(), &witnesses) {
        Ok(()) => {
            let operations: usize = witnesses.iter().map(|witness| witness.order.len()).sum();
            print(&format!(
                "valid: the witness orders {} on {}\n",
                units::counted(operations as u64, "operation"),
                units::counted(witnesses.len() as u64, "key")
            ));
            Ok(Verdict::Valid)
        }
        Err(error) => {
            print(&format!("invalid: the witness proves nothing: {error}\n"));
            Ok(Verdict::Invalid)
        }
    }
}
