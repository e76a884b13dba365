//! What is said of how wrong a key is.

use partita_history::OpId;
use serde::{Deserialize, Serialize};

/// How wrong the operations on one key are, taken together: by how much, and what they still keep to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Severity {
    /// What lengths of time are counted in.
    pub unit: Unit,
    /// How old an answer may be: the least time by which every read would have had to begin earlier for the
    /// key to be linearizable (the Δ of Golab, Li and Shah, PODC 2011). In [`Severity::unit`].
    pub stale_by: Extent,
    /// How wrong the clocks would have to be: the least difference between two clients' clocks that would make
    /// the key linearizable (Γ, ALGORITHMS.md 4). In [`Severity::unit`].
    pub clock_error: Extent,
    /// How many newer versions the worst read missed: one less than the k of k-atomicity (Aiyer, Alvisi and
    /// Bazzi, DISC 2005). Every read returned one of the last `versions + 1`.
    pub versions: Extent,
    /// The reads that were certainly stale, whatever else happened; none for an object that is not a register.
    #[serde(default)]
    pub stale_reads: Option<StaleReads>,
    /// Weaker guarantees, the strongest first, and whether the operations keep to them.
    #[serde(default)]
    pub levels: Vec<Level>,
}

/// What lengths of time are counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Nanoseconds of the history's clock.
    #[default]
    Nanoseconds,
    /// Events of the history, which has no clock.
    Events,
}

/// A size, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// This.
    Exactly(u64),
    /// This or more.
    AtLeast(u64),
    /// No size is enough; why, as a clause.
    Boundless(String),
    /// It was not found out; why, as a clause.
    NotKnown(String),
}

/// Reads (and compare-and-sets, by what they found) of values that had certainly been overwritten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleReads {
    /// How many were stale.
    pub stale: usize,
    /// How many found a value that nothing could have left there yet.
    pub from_nowhere: usize,
    /// Of how many.
    pub of: usize,
    /// For how long the value had been overwritten when they began, at least, in the unit of [`Severity::unit`].
    pub time: Spread,
    /// How many newer versions there were by then, at least.
    pub versions: Spread,
    /// Where they came from, the worst first.
    pub offenders: Vec<Offender>,
}

/// How sizes are distributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// Half of them are at most this.
    pub p50: u64,
    /// 99 of 100 are at most this.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}

/// A node (or a client, if no node is known) that gave stale answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offender {
    /// `n3`, `client 7`.
    pub name: String,
    /// How many stale reads it answered.
    pub stale: usize,
    /// Of how many.
    pub of: usize,
}

/// Whether the operations keep to a guarantee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Which one.
    pub consistency: Consistency,
    /// Whether they do.
    pub holds: Holds,
}

/// An answer that is certain, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// It certainly holds.
    Yes,
    /// It certainly does not.
    No {
        /// The operations that show it.
        operations: Vec<OpId>,
        /// How, in words.
        why: String,
    },
    /// Nobody can tell; why, as a clause.
    NotKnown {
        /// Why not.
        why: String,
    },
}

/// A guarantee weaker than linearizability, for one register (ALGORITHMS.md 9). For those that speak of clients,
/// a client is a process of the history, and a compare-and-set is a read and then a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// Lamport, On interprocess communication, 1986; for several writers, Shao et al., 2011 (MWReg weak).
    Regular,
    /// Lamport, 1986: regular, for reads that overlap no write.
    Safe,
    /// Lamport, How to make a multiprocessor computer that correctly executes multiprocess programs, 1979.
    Sequential,
    /// Ahamad, Neiger, Burns, Kohli and Hutto, Causal memory, 1995.
    Causal,
    /// Lipton and Sandberg, 1988.
    Pram,
    /// Terry et al., Session guarantees for weakly consistent replicated data, 1994.
    MonotonicReads,
    /// Terry et al., 1994, with a client's own writes in the order in which it made them.
    ReadYourWrites,
    /// Terry et al., 1994.
    MonotonicWrites,
    /// Terry et al., 1994.
    WritesFollowReads,
    /// Vogels, Eventually consistent, 2009, as far as it can be seen in a finite history.
    Eventual,
    /// Weak causal consistency of all keys together: Bouajjani, Enea, Guerraoui and Hamza, On verifying causal
    /// consistency, 2017.
    CausalAcrossKeys,
}

impl Consistency {
    /// Those that speak of one key, in the order in which they are shown.
    pub const OF_A_KEY: [Consistency; 10] = [
        Consistency::Regular,
        Consistency::Safe,
        Consistency::Sequential,
        Consistency::Causal,
        Consistency::Pram,
        Consistency::MonotonicReads,
        Consistency::ReadYourWrites,
        Consistency::MonotonicWrites,
        Consistency::WritesFollowReads,
        Consistency::Eventual,
    ];

    /// What the field calls it.
    pub fn name(self) -> &'static str {
        match self {
            Consistency::Regular => "regular",
            Consistency::Safe => "safe",
            Consistency::Sequential => "sequential",
            Consistency::Causal => "causal",
            Consistency::Pram => "PRAM",
            Consistency::MonotonicReads => "monotonic reads",
            Consistency::ReadYourWrites => "read your writes",
            Consistency::MonotonicWrites => "monotonic writes",
            Consistency::WritesFollowReads => "writes follow reads",
            Consistency::Eventual => "eventual",
            Consistency::CausalAcrossKeys => "causal across keys",
        }
    }

    /// What it promises, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Consistency::Regular => {
                "No read returns a value that had been overwritten before the read began, or whose write had not begun."
            }
            Consistency::Safe => "Reads that overlap no write return the last value written.",
            Consistency::Sequential => {
                "All clients see one and the same order, in which each client's operations come in its own order; \
                 only the clock may disagree with it."
            }
            Consistency::Causal => {
                "Every client sees writes after those that they depend on (what their writer had written or read \
                 before), and never goes back."
            }
            Consistency::Pram => {
                "Every client sees the writes of each client in the order in which they were made, and never goes back."
            }
            Consistency::MonotonicReads => {
                "Once a client has read a newer value, it never reads an older one."
            }
            Consistency::ReadYourWrites => "A client sees its own last write, or something newer.",
            Consistency::MonotonicWrites => {
                "Nobody reads a later write of a client and after that an earlier write of the same client."
            }
            Consistency::WritesFollowReads => {
                "Nobody reads a write and after that the value that its writer had read before it wrote."
            }
            Consistency::Eventual => {
                "Once the writes are over, all clients come to read the same value (as far as the history goes)."
            }
            Consistency::CausalAcrossKeys => {
                "Over all keys together, no read misses a write that the client had learned of, directly or through others."
            }
        }
    }
}
