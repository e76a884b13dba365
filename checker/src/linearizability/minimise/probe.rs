//! Asks whether a part of a violation is still one, and keeps count of what that costs.

use std::cell::Cell;

use crate::linearizability::entry::{Entry, Object};
use crate::linearizability::orphan;
use crate::linearizability::search::{self, Budget, Finding, Order};
use crate::model::Access;
use crate::monitor;

/// How many entries and configurations all probes of one violation may look at together: a second or two.
const EFFORT_MAX: u64 = 2_000_000;
/// As many times all entries may be looked at in any case: enough to halve again and again what is large.
const ROUNDS: u64 = 16;
/// The part of what is left that one search may take: what is that hard to decide is seldom worth it.
const SHARE: u64 = 8;

/// Answers whether a set of entries is still a violation.
pub(super) struct Probe<'a> {
    pub(super) object: &'a Object<'a>,
    budget: Budget<'a>,
    left: Cell<u64>,
    unanswered: Cell<bool>,
}

impl<'a> Probe<'a> {
    pub(super) fn new(object: &'a Object<'a>, entries: usize, budget: Budget<'a>) -> Self {
        let effort = EFFORT_MAX.max(ROUNDS * entries as u64);
        Probe {
            object,
            budget,
            left: Cell::new(effort.min(budget.configurations)),
            unanswered: Cell::new(false),
        }
    }

    /// False also when the budget is spent: what can't be shown to be a violation is not taken for one.
    pub(super) fn fails(&self, entries: &[Entry]) -> bool {
        let answer = self.ask(entries);
        if answer.is_none() {
            self.unanswered.set(true);
        }
        answer.unwrap_or(false)
    }

    /// Whether every question so far got an answer.
    pub(super) fn answered_all(&self) -> bool {
        !self.unanswered.get()
    }

    /// Whether no more questions are answered.
    pub(super) fn is_spent(&self) -> bool {
        let is_spent = self.left.get() == 0 || (self.budget.stop)();
        if is_spent {
            self.unanswered.set(true);
        }
        is_spent
    }

    fn ask(&self, entries: &[Entry]) -> Option<bool> {
        let Object {
            classes,
            specification,
            ..
        } = self.object;
        if self.is_spent() {
            return None;
        }
        self.spend(entries.len() as u64);
        match self.object.monitor.as_ref().map(|monitor| monitor.judge(entries)) {
            Some(monitor::Finding::Pass(_)) => return Some(false),
            Some(monitor::Finding::Fail(_)) => return Some(true),
            Some(monitor::Finding::NotApplicable(_)) if !self.object.may_search => return None,
            Some(monitor::Finding::NotApplicable(_)) | None => {}
        }
        if orphan::find(entries, classes, *specification).is_some() {
            return Some(true);
        }
        let budget = Budget {
            configurations: (self.left.get() / SHARE).max(entries.len() as u64),
            ..self.budget
        };
        let order = Order::DepthFirst { foresight: true };
        let (finding, visited) = search::search(order, entries, classes, *specification, budget);
        self.spend(visited);
        match finding {
            Finding::Linearizable(_) => Some(false),
            Finding::Violation { .. } => Some(true),
            Finding::Spent { .. } => None,
        }
    }

    fn spend(&self, effort: u64) {
        self.left.set(self.left.get().saturating_sub(effort));
    }

    pub(super) fn access(&self, entry: &Entry) -> Option<Access<'_>> {
        self.object
            .specification
            .access(self.object.classes.get(entry.class))
    }

    pub(super) fn is_observer(&self, entry: &Entry) -> bool {
        self.object.classes.is_observer(entry.class)
    }
}
