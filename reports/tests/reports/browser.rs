//! The page in a browser: no mistake on the console, and the anomaly where it is seen at once.

use std::path::Path;
use std::process::{Command, Output};

use partita_reports::write;

use crate::sample::{self, Course};
use crate::written;

const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// A Chromium that is here; none is said loudly, and is a failure where tools are required.
pub(crate) fn browser() -> Option<&'static str> {
    let found = BROWSERS
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok());
    if found.is_none() {
        let skipped =
            "SKIPPED: no Chromium was found, so the page was not opened (Debian: apt install chromium)";
        assert!(std::env::var_os("PARTITA_REQUIRE_TOOLS").is_none(), "{skipped}");
        #[expect(clippy::print_stderr, reason = "a test that skips has to say so")]
        {
            eprintln!("{skipped}");
        }
    }
    found
}

/// Opens a page without a network and gives what is in it once its script has run.
fn open(browser: &str, page: &Path, size: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut address = std::ffi::OsString::from("file://");
    address.push(page);
    let mut profile_flag = std::ffi::OsString::from("--user-data-dir=");
    profile_flag.push(profile.path());
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .args(["--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--window-size={size}"))
        .arg(profile_flag)
        .arg(address)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{errors}");
    let console: Vec<&str> = errors.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "the page complained: {console:#?}");
    String::from_utf8(stdout).unwrap()
}

/// The value of `data-<name>` on an element of the page.
fn noted<'a>(dom: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = dom.split_once(&format!(" data-{name}=\""))?;
    after.split_once('"').map(|(value, _)| value)
}

#[test]
fn an_anomaly_is_seen_without_scrolling() {
    let Some(browser) = browser() else { return };
    let run = written(&sample::invalid(&Course::default()));
    let dom = open(browser, &write(&run.directory).unwrap(), "1280,800");
    assert_eq!(noted(&dom, "ready"), Some("true"));
    assert_eq!(
        noted(&dom, "lanes"),
        Some("4"),
        "the four clients of the anomaly, and no others until asked for"
    );
    let bottom: u32 = noted(&dom, "anomaly-bottom").unwrap().parse().unwrap();
    assert!(bottom <= 800, "the drawing ends at {bottom}");
    for id in ["read x=900007 ok", "write x=900009 ok"] {
        assert!(
            dom.contains(&format!(r#"<tspan font-weight="600">{id}</tspan>"#)),
            "{id} is labelled"
        );
    }
    assert_eq!(
        dom.matches(r#"class="edge""#).count(),
        3,
        "an arrow for each edge"
    );
    assert_eq!(
        dom.matches(r#"class="badge-step"#).count(),
        4,
        "three steps, and where it is stuck"
    );
}

#[test]
fn every_kind_of_run_is_drawn_without_complaint() {
    let Some(browser) = browser() else { return };
    let course = Course {
        seconds: 12,
        rate: 80,
        ..Course::default()
    };
    let samples = [
        sample::valid(&course),
        sample::crowded(&course),
        sample::unknown(&course),
        sample::not_exercised(&course),
        sample::harness_failure(),
        sample::untimed(),
    ];
    for sample in samples {
        let run = written(&sample);
        let dom = open(browser, &write(&run.directory).unwrap(), "1280,800");
        assert_eq!(noted(&dom, "ready"), Some("true"), "{}", sample.summary.run);
        assert!(dom.contains(&format!(
            r#"<span class="word">{}</span>"#,
            sample.summary.verdict
        )));
    }
}

#[test]
fn hostile_texts_stay_texts() {
    let Some(browser) = browser() else { return };
    let run = written(&sample::hostile());
    let dom = open(browser, &write(&run.directory).unwrap(), "1280,800");
    assert_eq!(noted(&dom, "ready"), Some("true"));
    assert!(!dom.contains("<img"), "an element came from data");
    assert!(dom.contains("&lt;img src=x onerror=alert(1)&gt;"));
    assert_eq!(
        noted(&dom, "overflow"),
        Some("0"),
        "and do not push the page out of its window"
    );
}

#[test]
fn a_narrow_page_does_not_scroll_sideways() {
    let Some(browser) = browser() else { return };
    let run = written(&sample::invalid(&Course::default()));
    let dom = open(browser, &write(&run.directory).unwrap(), "390,844");
    assert_eq!(noted(&dom, "overflow"), Some("0"));
}
