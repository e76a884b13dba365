//! The page in hands: keyboard, search, zoom, two sizes, light and dark, and an audit of its accessibility. The hands
//! are Playwright's, in `tests/browser/page.mjs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use partita_reports::write;

use crate::browser::browser;
use crate::sample::{self, Course};
use crate::size::million_page;

/// The folder of the script with what it needs, which npm brings as the lock file says; none is said loudly, and is a
/// failure where tools are required.
fn hands() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let run = |program: &str, arguments: &[&str]| {
        let ran = Command::new(program)
            .args(arguments)
            .current_dir(&folder)
            .output();
        ran.is_ok_and(|output| output.status.success())
    };
    let missing = if !run("node", &["--version"]) {
        "node"
    } else if !folder.join("node_modules/playwright-core").is_dir()
        && !run("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
    {
        "what `npm ci` brings into reports/tests/browser"
    } else {
        return Some(folder);
    };
    let skipped =
        format!("SKIPPED: {missing} was not found, so nobody used the page (Debian: apt install nodejs npm)");
    assert!(std::env::var_os("PARTITA_REQUIRE_TOOLS").is_none(), "{skipped}");
    #[expect(clippy::print_stderr, reason = "a test that skips has to say so")]
    {
        eprintln!("{skipped}");
    }
    None
}

/// Uses the pages, and gives what the script printed.
fn used(pages: &[PathBuf]) -> Option<String> {
    let (browser, folder) = (browser()?, hands()?);
    let output = Command::new("node")
        .arg("page.mjs")
        .arg(program(browser))
        .args(pages)
        .current_dir(folder)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{failed}");
    #[expect(
        clippy::print_stdout,
        reason = "the figures are for those who read a test's output"
    )]
    {
        println!("{told}");
    }
    Some(told)
}

/// Playwright wants a path.
fn program(name: &str) -> PathBuf {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| name.into())
}

#[test]
fn every_kind_of_report_can_be_used_by_everybody() {
    let temporary = tempfile::tempdir().unwrap();
    let course = Course {
        seconds: 24,
        rate: 80,
        ..Course::default()
    };
    let samples = [
        ("valid", sample::valid(&course)),
        ("invalid", sample::invalid(&course)),
        ("unknown", sample::unknown(&course)),
        ("untimed", sample::untimed()),
        ("harness-failure", sample::harness_failure()),
        ("hostile", sample::hostile()),
    ];
    let pages: Vec<PathBuf> = samples
        .iter()
        .map(|(name, sample)| {
            let directory = temporary.path().join(name);
            sample.write(&directory);
            write(&directory).unwrap()
        })
        .collect();
    used(&pages);
}

#[test]
fn a_million_operations_can_be_used_too() {
    let temporary = tempfile::tempdir().unwrap();
    let page = temporary.path().join("million/report.html");
    fs::create_dir(page.parent().unwrap()).unwrap();
    fs::write(&page, million_page()).unwrap();
    if let Some(told) = used(&[page]) {
        assert!(told.contains("FIGURES million, desktop"), "{told}");
    }
}
