//! What nodes said of themselves: when they were asked, now and then; and in the logs of our own servers, at every
//! change.

use std::collections::BTreeSet;

use partita_history::{FaultOutcome, FaultPhase};

use crate::clock;
use crate::load::Run;
use crate::run::Metric;

/// What all nodes said.
pub(crate) struct Told<'a> {
    /// In order of time.
    pub(crate) metrics: Vec<Metric>,
    /// Nodes whose logs tell of every change.
    pub(crate) logged: BTreeSet<&'a str>,
}

/// From the metrics, and to the microsecond from logs that tell.
pub(crate) fn told(run: &Run) -> Told<'_> {
    let mut metrics = run.metrics.clone();
    let mut logged = BTreeSet::new();
    if let Some(zero_us) = clock::zero_us(&run.summary) {
        let bent = bent(run);
        for log in run.logs.iter().filter(|log| !bent.contains(log.node.as_str())) {
            let said = log.lines.iter().filter_map(|line| change(line, zero_us));
            let before = metrics.len();
            metrics.extend(said.map(|said| Metric {
                node: log.node.clone(),
                ..said
            }));
            if metrics.len() > before {
                logged.insert(log.node.as_str());
            }
        }
    }
    metrics.sort_by_key(|metric| metric.time);
    Told { metrics, logged }
}

/// The nodes whose clocks a fault bent: what they log bears their own stamps.
fn bent(run: &Run) -> BTreeSet<&str> {
    let faults = run.history.faults.iter().filter(|fault| {
        fault.f.starts_with("clock-")
            && fault.value.phase == FaultPhase::Injected
            && fault.value.outcome != Some(FaultOutcome::Skipped)
    });
    faults
        .flat_map(|fault| &fault.value.nodes)
        .map(String::as_str)
        .collect()
}

/// `... now role="leader" term=2 leader=n4 ...`, as our own servers log it.
fn change(line: &str, zero_us: i64) -> Option<Metric> {
    let (before, role) = line.split_once("role=\"")?;
    if !before.ends_with("now ") {
        return None;
    }
    let (role, rest) = role.split_once('"')?;
    let mut words = rest.split_whitespace();
    let digits = words.next()?.strip_prefix("term=")?;
    let leader = words.next().and_then(|word| word.strip_prefix("leader="));
    let at_us = clock::stamp(line)?.at_us.checked_sub(zero_us)?;
    Some(Metric {
        time: u64::try_from(at_us).ok()?.checked_mul(1_000)?,
        up: true,
        role: Some(role.to_owned()),
        term: digits.parse().ok(),
        leader: leader.filter(|leader| *leader != "nobody").map(str::to_owned),
        ..Metric::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::NodeLog;

    #[test]
    fn roles_are_read_from_the_logs_of_our_servers() {
        let line = "1970-01-01T00:00:02.5Z  INFO partita_replica::driver: now role=\"leader\" term=2 leader=n4 last_index=1";
        let said = change(line, 1_000_000).unwrap();
        let of = (said.time, said.role.as_deref(), said.term, said.leader.as_deref());
        assert_eq!(of, (1_500_000_000, Some("leader"), Some(2), Some("n4")));
        assert!(change(line, 9_000_000).is_none(), "before the run");
        assert!(change("1970-01-01T00:00:02Z asked role=\"x\"", 0).is_none());
        let alone = "1970-01-01T00:00:02Z now role=\"candidate\" term=3 leader=nobody last_index=1";
        assert_eq!(change(alone, 0).unwrap().leader, None);
    }

    #[test]
    fn changes_stand_between_the_answers() {
        let mut run = Run {
            metrics: [0, 4_000_000_000]
                .map(|time| Metric {
                    time,
                    node: "n1".into(),
                    up: true,
                    ..Metric::default()
                })
                .into(),
            logs: vec![NodeLog {
                node: "n1".into(),
                lines: vec!["1970-01-01T00:00:02Z now role=\"leader\" term=2 leader=n1".into()],
                cut: false,
            }],
            ..Run::default()
        };
        assert_eq!(
            told(&run).metrics.len(),
            2,
            "whose clock the stamps are of is not known"
        );
        let zero = "1970-01-01T00:00:00Z".to_owned();
        run.summary.facts.insert(clock::TIME_ZERO.to_owned(), zero);
        let told = told(&run);
        let roles: Vec<_> = told.metrics.iter().map(|metric| metric.role.as_deref()).collect();
        assert_eq!(roles, [None, Some("leader"), None]);
        assert!(told.logged.contains("n1"));
    }
}
