//! What happened, as a reader wants it: events in order, each a line.

use std::fmt;

use partita_protocols::{Effect, NodeId};
use serde::{Deserialize, Serialize};

use crate::queue::Time;
use crate::schedule::Fault;

/// The longest text of a message or a command in an event, in characters.
const TEXT_MAX: usize = 200;

/// Something that happened, when, and at which node if it was at one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceEvent {
    /// Virtual microseconds since the start.
    pub time_us: Time,
    /// The node.
    pub node: Option<String>,
    /// What happened.
    pub what: Happened,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happened {
    /// The node sent a message.
    Sent {
        /// Names it.
        message: u64,
        /// To whom.
        to: String,
        /// What it says.
        text: String,
    },
    /// A message reached the node.
    Delivered {
        /// Which.
        message: u64,
        /// From whom.
        from: String,
    },
    /// A message to the node was lost.
    Lost {
        /// Which.
        message: u64,
        /// From whom.
        from: String,
    },
    /// The node started to write a record.
    Wrote {
        /// Which write.
        write: u64,
        /// How many bytes.
        bytes: usize,
    },
    /// The node started to replace its log by a snapshot.
    Compacted {
        /// Which write.
        write: u64,
        /// How many bytes the snapshot has.
        bytes: usize,
    },
    /// All the node's writes up to this one are durable.
    Synced {
        /// Which write.
        write: u64,
    },
    /// The node took over the state of a snapshot.
    Restored {
        /// Its last index.
        index: u64,
    },
    /// The node applied an entry.
    Applied {
        /// Its index.
        index: u64,
    },
    /// The node has another role, or is in another term.
    Became {
        /// Its role.
        role: String,
        /// The term, ballot, view or epoch.
        term: u64,
    },
    /// The node started.
    Started,
    /// The node crashed.
    Crashed {
        /// How many writes were lost with it.
        writes_lost: usize,
    },
    /// A fault began.
    FaultBegan {
        /// Its place in the schedule.
        number: usize,
        /// Which.
        fault: Fault,
    },
    /// A fault ended.
    FaultEnded {
        /// Its place in the schedule.
        number: usize,
        /// Which.
        fault: Fault,
    },
    /// All faults are over.
    Healed,
    /// A client, or the operator, asked the node for something.
    Asked {
        /// Names the request.
        request: u64,
        /// Who.
        by: String,
        /// For what.
        text: String,
    },
    /// A request ended at the node.
    Ended {
        /// Which.
        request: u64,
        /// How.
        text: String,
    },
    /// A property was violated.
    Violated {
        /// Which.
        property: String,
        /// How it showed.
        text: String,
    },
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.time_us / 1_000_000, self.time_us % 1_000_000);
        let node = self.node.as_deref().unwrap_or("-");
        write!(f, "{seconds:3}.{micros:06} {node:<4} {}", self.what)
    }
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Happened::Sent { message, to, text } => write!(f, "-> {to} #{message} {text}"),
            Happened::Delivered { message, from } => write!(f, "<- {from} #{message}"),
            Happened::Lost { message, from } => write!(f, "x- {from} #{message} lost"),
            Happened::Wrote { write, bytes } => write!(f, "writes {write}: {bytes} bytes"),
            Happened::Compacted { write, bytes } => {
                write!(f, "writes {write}: a snapshot of {bytes} bytes for the log")
            }
            Happened::Synced { write } => write!(f, "synced up to write {write}"),
            Happened::Restored { index } => write!(f, "takes over the state at {index}"),
            Happened::Applied { index } => write!(f, "applies {index}"),
            Happened::Became { role, term } => write!(f, "is {role} in {term}"),
            Happened::Started => f.write_str("starts"),
            Happened::Crashed { writes_lost } => write!(f, "crashes and loses {writes_lost} writes"),
            Happened::FaultBegan { fault, .. } => write!(f, "fault: {fault:?}"),
            Happened::FaultEnded { fault, .. } => write!(f, "fault ends: {fault:?}"),
            Happened::Healed => f.write_str("all faults are over"),
            Happened::Asked { request, by, text } => write!(f, "{by} asks ?{request} {text}"),
            Happened::Ended { request, text } => write!(f, "?{request} ends: {text}"),
            Happened::Violated { property, text } => write!(f, "VIOLATED: {property}: {text}"),
        }
    }
}

/// Something's debug form, cut where it is long.
pub(crate) fn text_of(what: &impl fmt::Debug) -> String {
    let mut text = format!("{what:?}");
    if let Some((end, _)) = text.char_indices().nth(TEXT_MAX) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// Keeps what happened, if somebody wants to read it.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Option<Vec<TraceEvent>>);

impl Recorder {
    pub(crate) fn on() -> Recorder {
        Recorder(Some(Vec::new()))
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn note(&mut self, time_us: Time, node: Option<NodeId>, what: impl FnOnce() -> Happened) {
        if let Some(events) = &mut self.0 {
            events.push(TraceEvent {
                time_us,
                node: node.map(|node| node.to_string()),
                what: what(),
            });
        }
    }

    /// Notes an effect, but for messages and ends of requests.
    pub(crate) fn effect<M>(&mut self, time_us: Time, node: NodeId, effect: &Effect<M>) {
        let what = match effect {
            Effect::Persist { write, record } => Happened::Wrote {
                write: write.0,
                bytes: record.len(),
            },
            Effect::Compact { write, snapshot, .. } => Happened::Compacted {
                write: write.0,
                bytes: snapshot.len(),
            },
            Effect::Restore { index, .. } => Happened::Restored { index: *index },
            Effect::Apply { index, .. } => Happened::Applied { index: *index },
            _ => return,
        };
        self.note(time_us, Some(node), || what);
    }

    pub(crate) fn into_events(self) -> Vec<TraceEvent> {
        self.0.unwrap_or_default()
    }
}
