//! No value is learned that was not chosen.

use std::collections::BTreeSet;

use partita_protocols::paxos::{Key, Paxos};

use super::super::{Invariant, Observed};
use super::acceptances::Acceptances;
use super::decisions;

/// "A process never learns that a value has been chosen unless it actually has been" (paper 2.1): by a
/// majority that accepted it in one ballot.
#[derive(Debug, Default)]
pub struct OnlyChosenLearned {
    acceptances: Acceptances,
    learned: BTreeSet<Key>,
}

impl Invariant<Paxos> for OnlyChosenLearned {
    fn name(&self) -> &'static str {
        "only a chosen value is learned"
    }

    fn check(&mut self, observed: &Observed<'_, Paxos>) -> Result<(), String> {
        self.acceptances.observe(observed)?;
        for (key, value) in decisions(observed) {
            if !self.learned.insert(Key::clone(&key)) {
                continue;
            }
            let quorum = self.acceptances.quorum();
            let history = self.acceptances.instances.entry(Key::clone(&key)).or_default();
            let chosen = history.issued.iter().any(|(&ballot, proposed)| {
                // The acceptance of the node itself may have become durable in this step, in which it forgot
                // the instance: nobody can see it.
                let seen = history.accepted.get(&observed.node);
                let own = seen.is_none_or(|its| !its.contains_key(&ballot));
                proposed == value && history.tally(ballot) + usize::from(own) >= quorum
            });
            // A cluster of one sends nothing that could be seen.
            if !chosen && quorum > 1 {
                return Err(format!(
                    "{} learns {value:?} for {key}, which no majority has accepted: {:?}",
                    observed.node,
                    self.acceptances.instances.get(&key)
                ));
            }
        }
        Ok(())
    }
}
