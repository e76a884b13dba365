//! The table and the heat map, as Markdown and as one HTML file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use partita_reports::escaped;
use serde::Serialize;

use super::trial::Row;

/// All that was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Calibration {
    /// The version of this format.
    pub(crate) format: u32,
    /// The version of the program that was calibrated.
    pub(crate) version: &'static str,
    /// The day on which it was, in UTC, as `2026-11-21`.
    pub(crate) date: String,
    /// In virtual time.
    pub(crate) simulated: Vec<Row>,
    /// In real processes.
    pub(crate) processes: Vec<Row>,
}

impl Calibration {
    /// Rows without a defect in which something was found.
    pub(crate) fn false_alarms(&self) -> u64 {
        let rows = self.simulated.iter().chain(&self.processes);
        rows.filter(|row| row.defect.is_none()).map(|row| row.found).sum()
    }

    /// Defects that were tried, and never found in any way.
    pub(crate) fn never_found(&self) -> Vec<&'static str> {
        let mut best: BTreeMap<&'static str, u64> = BTreeMap::new();
        for row in self.simulated.iter().chain(&self.processes) {
            if let Some(defect) = row.defect {
                *best.entry(defect).or_default() += row.expected;
            }
        }
        best.retain(|_, expected| *expected == 0);
        best.into_keys().collect()
    }
}

/// The tables.
pub(crate) fn markdown(calibration: &Calibration) -> String {
    let mut out = format!(
        "# How well planted bugs are found\n\nPartita {}, {}.\n",
        calibration.version, calibration.date
    );
    for (title, seconds, rows) in parts(calibration) {
        let _ = write!(
            out,
            "\n## {title}\n\n| protocol | defect | faults | found as expected | chance (95 %) | {seconds} to finding: \
             median | 90 % | what was found |\n|---|---|---|---|---|---|---|---|\n"
        );
        for row in rows {
            let (low, high) = row.interval;
            let mut found: Vec<_> = row.anomalies.iter().collect();
            found.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let found: Vec<_> = found
                .iter()
                .take(3)
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            let failed = match row.failed {
                0 => String::new(),
                failed => format!(" ({failed} more came to no verdict)"),
            };
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} of {}{failed} | {:.0} to {:.0} % | {} | {} | {} |",
                row.protocol,
                row.defect.unwrap_or("*none*"),
                row.faults,
                row.hits(),
                row.trials,
                100.0 * low,
                100.0 * high,
                seconds_text(row.seconds_median),
                seconds_text(row.seconds_p90),
                found.join(", "),
            );
        }
    }
    out
}

fn parts(calibration: &Calibration) -> impl Iterator<Item = (&'static str, &'static str, &[Row])> {
    [
        (
            "In virtual time",
            "virtual seconds",
            calibration.simulated.as_slice(),
        ),
        ("In real processes", "seconds", calibration.processes.as_slice()),
    ]
    .into_iter()
    .filter(|(_, _, rows)| !rows.is_empty())
}

fn seconds_text(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".into(), |seconds| format!("{seconds:.1}"))
}

/// The heat maps: a defect a line, a kind of faults a column.
pub(crate) fn html(calibration: &Calibration) -> String {
    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>How well planted bugs are found</title>\n\
         <style>\
         :root { color-scheme: light dark }\
         body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }\
         table { border-collapse: collapse } th, td { padding: .3rem .6rem; text-align: left }\
         td.cell { min-width: 6rem; text-align: center; border: 1px solid #8886 }\
         </style>\n<h1>How well planted bugs are found</h1>\n<p>Each cell: in how many of the trials the defect was found \
         by what it should lead to. The darker, the more often.</p>\n",
    );
    for (title, seconds, rows) in parts(calibration) {
        let mut faults: Vec<&str> = Vec::new();
        let mut lines: Vec<(&str, &str)> = Vec::new();
        for row in rows {
            if !faults.contains(&row.faults.as_str()) {
                faults.push(&row.faults);
            }
            let line = (row.protocol, row.defect.unwrap_or("no defect"));
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let _ = write!(
            out,
            "<h2>{title}</h2>\n<table><thead><tr><th scope=\"col\">protocol<th scope=\"col\">defect"
        );
        for fault in &faults {
            let _ = write!(out, "<th scope=\"col\">{}", escaped(fault));
        }
        out.push_str("</thead>\n");
        for (protocol, defect) in lines {
            let _ = write!(
                out,
                "<tr><th scope=\"row\">{}<th scope=\"row\">{}",
                escaped(protocol),
                escaped(defect)
            );
            for fault in &faults {
                let row = rows.iter().find(|row| {
                    row.protocol == protocol
                        && row.defect.unwrap_or("no defect") == defect
                        && row.faults == *fault
                });
                out.push_str(&row.map_or_else(|| "<td class=\"cell\">".to_owned(), |row| cell(row, seconds)));
            }
            out.push('\n');
        }
        out.push_str("</table>\n");
    }
    out
}

/// One cell. Its colour is one hue of rising strength, which also a colour-blind eye orders; an alarm without a
/// defect is framed.
fn cell(row: &Row, seconds: &str) -> String {
    let hits = if row.defect.is_some() {
        row.expected
    } else {
        row.found
    };
    let share = if row.trials == 0 {
        0.0
    } else {
        hits as f64 / row.trials as f64
    };
    let alarm = match row.defect {
        None if row.found > 0 => "; outline: 3px solid #d55e00",
        _ => "",
    };
    let title = match row.seconds_median {
        Some(median) => format!("median {median:.1} {seconds}"),
        None => "nothing was found".to_owned(),
    };
    format!(
        "<td class=\"cell\" style=\"background: rgb(0 114 178 / {:.2}){alarm}\" title=\"{title}\">{hits} of {}",
        0.75 * share,
        row.trials
    )
}

#[cfg(test)]
mod tests {
    use super::super::trial::Trial;
    use super::*;
    use crate::cli::tests::pretty;
    use crate::formats::assert_documented;

    fn calibration() -> Calibration {
        let trial = |name: &str| {
            Ok(Trial {
                found: vec![name.to_owned()],
                seconds: 2.5,
            })
        };
        let row =
            |defect, faults, trials| Row::new("raft", defect, faults, trials, |name| name == "stale read");
        Calibration {
            format: 1,
            version: "0",
            date: "2026-11-21".into(),
            simulated: vec![
                row(
                    Some("stale-reads"),
                    "partition",
                    vec![trial("stale read"), trial("lost write")],
                ),
                row(Some("deaf"), "kill<", vec![]),
                row(None, "partition", vec![trial("a lie")]),
            ],
            processes: Vec::new(),
        }
    }

    #[test]
    fn false_alarms_and_what_was_never_found_are_named() {
        let calibration = calibration();
        assert_eq!(calibration.false_alarms(), 1);
        assert_eq!(calibration.never_found(), ["deaf"]);
    }

    #[test]
    fn tables_and_maps_show_every_row() {
        let calibration = calibration();
        let table = markdown(&calibration);
        assert!(
            table.contains("| raft | stale-reads | partition | 1 of 2 | 9 to 91 % | 2.5 | 2.5 | "),
            "{table}"
        );
        assert!(!table.contains("In real processes"), "{table}");
        let map = html(&calibration);
        assert!(
            map.contains("kill&lt;") && map.contains("1 of 2") && map.contains("outline"),
            "{map}"
        );
    }

    #[test]
    fn a_calibration_as_tables_and_json() {
        let mut calibration = calibration();
        calibration.processes = calibration.simulated.split_off(1);
        insta::assert_snapshot!("calibration-markdown", markdown(&calibration));
        insta::assert_snapshot!("calibration-page", html(&calibration));
        let told = serde_json::to_value(&calibration).unwrap();
        assert_documented("calibration.json", &told);
        insta::assert_snapshot!("calibration-json", pretty(&told));
    }
}
