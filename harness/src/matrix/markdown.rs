//! The summary of a night for the page of a CI job, in Markdown.

use std::fmt::Write as _;

use partita_checker::Verdict;

use super::night::Place;
use super::tally::{Tally, telling};

/// Failures told one by one; a job's page has room for 1 MiB.
const FAILURES_MAX: usize = 50;

/// The verdict, what was done, what failed and how to see it again.
pub(crate) fn markdown(place: &Place, tally: &Tally) -> String {
    let night = &place.night;
    let sign = if tally.verdict == Verdict::Valid {
        "✅"
    } else {
        "❌"
    };
    let shard = night
        .shard
        .as_ref()
        .map_or_else(String::new, |shard| format!(", part {shard}"));
    let mut out = format!(
        "## {sign} Partita: {}\n\n{}\n\n{}. Seed {}{shard}.\n",
        tally.verdict,
        inline(&tally.reason),
        inline(&tally.work()),
        night.seed
    );
    let failed: Vec<_> = place
        .done
        .iter()
        .filter(|(_, done)| done.verdict != Verdict::Valid)
        .collect();
    if !failed.is_empty() {
        out.push_str("\n| what | verdict | why | again |\n|---|---|---|---|\n");
    }
    for (number, done) in failed.iter().take(FAILURES_MAX) {
        let cell = &night.cells[**number];
        let again = telling(done).map_or_else(String::new, |attempt| code(&attempt.command));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {again} |",
            inline(&cell.name),
            done.verdict,
            inline(&done.reason)
        );
    }
    if let Some(more) = failed.len().checked_sub(FAILURES_MAX).filter(|more| *more > 0) {
        let _ = writeln!(out, "\n{more} more are in index.html.");
    }
    out.push_str(
        "\n<details><summary>All cells</summary>\n\n| what | verdict | ok/s | seconds |\n|---|---|---|---|\n",
    );
    for (number, cell) in night.cells.iter().enumerate() {
        let _ = match place.done.get(&number) {
            Some(done) => {
                let rate = telling(done).map_or(0.0, |attempt| attempt.ok_per_second);
                let rate = if rate > 0.0 {
                    format!("{rate:.0}")
                } else {
                    "-".into()
                };
                writeln!(
                    out,
                    "| {} | {} | {rate} | {:.0} |",
                    inline(&cell.name),
                    done.verdict,
                    done.seconds
                )
            }
            None => writeln!(out, "| {} | not done | - | - |", inline(&cell.name)),
        };
    }
    out.push_str("\n</details>\n");
    out
}

/// Text that stays text, on one line, also in a table.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '!' | '~' | '@' => {
                out.push('\\');
                out.push(char);
            }
            _ if char.is_control() => out.push(' '),
            _ => out.push(char),
        }
    }
    out
}

/// A command, to be copied. A fence longer than any within it can't be broken out of.
fn code(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    let longest = text.split(|char| char != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    format!("{fence}{}{fence}", text.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::super::tally::tests::place;
    use super::*;

    #[test]
    fn a_night_in_markdown() {
        let home = tempfile::tempdir().unwrap();
        let place = place(home.path());
        insta::assert_snapshot!(markdown(&place, &Tally::of(&place)));
    }

    #[test]
    fn nothing_is_markup_that_was_text() {
        assert_eq!(inline("a|b<i>*`\n@x"), "a\\|b&lt;i&gt;\\*\\` \\@x");
        assert_eq!(code("a`|b"), "``a`\\|b``");
    }
}
