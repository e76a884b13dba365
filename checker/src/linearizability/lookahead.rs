//! Foresight for objects that hold one value at a time: a value must not be overwritten while a completed
//! operation still needs it and nothing is left that could write it again.
//!
//! A configuration that does so is dead, though its death may come only many returns later: without foresight
//! the search visits all that lies between. With unique values little is left to choose. What is pruned might
//! still have got past a few returns, so a search with foresight says whether there is a linearization, but not
//! which return is the first that none gets past.

use partita_history::Value;
use rustc_hash::FxHashMap;

use super::entry::{Classes, Entry};
use super::graph::Configuration;
use super::mask::Mask;
use super::problem::Problem;
use super::transitions::Transitions;
use super::usage::Usages;
use crate::model::Specification;

/// A completed operation, and where the search finds out whether it has taken effect.
struct Due {
    level: usize,
    slot: u32,
    invoked: u32,
}

/// What needs a value and what produces it; completed operations in the order of their returns.
#[derive(Default)]
struct Uses {
    needs: Vec<Due>,
    producers: Vec<Due>,
    /// Index into [`Problem::crashed`], and how many there are.
    crashed: Vec<(u32, u32)>,
}

/// Uses by value.
pub(crate) struct Lookahead {
    uses: Vec<Uses>,
    values: FxHashMap<Value, usize>,
    /// The value of each state met so far; none if nothing uses it.
    states: Vec<Option<usize>>,
}

impl Lookahead {
    /// None if some operation is not an access to a single value.
    pub(crate) fn new(
        problem: &Problem,
        entries: &[Entry],
        classes: &Classes,
        specification: &dyn Specification,
    ) -> Option<Lookahead> {
        let mut this = Lookahead {
            uses: Vec::new(),
            values: FxHashMap::default(),
            states: Vec::new(),
        };
        for (level, due) in problem.levels.iter().map(|level| level.due).enumerate() {
            let access = specification.access(classes.get(due.class))?;
            let due = || Due {
                level,
                slot: due.slot,
                invoked: entries[due.entry as usize].invoked,
            };
            if let Some(value) = access.requires() {
                this.uses_of(value).needs.push(due());
            }
            if let Some(value) = access.produces() {
                this.uses_of(value).producers.push(due());
            }
        }
        for (i, crashed) in problem.crashed.iter().enumerate() {
            if let Some(value) = specification.access(classes.get(crashed.class))?.produces() {
                this.uses_of(value).crashed.push((i as u32, crashed.len()));
            }
        }
        Some(this)
    }

    fn uses_of(&mut self, value: &Value) -> &mut Uses {
        let next = self.uses.len();
        let at = *self.values.entry(value.clone()).or_insert(next);
        if at == next {
            self.uses.push(Uses::default());
        }
        &mut self.uses[at]
    }

    /// Whether leaving the state `left` for `next`, before the return of `level`, is the end of all hope.
    pub(crate) fn is_dead<M: Mask>(
        &mut self,
        problem: &Problem,
        transitions: &Transitions<'_>,
        usages: &Usages,
        level: usize,
        left: u32,
        next: &Configuration<M>,
    ) -> bool {
        while self.states.len() <= left as usize {
            let value = transitions.state(self.states.len() as u32);
            self.states.push(self.values.get(value).copied());
        }
        let Some(at) = self.states[left as usize] else {
            return false;
        };
        let uses = &self.uses[at];
        let position = problem.levels[level].position;
        let remains = |list: &[Due]| {
            list.iter()
                .rev()
                .take_while(|due| due.level >= level)
                .any(|due| due.invoked > position || !next.mask.contains(due.slot))
        };
        remains(&uses.needs)
            && !remains(&uses.producers)
            && uses
                .crashed
                .iter()
                .all(|&(crashed, count)| usages.count(next.usage, crashed) == count)
    }
}
