//! `partita doctor`: what this machine allows, and how to get more.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, bail};
use partita_checker::Verdict;
use partita_nemesis::fault;
use partita_nemesis::lab::{self, Finding, SearchPath};
use serde::{Deserialize, Serialize};

use super::{Failure, print};

/// Arguments of `doctor`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Print a table of the faults in Markdown; as root, with what an ordinary user can do beside it
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    json: bool,
}

/// All that was found.
#[derive(Serialize, Deserialize)]
struct Report {
    faults: Vec<Ability>,
}

/// Whether a fault can be had here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ability {
    fault: String,
    works: bool,
    /// What is in the way, and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// What does it, where there is more than one way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    means: Option<String>,
}

/// Who has no rights of his own on any machine.
const NOBODY: u32 = 65_534;

pub(super) fn main(arguments: &Arguments) -> Result<Verdict, Failure> {
    if arguments.markdown {
        print(&markdown()?);
        return Ok(Verdict::Valid);
    }
    let findings = lab::probe(&SearchPath::from_environment());
    let faults = abilities();
    if arguments.json {
        print(&format!("{}\n", json(&findings, &faults)));
    } else {
        print(&text(&findings, &faults));
    }
    Ok(Verdict::Valid)
}

/// For a program (reports/FORMATS.md).
fn json(findings: &[Finding], faults: &[Ability]) -> serde_json::Value {
    let findings = findings.iter().map(|finding| {
        serde_json::json!({
            "name": finding.name,
            "ok": finding.ok,
            "detail": finding.detail,
            "remedy": finding.remedy,
        })
    });
    serde_json::json!({ "format": partita_reports::run::FORMAT, "findings": findings.collect::<Vec<_>>(), "faults": faults })
}

/// What this user can do here.
fn abilities() -> Vec<Ability> {
    let ability = |fault: &&dyn fault::Fault| {
        let why = fault.impossible();
        Ability {
            fault: fault.name().to_owned(),
            works: why.is_none(),
            means: fault.means().filter(|_| why.is_none()),
            why,
        }
    };
    fault::ALL.iter().map(ability).collect()
}

fn text(findings: &[Finding], faults: &[Ability]) -> String {
    let names = findings.iter().map(|finding| finding.name.len());
    let width = names
        .chain(faults.iter().map(|ability| ability.fault.len()))
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for finding in findings {
        let mark = if finding.ok { "yes" } else { "no " };
        out.push_str(&format!("{mark}  {:width$}  {}\n", finding.name, finding.detail));
        if !finding.ok && !finding.remedy.is_empty() {
            out.push_str(&format!("     {:width$}  to mend: {}\n", "", finding.remedy));
        }
    }
    out.push_str("\nfaults\n");
    for ability in faults {
        let mark = if ability.works { "yes" } else { "no " };
        let told = ability.why.as_ref().or(ability.means.as_ref());
        let told = told.map_or("", String::as_str);
        let line = format!("{mark}  {:width$}  {told}", ability.fault);
        out.push_str(&format!("{}\n", line.trim_end()));
    }
    out
}

/// The table of the README: each fault, and who can have it here.
fn markdown() -> anyhow::Result<String> {
    let ours = abilities();
    let is_root = nix::unistd::geteuid().is_root();
    let theirs = if is_root {
        of_an_ordinary_user()?
    } else {
        ours.clone()
    };
    Ok(table(is_root.then_some(&ours), &theirs))
}

/// What root, if that was tried, and what an ordinary user can have.
fn table(ours: Option<&Vec<Ability>>, theirs: &[Ability]) -> String {
    let mut out = String::from("| name | what | as root | as an ordinary user |\n|---|---|---|---|\n");
    for fault in fault::ALL {
        let cell = |of: &[Ability]| {
            let ability = of.iter().find(|ability| ability.fault == fault.name());
            let told = match ability {
                None => return "?".to_owned(),
                Some(ability) => (ability.why.as_ref(), ability.means.as_ref()),
            };
            match told {
                (Some(why), _) => format!("no: {}", why.replace('|', "\\|")),
                (None, Some(means)) => format!("yes: by {means}"),
                (None, None) => "yes".to_owned(),
            }
        };
        let root = ours.map_or_else(|| "not tried".to_owned(), |ours| cell(ours));
        out.push_str(&format!(
            "| `{}` | {} | {root} | {} |\n",
            fault.name(),
            fault.summary(),
            cell(theirs)
        ));
    }
    out
}

/// Asks the same of ourselves as somebody else.
fn of_an_ordinary_user() -> anyhow::Result<Vec<Ability>> {
    let program = std::env::current_exe().context("our own program can't be found")?;
    let mut command = Command::new(program);
    command.args(["doctor", "--json"]).current_dir("/");
    let output = command.uid(NOBODY).gid(NOBODY).output();
    let output = output.context("this program can't be run by an ordinary user")?;
    if !output.status.success() {
        bail!(
            "as an ordinary user: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let report: Report = serde_json::from_slice(&output.stdout)?;
    Ok(report.faults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::pretty;
    use crate::formats::assert_documented;

    #[test]
    fn a_machine_as_text_and_json() {
        let finding = |name, ok, detail: &str, remedy: &str| Finding {
            name,
            ok,
            detail: detail.into(),
            remedy: remedy.into(),
        };
        let findings = [
            finding("a network that can be cut", true, "namespaces, as root", ""),
            finding("iptables", false, "is not there", "apt-get install iptables"),
        ];
        let faults = [
            ("kill", None, None),
            ("slow-fsync", None, Some("answers to fsync (seccomp)")),
            ("torn-writes", Some("/dev/fuse can't be opened"), None),
        ];
        let faults = faults.map(|(fault, why, means)| Ability {
            fault: fault.into(),
            works: why.is_none(),
            why: why.map(str::to_owned),
            means: means.map(str::to_owned),
        });
        insta::assert_snapshot!("doctor-text", text(&findings, &faults));
        // How many other faults there are is not for this test to say.
        let told = [Some(&faults.to_vec()), None].map(|ours| table(ours, &faults));
        let lines = told.iter().flat_map(|told| told.lines()).filter(|line| {
            let known = ["name", "`kill`", "`slow-fsync`", "`torn-writes`"];
            known.iter().any(|known| line.starts_with(&format!("| {known}")))
        });
        insta::assert_snapshot!("doctor-markdown", lines.collect::<Vec<_>>().join("\n"));
        let told = json(&findings, &faults);
        assert_documented("partita doctor --json", &told);
        insta::assert_snapshot!("doctor-json", pretty(&told));
    }
}
