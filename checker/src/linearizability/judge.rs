//! One key: which engine, with what budget, and what came of it.

use partita_history::OpId;

use super::entry::{Entry, Object};
use super::orphan;
use super::problem::Problem;
use super::search::{self, Budget, Finding, Order};
use crate::monitor;

/// A configuration that the depth-first search remembers may take this part of the memory; the breadth-first
/// search, which needs less, is then still left with the whole (the other's tables are gone).
const DEPTH_FIRST_SHARE: u64 = 2;

/// What is known of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A linearization, if the search that found it keeps one.
    Linearizable(Option<Vec<OpId>>),
    /// There is none.
    Violated(Violation),
    /// The budget was spent.
    Unknown,
    /// No monitor applies, for this reason, and no search was allowed.
    NotApplicable(&'static str),
}

/// Where a history ceases to be linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The position of the return that ends the shortest violating prefix.
    pub(crate) position: u32,
    /// The operation that returns there.
    pub(crate) culprit: OpId,
}

/// What is known of one key, and what it took.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    pub(crate) outcome: Outcome,
    /// The number of events up to which the key is linearizable.
    pub(crate) verified_events: u32,
    pub(crate) configurations: u64,
    /// It is unknown for want of memory.
    pub(crate) wants_memory: bool,
}

impl Judgement {
    /// Nothing is known.
    pub(crate) fn none() -> Judgement {
        Judgement {
            outcome: Outcome::Unknown,
            verified_events: 0,
            configurations: 0,
            wants_memory: false,
        }
    }

    /// What is known after a second attempt.
    pub(crate) fn and_then(&mut self, second: Judgement) {
        *self = Judgement {
            verified_events: self.verified_events.max(second.verified_events),
            configurations: self.configurations + second.configurations,
            ..second
        };
    }
}

/// The entries as they look at `position`: what returns later is pending, what is invoked later is not there,
/// and pending observers say nothing.
pub(crate) fn prefix(object: &Object<'_>, position: u32) -> Vec<Entry> {
    object
        .entries
        .iter()
        .filter(|entry| entry.invoked <= position)
        .map(|entry| Entry {
            deadline: entry.deadline.filter(|&deadline| deadline <= position),
            ..*entry
        })
        .filter(|entry| entry.deadline.is_some() || !object.classes.is_observer(entry.class))
        .collect()
}

/// Judges one key.
pub(crate) fn judge(object: &Object<'_>, budget: Budget<'_>) -> Judgement {
    let mut judge = Judge {
        object,
        budget,
        configurations: 0,
    };
    let (outcome, verified_events) = judge.by_monitor().unwrap_or_else(|| judge.by_search());
    let is_spent = judge.configurations > budget.configurations || (budget.stop)();
    Judgement {
        wants_memory: outcome == Outcome::Unknown && !is_spent,
        outcome,
        verified_events,
        configurations: judge.configurations,
    }
}

struct Judge<'a> {
    object: &'a Object<'a>,
    budget: Budget<'a>,
    configurations: u64,
}

impl Judge<'_> {
    /// Searches; the position that goes with a finding is that of the return at its level.
    fn run(&mut self, order: Order, entries: &[Entry], budget: Budget<'_>) -> (Finding, u32) {
        let Object {
            classes,
            specification,
            ..
        } = self.object;
        let problem = Problem::new(entries, classes, *specification);
        let budget = Budget {
            configurations: budget.configurations.saturating_sub(self.configurations),
            ..budget
        };
        let (finding, visited) = search::run(order, &problem, entries, classes, *specification, budget);
        self.configurations += visited;
        let position = match finding {
            Finding::Linearizable(_) => self.object.history.events(),
            Finding::Violation { level } | Finding::Spent { level } => problem.levels[level].position,
        };
        (finding, position)
    }

    /// Depth first, and if that takes too much memory, breadth first.
    fn search(&mut self) -> (Outcome, u32) {
        let entries = &self.object.entries;
        let part = Budget {
            bytes: self.budget.bytes / DEPTH_FIRST_SHARE,
            ..self.budget
        };
        let is_single_value = |entry: &Entry| {
            let class = self.object.classes.get(entry.class);
            self.object.specification.access(class).is_some()
        };
        let foresight = entries.iter().all(is_single_value);
        let (mut finding, mut position) = self.run(Order::DepthFirst { foresight }, entries, part);
        let mut is_exact = !foresight;
        if matches!(finding, Finding::Spent { .. }) && !(self.budget.stop)() {
            let (second, reached) = self.run(Order::BreadthFirst, entries, self.budget);
            (finding, position) = (second, position.max(reached));
            is_exact = true;
        }
        match finding {
            Finding::Linearizable(order) => {
                let order = order.map(|order| self.ids(&order));
                (Outcome::Linearizable(order), position)
            }
            Finding::Violation { .. } if is_exact => self.first_violation(position, position, Pace::Halves),
            Finding::Violation { .. } => {
                let last = entries.iter().filter_map(|entry| entry.deadline).max();
                // What the search got to was seldom far from the end of all hope.
                self.first_violation(position, last.unwrap_or(position), Pace::FromStart(1))
            }
            Finding::Spent { .. } => (Outcome::Unknown, position),
        }
    }

    /// None if the search has to decide.
    fn by_monitor(&mut self) -> Option<(Outcome, u32)> {
        if (self.budget.stop)() {
            return Some((Outcome::Unknown, 0));
        }
        let finding = match &self.object.monitor {
            Some(monitor) => monitor.judge(&self.object.entries),
            None => monitor::Finding::NotApplicable("the model has none"),
        };
        match finding {
            monitor::Finding::Pass(order) => Some((
                Outcome::Linearizable(Some(self.ids(&order))),
                self.object.history.events(),
            )),
            monitor::Finding::Fail(core) => {
                Some(self.first_violation_until(end_of(&core, &self.object.entries)))
            }
            monitor::Finding::NotApplicable(_) if self.object.may_search => None,
            monitor::Finding::NotApplicable(why) => Some((Outcome::NotApplicable(why), 0)),
        }
    }

    fn by_search(&mut self) -> (Outcome, u32) {
        if (self.budget.stop)() {
            return (Outcome::Unknown, 0);
        }
        let object = self.object;
        let orphan = orphan::find(&object.entries, &object.classes, object.specification);
        match orphan {
            // An orphan is a violation already; there may be an earlier one.
            Some(orphan) => {
                let reader = object.entries[orphan.reader];
                self.first_violation_until(reader.deadline.unwrap_or(reader.invoked))
            }
            None => self.search(),
        }
    }

    fn ids(&self, order: &[u32]) -> Vec<OpId> {
        order
            .iter()
            .map(|&i| self.object.entries[i as usize].id)
            .collect()
    }

    /// Where a monitor's violation is searched for: mostly it is the first one, and the prefix just before passes.
    fn first_violation_until(&mut self, violated: u32) -> (Outcome, u32) {
        let pace = match self.object.monitor {
            Some(_) => Pace::FromEnd(1),
            None => Pace::Halves,
        };
        self.first_violation(0, violated, pace)
    }

    /// The shortest violating prefix, by bisection: every prefix of a linearizable history is linearizable. The
    /// prefix that ends before `verified` is known to be, that which ends with `violated` is known not to be.
    fn first_violation(&mut self, verified: u32, violated: u32, pace: Pace) -> (Outcome, u32) {
        let in_question = |(position, _): &(u32, OpId)| (verified..=violated).contains(position);
        let mut returns: Vec<(u32, OpId)> = self
            .object
            .entries
            .iter()
            .filter_map(|entry| Some((entry.deadline?, entry.id)))
            .filter(in_question)
            .collect();
        returns.sort_unstable();
        let (mut low, mut high) = (0, returns.len() - 1);
        let mut pace = pace;
        while low < high {
            let middle = match pace {
                Pace::FromEnd(step) => high.saturating_sub(step).max(low),
                Pace::FromStart(step) => (low + step - 1).min(high - 1),
                Pace::Halves => low.midpoint(high),
            };
            match self.probe(returns[middle].0) {
                Some(None) => {
                    low = middle + 1;
                    pace = pace.after_pass();
                }
                Some(Some(position)) => {
                    high = returns
                        .partition_point(|&(other, _)| other < position)
                        .clamp(low, middle);
                    pace = pace.after_violation();
                }
                // A longer prefix that certainly is a violation has to do.
                None => break,
            }
        }
        let (position, culprit) = returns[high];
        let verified = returns[low].0;
        (Outcome::Violated(Violation { position, culprit }), verified)
    }

    /// Whether the prefix that ends at `position` is a violation, and if so, the end of a prefix, no longer than it,
    /// that is one. None if the budget is spent.
    fn probe(&mut self, position: u32) -> Option<Option<u32>> {
        let entries = prefix(self.object, position);
        if (self.budget.stop)() {
            return None;
        }
        match self
            .object
            .monitor
            .as_ref()
            .map(|monitor| monitor.judge(&entries))
        {
            Some(monitor::Finding::Pass(_)) => return Some(None),
            Some(monitor::Finding::Fail(core)) => return Some(Some(end_of(&core, &entries))),
            Some(monitor::Finding::NotApplicable(_)) if !self.object.may_search => return None,
            Some(monitor::Finding::NotApplicable(_)) | None => {}
        }
        let order = Order::DepthFirst { foresight: true };
        match self.run(order, &entries, self.budget).0 {
            Finding::Linearizable(_) => Some(None),
            Finding::Violation { .. } => Some(Some(position)),
            Finding::Spent { .. } => None,
        }
    }
}

/// Where a bisection looks next.
#[derive(Clone, Copy, Debug)]
enum Pace {
    /// So many before the end, and twice as many if that is a violation still.
    FromEnd(usize),
    /// So many after the start, and twice as many if that is none yet.
    FromStart(usize),
    /// In the middle.
    Halves,
}

impl Pace {
    fn after_pass(self) -> Pace {
        match self {
            Pace::FromStart(step) => Pace::FromStart(2 * step),
            Pace::FromEnd(_) | Pace::Halves => Pace::Halves,
        }
    }

    fn after_violation(self) -> Pace {
        match self {
            Pace::FromEnd(step) => Pace::FromEnd(2 * step),
            Pace::FromStart(_) | Pace::Halves => Pace::Halves,
        }
    }
}

/// When the last of some completed entries returned.
fn end_of(some: &[u32], entries: &[Entry]) -> u32 {
    some.iter()
        .filter_map(|&i| entries[i as usize].deadline)
        .max()
        .unwrap_or(u32::MAX)
}
