//! While a leader may read by its lease, nobody else leads.

use partita_protocols::raft::Raft;
use partita_protocols::{Effect, NodeId, Role};

use crate::invariants::{Invariant, Observed};

/// A leader that holds a lease when it answers reads is the newest there is (Ongaro's thesis, 6.4.1).
///
/// It is looked at when reads are answered, and not at every step: a node that was stopped takes the ticks that
/// it missed one after the other, and may hold a lease that is long over until it has taken them all.
#[derive(Debug, Default)]
pub struct Lease {
    /// The newest term that anybody was seen to lead, and who.
    newest: Option<(u64, NodeId)>,
}

impl Invariant<Raft> for Lease {
    fn name(&self) -> &'static str {
        "lease"
    }

    fn check(&mut self, observed: &Observed<'_, Raft>) -> Result<(), String> {
        let Observed { node, core, .. } = *observed;
        let status = observed.status;
        if status.role == Role::Leader {
            self.newest = self.newest.max(Some((status.term, node)));
        }
        let answers = observed
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::ReadReady(_)));
        match self.newest {
            Some((term, leader)) if answers && term > status.term && core.holds_lease() => Err(format!(
                "{node} answers reads by its lease of term {}, while {leader} leads term {term}",
                status.term
            )),
            _ => Ok(()),
        }
    }
}
