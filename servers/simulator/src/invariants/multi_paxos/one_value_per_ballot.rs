//! For a slot, one value is proposed in a ballot.

use std::collections::BTreeMap;

use partita_protocols::Effect;
use partita_protocols::multi_paxos::{Ballot, Message, MultiPaxos, Value};

use super::super::{Invariant, Observed};

/// A ballot and a slot determine the value: that is what lets acceptances be counted (Lamport 2001, 2.2).
#[derive(Debug, Default)]
pub struct OneValuePerBallot {
    proposed: BTreeMap<(u64, Ballot), Value>,
}

impl Invariant<MultiPaxos> for OneValuePerBallot {
    fn name(&self) -> &'static str {
        "one value per ballot"
    }

    fn check(&mut self, observed: &Observed<'_, MultiPaxos>) -> Result<(), String> {
        for effect in observed.effects {
            let Effect::Send {
                message:
                    Message::Accept {
                        ballot,
                        first,
                        values,
                        ..
                    },
                ..
            } = effect
            else {
                continue;
            };
            for (slot, value) in (*first..).zip(values) {
                let known = self
                    .proposed
                    .entry((slot, *ballot))
                    .or_insert_with(|| value.clone());
                if known != value {
                    return Err(format!(
                        "{} proposes {value:?} for slot {slot} in ballot {ballot}, in which {known:?} was proposed",
                        observed.node
                    ));
                }
            }
        }
        Ok(())
    }
}
