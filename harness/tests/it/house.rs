//! The rules of the house: who may depend on whom, and that the README knows everything that is registered.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::support::{partita, root};

/// Every crate, its folder, and the crates of ours that it may use. The harness may use all.
const HOUSE: &[(&str, &str, &[&str])] = &[
    ("partita-history", "checker/history", &[]),
    ("partita-checker", "checker", &["partita-history"]),
    ("partita-generator", "workloads/generator", &["partita-history"]),
    (
        "partita-workloads",
        "workloads",
        &["partita-generator", "partita-history"],
    ),
    ("partita-protocols", "servers/protocols", &[]),
    ("partita-replica", "servers/replica", &["partita-protocols"]),
    ("partita-simulator", "servers/simulator", &["partita-protocols"]),
    (
        "partita-nemesis",
        "nemesis",
        &["partita-generator", "partita-history"],
    ),
    ("partita-targets", "target-adapters", &["partita-history"]),
    (
        "partita-reports",
        "reports",
        &["partita-checker", "partita-history"],
    ),
];

/// Crates without async runtime, operating system, clock, or randomness of their own.
const PURE: &[&str] = &[
    "partita-history",
    "partita-generator",
    "partita-workloads",
    "partita-checker",
    "partita-protocols",
    "partita-simulator",
];

/// What a pure crate may not use.
const IMPURE: &[&str] = &[
    "tokio",
    "nix",
    "libc",
    "reqwest",
    "hyper",
    "hyper-util",
    "tracing",
    "jiff",
    "tempfile",
];

/// Every crate of the workspace: its folder, and the crates that its code (not its tests) uses.
fn crates() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let folder = text(&package["manifest_path"]).replace("/Cargo.toml", "");
            let folder = folder
                .strip_prefix(&format!("{}/", root().display()))
                .unwrap()
                .to_owned();
            let uses = package["dependencies"].as_array().unwrap().iter();
            let uses = uses
                .filter(|dependency| dependency["kind"].is_null())
                .map(|dependency| text(&dependency["name"]));
            (text(&package["name"]), (folder, uses.collect()))
        })
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    let mut crates = crates();
    let (folder, _) = crates.remove("partita").expect("the harness");
    assert_eq!(folder, "harness");
    for (name, folder, allowed) in HOUSE {
        let (actual, uses) = crates
            .remove(*name)
            .unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(actual, *folder, "{name} lives elsewhere");
        let ours: Vec<_> = uses.iter().filter(|used| used.starts_with("partita")).collect();
        for used in ours {
            assert!(
                allowed.contains(&used.as_str()),
                "{name} may not depend on {used}"
            );
        }
    }
    assert!(
        crates.is_empty(),
        "crates that the house does not know: {:?}",
        crates.keys()
    );
}

#[test]
fn pure_crates_are_pure() {
    let crates = crates();
    for name in PURE {
        let (folder, uses) = &crates[*name];
        for impure in IMPURE {
            assert!(
                !uses.contains(*impure),
                "{name} is pure, and may not use {impure}"
            );
        }
        let rules = std::fs::read_to_string(root().join(folder).join("clippy.toml")).unwrap();
        for banned in [
            "std::time::Instant::now",
            "std::thread::sleep",
            "std::collections::HashMap",
        ] {
            assert!(
                rules.contains(banned),
                "{folder}/clippy.toml does not forbid {banned}"
            );
        }
    }
}

#[test]
fn the_readme_lists_everything_that_is_registered() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let listed = partita(&["list"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<_> = listed
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter_map(|line| line.split("  ").next())
        .map(str::trim)
        .collect();
    assert!(names.len() >= 20, "{listed}");
    for name in names {
        assert!(
            readme.contains(&format!("\n| `{name}` | ")),
            "the README has no row for `{name}`"
        );
    }
}

#[test]
fn sources_are_of_a_size_that_a_person_can_hold_in_mind() {
    fn visit(folder: &std::path::Path, long: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir()
                && !path.ends_with("target")
                && !entry.file_name().to_string_lossy().starts_with('.')
            {
                visit(&path, long);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                if lines > 600 {
                    long.push(format!("{} ({lines} lines)", path.display()));
                }
            }
        }
    }
    let mut long = Vec::new();
    visit(&root(), &mut long);
    assert!(long.is_empty(), "over 600 lines: {long:?}");
}
