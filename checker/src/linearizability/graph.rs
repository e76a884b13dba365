//! The reduced configuration graph (ALGORITHMS.md 2.4): what the two searches walk.
//!
//! A configuration at a level says what has taken effect before the return of that level: the state, which of
//! the open operations (the mask), and how many crashed ones of each class. Its size does not depend on the
//! length of the history. Reductions, all sound and complete:
//!
//! - an operation takes effect only when a return forces something to (Lowe's just-in-time linearization);
//! - R1: an open observer that is possible takes effect at once, and is never branched on;
//! - R2: of open operations of one class only the one that returns first is tried, a crashed one only after all
//!   completed ones;
//! - R3: crashed operations of one class are a count, and a configuration that has used more is dominated;
//! - R4: a crashed operation that changes nothing is not tried;
//! - R5: a crashed operation is forgotten as soon as no return to come can make use of it.

use super::lookahead::Lookahead;
use super::mask::Mask;
use super::problem::Problem;
use super::transitions::Transitions;
use super::usage::Usages;

/// What has taken effect, at some level.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Configuration<M> {
    pub(crate) state: u32,
    pub(crate) usage: u32,
    pub(crate) mask: M,
}

/// What became of one choice.
pub(crate) enum Choice<M> {
    /// The operation took effect.
    Taken(Configuration<M>),
    /// It can't, or it need not be tried.
    Barred,
    /// There are no further choices.
    NoMore,
}

/// The graph of a problem, and the tables that it fills.
pub(crate) struct Graph<'a> {
    pub(crate) problem: &'a Problem,
    pub(crate) transitions: Transitions<'a>,
    pub(crate) usages: Usages,
    /// Prunes what is dead already, for a search that can do with that.
    pub(crate) lookahead: Option<Lookahead>,
    /// Where to note the entries that take effect; only when a path is walked again for its order.
    pub(crate) trace: Option<Vec<u32>>,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(problem: &'a Problem, transitions: Transitions<'a>) -> Self {
        Graph {
            problem,
            transitions,
            usages: Usages::new(),
            lookahead: None,
            trace: None,
        }
    }

    pub(crate) fn initial<M: Mask>(&self) -> Configuration<M> {
        Configuration {
            state: Transitions::INITIAL,
            usage: Usages::NONE,
            mask: M::empty(self.problem.slots),
        }
    }

    fn note(&mut self, entry: u32) {
        if let Some(trace) = &mut self.trace {
            trace.push(entry);
        }
    }

    /// Enters a level: the observers that were invoked since the last one take effect where they can.
    pub(crate) fn enter<M: Mask>(&mut self, level: usize, configuration: &mut Configuration<M>) {
        let problem = self.problem;
        for open in problem.arrivals(level) {
            if self.transitions.next(configuration.state, open.class).is_some() {
                configuration.mask.insert(open.slot);
                self.note(open.entry);
            }
        }
    }

    /// Leaves a level, if the operation that returns there has taken effect.
    pub(crate) fn leave<M: Mask>(&mut self, level: usize, configuration: &mut Configuration<M>) -> bool {
        let problem = self.problem;
        let due = problem.levels[level].due.slot;
        if !configuration.mask.contains(due) {
            return false;
        }
        configuration.mask.remove(due);
        configuration.usage = self
            .usages
            .retain(configuration.usage, |crashed| problem.matters(crashed, level + 1));
        true
    }

    /// Leaves and enters levels as long as nothing has to be chosen; gives the level reached, which is the
    /// number of levels when the history is at its end.
    pub(crate) fn settle<M: Mask>(
        &mut self,
        mut level: usize,
        configuration: &mut Configuration<M>,
    ) -> usize {
        while level < self.problem.levels.len() && self.leave(level, configuration) {
            level += 1;
            if level < self.problem.levels.len() {
                self.enter(level, configuration);
            }
        }
        level
    }

    /// Lets one operation take effect: the choices at a level are numbered, completed operations first.
    pub(crate) fn choose<M: Mask>(
        &mut self,
        level: usize,
        configuration: &Configuration<M>,
        choice: usize,
    ) -> Choice<M> {
        let problem = self.problem;
        let mutators = problem.mutators(level);
        let taken = |slot| configuration.mask.contains(slot);
        let mut next = configuration.clone();
        let chosen;
        if let Some(open) = mutators.get(choice) {
            let earlier = &mutators[..choice];
            if taken(open.slot) || earlier.iter().any(|e| e.class == open.class && !taken(e.slot)) {
                return Choice::Barred;
            }
            let Some(state) = self.transitions.next(configuration.state, open.class) else {
                return Choice::Barred;
            };
            next.state = state;
            next.mask.insert(open.slot);
            chosen = open.entry;
        } else {
            let Some(&crashed) = problem.live(level).get(choice - mutators.len()) else {
                return Choice::NoMore;
            };
            let class = problem.crashed[crashed as usize].class;
            let used = self.usages.count(configuration.usage, crashed);
            let Some(entry) = problem.member(crashed, used, level) else {
                return Choice::Barred;
            };
            if mutators
                .iter()
                .any(|open| open.class == class && !taken(open.slot))
            {
                return Choice::Barred;
            }
            match self.transitions.next(configuration.state, class) {
                Some(state) if state != configuration.state => next.state = state,
                _ => return Choice::Barred,
            }
            next.usage = self.usages.add(configuration.usage, crashed);
            chosen = entry;
        }
        if next.state != configuration.state
            && let Some(lookahead) = &mut self.lookahead
            && lookahead.is_dead(
                problem,
                &self.transitions,
                &self.usages,
                level,
                configuration.state,
                &next,
            )
        {
            return Choice::Barred;
        }
        self.note(chosen);
        for open in problem.observers(level) {
            if !next.mask.contains(open.slot) && self.transitions.next(next.state, open.class).is_some() {
                next.mask.insert(open.slot);
                self.note(open.entry);
            }
        }
        Choice::Taken(next)
    }

    /// The memory taken by the tables.
    pub(crate) fn bytes(&self) -> u64 {
        self.problem.bytes() + self.transitions.bytes() + self.usages.bytes()
    }
}
