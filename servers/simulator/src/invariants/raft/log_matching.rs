//! An entry's index and term determine it and all before it.

use std::collections::{BTreeMap, VecDeque};

use partita_protocols::NodeId;
use partita_protocols::raft::{Log, Payload, Raft};

use crate::invariants::{Invariant, Observed};

/// If two logs hold an entry with the same index and term, they are the same up to it (Raft paper 5.3).
///
/// By induction that is so if index and term determine what the entry says and the term of the entry before
/// it, in all logs that there ever were: which can be checked entry by entry, as they come. Of what is gone
/// from the front of a log, the last entry must be one that some log had.
#[derive(Debug, Default)]
pub struct LogMatching {
    /// By index and term: the term before it, and what it says.
    entries: BTreeMap<(u64, u64), (u64, Payload)>,
    /// For each node, its log as it was last seen.
    seen: BTreeMap<NodeId, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The last index that was gone.
    base: u64,
    /// The terms of the entries after it.
    terms: VecDeque<u64>,
}

impl Seen {
    fn last(&self) -> u64 {
        self.base + self.terms.len() as u64
    }

    /// Forgets what the log does not have any more. A log changes at its ends only: where it has the term that
    /// was seen, it is as it was seen up to there.
    fn forget(&mut self, log: &Log) {
        let base = log.base().index;
        if base < self.base || base > self.last() {
            // Begun anew: from an older snapshot after a crash, or from a leader's.
            *self = Seen {
                base,
                terms: VecDeque::new(),
            };
        }
        self.terms.drain(..(base - self.base) as usize);
        self.base = base;
        self.terms
            .truncate(log.last().index.saturating_sub(base) as usize);
        while let Some(&term) = self.terms.back()
            && log.term_at(self.last()) != Some(term)
        {
            self.terms.pop_back();
        }
    }
}

impl Invariant<Raft> for LogMatching {
    fn name(&self) -> &'static str {
        "log matching"
    }

    fn check(&mut self, observed: &Observed<'_, Raft>) -> Result<(), String> {
        let node = observed.node;
        let log = observed.core.log();
        let seen = self.seen.entry(node).or_default();
        let base = log.base();
        if base.index != seen.base && base.index > 0 && !self.entries.contains_key(&(base.index, base.term)) {
            return Err(format!(
                "the log of {node} goes on from {base:?}, which was in no log"
            ));
        }
        seen.forget(log);
        for index in seen.last() + 1..=log.last().index {
            let (Some(entry), Some(before)) = (log.entry(index), log.term_at(index - 1)) else {
                return Err(format!("the log of {node} has no entry {index}"));
            };
            let term = entry.term;
            let known = self
                .entries
                .entry((index, term))
                .or_insert_with(|| (before, entry.payload.clone()));
            if (known.0, &known.1) != (before, &entry.payload) {
                return Err(format!(
                    "the entry {index} of term {term} at {node} is not that of another log: term before it {before} \
                     or {}, {:?} or {:?}",
                    known.0, entry.payload, known.1
                ));
            }
            seen.terms.push_back(term);
        }
        Ok(())
    }
}
