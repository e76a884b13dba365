//! The properties of single-decree Paxos, where each key is an instance (*Paxos Made Simple*).
//!
//! | property | says | paper |
//! |---|---|---|
//! | [`Agreement`] | no two values are decided for a key | 2.1 |
//! | [`OnlyChosenLearned`] | no value is learned that was not chosen | 2.1, 2.3 |
//! | [`BallotsGrow`] | no ballot is used twice | 2.5 |
//! | [`PromiseKept`] | an acceptor accepts nothing below what it promised | 2.2, P1a |
//! | [`AcceptanceKept`] | an acceptor remembers what it accepted | 2.2, 2.5 |
//! | [`P2b`] | once a value is chosen, no other is proposed with a higher ballot | 2.2, P2b |
//! | [`P2c`] | what is proposed follows from what some majority has accepted | 2.2, P2c |
//!
//! That what is decided was proposed by a client (validity) is for the clients to see.

mod acceptance_kept;
mod acceptances;
mod agreement;
mod ballots_grow;
mod only_chosen_learned;
mod p2b;
mod p2c;
mod promise_kept;

pub use acceptance_kept::AcceptanceKept;
pub use agreement::Agreement;
pub use ballots_grow::BallotsGrow;
pub use only_chosen_learned::OnlyChosenLearned;
pub use p2b::P2b;
pub use p2c::P2c;
pub use promise_kept::PromiseKept;

use partita_protocols::paxos::{Body, Key, Paxos};
use partita_protocols::store::{self, Operation};
use partita_protocols::{Command, Decode as _, Effect, Random};

use super::{Invariant, Observed, Simulated};
use crate::load::Load;
use crate::registers::Registers;

impl Simulated for Paxos {
    fn invariants() -> Vec<Box<dyn Invariant<Paxos>>> {
        vec![
            Box::new(Agreement::default()),
            Box::new(OnlyChosenLearned::default()),
            Box::new(BallotsGrow::default()),
            Box::new(PromiseKept::default()),
            Box::new(AcceptanceKept::default()),
            Box::new(P2b::default()),
            Box::new(P2c::default()),
        ]
    }

    fn load(_clients: usize, random: Random) -> Box<dyn Load> {
        Box::new(Registers::new(random))
    }
}

/// All that a node says in a step.
fn said<'a>(observed: &Observed<'a, Paxos>) -> impl Iterator<Item = &'a Body> + use<'a> {
    let effects = observed.effects.iter();
    effects.flat_map(|effect| match effect {
        Effect::Send { message, .. } => &message.0[..],
        _ => &[],
    })
}

/// The decisions that a node applies in a step, each with its key; some perhaps twice.
fn decisions<'a>(observed: &Observed<'a, Paxos>) -> impl Iterator<Item = (Key, &'a Command)> + use<'a> {
    let core = observed.core;
    observed.effects.iter().filter_map(move |effect| {
        let Effect::Apply {
            command: Some(command),
            ..
        } = effect
        else {
            return None;
        };
        // What is applied may be a proposal that lost; the decision is what the node knows.
        let Ok(store::Command {
            operation: Operation::Propose { key, .. },
            ..
        }) = store::Command::from_bytes(command)
        else {
            return None;
        };
        let decision = core.decision(&key)?;
        Some((Key::from(key), decision))
    })
}
