//! What each node took itself for, over time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::told::Told;

/// What a node said that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) role: String,
    pub(super) term: Option<u64>,
}

/// What a node was heard to say, or that it did not answer.
struct Heard {
    /// Nanoseconds since the start of the run.
    time: u64,
    said: Option<Said>,
}

/// What is known of a node at a moment.
pub(super) struct Known<'a> {
    pub(super) said: &'a Said,
    /// When it last said so, until the moment.
    pub(super) last: u64,
    /// Whether it was so at the moment: nodes that log every change would have told of another, and of others the
    /// next answer says the same.
    pub(super) sure: bool,
}

/// Another node that led a later term.
pub(super) struct Newer<'a> {
    pub(super) node: &'a str,
    pub(super) term: Option<u64>,
    /// When it was first seen to.
    pub(super) since: u64,
    /// Whether it was still known to at the moment in question.
    pub(super) still: bool,
}

impl Known<'_> {
    /// `took itself for the leader of term 3`, or when it last said so.
    pub(super) fn words(&self) -> String {
        if self.sure {
            format!("took itself for {}", self.said.words())
        } else {
            self.last_words()
        }
    }

    /// `last said at 1.250 s that it was the leader of term 3`.
    pub(super) fn last_words(&self) -> String {
        let last = super::moment(self.last);
        format!("last said at {last} that it was {}", self.said.words())
    }
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
    nodes: BTreeMap<&'a str, Vec<Heard>>,
    /// Nodes whose logs tell of every change.
    logged: &'a BTreeSet<&'a str>,
}

impl<'a> Roles<'a> {
    pub(super) fn of(told: &'a Told<'_>) -> Self {
        let mut nodes: BTreeMap<&str, Vec<Heard>> = BTreeMap::new();
        for metric in &told.metrics {
            let said = metric.role.as_ref().filter(|_| metric.up).map(|role| Said {
                role: role.clone(),
                term: metric.term,
            });
            if said.is_some() || !metric.up {
                let time = metric.time;
                nodes.entry(&metric.node).or_default().push(Heard { time, said });
            }
        }
        Roles {
            nodes,
            logged: &told.logged,
        }
    }

    /// What the node last said before a moment; nothing if it has not answered since.
    pub(super) fn at(&self, node: &str, now: u64) -> Option<Known<'_>> {
        let heard = self.nodes.get(node)?;
        let after = heard.partition_point(|heard| heard.time <= now);
        let last = heard.get(after.checked_sub(1)?)?;
        let said = last.said.as_ref()?;
        let agrees = heard
            .get(after)
            .is_some_and(|next| next.said.as_ref() == Some(said));
        Some(Known {
            said,
            last: last.time,
            sure: agrees || self.logged.contains(node),
        })
    }

    /// Who led a later term than the node said to be in, by `seen_by`, and whether still at `now`: the first to lead
    /// the latest term.
    pub(super) fn newer_leader(&self, node: &str, than: &Said, now: u64, seen_by: u64) -> Option<Newer<'a>> {
        if !than.leads() {
            return None;
        }
        let others = self.nodes.iter().filter(|(other, _)| **other != node);
        let led = others.flat_map(|(&other, heard)| {
            let said = heard.iter().filter(|heard| heard.time <= seen_by);
            said.filter_map(move |heard| Some((other, heard.time, heard.said.as_ref()?)))
        });
        let (node, since, said) = led
            .filter(|(_, _, said)| said.leads() && said.term > than.term)
            .max_by_key(|&(_, since, said)| (said.term, Reverse(since)))?;
        let still = self.at(node, now).is_some_and(|known| known.said == said);
        Some(Newer {
            node,
            term: said.term,
            since,
            still,
        })
    }
}
