//! The page of a night: one HTML file without scripts, whose links lead to the reports of its runs.

use std::fmt::Write as _;

use partita_checker::Verdict;
use partita_reports::escaped;

use super::night::Place;
use super::tally::{Tally, telling};
use crate::markup::{STYLE, mark};

/// `index.html`.
pub(crate) fn page(place: &Place, tally: &Tally) -> String {
    let night = &place.night;
    let shard = night
        .shard
        .as_ref()
        .map_or_else(String::new, |shard| format!(", part {shard}"));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Partita: {verdict}, {started}</title>\n<style>{STYLE}</style>\n\
         <h1>{mark}</h1>\n<p>{reason}\n<p>{work}.\n<p class=\"dim\">{matrix}, begun {started}, seed {seed}{shard}, \
         {jobs} at a time, Partita {version}\n",
        verdict = tally.verdict,
        mark = mark(tally.verdict),
        reason = escaped(&tally.reason),
        work = escaped(&tally.work()),
        matrix = escaped(&night.matrix),
        started = escaped(&night.started),
        seed = night.seed,
        shard = escaped(&shard),
        jobs = night.jobs,
        version = escaped(&night.version),
    );
    let rows = |out: &mut String, wanted: &dyn Fn(usize) -> bool| {
        out.push_str(
            "<div class=\"wide\"><table><thead><tr><th scope=\"col\">what<th scope=\"col\">verdict<th scope=\"col\">why<th scope=\"col\" \
             class=\"number\">ok/s<th scope=\"col\" class=\"number\">seconds<th scope=\"col\">attempts</thead>\n",
        );
        for number in (0..night.cells.len()).filter(|&number| wanted(number)) {
            row(out, place, number);
        }
        out.push_str("</table></div>\n");
    };
    let verdict = |number: usize| place.done.get(&number).map(|done| done.verdict);
    let is_canary = |number: usize| night.cells[number].canary.is_some();
    let fails = |number: usize| !is_canary(number) && verdict(number).is_some_and(|it| it != Verdict::Valid);
    let all = 0..night.cells.len();
    if all.clone().any(fails) {
        out.push_str("<h2>What failed</h2>\n");
        rows(&mut out, &fails);
    }
    out.push_str("<h2>Canaries: runs with a deliberate bug, which must be found</h2>\n");
    rows(&mut out, &is_canary);
    out.push_str("<h2>What passed</h2>\n");
    rows(&mut out, &|number| {
        !is_canary(number) && verdict(number) == Some(Verdict::Valid)
    });
    if all.clone().any(|number| verdict(number).is_none()) {
        out.push_str("<h2>Not begun in time</h2>\n<ul>\n");
        for number in all.filter(|&number| verdict(number).is_none()) {
            let _ = writeln!(out, "<li>{}", escaped(&night.cells[number].name));
        }
        out.push_str("</ul>\n");
    }
    out
}

fn row(out: &mut String, place: &Place, number: usize) {
    let cell = &place.night.cells[number];
    let Some(done) = place.done.get(&number) else {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}<td colspan=\"5\">not done",
            escaped(&cell.name)
        );
        return;
    };
    let rate = telling(done).map_or(0.0, |attempt| attempt.ok_per_second);
    let rate = if rate > 0.0 {
        format!("{rate:.0}")
    } else {
        String::new()
    };
    let _ = write!(
        out,
        "<tr><th scope=\"row\">{}<td>{}<td>{}<td class=\"number\">{rate}<td class=\"number\">{:.0}<td>",
        escaped(&cell.name),
        mark(done.verdict),
        escaped(&done.reason),
        done.seconds
    );
    for attempt in &done.attempts {
        let _ = write!(out, "<div>{} ", mark(attempt.verdict));
        if let Some(run) = &attempt.run {
            let path = escaped(&run.display().to_string());
            let _ = write!(out, "<a href=\"{path}/report.html\">report</a> ");
        }
        let _ = write!(out, "<code>{}</code></div>", escaped(&attempt.command));
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::tally::tests::place;
    use super::*;

    #[test]
    fn a_night_as_a_page() {
        let home = tempfile::tempdir().unwrap();
        let place = place(home.path());
        let page = page(&place, &Tally::of(&place));
        assert!(!page.contains("<b>") && !page.contains("<write>"), "{page}");
        assert!(page.contains("<a href=\"runs/a/report.html\">"), "{page}");
        insta::assert_snapshot!(page.replace(STYLE, ""));
    }
}
