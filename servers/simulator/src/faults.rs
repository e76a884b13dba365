//! Draws what goes wrong.
//!
//! Each run draws some of the [`KINDS`] and leaves the others out: a run in which everything goes wrong at
//! once hides what only one thing going wrong again and again shows.

use partita_protocols::{NodeId, Random};
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};

use crate::queue::{MILLISECOND, Time};
use crate::schedule::{Entry, Fault};

/// What can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Crash,
    /// Many, often a majority or all, at once and not for long.
    CrashMany,
    CrashAtSync,
    TornWrite,
    /// One node again and again.
    Bounce,
    Pause,
    Storm,
    /// Two groups.
    Split,
    /// One node, most often the leader, alone; its clients still reach it.
    Isolate,
    OneWay,
    /// Two groups, and one node that reaches both.
    Bridge,
    /// Links that come and go.
    Flap,
    /// A new leader is cut off just after it began to lead.
    NewLeader,
    Clock,
    ClockJump,
    SlowDisk,
    Rot,
    Members,
    Transfer,
    Snapshot,
}

const KINDS: [Kind; 20] = [
    Kind::Crash,
    Kind::CrashMany,
    Kind::CrashAtSync,
    Kind::TornWrite,
    Kind::Bounce,
    Kind::Pause,
    Kind::Storm,
    Kind::Split,
    Kind::Isolate,
    Kind::OneWay,
    Kind::Bridge,
    Kind::Flap,
    Kind::NewLeader,
    Kind::Clock,
    Kind::ClockJump,
    Kind::SlowDisk,
    Kind::Rot,
    Kind::Members,
    Kind::Transfer,
    Kind::Snapshot,
];

/// In a run in which things go wrong for so long, faults last as long as they like, which is so long,
const ENOUGH_MS: u64 = 8_000;
const LASTS_MAX_MS: u64 = 2_500;
/// and in a shorter one some last for so long at least: longer than any election timeout.
const LASTS_LEAST_MS: u64 = 1_200;

/// What whoever draws can see.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) now: Time,
    /// Who leads, as the newest term has it.
    pub(crate) leader: Option<NodeId>,
    /// Every node that there is.
    pub(crate) nodes: Vec<NodeId>,
    /// Whom the leader takes for members.
    pub(crate) members: Vec<NodeId>,
    /// Who could become a member.
    pub(crate) candidates: Vec<NodeId>,
}

/// Draws faults, one after another; they may overlap.
#[derive(Debug)]
pub(crate) struct Faults {
    random: Random,
    kinds: Vec<Kind>,
    /// The longest time for which nothing new is drawn.
    pause_max: Time,
    /// The longest time for which a fault lasts.
    lasts_max: Time,
    /// By how many percent the fastest clock may outrun the slowest.
    clock_drift_percent: u32,
}

impl Faults {
    /// Faults for a run in which things go wrong for so long: in a short one they follow each other sooner, and
    /// none lasts for more than a third of it, if that is long enough for an election.
    pub(crate) fn new(mut random: Random, clock_drift_percent: u32, faulty_ms: u64) -> Faults {
        let mut kinds: Vec<_> = KINDS.into_iter().filter(|_| random.random_bool(0.6)).collect();
        if kinds.iter().all(|&kind| kind == Kind::NewLeader) {
            kinds = KINDS.to_vec();
        }
        let pause_max = *[300, 700, 1_200].choose(&mut random).unwrap_or(&700);
        let pause_max = (pause_max * faulty_ms / ENOUGH_MS).clamp(200, pause_max);
        Faults {
            random,
            kinds,
            pause_max: pause_max * MILLISECOND,
            lasts_max: (LASTS_MAX_MS * faulty_ms / ENOUGH_MS).clamp(LASTS_LEAST_MS, LASTS_MAX_MS)
                * MILLISECOND,
            clock_drift_percent,
        }
    }

    /// How long nothing new is drawn.
    pub(crate) fn pause(&mut self) -> Time {
        self.random.random_range(100 * MILLISECOND..self.pause_max)
    }

    /// What goes wrong next: later than now.
    pub(crate) fn draw(&mut self, view: &View) -> Vec<Entry> {
        let timed: Vec<_> = self
            .kinds
            .iter()
            .filter(|&&kind| kind != Kind::NewLeader)
            .collect();
        let Some(&&kind) = timed.choose(&mut self.random) else {
            return Vec::new();
        };
        let mut nodes = view.nodes.clone();
        nodes.shuffle(&mut self.random);
        let leader_share = if kind == Kind::Isolate { 0.8 } else { 0.4 };
        if let Some(leader) = view.leader.filter(|_| self.random.random_bool(leader_share)) {
            nodes.retain(|&node| node != leader);
            nodes.insert(0, leader);
        }
        let Some(&first) = nodes.first() else {
            return Vec::new();
        };
        let at_us = view.now + 1;
        let for_us = self.random.random_range(100 * MILLISECOND..self.lasts_max);
        let entry = |fault| vec![Entry { at_us, fault, for_us }];
        let half = nodes.len() / 2;
        match kind {
            Kind::Crash => entry(Fault::Crash(vec![first])),
            Kind::CrashMany => {
                let some = self.random.random_range(half..=nodes.len()).max(1);
                let fault = Fault::Crash(nodes[..some].to_vec());
                let for_us = for_us / 4;
                vec![Entry { at_us, fault, for_us }]
            }
            Kind::CrashAtSync => entry(Fault::CrashAtSync(first)),
            Kind::TornWrite => entry(Fault::TornWrite(first)),
            Kind::Bounce => self.repeat(at_us, 300, &Fault::Crash(vec![first])),
            Kind::Pause => entry(Fault::Pause(first)),
            Kind::Storm => entry(Fault::Storm),
            Kind::Split => {
                let size = self.random.random_range(1..=half.max(1));
                entry(split(&nodes, size, false))
            }
            Kind::Isolate => entry(split(&nodes, 1, false)),
            Kind::OneWay => {
                let size = self.random.random_range(1..=half.max(1));
                nodes[..].rotate_left(if self.random.random_bool(0.5) { size } else { 0 });
                entry(split(&nodes, size, true))
            }
            Kind::Bridge => entry(split(&nodes[1..], half, false)),
            Kind::Flap => {
                let size = self.random.random_range(1..=half.max(1));
                self.repeat(at_us, 250, &split(&nodes, size, false))
            }
            Kind::Clock => {
                let percent = speed_percent(&mut self.random, self.clock_drift_percent);
                entry(Fault::Clock { node: first, percent })
            }
            Kind::ClockJump => {
                // Back or forward, by up to several election timeouts.
                let by_ms = self.random.random_range(100..3_000);
                let back = self.random.random_bool(0.5);
                let by_ms = if back { -by_ms } else { by_ms };
                let fault = Fault::ClockJump { node: first, by_ms };
                vec![Entry {
                    at_us,
                    fault,
                    for_us: 0,
                }]
            }
            Kind::SlowDisk => entry(Fault::SlowDisk(first)),
            Kind::Rot => self.rot(first, &nodes, view),
            Kind::Members => self.change_members(view),
            Kind::Transfer => {
                let to = view.members.choose(&mut self.random).copied();
                entry(Fault::Transfer(to.filter(|_| self.random.random_bool(0.6))))
            }
            Kind::Snapshot => entry(Fault::Snapshot(first)),
            Kind::NewLeader => Vec::new(),
        }
    }

    /// What goes wrong because somebody has just begun to lead.
    pub(crate) fn draw_at_new_leader(&mut self, view: &View) -> Vec<Entry> {
        let Some(leader) = view.leader.filter(|_| self.kinds.contains(&Kind::NewLeader)) else {
            return Vec::new();
        };
        if !self.random.random_bool(0.3) {
            return Vec::new();
        }
        let mut nodes = view.nodes.clone();
        nodes.retain(|&node| node != leader);
        nodes.shuffle(&mut self.random);
        nodes.insert(0, leader);
        // Alone, or with some that have what it sent last.
        let size = self.random.random_range(1..=nodes.len().div_ceil(2));
        vec![Entry {
            at_us: view.now + self.random.random_range(1..50 * MILLISECOND),
            fault: split(&nodes, size, false),
            for_us: self.random.random_range(200 * MILLISECOND..self.lasts_max),
        }]
    }

    /// A disk rots; and often the leader is cut off when the node comes back with an empty one, if it does: then
    /// those that remain need it, and what it has forgotten.
    fn rot(&mut self, node: NodeId, nodes: &[NodeId], view: &View) -> Vec<Entry> {
        let at_us = view.now + 1;
        let for_us = self.random.random_range(20 * MILLISECOND..1_000 * MILLISECOND);
        let fault = Fault::Rot(node);
        let mut entries = vec![Entry { at_us, fault, for_us }];
        let cut_off = self.random.random_bool(0.7);
        if let Some(leader) = view.leader.filter(|&leader| cut_off && leader != node) {
            let others: Vec<_> = nodes.iter().copied().filter(|&node| node != leader).collect();
            let after = self.random.random_range(0..100 * MILLISECOND);
            entries.push(Entry {
                at_us: at_us + for_us + after,
                fault: split(&[&[leader], &others[..]].concat(), 1, false),
                for_us: self.random.random_range(500 * MILLISECOND..2_500 * MILLISECOND),
            });
        }
        entries
    }

    /// Adds and removes members, some shortly after another, so that there are never fewer than three of them
    /// for long. Often the leader is cut off just then, with a change in its log that few others have; or with
    /// so many of those who stay that they are a majority of the new members.
    fn change_members(&mut self, view: &View) -> Vec<Entry> {
        let mut members = view.members.clone();
        let mut candidates = view.candidates.clone();
        let mut at_us = view.now + 1;
        let mut entries = Vec::new();
        let changes = self.random.random_range(1..=3);
        for _ in 0..changes {
            let removable = if members.len() > 3 { members.len() } else { 0 };
            // Of many rather fewer: two majorities that do not meet are two removals apart.
            let add_share = if members.len() > 4 { 0.3 } else { 0.5 };
            let add = removable == 0 || self.random.random_bool(add_share);
            let fault = if add && !candidates.is_empty() {
                let node = candidates.swap_remove(self.random.random_range(0..candidates.len()));
                Fault::AddMember(node)
            } else if removable > 0 {
                Fault::RemoveMember(members.swap_remove(self.random.random_range(0..removable)))
            } else {
                break;
            };
            entries.push(Entry {
                at_us,
                fault,
                for_us: 0,
            });
            at_us += self.random.random_range(1..300 * MILLISECOND);
        }
        if let Some(leader) = view.leader.filter(|_| self.random.random_bool(0.5)) {
            let mut nodes = view.nodes.clone();
            nodes.retain(|&node| node != leader);
            nodes.shuffle(&mut self.random);
            nodes.insert(0, leader);
            let mut size = self.random.random_range(1..=nodes.len().div_ceil(2));
            if self.random.random_bool(0.5) {
                nodes[1..].sort_by_key(|node| !members.contains(node));
                size = members.len() / 2 + 1;
            }
            entries.push(Entry {
                at_us: view.now + self.random.random_range(1..30 * MILLISECOND),
                fault: split(&nodes, size, false),
                for_us: self.random.random_range(200 * MILLISECOND..self.lasts_max),
            });
        }
        entries
    }

    /// The same, some times, for a short while each.
    fn repeat(&mut self, mut at_us: Time, longest_ms: Time, fault: &Fault) -> Vec<Entry> {
        let times = self.random.random_range(3..=8);
        let mut entries = Vec::new();
        for _ in 0..times {
            let for_us = self
                .random
                .random_range(10 * MILLISECOND..longest_ms * MILLISECOND);
            entries.push(Entry {
                at_us,
                fault: fault.clone(),
                for_us,
            });
            at_us += for_us
                + self
                    .random
                    .random_range(10 * MILLISECOND..longest_ms * MILLISECOND);
        }
        entries
    }
}

/// A clock's speed, in percent of the right one: no two draws are further apart than may be.
pub(crate) fn speed_percent(random: &mut Random, drift_percent: u32) -> u32 {
    let slowest = 100 - drift_percent.min(90) / 2;
    // Rounded down, so that the bound holds.
    let fastest = slowest * (100 + drift_percent) / 100;
    random.random_range(slowest..=fastest)
}

fn split(nodes: &[NodeId], size: usize, one_way: bool) -> Fault {
    let (one, other) = nodes.split_at(size.min(nodes.len()));
    Fault::Partition {
        one: one.to_vec(),
        other: other.to_vec(),
        one_way,
    }
}
