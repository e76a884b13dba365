//! A night for CI systems, as JUnit XML: one test case a cell.

use std::fmt::Write as _;

use partita_checker::Verdict;
use partita_reports::escaped;

use super::night::Place;
use super::tally::{Tally, telling};

/// `junit.xml`. A violation and a cell that did too little are failures; an unknown verdict, a failure of the harness
/// and a canary that was not caught are errors; what was not done is skipped. One more case, `night`, says
/// whether the night is green: it is never lost that nothing was done.
pub(crate) fn junit(place: &Place, tally: &Tally) -> String {
    let night = &place.night;
    let done: Vec<_> = place.done.values().collect();
    let is_failure = |verdict| matches!(verdict, Verdict::Invalid | Verdict::NotExercised);
    let is_error = |verdict| matches!(verdict, Verdict::Unknown | Verdict::HarnessFailure);
    let night_fails = tally.verdict != Verdict::Valid;
    let failures = done.iter().filter(|it| is_failure(it.verdict)).count() + usize::from(night_fails);
    let errors = done.iter().filter(|it| is_error(it.verdict)).count();
    let seconds: f64 = done.iter().map(|it| it.seconds).sum();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"partita.matrix\" tests=\"{}\" \
         failures=\"{failures}\" errors=\"{errors}\" skipped=\"{}\" time=\"{seconds:.3}\" timestamp=\"{}\">\n    \
         <properties>\n",
        night.cells.len() + 1,
        night.cells.len() - done.len(),
        escaped(night.started.trim_end_matches('Z')),
    );
    for (name, value) in [
        ("verdict", tally.verdict.to_string()),
        ("seed", night.seed.to_string()),
        ("shard", night.shard.clone().unwrap_or_default()),
        ("matrix", night.matrix.clone()),
    ] {
        let _ = writeln!(
            out,
            "      <property name=\"{name}\" value=\"{}\"/>",
            escaped(&value)
        );
    }
    out.push_str("    </properties>\n");
    for (number, cell) in night.cells.iter().enumerate() {
        let class = escaped(&format!("partita.{}", cell.target));
        let name = escaped(&cell.name);
        let case = format!("    <testcase classname=\"{class}\" name=\"{name}\"");
        let Some(it) = place.done.get(&number) else {
            let _ = writeln!(out, "{case}><skipped message=\"not done\"/></testcase>");
            continue;
        };
        let _ = write!(out, "{case} time=\"{:.3}\"", it.seconds);
        if it.verdict == Verdict::Valid {
            out.push_str("/>\n");
            continue;
        }
        let element = if is_error(it.verdict) { "error" } else { "failure" };
        let telling = telling(it);
        let again = telling.map_or("", |attempt| attempt.command.as_str());
        let run = telling.and_then(|attempt| attempt.run.as_ref());
        let run = run.map_or_else(String::new, |run| run.display().to_string());
        let _ = writeln!(
            out,
            ">\n      <{element} type=\"{}\" message=\"{}\">{}</{element}>\n    </testcase>",
            escaped(&it.verdict.to_string()),
            escaped(&it.reason),
            escaped(&format!("again: {again}\nrun: {run}"))
        );
    }
    let case = "    <testcase classname=\"partita.matrix\" name=\"night\"";
    if night_fails {
        let _ = writeln!(
            out,
            "{case}>\n      <failure type=\"{}\" message=\"{}\"/>\n    </testcase>",
            escaped(&tally.verdict.to_string()),
            escaped(&tally.reason)
        );
    } else {
        let _ = writeln!(out, "{case}/>");
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::super::tally::tests::place;
    use super::*;

    #[test]
    fn a_night_in_junit() {
        let home = tempfile::tempdir().unwrap();
        let place = place(home.path());
        insta::assert_snapshot!(junit(&place, &Tally::of(&place)));
    }
}
