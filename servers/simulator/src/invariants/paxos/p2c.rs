//! What is proposed follows from what some majority has accepted.

use partita_protocols::paxos::{Ballot, Paxos};
use partita_protocols::{NodeId, Protocol as _};

use super::super::{Invariant, Observed};
use super::acceptances::{Acceptances, History};

/// "For any v and n, if a proposal with value v and number n is issued, then there is a set S consisting of a
/// majority of acceptors such that either (a) no acceptor in S has accepted any proposal numbered less than n,
/// or (b) v is the value of the highest-numbered proposal among all proposals numbered less than n accepted by
/// the acceptors in S" (paper 2.2, P2c). Those in S have promised, so what they accept later is above n.
#[derive(Debug, Default)]
pub struct P2c {
    acceptances: Acceptances,
}

impl Invariant<Paxos> for P2c {
    fn name(&self) -> &'static str {
        "P2c"
    }

    fn check(&mut self, observed: &Observed<'_, Paxos>) -> Result<(), String> {
        let new = self.acceptances.observe(observed)?;
        for (key, ballot) in new {
            let Some(history) = self.acceptances.instances.get(&key) else {
                continue;
            };
            let members = observed.core.members();
            if !follows(history, ballot, &members, self.acceptances.quorum()) {
                return Err(format!(
                    "{} proposes for {key} in {ballot:?} what follows from no majority: {history:?}",
                    observed.node
                ));
            }
        }
        Ok(())
    }
}

fn follows(history: &History, ballot: Ballot, members: &[NodeId], quorum: usize) -> bool {
    let value = &history.issued[&ballot];
    let last: Vec<Option<Ballot>> = members
        .iter()
        .map(|&member| history.last_below(member, ballot))
        .collect();
    // The largest S whose highest may be this one: all that, for certain, accepted nothing higher.
    let up_to = |highest: Option<Ballot>| last.iter().filter(|last| **last <= highest).count();
    // What is not durable may be lost or not; both must be possible.
    let highest = history.seen.range(..ballot).filter(|(_, seen)| *seen == value);
    let mut highest = highest.map(|(highest, _)| Some(*highest)).chain([None]);
    highest.any(|highest| up_to(highest) >= quorum)
}
