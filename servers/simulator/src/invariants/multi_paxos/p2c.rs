//! Once a value is chosen, nothing else is accepted in later ballots.

use std::collections::BTreeMap;

use partita_protocols::NodeId;
use partita_protocols::multi_paxos::{Ballot, MultiPaxos, Slot, Value};

use super::super::{Invariant, Observed};

/// If a value is chosen for a slot, every proposal with a greater number that any acceptor accepts has that
/// value (P2b, which P2c is there to keep: Lamport 2001, 2.2). So there is one value chosen for a slot, too.
///
/// Which of the two is seen first, the choice or the acceptance, makes no difference.
#[derive(Debug, Default)]
pub struct P2c {
    slots: BTreeMap<u64, Seen>,
    /// How far each node was seen to know what is chosen: what it holds up to there does not change.
    looked: BTreeMap<NodeId, u64>,
}

/// What was seen of a slot, at any node.
#[derive(Debug, Default)]
struct Seen {
    /// The value, and the earliest ballot in which a node that knows it to be chosen accepted it.
    chosen: Option<(Ballot, Value)>,
    accepted: BTreeMap<Ballot, Value>,
}

impl Seen {
    fn take(&mut self, slot: &Slot) -> Result<(), String> {
        let vote = &slot.vote;
        if slot.chosen {
            match &mut self.chosen {
                Some((_, value)) if *value != vote.value => {
                    return Err(format!("{value:?} and {:?} are chosen", vote.value));
                }
                Some((ballot, _)) => *ballot = (*ballot).min(vote.ballot),
                none => *none = Some((vote.ballot, vote.value.clone())),
            }
        }
        if self.accepted.get(&vote.ballot) != Some(&vote.value) {
            self.accepted.insert(vote.ballot, vote.value.clone());
        }
        let Some((ballot, value)) = &self.chosen else {
            return Ok(());
        };
        match self
            .accepted
            .range(*ballot..)
            .find(|(_, accepted)| *accepted != value)
        {
            Some((later, other)) => Err(format!(
                "{value:?} is chosen in ballot {ballot}, and {other:?} is accepted in {later}"
            )),
            None => Ok(()),
        }
    }
}

impl Invariant<MultiPaxos> for P2c {
    fn name(&self) -> &'static str {
        "P2c"
    }

    fn check(&mut self, observed: &Observed<'_, MultiPaxos>) -> Result<(), String> {
        let Observed { node, core, .. } = *observed;
        let known = observed.status.commit;
        // After a restart a node knows less; what it holds is looked at again.
        let looked = self.looked.insert(node, known).unwrap_or_default().min(known);
        for (slot, held) in core.log().from(looked + 1) {
            let seen = self.slots.entry(slot).or_default();
            seen.take(held)
                .map_err(|what| format!("for slot {slot}, at {node}: {what}"))?;
        }
        Ok(())
    }
}
