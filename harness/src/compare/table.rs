//! What can be said of two sides.

use std::fmt::Write as _;

use super::side::Side;
use super::statistics::{Change, Interval, change, difference};

/// What was measured of both, and what follows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) text: String,
    /// Whether the interval excludes that there is no difference.
    pub(crate) differs: bool,
}

/// Every measure that both have.
pub(crate) fn lines(a: &Side, b: &Side) -> Vec<Line> {
    let mut lines = vec![found(a, b)];
    for (name, of_a) in &a.measures {
        let Some(of_b) = b.measures.get(name) else {
            continue;
        };
        let pairs: Vec<_> = of_a
            .iter()
            .filter_map(|(key, value)| Some((*value, *of_b.get(key)?)))
            .collect();
        let mean =
            |side: fn(&(f64, f64)) -> f64| pairs.iter().map(side).sum::<f64>() / pairs.len().max(1) as f64;
        let means = format!(
            "{:.1} and {:.1} on average",
            mean(|pair| pair.0),
            mean(|pair| pair.1)
        );
        let (text, differs) = match change(&pairs) {
            None if pairs.is_empty() => ("nothing that belongs together was measured".to_owned(), false),
            None => (format!("{means}; a single pair allows no interval"), false),
            Some(Change::Ratio(it)) => said(it, 1.0, percent, &means, pairs.len()),
            Some(Change::Difference(it)) => said(it, 0.0, points, &means, pairs.len()),
        };
        lines.push(Line {
            what: (*name).to_owned(),
            text,
            differs,
        });
    }
    lines
}

/// What an interval says, if this is what it would be without a difference; and whether it excludes that.
fn said(it: Interval, same: f64, told: fn(f64) -> String, means: &str, pairs: usize) -> (String, bool) {
    let differs = it.low > same || it.high < same;
    let said = if differs {
        format!("differs by {}", told(it.mean))
    } else {
        "no difference shown".to_owned()
    };
    let interval = format!("95 %: {} to {}, {pairs} pairs", told(it.low), told(it.high));
    (format!("{said} ({interval}); {means}"), differs)
}

/// A difference.
fn points(difference: f64) -> String {
    format!("{difference:+.1}")
}

/// How often something was found.
fn found(a: &Side, b: &Side) -> Line {
    let counts = format!("{} of {} and {} of {}", a.found, a.trials, b.found, b.trials);
    let (text, differs) = match difference((a.found, a.trials), (b.found, b.trials)) {
        None => (format!("{counts}; too few to say more"), false),
        Some((low, high)) => {
            let differs = low > 0.0 || high < 0.0;
            let said = match differs {
                true if low > 0.0 => "more often",
                true => "less often",
                false => "no difference shown",
            };
            let points = |part: f64| format!("{:+.0}", 100.0 * part);
            let interval = format!("95 %: {} to {} percentage points", points(low), points(high));
            (format!("{said} ({interval}); {counts}"), differs)
        }
    };
    Line {
        what: "violations found".into(),
        text,
        differs,
    }
}

/// A ratio as a change. So large a one that the number would say nothing is not told to the digit.
fn percent(ratio: f64) -> String {
    if ratio >= 10.0 {
        return "ten times as much or more".to_owned();
    }
    format!("{:+.0} %", 100.0 * (ratio - 1.0))
}

/// For a reader: the second side beside the first.
pub(crate) fn text(a: &Side, b: &Side) -> String {
    let mut out = format!("{} beside {}\n", b.name, a.name);
    let verdicts = |side: &Side| {
        let counts = side
            .verdicts
            .iter()
            .map(|(verdict, count)| format!("{count} {verdict}"));
        counts.collect::<Vec<_>>().join(", ")
    };
    let _ = writeln!(out, "  verdicts: {}; {}", verdicts(a), verdicts(b));
    let lines = lines(a, b);
    for line in &lines {
        let _ = writeln!(out, "  {}: {}", line.what, line.text);
    }
    if lines.iter().all(|line| !line.differs) {
        out.push_str("  no difference shown\n");
    }
    out
}

/// For a program: each of the others beside the first (reports/FORMATS.md).
pub(crate) fn json(base: &Side, others: &[Side]) -> serde_json::Value {
    let comparisons = others.iter().map(|side| {
        let lines = lines(base, side);
        let lines = lines
            .iter()
            .map(|line| serde_json::json!({"what": line.what, "text": line.text, "differs": line.differs}));
        serde_json::json!({
            "a": base.name, "b": side.name,
            "verdicts": [base.verdicts, side.verdicts],
            "measures": [base.measures, side.measures],
            "lines": lines.collect::<Vec<_>>(),
        })
    });
    serde_json::json!({"format": partita_reports::run::FORMAT, "comparisons": comparisons.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cli::tests::pretty;
    use crate::formats::assert_documented;

    fn side(name: &str, found: u64, rates: &[f64]) -> Side {
        let rates = rates.iter().zip(0..);
        let rates: BTreeMap<_, _> = rates.map(|(rate, at)| (format!("seed {at}"), *rate)).collect();
        Side {
            name: name.into(),
            verdicts: [("valid".to_owned(), 10 - found), ("invalid".to_owned(), found)].into(),
            trials: 10,
            found,
            measures: [("ok operations a second", rates)].into(),
        }
    }

    #[test]
    fn what_differs_and_what_does_not() {
        let old = side("old", 0, &[400.0, 390.0, 410.0]);
        let new = side("new", 9, &[200.0, 196.0, 204.0]);
        insta::assert_snapshot!(
            text(&old, &new)
                + &text(&old, &old)
                + &text(&old, &side("one", 1, &[300.0]))
                + &text(&old, &side("dead", 0, &[0.0, 0.0, 0.0]))
        );
    }

    #[test]
    fn comparisons_for_programs() {
        let old = side("old", 0, &[400.0, 390.0, 410.0]);
        let new = side("new", 9, &[200.0, 196.0, 204.0]);
        let told = json(&old, &[new, old.clone()]);
        assert_documented("partita compare --json", &told);
        insta::assert_snapshot!(pretty(&told));
    }
}
