//! Faults as data: what goes wrong, when, and for how long.

use std::collections::BTreeSet;

use partita_protocols::NodeId;
use serde::{Deserialize, Serialize};

use crate::names::{maybe_node, node, nodes};
use crate::queue::Time;

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Nodes crash, and start again from their disks when it ends.
    Crash(#[serde(with = "nodes")] Vec<NodeId>),
    /// A node crashes at some moment of its next sync, and starts again when it ends.
    CrashAtSync(#[serde(with = "node")] NodeId),
    /// The same, and the write that reached the disk last is cut in its middle.
    TornWrite(#[serde(with = "node")] NodeId),
    /// A node stops, as by SIGSTOP, and goes on when it ends.
    Pause(#[serde(with = "node")] NodeId),
    /// The one group does not reach the other, nor, unless it is one way, the other the one. Who is in
    /// neither reaches both.
    Partition {
        /// The one group.
        #[serde(with = "nodes")]
        one: Vec<NodeId>,
        /// The other.
        #[serde(with = "nodes")]
        other: Vec<NodeId>,
        /// Does only what the one sends get lost?
        one_way: bool,
    },
    /// The network loses, doubles and delays much.
    Storm,
    /// A node's clock has another speed, in percent of the right one.
    Clock {
        /// Whose clock.
        #[serde(with = "node")]
        node: NodeId,
        /// Its speed.
        percent: u32,
    },
    /// A node's clock jumps by so many milliseconds, forward or back. Not where reads rest on leases, which assume
    /// that none does, unless that is asked for.
    ClockJump {
        /// Whose clock.
        #[serde(with = "node")]
        node: NodeId,
        /// How far.
        by_ms: i64,
    },
    /// A node's disk takes long to sync.
    SlowDisk(#[serde(with = "node")] NodeId),
    /// A node crashes, and a bit on its disk rots, so that it does not start again: only if all other members
    /// are well. Where the protocol has a way back for a member that has forgotten everything, it starts with an
    /// empty disk when it ends.
    Rot(#[serde(with = "node")] NodeId),
    /// An operator wants this node to be a member; it is started if it does not run.
    AddMember(#[serde(with = "node")] NodeId),
    /// An operator wants this node to be a member no more.
    RemoveMember(#[serde(with = "node")] NodeId),
    /// An operator wants the leader to hand over.
    Transfer(#[serde(with = "maybe_node")] Option<NodeId>),
    /// An operator wants this node to take a snapshot.
    Snapshot(#[serde(with = "node")] NodeId),
}

impl Fault {
    /// What it is called, as in a schedule's JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Crash(_) => "crash",
            Fault::CrashAtSync(_) => "crash-at-sync",
            Fault::TornWrite(_) => "torn-write",
            Fault::Pause(_) => "pause",
            Fault::Partition { .. } => "partition",
            Fault::Storm => "storm",
            Fault::Clock { .. } => "clock",
            Fault::ClockJump { .. } => "clock-jump",
            Fault::SlowDisk(_) => "slow-disk",
            Fault::Rot(_) => "rot",
            Fault::AddMember(_) => "add-member",
            Fault::RemoveMember(_) => "remove-member",
            Fault::Transfer(_) => "transfer",
            Fault::Snapshot(_) => "snapshot",
        }
    }

    /// The nodes that it names; of a partition the one group.
    pub fn nodes(&self) -> &[NodeId] {
        match self {
            Fault::Crash(nodes) | Fault::Partition { one: nodes, .. } => nodes,
            Fault::Storm | Fault::Transfer(None) => &[],
            Fault::CrashAtSync(node)
            | Fault::TornWrite(node)
            | Fault::Pause(node)
            | Fault::Clock { node, .. }
            | Fault::ClockJump { node, .. }
            | Fault::SlowDisk(node)
            | Fault::Rot(node)
            | Fault::AddMember(node)
            | Fault::RemoveMember(node)
            | Fault::Transfer(Some(node))
            | Fault::Snapshot(node) => std::slice::from_ref(node),
        }
    }
}

/// A fault at its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it begins, in virtual microseconds.
    pub at_us: Time,
    /// What goes wrong.
    pub fault: Fault,
    /// How long it lasts, in virtual microseconds, if it is one that lasts.
    pub for_us: Time,
}

/// A client's turn: it wants something, as soon as it waits for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// When, in virtual microseconds.
    pub at_us: Time,
    /// Which client, by its number.
    pub client: usize,
}

/// All that goes wrong in a run, in the order in which it was drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule(pub Vec<Entry>);

/// What of a schedule is to come. Where two things fall on one moment, the entries' order decides, so that a
/// schedule that was drawn on the way and one that was given are carried out alike.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    pub(crate) schedule: Schedule,
    due: BTreeSet<(Time, usize, Edge)>,
}

/// Which end of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Edge {
    Begins,
    Ends,
}

impl Agenda {
    pub(crate) fn push(&mut self, entry: Entry) {
        let number = self.schedule.0.len();
        self.due.insert((entry.at_us, number, Edge::Begins));
        self.due
            .insert((entry.at_us.saturating_add(entry.for_us), number, Edge::Ends));
        self.schedule.0.push(entry);
    }

    /// When something is next to be done.
    pub(crate) fn next_time(&self) -> Option<Time> {
        self.due.first().map(|&(time, ..)| time)
    }

    /// The next thing to be done: of which entry.
    pub(crate) fn next(&mut self) -> Option<(usize, Fault, Edge)> {
        let (_, number, edge) = self.due.pop_first()?;
        let entry = self.schedule.0.get(number)?;
        Some((number, entry.fault.clone(), edge))
    }

    /// Nothing more is to come.
    pub(crate) fn end(&mut self) {
        self.due.clear();
    }
}
