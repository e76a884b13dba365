//! What clients do, and who judges what they are answered.

use partita_protocols::Command;
use partita_protocols::store::Answer;

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// That a command be applied.
    Apply(Command),
    /// To read, by a command that changes nothing.
    Query(Command),
}

/// How a request ended, as its client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was answered.
    Answer(Answer),
    /// It certainly had no effect.
    Refused,
    /// It may have had an effect, or may have one later.
    Unknown,
}

/// What clients do, and what they may be answered. Each client does one thing at a time.
pub trait Load {
    /// What the client wants next; nothing if it has nothing to do for a moment.
    fn ask(&mut self, client: usize, now_us: u64) -> Option<Ask>;

    /// Whatever is drawn from here on is drawn from this seed. Where operations are left out of a run, what the others are
    /// must not depend on how many came before.
    fn reseed(&mut self, seed: u64);

    /// What it wanted last has ended. Says what is wrong with that.
    fn settle(&mut self, client: usize, ended: Ended, now_us: u64) -> Result<(), String>;
}
