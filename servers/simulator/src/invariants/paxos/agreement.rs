//! No two values are decided for a key.

use std::collections::BTreeMap;

use partita_protocols::paxos::{Key, Paxos};
use partita_protocols::{Command, NodeId};

use super::super::{Invariant, Observed};
use super::decisions;

/// "Only a single value is chosen" (paper 2.1): no two nodes, and no two lives of one, decide differently.
#[derive(Debug, Default)]
pub struct Agreement {
    decided: BTreeMap<Key, (NodeId, Command)>,
}

impl Invariant<Paxos> for Agreement {
    fn name(&self) -> &'static str {
        "agreement"
    }

    fn check(&mut self, observed: &Observed<'_, Paxos>) -> Result<(), String> {
        for (key, value) in decisions(observed) {
            let (first, known) = self
                .decided
                .entry(Key::clone(&key))
                .or_insert_with(|| (observed.node, Command::clone(value)));
            if known != value {
                return Err(format!(
                    "{} decides {value:?} for {key}, where {first} decided {known:?}",
                    observed.node
                ));
            }
        }
        Ok(())
    }
}
