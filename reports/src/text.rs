//! The summary for the terminal.

use std::fmt::Write as _;

use partita_checker::{Severity, Verdict};

use crate::evidence;
use crate::ledger;
use crate::load::Run;
use crate::words;

/// The narrowest text that is still laid out, in columns.
const WIDTH_MIN: usize = 40;
/// How many items of a set or queue are told of.
const ITEMS_MAX: usize = 5;
/// How wide a line's name is, with the margin before it, in columns.
const LABEL: usize = 16;

/// The summary of a run for a terminal of `width` columns: verdict and reason, the anomaly's story, operations,
/// faults, what was never exercised, and how to see more and to see it again.
///
/// Control characters from the run are made visible, so that they can't move the terminal's cursor.
pub fn text(run: &Run, width: usize, color: bool) -> String {
    let mut page = Sheet {
        out: String::new(),
        width: width.max(WIDTH_MIN),
        color,
    };
    head(&mut page, run);
    operations(&mut page, run);
    faults(&mut page, run);
    checks(&mut page, run);
    foot(&mut page, run);
    page.out
}

/// Text under construction.
struct Sheet {
    out: String,
    width: usize,
    color: bool,
}

impl Sheet {
    /// Wraps words, each line behind `margin` columns. Lines of the text begin new lines.
    fn paragraph(&mut self, text: &str, margin: usize) {
        for line in text.lines() {
            self.wrapped(line, margin);
        }
    }

    fn wrapped(&mut self, text: &str, margin: usize) {
        let room = self.width.saturating_sub(margin).max(20);
        let mut line = String::new();
        let text = words::printable(text);
        for word in text.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                let _ = writeln!(self.out, "{:margin$}{line}", "");
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if !line.is_empty() {
            let _ = writeln!(self.out, "{:margin$}{line}", "");
        }
    }

    /// A name and what belongs to it, on one line or wrapped.
    fn fact(&mut self, name: &str, text: &str) {
        let mut inner = Sheet {
            out: String::new(),
            width: self.width,
            color: false,
        };
        inner.paragraph(text, LABEL);
        let label = format!("  {name:<14}");
        // The margin of the first line gives way to the name.
        self.out.push_str(&label);
        self.out.push_str(inner.out.get(LABEL..).unwrap_or("\n"));
    }

    /// A line that must stay whole, to be copied.
    fn whole(&mut self, name: &str, text: &str) {
        let _ = writeln!(self.out, "  {name:<14}{}", words::printable(text));
    }

    fn painted(&self, text: &str, code: &str) -> String {
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn gap(&mut self) {
        self.out.push('\n');
    }
}

fn head(page: &mut Sheet, run: &Run) {
    let summary = &run.summary;
    let (sign, code) = match run.verdict() {
        Verdict::Valid => ("✓", "1;32"),
        Verdict::Invalid => ("✗", "1;31"),
        Verdict::Unknown => ("?", "1;33"),
        Verdict::NotExercised => ("○", "1;33"),
        Verdict::HarnessFailure => ("!", "1;35"),
    };
    let verdict = page.painted(
        &format!("{sign} {}", run.verdict().to_string().to_uppercase()),
        code,
    );
    let _ = writeln!(page.out, "{verdict}  {}", words::printable(&summary.run));
    page.paragraph(&words::reason(&summary.reason), 2);
    for note in &run.notes {
        page.paragraph(note, 2);
    }
    page.gap();
    let anomalies = summary.checks.iter();
    let anomalies = anomalies.flat_map(|check| check.anomalies.iter().map(move |anomaly| (check, anomaly)));
    let anomalies: Vec<_> = anomalies.collect();
    if let Some((check, anomaly)) = anomalies.first() {
        let key = anomaly
            .key
            .as_ref()
            .map(|key| format!(" on key {}", words::value(key)));
        let title = words::printable(&format!("{}{}", anomaly.name, key.unwrap_or_default()));
        let title = page.painted(&title, "1");
        let _ = writeln!(page.out, "  {title}");
        page.paragraph(&words::story(&anomaly.story), 2);
        page.paragraph(&evidence::evidence(run, anomaly).join(" "), 2);
        for line in anomaly.severity.iter().flat_map(Severity::lines) {
            page.paragraph(&line, 4);
        }
        if let Some(ledger) = ledger::ledger(run, check, anomaly, ITEMS_MAX) {
            for line in &ledger.rows {
                page.paragraph(&line.sentence(), 4);
            }
            if !ledger.more.is_empty() {
                page.paragraph(&format!("And {}.", ledger.more), 4);
            }
        }
        if anomalies.len() > 1 {
            let more = anomalies.len() as u64 - 1;
            page.paragraph(
                &format!("And {} more, in the report.", words::counted(more, "violation")),
                2,
            );
        }
        page.gap();
    }
}

fn operations(page: &mut Sheet, run: &Run) {
    let summary = &run.summary;
    if summary.operations.is_empty() {
        page.fact("operations", "none");
        page.gap();
        return;
    }
    let _ = writeln!(
        page.out,
        "  {:<14}{:>10}{:>10}{:>10}",
        "operations", "ok", "failed", "unknown"
    );
    for (f, count) in &summary.operations {
        let f = words::clip(&words::printable(f), 13);
        let [ok, fail, info] = [count.ok, count.fail, count.info].map(words::thousands);
        let _ = writeln!(page.out, "  {f:<14}{ok:>10}{fail:>10}{info:>10}");
    }
    page.fact("rate", &words::rates(&summary.rate));
    page.gap();
}

fn faults(page: &mut Sheet, run: &Run) {
    let summary = &run.summary;
    if summary.faults.is_empty() {
        page.fact("faults", "none");
    } else {
        let _ = writeln!(
            page.out,
            "  {:<14}{:>9}{:>6}{:>9}{:>11}{:>8}  hit",
            "faults", "planned", "took", "skipped", "uncertain", "healed"
        );
    }
    for (name, count) in &summary.faults {
        let counts = format!(
            "  {:<14}{:>9}{:>6}{:>9}{:>11}{:>8}",
            words::clip(&words::printable(name), 13),
            count.planned,
            count.took,
            count.skipped,
            count.uncertain,
            count.healed,
        );
        let hit = words::printable(&words::roles(count));
        page.out.push_str(&counts);
        if hit.is_empty() {
            page.gap();
        } else if counts.chars().count() + 2 + hit.chars().count() <= page.width {
            let _ = writeln!(page.out, "  {hit}");
        } else {
            page.gap();
            page.paragraph(&format!("hit {hit}"), LABEL);
        }
    }
    page.gap();
    if let Some(installed) = summary.snapshots_installed {
        page.fact("snapshots", &words::installed(installed));
        page.gap();
    }
    if !summary.not_exercised.is_empty() {
        page.fact("never done", &summary.not_exercised.join("; "));
        page.gap();
    }
}

fn checks(page: &mut Sheet, run: &Run) {
    for check in &run.summary.checks {
        let model = if check.model.is_empty() {
            String::new()
        } else {
            format!(" ({})", check.model)
        };
        let keys = match check.keys.len() {
            0 => String::new(),
            keys => format!(", {}", words::counted(keys as u64, "key")),
        };
        let name = format!("{}{model}: {}{keys}", check.checker, check.verdict);
        let reason = if check.reason == run.summary.reason {
            String::new()
        } else {
            format!(". {}", words::reason(&check.reason))
        };
        page.fact("check", &format!("{name}{reason}"));
    }
}

fn foot(page: &mut Sheet, run: &Run) {
    if !run.directory.as_os_str().is_empty() {
        let report = run.directory.join("report.html");
        page.whole("report", &report.display().to_string());
    }
    if !run.summary.command.is_empty() {
        page.whole("again", &run.summary.command);
    }
}
