//! `partita list`: everything that is registered.

use std::fmt::Write as _;

use partita_checker::Verdict;
use partita_nemesis::fault::{self, Fault, SETS};
use partita_nemesis::lab::NetworkKind;

use super::{Failure, print};

/// Arguments of `list`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Only these
    #[arg(value_parser = ["targets", "workloads", "faults", "shapes", "sets", "models", "formats", "defects"])]
    kind: Option<String>,
}

pub(super) fn main(arguments: &Arguments) -> Result<Verdict, Failure> {
    match arguments.kind.as_deref() {
        Some("defects") => print(&catalogue(partita_protocols::Defect::all())),
        only => print(&text(only)),
    }
    Ok(Verdict::Valid)
}

/// All kinds, or only one.
fn text(only: Option<&str>) -> String {
    let mut out = String::new();
    let wanted = |(kind, _): &&(&str, Vec<(String, &str)>)| only.is_none_or(|only| only == *kind);
    for (kind, rows) in registered().iter().filter(wanted) {
        let _ = writeln!(out, "{kind}");
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, summary) in rows {
            let fault = fault::find(name).filter(|_| *kind == "faults");
            let note = fault.map(|fault| {
                let shapes = fault.shapes().iter().map(|shape| shape.name);
                let why = fault.impossible().map(|why| format!(" Not here: {why}."));
                let why = why.or_else(|| Some(format!(" Here by {}.", fault.means()?)));
                let shapes = shapes.collect::<Vec<_>>().join(", ");
                let (networks, why) = (needed_network(fault), why.unwrap_or_default());
                format!(" Shapes: {shapes}.{networks}{why}")
            });
            let note = note.unwrap_or_default();
            let _ = writeln!(out, "  {name:width$}  {summary}{note}");
        }
    }
    out
}

/// Says so if not every network can do the fault.
fn needed_network(fault: &dyn Fault) -> String {
    let networks = fault.networks();
    if networks == NetworkKind::ALL {
        return String::new();
    }
    let names: Vec<String> = networks.iter().map(ToString::to_string).collect();
    format!(" Needs --network {}.", names.join(" or "))
}

/// All that is known of each of these.
fn catalogue(defects: impl Iterator<Item = &'static partita_protocols::Defect>) -> String {
    let mut out = String::new();
    for defect in defects {
        let _ = writeln!(
            out,
            "{defect} ({})\n  {}\n  breaks    {}\n  seen      {}\n  shows as  {}, under {}, with the workload {}\n",
            defect.protocol.unwrap_or("any protocol"),
            defect.summary,
            defect.breaks,
            defect.seen,
            shows_as(defect),
            defect.faults.join(" or "),
            defect.workload,
        );
    }
    out
}

/// What clients see of it, and what only those do who look at the nodes.
fn shows_as(defect: &partita_protocols::Defect) -> String {
    let invariant = defect.invariant.map(|name| format!("the invariant {name}"));
    let anomalies = defect.anomalies.iter().map(|&name| name.to_owned());
    anomalies.chain(invariant).collect::<Vec<_>>().join(" or ")
}

/// Every registry, with the name and summary of each entry.
pub(crate) fn registered() -> Vec<(&'static str, Vec<(String, &'static str)>)> {
    // Shapes that mean the same for many faults are told once.
    let common = fault::common_shapes();
    let faults = fault::ALL.iter().flat_map(|fault| {
        let own = fault.shapes().iter().filter(|shape| !common.contains(shape));
        let shapes = own.map(|shape| (format!("{}:{}", fault.name(), shape.name), shape.summary));
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
            "shapes",
            common
                .iter()
                .map(|shape| (shape.name.to_owned(), shape.summary))
                .collect(),
        ),
        (
            "sets",
            SETS.iter()
                .map(|set| (set.name.to_owned(), set.summary))
                .collect(),
        ),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_text() {
        let defect = partita_protocols::Defect::by_name("stale-reads").unwrap();
        insta::assert_snapshot!(
            text(Some("formats")) + &text(Some("sets")) + &catalogue(std::iter::once(defect))
        );
    }
}
