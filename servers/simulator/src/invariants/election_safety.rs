//! At most one leader in a term.

use std::collections::BTreeMap;

use partita_protocols::{NodeId, Protocol, Role};

use super::{Invariant, Observed};

/// At most one leader in a term (Raft paper 5.2).
#[derive(Debug, Default)]
pub struct ElectionSafety {
    leaders: BTreeMap<u64, NodeId>,
}

impl<P: Protocol> Invariant<P> for ElectionSafety {
    fn name(&self) -> &'static str {
        "election safety"
    }

    fn check(&mut self, observed: &Observed<'_, P>) -> Result<(), String> {
        let status = observed.status;
        if status.role != Role::Leader {
            return Ok(());
        }
        let first = *self.leaders.entry(status.term).or_insert(observed.node);
        if first == observed.node {
            return Ok(());
        }
        Err(format!(
            "{first} led term {}, and {} does, too",
            status.term, observed.node
        ))
    }
}
