//! The events of a history, in the order in which they happened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Value;

/// One line of a history.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A client began or ended an operation.
    Op(OpEvent),
    /// A fault entered a phase.
    Fault(FaultEvent),
    /// A line of some process that is not a client, as Jepsen's nemesis writes them. It has no bearing on a
    /// verdict.
    Other,
}

/// What a client's event says about its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventType {
    /// The operation began.
    Invoke,
    /// It happened.
    Ok,
    /// It certainly did not happen.
    Fail,
    /// We can't know whether it happened, or will.
    Info,
}

/// A client began or ended an operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OpEvent {
    /// Position in the history.
    pub index: u64,
    /// Nanoseconds since the start of the run, on one monotonic clock; 0 where the source has no times.
    pub time: u64,
    /// The logical client. It has at most one operation open at a time, and none after an `info`.
    pub process: u64,
    /// Invocation or completion.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// The function: `read`, `write`, `cas`, ...
    pub f: String,
    /// The object acted upon, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
    /// Argument (in an invocation) or result (in a completion).
    pub value: Value,
    /// The value that a refused compare-and-set saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<Value>,
    /// The node that the client spoke to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Why it ended in `fail` or `info`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A fault entered a phase. In JSON: `process` is `"nemesis"`, `type` is `"fault"`.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultEvent {
    /// Position in the history.
    pub index: u64,
    /// Nanoseconds since the start of the run at which the phase was complete, its probe included.
    pub time: u64,
    /// The fault's name: `partition`, `kill`, `pause`, ...
    pub f: String,
    /// What happened.
    pub value: FaultValue,
}

/// The phases of a fault. Each but the first is followed by a probe, whose answer is the event's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultPhase {
    /// The seeded schedule asked for it.
    Planned,
    /// It was applied, and probed.
    Injected,
    /// It was undone, and probed again.
    Healed,
}

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultOutcome {
    /// The fault (or its healing) was seen to be in force.
    Took,
    /// It was not applied, for example because there was no leader to hit.
    Skipped,
    /// It was applied, but the probe could not confirm it.
    Uncertain,
}

/// The details of a [`FaultEvent`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultValue {
    /// The number of the fault in the schedule; the same in all its phases.
    #[serde(default)]
    pub id: u64,
    /// Which phase.
    pub phase: FaultPhase,
    /// What the probe found; absent in [`FaultPhase::Planned`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<FaultOutcome>,
    /// What was asked for, in words: `isolate the leader`, `a minority`, ...
    #[serde(default)]
    pub what: String,
    /// Nanoseconds since the start of the run at which applying (or undoing) began.
    #[serde(default)]
    pub started: u64,
    /// The nodes that were hit.
    #[serde(default)]
    pub nodes: Vec<String>,
    /// The role (`leader`, `follower`, ...) that each hit node had just before, as far as it was known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, String>,
    /// For network faults: the directed links that were cut, each as `n1>n2`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// What the probe saw, in words.
    #[serde(default)]
    pub evidence: String,
}
