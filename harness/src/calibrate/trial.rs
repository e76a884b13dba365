//! One trial, and rows of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::interval::wilson;

/// What came of one trial.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trial {
    /// The anomalies or properties that showed, by name; none if nothing was found.
    pub(crate) found: Vec<String>,
    /// How long it took until then, in seconds: virtual ones, or the clock's.
    pub(crate) seconds: f64,
}

/// All trials of one defect under one kind of faults.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) protocol: &'static str,
    /// None: without a defect.
    pub(crate) defect: Option<&'static str>,
    /// The faults, with commas between.
    pub(crate) faults: String,
    pub(crate) trials: u64,
    /// Trials in which anything was found.
    pub(crate) found: u64,
    /// Of them, those in which what was found is what this defect should lead to.
    pub(crate) expected: u64,
    /// The chance of a trial to find what is expected, from and to, with 95 % confidence.
    pub(crate) interval: (f64, f64),
    /// The median of the seconds to the finding, over the trials that found something.
    pub(crate) seconds_median: Option<f64>,
    /// Their 90th percentile.
    pub(crate) seconds_p90: Option<f64>,
    /// How often each thing was found.
    pub(crate) anomalies: BTreeMap<String, u64>,
    /// Trials that came to no verdict, such as for want of time.
    pub(crate) failed: u64,
}

impl Row {
    /// The trials that count: those that found what is expected, or, where nothing should be, anything.
    pub(crate) fn hits(&self) -> u64 {
        match self.defect {
            Some(_) => self.expected,
            None => self.found,
        }
    }

    /// Sums trials up. Those that failed are no trials.
    pub(crate) fn new(
        protocol: &'static str,
        defect: Option<&'static str>,
        faults: &str,
        trials: Vec<anyhow::Result<Trial>>,
        is_expected: impl Fn(&str) -> bool,
    ) -> Row {
        let all = trials.len();
        let trials: Vec<Trial> = trials.into_iter().flatten().collect();
        let failed = (all - trials.len()) as u64;
        let found: Vec<&Trial> = trials.iter().filter(|trial| !trial.found.is_empty()).collect();
        let expected = found
            .iter()
            .filter(|trial| trial.found.iter().any(|name| is_expected(name)))
            .count();
        let mut seconds: Vec<f64> = found.iter().map(|trial| trial.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        let mut anomalies = BTreeMap::new();
        for name in found.iter().flat_map(|trial| &trial.found) {
            *anomalies.entry(name.clone()).or_default() += 1;
        }
        Row {
            protocol,
            defect,
            faults: faults.to_owned(),
            trials: trials.len() as u64,
            found: found.len() as u64,
            expected: expected as u64,
            interval: wilson(
                if defect.is_some() {
                    expected as u64
                } else {
                    found.len() as u64
                },
                trials.len() as u64,
            ),
            seconds_median: quantile(&seconds, 0.5),
            seconds_p90: quantile(&seconds, 0.9),
            anomalies,
            failed,
        }
    }
}

/// The smallest of the sorted numbers that at least this part of them does not exceed.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_what_was_found_and_what_was_expected() {
        let trial = |found: &[&str], seconds| {
            Ok(Trial {
                found: found.iter().map(|name| (*name).to_owned()).collect(),
                seconds,
            })
        };
        let trials = vec![
            trial(&["stale read"], 3.0),
            trial(&["lost write", "stale read"], 1.0),
            trial(&["cycle"], 2.0),
            trial(&[], 8.0),
            Err(anyhow::anyhow!("no network")),
        ];
        let row = Row::new("raft", Some("stale-reads"), "partition", trials, |name| {
            name == "stale read"
        });
        assert_eq!((row.trials, row.found, row.expected, row.failed), (4, 3, 2, 1));
        assert_eq!((row.seconds_median, row.seconds_p90), (Some(2.0), Some(3.0)));
        assert_eq!(row.anomalies["stale read"], 2);
        assert_eq!(row.interval, wilson(2, 4));
    }

    #[test]
    fn nothing_found_takes_no_time() {
        let row = Row::new("raft", None, "kill", Vec::new(), |_| true);
        assert_eq!((row.seconds_median, row.interval), (None, (0.0, 1.0)));
    }
}
