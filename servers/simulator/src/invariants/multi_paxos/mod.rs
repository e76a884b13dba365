//! What must hold of Multi-Paxos, besides that no two nodes apply different commands at one index.
//!
//! | property | says | paper |
//! |---|---|---|
//! | [`OneLeaderPerBallot`] | a ballot is led once | Lamport 2001, 2.5 |
//! | [`OneValuePerBallot`] | for a slot, one value is proposed in a ballot | Lamport 2001, 2.2 |
//! | [`P2c`] | once a value is chosen, nothing else is accepted in later ballots | Lamport 2001, 2.2, P2b and P2c |
//! | [`PromisesKept`] | nothing is accepted in ballots before one that was promised | Lamport 2001, 2.2, P1a |

mod one_leader_per_ballot;
mod one_value_per_ballot;
mod p2c;
mod promises_kept;

pub use one_leader_per_ballot::OneLeaderPerBallot;
pub use one_value_per_ballot::OneValuePerBallot;
pub use p2c::P2c;
pub use promises_kept::PromisesKept;

use partita_protocols::multi_paxos::MultiPaxos;

use super::{Invariant, Simulated, StateMachineSafety};

impl Simulated for MultiPaxos {
    fn invariants() -> Vec<Box<dyn Invariant<MultiPaxos>>> {
        vec![
            Box::new(OneLeaderPerBallot::default()),
            Box::new(OneValuePerBallot::default()),
            Box::new(PromisesKept::default()),
            Box::new(P2c::default()),
            Box::new(StateMachineSafety::default()),
        ]
    }
}
