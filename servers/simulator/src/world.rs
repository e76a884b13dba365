//! The nodes, and what befalls them.

use std::collections::{BTreeMap, BTreeSet};

use partita_protocols::store::Store;
use partita_protocols::{Config, Effect, Input, NodeId, Protocol, Random, Role};
use rand::RngExt;
use rand::SeedableRng;

use crate::ahead::Ahead;
use crate::disk::Disk;
use crate::faults::speed_percent;
use crate::fingerprint::Fingerprint;
use crate::invariants::{Invariant, Simulated};
use crate::network::Network;
use crate::node::{AtSync, Node, NodeEvent};
use crate::queue::{MILLISECOND, Time};
use crate::report::{Counts, Violation};
use crate::trace::{Happened, Recorder};

/// All nodes and what is between them.
pub(crate) struct World<P: Simulated> {
    pub(crate) nodes: BTreeMap<NodeId, Node<P>>,
    /// Those that are no more. Their names are not used again: what they promised might not be known any more.
    retired: BTreeSet<NodeId>,
    pub(crate) now: Time,
    pub(crate) network: Network,
    pub(crate) disk_random: Random,
    node_random: Random,
    clock_random: Random,
    clock_drift_percent: u32,
    pub(crate) invariants: Vec<Box<dyn Invariant<P>>>,
    pub(crate) counts: Counts,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) recorder: Recorder,
    /// How many messages were sent.
    pub(crate) messages: u64,
    pub(crate) last_leadership: u64,
    /// Where the effects of a step are gathered; kept, so that its memory is.
    pub(crate) effects: Vec<Effect<P::Message>>,
}

impl<P: Simulated> World<P> {
    pub(crate) fn new(
        configs: Vec<Config>,
        network: Network,
        disk_random: Random,
        node_random: Random,
        clock_random: Random,
        clock_drift_percent: u32,
    ) -> Self {
        let mut world = World {
            nodes: BTreeMap::new(),
            retired: BTreeSet::new(),
            now: 0,
            network,
            disk_random,
            node_random,
            clock_random,
            clock_drift_percent,
            invariants: P::invariants(),
            counts: Counts::default(),
            fingerprint: Fingerprint::default(),
            recorder: Recorder::default(),
            messages: 0,
            last_leadership: 0,
            effects: Vec::new(),
        };
        configs.into_iter().for_each(|config| world.insert(config));
        world
    }

    /// A new node, with an empty disk, not yet started.
    pub(crate) fn insert(&mut self, config: Config) {
        let speed = speed_percent(&mut self.clock_random, self.clock_drift_percent);
        self.nodes.insert(config.me, Node::new(config, speed));
    }

    /// A node stops for ever.
    pub(crate) fn retire(&mut self, id: NodeId) {
        self.nodes.remove(&id);
        self.retired.insert(id);
    }

    pub(crate) fn is_retired(&self, id: NodeId) -> bool {
        self.retired.contains(&id)
    }

    /// Every node there is, up or down.
    pub(crate) fn names(&self) -> Vec<NodeId> {
        self.nodes.keys().copied().collect()
    }

    /// Whom this node takes for members.
    pub(crate) fn members(&self, id: NodeId) -> Vec<NodeId> {
        let core = self.nodes.get(&id).and_then(|node| node.core.as_ref());
        core.map(Protocol::members).unwrap_or_default()
    }

    /// A node that leads, as the newest term has it.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        let leading = self
            .nodes
            .iter()
            .filter_map(|(&id, node)| Some((node.core.as_ref()?.status(), id)));
        let leading = leading.filter(|(status, _)| status.role == Role::Leader);
        leading.max_by_key(|(status, _)| status.term).map(|(_, id)| id)
    }

    /// Starts a node from its disk, if it is down.
    pub(crate) fn start(&mut self, id: NodeId, ahead: &mut Ahead<P>) -> Result<(), Violation> {
        let down = |node: &&mut Node<P>| node.core.is_none() && !node.disk.rotten;
        let Some(node) = self.nodes.get_mut(&id).filter(down) else {
            return Ok(());
        };
        node.incarnation += 1;
        self.counts.torn_writes += u64::from(node.disk.repair());
        node.store = Store::with_defect(node.config.defect);
        node.applied = 0;
        let mut effects = std::mem::take(&mut self.effects);
        let random = Random::from_rng(&mut self.node_random);
        let core =
            P::recover(node.config.clone(), node.disk.contents(), random, &mut effects).map_err(|error| {
                Violation {
                    time_us: 0,
                    property: "recovery",
                    node: Some(id),
                    what: error.to_string(),
                }
            })?;
        self.recorder.note(self.now, Some(id), || Happened::Started);
        node.core = Some(core);
        node.status = None;
        node.clock
            .start(self.now, self.clock_random.random_range(0.0..1.0));
        self.plan_tick(id, ahead);
        self.conclude(id, effects, ahead)
    }

    /// Plans when the next tick comes: now and then late.
    pub(crate) fn plan_tick(&mut self, id: NodeId, ahead: &mut Ahead<P>) {
        let Some(node) = self.nodes.get(&id) else {
            return;
        };
        let late = if self.clock_random.random_bool(0.02) {
            self.clock_random.random_range(0..30 * MILLISECOND)
        } else {
            0
        };
        // One that stands still is looked at all the same: it may be set going before.
        let due = node.clock.due().saturating_sub(self.now);
        let delay = due.min(node.clock.tick_us()) + late;
        let incarnation = node.incarnation;
        ahead.at(delay, id, NodeEvent::Tick { incarnation });
    }

    /// Has a node take the ticks that are due: all, if its clock keeps time.
    pub(crate) fn catch_up(&mut self, id: NodeId, ahead: &mut Ahead<P>) -> Result<(), Violation> {
        while let Some(node) = self.nodes.get_mut(&id)
            && node.core.is_some()
            && node.clock.take(self.now)
        {
            self.step(id, Input::Tick, ahead)?;
        }
        Ok(())
    }

    /// A node's clock goes at this speed, or again as it did at first.
    pub(crate) fn set_clock(&mut self, id: NodeId, percent: Option<u32>) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.clock.set_speed(percent);
            self.counts.clocks += u64::from(percent.is_some());
        }
    }

    /// A node's clock jumps, if the node is up and sees it.
    pub(crate) fn jump_clock(
        &mut self,
        id: NodeId,
        by_ms: i64,
        ahead: &mut Ahead<P>,
    ) -> Result<(), Violation> {
        let runs = |node: &&mut Node<P>| node.core.is_some() && node.backlog.is_none();
        let Some(node) = self.nodes.get_mut(&id).filter(runs) else {
            return Ok(());
        };
        self.counts.clock_jumps += 1;
        let by_us = by_ms.unsigned_abs() * MILLISECOND;
        if by_ms < 0 {
            node.clock.stand_still(by_us);
            return Ok(());
        }
        for _ in 0..node.clock.ticks_in(by_us) {
            self.step(id, Input::Tick, ahead)?;
        }
        Ok(())
    }

    /// No clock stands still any more.
    pub(crate) fn set_clocks_going(&mut self) {
        for node in self.nodes.values_mut() {
            node.clock.go_on(self.now);
        }
    }

    /// A node's disk is slow, or no longer is.
    pub(crate) fn set_slow(&mut self, id: NodeId, slow: bool) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.disk.slow = slow;
            self.counts.slow_disks += u64::from(slow);
        }
    }

    /// A node whose disk has a bit that rotted, or that has an empty one instead and no vote yet, if there is
    /// one.
    pub(crate) fn rotten(&self) -> Option<NodeId> {
        let votes = |core: &P| core.status().role != Role::Learner;
        let forgetful = |node: &Node<P>| node.disk_replaced && !node.core.as_ref().is_some_and(votes);
        let mut nodes = self.nodes.iter();
        nodes
            .find(|(_, node)| node.disk.rotten || forgetful(node))
            .map(|(&id, _)| id)
    }

    /// A node whose disk has rotted starts with an empty one.
    pub(crate) fn replace_disk(&mut self, id: NodeId, ahead: &mut Ahead<P>) -> Result<(), Violation> {
        if let Some(node) = self.nodes.get_mut(&id).filter(|node| node.disk.rotten) {
            node.disk = Disk::new(node.disk.lies());
            node.disk_replaced = true;
            self.start(id, ahead)?;
        }
        Ok(())
    }

    /// A bit on the node's disk rots. It crashes, and will not start again.
    pub(crate) fn rot(&mut self, id: NodeId) {
        self.crash(id);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.disk.rotten = true;
            self.counts.rotten += 1;
        }
    }

    /// Something befalls a node when it next syncs; or no longer does.
    pub(crate) fn at_sync(&mut self, id: NodeId, what: Option<AtSync>) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.at_sync = what.filter(|_| node.core.is_some());
        }
    }

    /// Kills a node, if it is up.
    pub(crate) fn crash(&mut self, id: NodeId) {
        self.kill(id, Disk::crash);
    }

    /// The same, in the midst of a write.
    pub(crate) fn tear(&mut self, id: NodeId) {
        self.kill(id, Disk::tear);
    }

    fn kill(&mut self, id: NodeId, befalls: fn(&mut Disk, &mut Random) -> usize) {
        let Some(node) = self.nodes.get_mut(&id).filter(|node| node.core.is_some()) else {
            return;
        };
        node.core = None;
        node.backlog = None;
        node.reads.clear();
        node.at_sync = None;
        self.counts.crashes += 1;
        let writes_lost = befalls(&mut node.disk, &mut self.disk_random);
        self.counts.records_lost += writes_lost as u64;
        self.recorder
            .note(self.now, Some(id), || Happened::Crashed { writes_lost });
    }

    /// Stops a node, as SIGSTOP would.
    pub(crate) fn pause(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(&id)
            && node.core.is_some()
            && node.backlog.is_none()
        {
            node.backlog = Some(Vec::new());
            self.counts.pauses += 1;
        }
    }

    /// Lets a paused node go on: all that came meanwhile reaches it at once.
    pub(crate) fn resume(&mut self, id: NodeId, ahead: &mut Ahead<P>) {
        let backlog = self
            .nodes
            .get_mut(&id)
            .and_then(|node| node.backlog.take())
            .unwrap_or_default();
        backlog.into_iter().for_each(|event| ahead.at(0, id, event));
    }
}
