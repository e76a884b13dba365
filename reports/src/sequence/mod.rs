//! Message sequence diagrams, as SVG.
//!
//! Time runs downwards, but not evenly: what happens within a few microseconds is drawn apart, a moment at which
//! much happens is as high as its labels need, and a silence of seconds is short. Each lane is a node, drawn by what
//! the node is; each arrow a message, ending in a cross if it was lost. At the arrow stand its number and a word; what
//! the message says in full stands by that number in the legend below.
//!
//! - `layout`: where everything goes, so that no label lies on another. `draw`: the SVG.

mod draw;
mod layout;

use serde::{Deserialize, Serialize};

/// What is to be drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Diagram {
    /// The version of its JSON form ([`crate::run::FORMAT`]).
    pub format: u32,
    /// What it shows.
    pub title: String,
    /// The nodes, from left to right.
    pub lanes: Vec<String>,
    /// Messages.
    pub arrows: Vec<Arrow>,
    /// What happened at one moment.
    pub marks: Vec<Mark>,
    /// What each node was, from when on: in order of time, also from before the window.
    pub states: Vec<State>,
    /// The window's begin.
    pub from_us: u64,
    /// The window's end.
    pub to_us: u64,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrow {
    /// The sender's lane.
    pub from: usize,
    /// The receiver's.
    pub to: usize,
    /// When it was sent.
    pub sent_us: u64,
    /// When it came, if it did.
    pub arrived_us: Option<u64>,
    /// What it says, in a word.
    pub word: String,
    /// What it says.
    pub label: String,
}

/// Something that happened at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// At which node, if at one.
    pub lane: Option<usize>,
    /// When.
    pub time_us: u64,
    /// Of what kind.
    pub kind: MarkKind,
    /// In words, few enough to stand at the lane.
    pub text: String,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkKind {
    /// A node became something else.
    State,
    /// Something on its disk.
    Disk,
    /// It applied an entry.
    Applied,
    /// Something went wrong, or was over.
    Fault,
    /// A property was violated.
    Violation,
}

/// What a node was, from a moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Which lane.
    pub lane: usize,
    /// From when on.
    pub from_us: u64,
    /// What it was.
    pub kind: StateKind,
}

/// What a node can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateKind {
    /// It follows.
    Follows,
    /// It stands for election.
    Stands,
    /// It leads.
    Leads,
    /// It does not run.
    Down,
}

impl Diagram {
    /// The picture, complete in itself.
    pub fn svg(&self) -> String {
        draw::svg(self, true)
    }

    /// The picture for the page, which has its style.
    pub(crate) fn figure(&self) -> String {
        draw::svg(self, false)
    }
}

#[cfg(test)]
mod tests;
