//! A ballot is led once.

use std::collections::{BTreeMap, BTreeSet};

use partita_protocols::multi_paxos::{Ballot, MultiPaxos};
use partita_protocols::{NodeId, Role};

use super::super::{Invariant, Observed};

/// At most one node leads in a ballot, and not a second time once it has ceased to: a proposer never uses a
/// number again (Lamport 2001, 2.5).
#[derive(Debug, Default)]
pub struct OneLeaderPerBallot {
    led: BTreeSet<Ballot>,
    /// The ballot that each node was last seen to lead, as long as it does.
    leading: BTreeMap<NodeId, Ballot>,
}

impl Invariant<MultiPaxos> for OneLeaderPerBallot {
    fn name(&self) -> &'static str {
        "one leader per ballot"
    }

    fn check(&mut self, observed: &Observed<'_, MultiPaxos>) -> Result<(), String> {
        let Observed { node, core, .. } = *observed;
        let ballot = core.promised().filter(|_| observed.status.role == Role::Leader);
        let Some(ballot) = ballot else {
            self.leading.remove(&node);
            return Ok(());
        };
        if self.leading.insert(node, ballot) != Some(ballot) && !self.led.insert(ballot) {
            return Err(format!("{node} leads ballot {ballot}, which was led before"));
        }
        Ok(())
    }
}
