//! `partita list`: everything that is registered.

use std::fmt::Write as _;

use partita_checker::Verdict;
use partita_nemesis::fault::{self, Allowed, Fault, SETS, Setting};
use partita_nemesis::lab::NetworkKind;

use super::{Failure, print};

/// Arguments of `list`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Only these
    #[arg(value_parser = ["targets", "workloads", "faults", "settings", "shapes", "sets", "models", "formats", "defects"])]
    kind: Option<String>,
    /// Print JSON (reports/FORMATS.md)
    #[arg(long)]
    json: bool,
}

pub(super) fn main(arguments: &Arguments) -> Result<Verdict, Failure> {
    match arguments.kind.as_deref() {
        only if arguments.json => print(&format!("{}\n", json(only))),
        Some("defects") => print(&catalogue(partita_protocols::Defect::all())),
        only => print(&text(only)),
    }
    Ok(Verdict::Valid)
}

/// All kinds, or only one.
fn text(only: Option<&str>) -> String {
    let mut out = String::new();
    for (kind, rows) in registered(only) {
        let _ = writeln!(out, "{kind}");
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, summary) in &rows {
            let fault = fault::find(name).filter(|_| kind == "faults");
            let note = fault.map(|fault| {
                let shapes = fault.shapes().iter().chain(fault.shapes_on_request());
                let shapes = shapes.map(|shape| shape.name);
                let why = fault.impossible().map(|why| format!(" Not here: {why}."));
                let why = why.or_else(|| Some(format!(" Here by {}.", fault.means()?)));
                let shapes = shapes.collect::<Vec<_>>().join(", ");
                let (networks, why) = (needed_network(fault), why.unwrap_or_default());
                let settings = settings_of(fault);
                format!(" Shapes: {shapes}.{settings}{networks}{why}")
            });
            let note = note.unwrap_or_default();
            let _ = writeln!(out, "  {name:width$}  {summary}{note}");
        }
    }
    out
}

/// For a program (reports/FORMATS.md).
fn json(only: Option<&str>) -> serde_json::Value {
    let kinds = registered(only).into_iter().map(|(kind, rows)| {
        let rows = rows.into_iter().map(|(name, summary)| {
            let mut row = serde_json::json!({ "name": name, "summary": summary });
            if let Some(fault) = fault::find(&name).filter(|_| kind == "faults") {
                let shapes = fault.shapes().iter().chain(fault.shapes_on_request());
                let shapes: Vec<&str> = shapes.map(|shape| shape.name).collect();
                let settings: Vec<_> = fault.settings().iter().map(setting).collect();
                row["shapes"] = shapes.into();
                row["settings"] = settings.into();
            }
            row
        });
        (kind.to_owned(), rows.collect::<Vec<_>>().into())
    });
    let kinds: serde_json::Map<String, serde_json::Value> = kinds.collect();
    serde_json::json!({ "format": partita_reports::run::FORMAT, "kinds": kinds })
}

fn setting(setting: &Setting) -> serde_json::Value {
    let mut told = serde_json::json!({ "name": setting.name, "summary": setting.summary });
    let (kind, bounds) = match setting.allowed {
        Allowed::Whole { least, most } => ("integer", Some((least.into(), most.into()))),
        Allowed::Number { least, most } => ("number", Some((least.into(), most.into()))),
        Allowed::Word(words) => {
            told["words"] = words.into();
            ("word", None::<(serde_json::Value, serde_json::Value)>)
        }
        Allowed::Paths => ("paths", None),
    };
    told["kind"] = kind.into();
    if let Some((least, most)) = bounds {
        (told["least"], told["most"]) = (least, most);
    }
    told
}

/// What of a fault can be set, and to what.
fn settings_of(fault: &dyn Fault) -> String {
    let told = |setting: &Setting| format!("{} ({})", setting.name, setting.allowed);
    match fault.settings() {
        [] => String::new(),
        settings => {
            let told: Vec<String> = settings.iter().map(told).collect();
            format!(" Settings: {}.", told.join(", "))
        }
    }
}

/// What can be set, each with the faults of which it can.
fn settings() -> Vec<(String, String)> {
    let mut found: Vec<(Setting, Vec<&str>)> = Vec::new();
    for fault in fault::ALL {
        for setting in fault.settings() {
            match found.iter_mut().find(|(known, _)| known == setting) {
                Some((_, faults)) => faults.push(fault.name()),
                None => found.push((*setting, vec![fault.name()])),
            }
        }
    }
    let row = |(setting, faults): (Setting, Vec<&str>)| {
        let (summary, allowed) = (setting.summary, setting.allowed);
        let text = format!("of {}: {summary}; {allowed}", faults.join(", "));
        (setting.name.to_owned(), text)
    };
    found.into_iter().map(row).collect()
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

/// Every registry, or only one, with the name and summary of each entry.
pub(crate) fn registered(only: Option<&str>) -> Vec<(&'static str, Vec<(String, String)>)> {
    let row = |name: &str, summary: &str| (name.to_owned(), summary.to_owned());
    // Shapes that mean the same for many faults are told once.
    let common = fault::common_shapes();
    let faults = fault::ALL.iter().flat_map(|fault| {
        let own = fault.shapes().iter().chain(fault.shapes_on_request());
        let own = own.filter(|shape| !common.contains(shape));
        let shapes = own.map(|shape| row(&format!("{}:{}", fault.name(), shape.name), shape.summary));
        std::iter::once(row(fault.name(), fault.summary())).chain(shapes)
    });
    let targets = partita_targets::ALL.iter().map(|it| row(it.name(), it.summary()));
    let workloads = partita_workloads::ALL
        .iter()
        .map(|it| row(it.name(), it.summary()));
    let shapes = common.iter().map(|it| row(it.name, it.summary));
    let sets = SETS.iter().map(|it| row(it.name, it.summary));
    let models = partita_checker::model::ALL
        .iter()
        .map(|it| row(it.name, it.summary));
    let formats = partita_history::format::ALL
        .iter()
        .map(|it| row(it.name, it.summary));
    let defects = partita_protocols::Defect::all().map(|it| row(it.name, it.summary));
    let mut all = vec![
        ("targets", targets.collect()),
        ("workloads", workloads.collect()),
        ("faults", faults.collect()),
        ("settings", settings()),
        ("shapes", shapes.collect()),
        ("sets", sets.collect()),
        ("models", models.collect()),
        ("formats", formats.collect()),
        ("defects", defects.collect()),
    ];
    all.retain(|(kind, _)| only.is_none_or(|only| only == *kind));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::assert_documented;

    #[test]
    fn lists_as_text() {
        let defect = partita_protocols::Defect::by_name("stale-reads").unwrap();
        insta::assert_snapshot!(
            text(Some("formats")) + &text(Some("sets")) + &catalogue(std::iter::once(defect))
        );
    }

    #[test]
    fn lists_as_documented_json() {
        let all = json(None);
        assert_documented("partita list --json", &all);
        assert_eq!(all["kinds"].as_object().unwrap().len(), 9);
        let faults = json(Some("faults"));
        assert_documented("partita list --json", &faults);
        let rows = faults["kinds"]["faults"].as_array().unwrap();
        let of = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
        assert_eq!(of("loss")["settings"][0]["most"], 100);
        assert_eq!(of("io-errors")["settings"][0]["words"][0], "read");
        assert_eq!(of("kill")["settings"].as_array().unwrap().len(), 0);
        assert!(
            of("bit-rot")["shapes"]
                .as_array()
                .unwrap()
                .contains(&"all".into())
        );
    }

    #[test]
    fn faults_tell_what_can_be_set() {
        let told = text(Some("faults"));
        let line = |name: &str| {
            told.lines()
                .find(|line| line.starts_with(&format!("  {name} ")))
                .unwrap()
        };
        assert!(
            line("loss").contains(" Settings: percent (a whole number between 1 and 100)."),
            "{}",
            line("loss")
        );
        assert!(!line("kill").contains("Settings"));
        let settings = text(Some("settings"));
        assert!(
            settings.contains("  of loss, duplicate, reorder, corrupt: so many"),
            "{settings}"
        );
    }
}
