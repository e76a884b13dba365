//! What the user looks at: a terminal of some width, a file, a page of a CI system.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};

/// The width of the summary where nobody says otherwise, in columns.
const WIDTH: usize = 100;
/// Beyond this, lines are hard to read.
const WIDTH_MAX: usize = 120;
/// Where GitHub Actions has a step's summary written to.
pub(crate) const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// How many columns standard output has.
pub(super) fn width() -> usize {
    let stdout = io::stdout();
    let asked = match stdout.is_terminal() {
        true => rustix::termios::tcgetwinsize(&stdout)
            .ok()
            .map(|size| usize::from(size.ws_col)),
        false => None,
    };
    let told = || std::env::var("COLUMNS").ok()?.parse().ok();
    let columns = asked.filter(|&columns| columns > 0).or_else(told);
    columns.unwrap_or(WIDTH).min(WIDTH_MAX)
}

/// Whether standard output takes color: a terminal whose user did not ask for none (no-color.org).
pub(super) fn color() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !refused
}

/// Adds Markdown to the step's summary, where there is one.
pub(super) fn add_to_step_summary(markdown: impl FnOnce() -> String) -> io::Result<()> {
    let Some(path) = std::env::var_os(STEP_SUMMARY).filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(markdown().as_bytes())
}
