//! `partita list`: everything that is registered.

use partita_checker::Verdict;

use super::{Failure, print};

/// Arguments of `list`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Only these
    #[arg(value_parser = ["targets", "workloads", "faults", "models", "formats", "defects"])]
    kind: Option<String>,
}

pub(super) fn main(arguments: &Arguments) -> Result<Verdict, Failure> {
    let wanted =
        |(kind, _): &&(&str, Vec<(String, &str)>)| arguments.kind.as_deref().is_none_or(|only| only == *kind);
    for (kind, rows) in registered().iter().filter(wanted) {
        print(&format!("{kind}\n"));
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, summary) in rows {
            print(&format!("  {name:width$}  {summary}\n"));
        }
    }
    Ok(Verdict::Valid)
}

/// Every registry, with the name and summary of each entry.
pub(crate) fn registered() -> Vec<(&'static str, Vec<(String, &'static str)>)> {
    let faults = partita_nemesis::fault::ALL.iter().flat_map(|fault| {
        let shapes = fault
            .shapes()
            .iter()
            .map(|shape| (format!("{}:{}", fault.name(), shape.name), shape.summary));
        std::iter::once((fault.name().to_owned(), fault.summary())).chain(shapes)
    });
    vec![
        (
            "targets",
            partita_targets::ALL
                .iter()
                .map(|it| (it.name().to_owned(), it.summary()))
                .collect(),
        ),
        (
            "workloads",
            partita_workloads::ALL
                .iter()
                .map(|it| (it.name().to_owned(), it.summary()))
                .collect(),
        ),
        ("faults", faults.collect()),
        (
            "models",
            partita_checker::model::ALL
                .iter()
                .map(|it| (it.name.to_owned(), it.summary))
                .collect(),
        ),
        (
            "formats",
            partita_history::format::ALL
                .iter()
                .map(|it| (it.name.to_owned(), it.summary))
                .collect(),
        ),
        (
            "defects",
            partita_protocols::Defect::all()
                .map(|it| (it.name.to_owned(), it.summary))
                .collect(),
        ),
    ]
}
