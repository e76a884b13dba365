//! An entry's index and term determine it and all before it.

use std::collections::BTreeMap;

use partita_protocols::raft::{Entry, Raft};
use partita_protocols::{Command, NodeId};

use super::{Invariant, Observed};

/// If two logs hold an entry with the same index and term, they are the same up to it (Raft paper 5.3).
///
/// By induction that is so if index and term determine the command and the term of the entry before it, in
/// all logs that there ever were: which can be checked entry by entry, as they come.
#[derive(Debug, Default)]
pub struct LogMatching {
    /// By index and term: the term before it, and the command.
    entries: BTreeMap<(u64, u64), (u64, Option<Command>)>,
    /// For each node, the terms of its log as they were last seen.
    seen: BTreeMap<NodeId, Vec<u64>>,
}

impl Invariant<Raft> for LogMatching {
    fn name(&self) -> &'static str {
        "log matching"
    }

    fn check(&mut self, observed: &Observed<'_, Raft>) -> Result<(), String> {
        let log = observed.core.log();
        let seen = self.seen.entry(observed.node).or_default();
        seen.truncate(log.last().index as usize);
        // A log changes at its end only: where it has the term that was seen, it is as it was seen up to
        // there.
        while seen
            .last()
            .is_some_and(|&term| log.term_at(seen.len() as u64) != Some(term))
        {
            seen.pop();
        }
        for index in seen.len() as u64 + 1..=log.last().index {
            let (Some(Entry { term, command }), Some(before)) = (log.entry(index), log.term_at(index - 1))
            else {
                return Err(format!("the log of {} has no entry {index}", observed.node));
            };
            let known = self
                .entries
                .entry((index, *term))
                .or_insert_with(|| (before, command.clone()));
            if *known != (before, command.clone()) {
                return Err(format!(
                    "the entry {index} of term {term} at {} is not that of another log: term before it {before} or {}, \
                     command {command:?} or {:?}",
                    observed.node, known.0, known.1
                ));
            }
            seen.push(*term);
        }
        Ok(())
    }
}
