//! Once a value is chosen, no other is proposed with a higher ballot.

use partita_protocols::paxos::Paxos;

use super::super::{Invariant, Observed};
use super::acceptances::Acceptances;

/// "If a proposal with value v is chosen, then every higher-numbered proposal issued by any proposer has value
/// v" (paper 2.2, P2b).
#[derive(Debug, Default)]
pub struct P2b {
    acceptances: Acceptances,
}

impl Invariant<Paxos> for P2b {
    fn name(&self) -> &'static str {
        "P2b"
    }

    fn check(&mut self, observed: &Observed<'_, Paxos>) -> Result<(), String> {
        let new = self.acceptances.observe(observed)?;
        for (key, ballot) in new {
            let Some(history) = self.acceptances.instances.get(&key) else {
                continue;
            };
            let value = &history.issued[&ballot];
            for (&lower, chosen) in history.issued.range(..ballot) {
                if history.tally(lower) >= self.acceptances.quorum() && chosen != value {
                    return Err(format!(
                        "{} proposes {value:?} for {key} in {ballot:?}, but {chosen:?} was chosen in {lower:?}",
                        observed.node
                    ));
                }
            }
        }
        Ok(())
    }
}
