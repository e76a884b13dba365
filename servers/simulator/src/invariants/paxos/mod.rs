//! The properties of single-decree Paxos.

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
use partita_protocols::{Command, Decode as _, Effect};

use super::Observed;

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
