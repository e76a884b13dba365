//! How verdicts and throughput went from night to night.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use partita_checker::Verdict;
use partita_reports::escaped;

use super::query::encode;
use crate::markup::mark;
use crate::matrix::night::Place;
use crate::matrix::tally::Tally;

/// How many nights are shown: the last ones.
const NIGHTS: usize = 30;

/// A table of the nights, the newest first, and a line for each target's throughput. Nothing where there is no night.
pub(super) fn section(nights: &[(String, Place)]) -> String {
    if nights.is_empty() {
        return String::new();
    }
    let shown = &nights[nights.len().saturating_sub(NIGHTS)..];
    let mut out = String::from(
        "<h2>Nights</h2>\n<div class=\"wide\"><table><thead><tr><th scope=\"col\">night<th scope=\"col\">verdict<th \
         scope=\"col\">cells<th scope=\"col\">canaries<th scope=\"col\">why</thead>\n",
    );
    for (name, place) in shown.iter().rev() {
        let tally = Tally::of(place);
        let cells: Vec<_> = tally
            .verdicts
            .iter()
            .map(|(verdict, count)| format!("{count} {verdict}"))
            .collect();
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\"><a href=\"/files/{}/index.html\">{}</a><td>{}<td>{}<td>{} of {}<td>{}",
            escaped(&encode(name)),
            escaped(&place.night.started),
            mark(tally.verdict),
            escaped(&cells.join(", ")),
            tally.canaries.0,
            tally.canaries.1,
            escaped(&tally.reason),
        );
    }
    out.push_str("</table></div>\n");
    let throughput = throughput(shown);
    if shown.len() > 1 && !throughput.is_empty() {
        out.push_str(
            "<h3>Median throughput of valid runs, ok operations a second, night by night</h3>\n<table>\n",
        );
        for (target, points) in throughput {
            let last = points.last().map_or(0.0, |(_, rate)| *rate);
            let _ = writeln!(
                out,
                "<tr><th scope=\"row\">{}<td>{}<td class=\"number\">{last:.0}",
                escaped(&target),
                sparkline(&target, &points, shown.len())
            );
        }
        out.push_str("</table>\n");
    }
    out
}

/// For each target, the nights by number, and the median of its runs in each.
fn throughput(nights: &[(String, Place)]) -> BTreeMap<String, Vec<(usize, f64)>> {
    let mut lines: BTreeMap<String, Vec<(usize, f64)>> = BTreeMap::new();
    for (number, (_, place)) in nights.iter().enumerate() {
        let mut rates: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (at, done) in &place.done {
            let cell = &place.night.cells[*at];
            // A run that is to fail, or did, may have ended at any moment.
            if cell.canary.is_none() && done.verdict == Verdict::Valid {
                let measured = done.attempts.iter().map(|attempt| attempt.ok_per_second);
                let measured = measured.filter(|rate| *rate > 0.0);
                rates.entry(&cell.target).or_default().extend(measured);
            }
        }
        for (target, mut rates) in rates {
            rates.sort_by(f64::total_cmp);
            if let Some(median) = rates.get(rates.len() / 2) {
                lines
                    .entry(target.to_owned())
                    .or_default()
                    .push((number, *median));
            }
        }
    }
    lines
}

/// A small picture of the points.
fn sparkline(name: &str, points: &[(usize, f64)], nights: usize) -> String {
    const WIDTH: f64 = 360.0;
    const HEIGHT: f64 = 40.0;
    let most = points.iter().map(|(_, rate)| *rate).fold(1.0, f64::max);
    let step = WIDTH / (nights.max(2) - 1) as f64;
    let places: Vec<_> = points
        .iter()
        .map(|(night, rate)| format!("{:.1},{:.1}", *night as f64 * step, HEIGHT - HEIGHT * rate / most))
        .collect();
    // A night alone makes no line.
    let dots: String = places
        .iter()
        .filter_map(|place| place.split_once(','))
        .map(|(x, y)| format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"currentColor\"/>"))
        .collect();
    let first = points.first().map_or(0.0, |(_, rate)| *rate);
    let last = points.last().map_or(0.0, |(_, rate)| *rate);
    format!(
        "<svg viewBox=\"-3 -3 {} {}\" width=\"360\" height=\"46\" role=\"img\" aria-label=\"{}: {first:.0} at first, {last:.0} \
         in the end, {most:.0} at most\"><polyline points=\"{}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"/>{dots}</svg>",
        WIDTH + 6.0,
        HEIGHT + 6.0,
        escaped(name),
        places.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::tally::tests::place;

    #[test]
    fn nights_are_rows_and_targets_are_lines() {
        let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let nights: Vec<_> = homes
            .iter()
            .map(|home| ("night-<1>".to_owned(), place(home.path())))
            .collect();
        let section = section(&nights);
        assert!(section.contains("/files/night-%3C1%3E/index.html"), "{section}");
        assert!(
            section.contains("1 of 1") && section.contains("raft: 388 at first"),
            "{section}"
        );
        assert!(
            !section.contains("<1>") && !section.contains("<write>"),
            "{section}"
        );
        assert_eq!(super::section(&[]), "");
    }
}
