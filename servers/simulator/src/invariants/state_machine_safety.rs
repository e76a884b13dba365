//! No two nodes apply different commands at one index.

use std::collections::BTreeMap;

use partita_protocols::{Command, Effect, NodeId, Protocol};

use super::{Invariant, Observed};

/// No two nodes, and no two lives of one node, apply different commands at one index (Raft paper 5.4.3).
#[derive(Debug, Default)]
pub struct StateMachineSafety {
    applied: BTreeMap<u64, (NodeId, Option<Command>)>,
}

impl<P: Protocol> Invariant<P> for StateMachineSafety {
    fn name(&self) -> &'static str {
        "state machine safety"
    }

    fn check(&mut self, observed: &Observed<'_, P>) -> Result<(), String> {
        for effect in observed.effects {
            let Effect::Apply { index, command, .. } = effect else {
                continue;
            };
            let (first, known) = self
                .applied
                .entry(*index)
                .or_insert_with(|| (observed.node, command.clone()));
            if known != command {
                return Err(format!(
                    "{} applies {command:?} at {index}, where {first} applied {known:?}",
                    observed.node
                ));
            }
        }
        Ok(())
    }
}
