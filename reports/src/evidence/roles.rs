//! What each node took itself for, over time.

use std::collections::BTreeMap;

use crate::clock;
use crate::load::Run;

/// What a node said that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Nanoseconds since the start of the run.
    pub(super) time: u64,
    pub(super) role: String,
    pub(super) term: Option<u64>,
}

impl Said {
    /// `the leader of term 3`, `a follower in term 3`.
    pub(super) fn words(&self) -> String {
        let (article, of) = if self.leads() { ("the", "of") } else { ("a", "in") };
        match self.term {
            Some(term) => format!("{article} {} {of} term {term}", self.role),
            None => format!("{article} {}", self.role),
        }
    }

    /// Whether it took itself for the one that leads.
    pub(super) fn leads(&self) -> bool {
        matches!(self.role.as_str(), "leader" | "primary" | "leading")
    }
}

/// Of all nodes, each in order of time.
pub(super) struct Roles<'a> {
    nodes: BTreeMap<&'a str, Vec<Said>>,
}

impl<'a> Roles<'a> {
    /// From the metrics, and to the microsecond from logs that tell.
    pub(super) fn of(run: &'a Run) -> Self {
        let mut nodes: BTreeMap<&str, Vec<Said>> = BTreeMap::new();
        for metric in &run.metrics {
            if let Some(role) = &metric.role {
                nodes.entry(&metric.node).or_default().push(Said {
                    time: metric.time,
                    role: role.clone(),
                    term: metric.term,
                });
            }
        }
        if let Some(zero_us) = clock::zero_us(&run.summary) {
            for log in &run.logs {
                let said = log.lines.iter().filter_map(|line| logged(line, zero_us));
                nodes.entry(&log.node).or_default().extend(said);
            }
        }
        for said in nodes.values_mut() {
            said.sort_by_key(|said| said.time);
            said.dedup_by(|next, this| (&next.role, next.term) == (&this.role, this.term));
        }
        Roles { nodes }
    }

    /// What the node last said before a moment.
    pub(super) fn at(&self, node: &str, now: u64) -> Option<&Said> {
        self.nodes.get(node)?.iter().rfind(|said| said.time <= now)
    }

    /// Who led a later term than the node said to be in, by `now`: the first to lead the latest term.
    pub(super) fn newer_leader(&self, node: &str, than: &Said, now: u64) -> Option<(&'a str, &Said)> {
        if !than.leads() {
            return None;
        }
        let others = self.nodes.iter().filter(|(other, _)| **other != node);
        others
            .flat_map(|(&other, said)| said.iter().map(move |said| (other, said)))
            .filter(|(_, said)| said.leads() && said.term > than.term && said.time <= now)
            .max_by_key(|(_, said)| (said.term, std::cmp::Reverse(said.time)))
    }
}

/// `... now role="leader" term=2 leader=n4 ...`, as our own servers log it.
fn logged(line: &str, zero_us: i64) -> Option<Said> {
    let (before, role) = line.split_once("role=\"")?;
    if !before.ends_with("now ") {
        return None;
    }
    let (role, rest) = role.split_once('"')?;
    let term = rest.trim_start().strip_prefix("term=")?;
    let digits = term.split(' ').next()?;
    let at_us = clock::stamp(line)?.at_us.checked_sub(zero_us)?;
    Some(Said {
        time: u64::try_from(at_us).ok()?.checked_mul(1_000)?,
        role: role.to_owned(),
        term: digits.parse().ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_from_the_logs_of_our_servers() {
        let line = "1970-01-01T00:00:02.5Z  INFO partita_replica::driver: now role=\"leader\" term=2 leader=n4 last_index=1";
        let said = logged(line, 1_000_000).unwrap();
        assert_eq!(
            (said.time, said.role.as_str(), said.term),
            (1_500_000_000, "leader", Some(2))
        );
        assert_eq!(said.words(), "the leader of term 2");
        assert_eq!(logged(line, 9_000_000), None, "before the run");
        assert_eq!(logged("1970-01-01T00:00:02Z asked role=\"x\"", 0), None);
    }
}
