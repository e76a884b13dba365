//! The one result type that all checkers give.

use std::fmt;

use partita_history::{OpId, Value};
use serde::{Deserialize, Serialize};

use crate::severity::Severity;

/// What a check, a key or a run came to. Ordered from best to worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every property held, and enough was done to say so.
    #[default]
    Valid,
    /// Nothing was violated, but too little was done.
    NotExercised,
    /// A checker spent its budget.
    Unknown,
    /// A property was violated.
    Invalid,
    /// The harness broke, or the target would not start.
    HarnessFailure,
}

impl Verdict {
    /// The worse of two verdicts: the verdict of a whole from the verdicts of its parts.
    #[must_use]
    pub fn join(self, other: Verdict) -> Verdict {
        self.max(other)
    }

    /// The exit code of the command line.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Valid => 0,
            Verdict::Invalid => 1,
            Verdict::Unknown => 2,
            Verdict::NotExercised => 3,
            Verdict::HarnessFailure => 255,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Valid => "valid",
            Verdict::NotExercised => "not exercised",
            Verdict::Unknown => "unknown",
            Verdict::Invalid => "invalid",
            Verdict::HarnessFailure => "harness failure",
        })
    }
}

/// What one checker says of one history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Which checker: `linearizability`, ...
    pub checker: String,
    /// The model judged against, as named on the command line.
    #[serde(default)]
    pub model: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why, in one sentence that a person understands without the rest.
    pub reason: String,
    /// The violations found, the clearest first.
    #[serde(default)]
    pub anomalies: Vec<Anomaly>,
    /// How the work went: one entry a key (or one in all, for a history without keys).
    #[serde(default)]
    pub keys: Vec<KeyResult>,
    /// What was assumed: meaning of `fail`, initial value, ...
    #[serde(default)]
    pub assumptions: Vec<String>,
}

/// The result for one key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyResult {
    /// The key; none for a history without keys.
    pub key: Option<Value>,
    /// Its verdict.
    pub verdict: Verdict,
    /// How many operations were judged.
    pub operations: usize,
    /// The events of the history (a count) up to which this key is known to be linearizable.
    pub verified_events: u32,
    /// How many configurations the search visited.
    pub configurations: u64,
}

/// A violation: what happened, and why it cannot be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// The field's name for it: `stale read`, `lost write`, `read from nowhere`, ...
    pub name: String,
    /// The key on which it happened.
    pub key: Option<Value>,
    /// The story, in a paragraph a person understands: who, when, which node, and the contradiction.
    pub story: String,
    /// A minimal set of operations that already has no linearization, in order of invocation.
    pub operations: Vec<OpId>,
    /// The operation at whose completion the contradiction became certain.
    pub culprit: OpId,
    /// The number of events in the shortest prefix of the history that has no linearization.
    pub prefix_events: u32,
    /// The "before"s that contradict the values, each with its reason.
    pub edges: Vec<Edge>,
    /// Why there is no order: operations each of which had to come before the next one, and the last before the
    /// first. Empty where the contradiction is of another kind, or not known to be of this one.
    #[serde(default)]
    pub cycle: Vec<Edge>,
    /// The longest attempts at a linearization of [`Anomaly::operations`], and where each is stuck.
    pub partials: Vec<Partial>,
    /// Whether the exhaustive checker confirmed that the counterexample has no linearization.
    pub confirmed: bool,
    /// Those of [`Anomaly::operations`] of which only the effect counts: there is no linearization even if they
    /// need not have found what they say they found (a compare-and-set is then taken for a write).
    #[serde(default)]
    pub blind: Vec<OpId>,
    /// Whether no single step of weakening leaves a violation; if not, the budget was spent before.
    #[serde(default)]
    pub minimal: bool,
    /// How wrong all the operations on the key are, taken together; none if that was not measured.
    #[serde(default)]
    pub severity: Option<Severity>,
}

/// One operation had to come before another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The earlier one.
    pub before: OpId,
    /// The later one.
    pub after: OpId,
    /// Why, in words: `finished 380 ms before the other began`, ...
    pub why: String,
    /// What kind of reason that is.
    #[serde(default)]
    pub kind: EdgeKind,
}

/// Why one operation had to come before another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeKind {
    /// It ended before the other began.
    #[default]
    RealTime,
    /// The other found the value that it left.
    ReadsFrom,
    /// The value that it found or left was there before that of the other.
    VersionOrder,
}

/// A linearization that could not be completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// The operations that could be put in order, with the state after each.
    pub steps: Vec<Step>,
    /// The operations that had to come next, and why none of them could.
    pub stuck: Vec<Stuck>,
}

/// One step of a [`Partial`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The operation that takes effect.
    pub operation: OpId,
    /// The model's state after it, in words.
    pub state: String,
}

/// An operation that cannot be the next step of a [`Partial`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    /// The operation.
    pub operation: OpId,
    /// What forbids it, in words.
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::Verdict::{self, *};

    #[test]
    fn verdicts_join_to_the_worst() {
        let all = [Valid, NotExercised, Unknown, Invalid, HarnessFailure];
        for (i, a) in all.into_iter().enumerate() {
            for (j, b) in all.into_iter().enumerate() {
                assert_eq!(a.join(b), all[i.max(j)]);
            }
        }
        assert_eq!(all.map(Verdict::exit_code), [0, 3, 2, 1, 255]);
    }
}
