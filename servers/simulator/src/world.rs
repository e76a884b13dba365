//! The nodes, and what their effects do to disk, network and store.

use std::collections::BTreeMap;

use partita_protocols::store::Store;
use partita_protocols::{Config, Effect, Encode as _, Input, NodeId, Protocol, Random, RequestId, Role};
use rand::RngExt;
use rand::SeedableRng;

use crate::clients::{Outcome, Request};
use crate::faults::speed_percent;
use crate::invariants::{Invariant, Observed, Simulated};
use crate::network::Network;
use crate::node::{Node, NodeEvent};
use crate::queue::{MILLISECOND, Queue, Time};
use crate::report::{Counts, Violation};
use crate::trace::Trace;

/// What a step leads to, later.
#[derive(Debug)]
pub(crate) enum Consequence<M> {
    /// Something happens at a node, after a delay.
    At {
        delay: Time,
        node: NodeId,
        event: NodeEvent<M>,
    },
    /// A client's request has ended.
    Outcome { request: RequestId, outcome: Outcome },
}

/// All nodes and what is between them.
pub(crate) struct World<P: Simulated> {
    nodes: BTreeMap<NodeId, Node<P>>,
    pub(crate) now: Time,
    pub(crate) network: Network,
    disk_random: Random,
    node_random: Random,
    clock_random: Random,
    clock_drift_percent: u32,
    invariants: Vec<Box<dyn Invariant<P>>>,
    pub(crate) counts: Counts,
    pub(crate) trace: Trace,
    last_leadership: u64,
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
            now: 0,
            network,
            disk_random,
            node_random,
            clock_random,
            clock_drift_percent,
            invariants: P::invariants(),
            counts: Counts::default(),
            trace: Trace::default(),
            last_leadership: 0,
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
    pub(crate) fn start(&mut self, id: NodeId, queue: &mut Consequences<P>) -> Result<(), Violation> {
        let Some(node) = self.nodes.get_mut(&id).filter(|node| node.core.is_none()) else {
            return Ok(());
        };
        node.incarnation += 1;
        node.store = Store::with_defect(node.config.defect);
        node.applied = 0;
        let mut effects = Vec::new();
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
        node.core = Some(core);
        node.clock
            .start(self.now, self.clock_random.random_range(0.0..1.0));
        self.plan_tick(id, queue);
        self.conclude(id, effects, queue)
    }

    /// Plans when the next tick comes: now and then late.
    fn plan_tick(&mut self, id: NodeId, queue: &mut Consequences<P>) {
        let Some(node) = self.nodes.get(&id) else {
            return;
        };
        let late = if self.clock_random.random_bool(0.02) {
            self.clock_random.random_range(0..30 * MILLISECOND)
        } else {
            0
        };
        queue.push(Consequence::At {
            delay: node.clock.due().saturating_sub(self.now) + late,
            node: id,
            event: NodeEvent::Tick {
                incarnation: node.incarnation,
            },
        });
    }

    /// Has a node take the ticks that are due: all, if its clock keeps time.
    fn catch_up(&mut self, id: NodeId, queue: &mut Consequences<P>) -> Result<(), Violation> {
        while let Some(node) = self.nodes.get_mut(&id)
            && node.core.is_some()
            && node.clock.take(self.now)
        {
            self.step(id, Input::Tick, queue)?;
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

    /// A node crashes when it next syncs; or no longer does.
    pub(crate) fn crash_at_sync(&mut self, id: NodeId, crashes: bool) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.crash_at_sync = crashes && node.core.is_some();
        }
    }

    /// Kills a node, if it is up.
    pub(crate) fn crash(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(&id).filter(|node| node.core.is_some()) else {
            return;
        };
        node.core = None;
        node.backlog = None;
        node.reads.clear();
        node.crash_at_sync = false;
        self.counts.crashes += 1;
        self.counts.records_lost += node.disk.crash(&mut self.disk_random) as u64;
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
    pub(crate) fn resume(&mut self, id: NodeId, queue: &mut Consequences<P>) {
        let backlog = self
            .nodes
            .get_mut(&id)
            .and_then(|node| node.backlog.take())
            .unwrap_or_default();
        queue.extend(backlog.into_iter().map(|event| Consequence::At {
            delay: 0,
            node: id,
            event,
        }));
    }

    /// Something happens at a node.
    pub(crate) fn happen(
        &mut self,
        id: NodeId,
        event: NodeEvent<P::Message>,
        queue: &mut Consequences<P>,
    ) -> Result<(), Violation> {
        let Some(node) = self.nodes.get_mut(&id) else {
            return Ok(());
        };
        if node.core.is_none() {
            return Ok(());
        }
        if let NodeEvent::Synced { incarnation, last } = event
            && incarnation == node.incarnation
        {
            // The disk works on even when the process is paused; it learns of it later.
            node.disk.end_sync(last);
            if !node.disk.lies() {
                queue.push(Consequence::At {
                    delay: 0,
                    node: id,
                    event: NodeEvent::Claimed { incarnation, last },
                });
            }
            self.sync(id, queue);
            return Ok(());
        }
        if let Some(backlog) = &mut node.backlog {
            backlog.push(event);
            return Ok(());
        }
        let current = node.incarnation;
        if node.clock.keeps_time() {
            self.catch_up(id, queue)?;
        }
        let Some(node) = self.nodes.get_mut(&id) else {
            return Ok(());
        };
        let input = match event {
            NodeEvent::Tick { incarnation } if incarnation == current => {
                self.catch_up(id, queue)?;
                self.plan_tick(id, queue);
                return Ok(());
            }
            NodeEvent::SyncCrash { incarnation } if incarnation == current && node.crash_at_sync => {
                self.counts.crashes_at_sync += 1;
                self.crash(id);
                return Ok(());
            }
            NodeEvent::Claimed { incarnation, last } if incarnation == current => Input::Persisted(last),
            NodeEvent::Tick { .. }
            | NodeEvent::Claimed { .. }
            | NodeEvent::Synced { .. }
            | NodeEvent::SyncCrash { .. } => return Ok(()),
            NodeEvent::Deliver { from, .. } if self.network.is_cut(from, id) => {
                self.counts.messages_lost += 1;
                return Ok(());
            }
            NodeEvent::Deliver { from, message } => Input::Receive { from, message },
            NodeEvent::Request(Request::Apply(proposal)) => Input::Propose(vec![proposal]),
            NodeEvent::Request(Request::Read(query)) => {
                node.reads.insert(query.request, query.command.clone());
                Input::Read(vec![query])
            }
            NodeEvent::Request(Request::Administer { request, what }) => Input::Administer { request, what },
            NodeEvent::Copied {
                incarnation,
                index,
                state,
            } if incarnation == current => Input::SnapshotTaken { index, state },
            NodeEvent::Copied { .. } => return Ok(()),
        };
        self.step(id, input, queue)
    }

    fn step(
        &mut self,
        id: NodeId,
        input: Input<P::Message>,
        queue: &mut Consequences<P>,
    ) -> Result<(), Violation> {
        let Some(core) = self.nodes.get_mut(&id).and_then(|node| node.core.as_mut()) else {
            return Ok(());
        };
        self.counts.steps += 1;
        let mut effects = Vec::new();
        if input != Input::Tick {
            self.trace.note(&(id, &input));
        }
        core.step(input, &mut effects);
        let installs = |effect: &&Effect<_>| matches!(effect, Effect::Restore { .. });
        self.counts.installed += effects.iter().filter(installs).count() as u64;
        self.conclude(id, effects, queue)
    }

    /// Looks at a node after a step, and carries out what it wants done.
    fn conclude(
        &mut self,
        id: NodeId,
        effects: Vec<Effect<P::Message>>,
        queue: &mut Consequences<P>,
    ) -> Result<(), Violation> {
        self.observe(id, &effects)?;
        for effect in effects {
            self.trace.note(&effect);
            self.carry_out(id, effect, queue)?;
        }
        self.sync(id, queue);
        Ok(())
    }

    fn observe(&mut self, id: NodeId, effects: &[Effect<P::Message>]) -> Result<(), Violation> {
        let Some(core) = self.nodes.get(&id).and_then(|node| node.core.as_ref()) else {
            return Ok(());
        };
        let status = core.status();
        if status.role == Role::Leader && status.term > self.last_leadership {
            self.last_leadership = status.term;
            self.counts.leaderships += 1;
        }
        let observed = Observed {
            node: id,
            core,
            effects,
        };
        for invariant in &mut self.invariants {
            invariant.check(&observed).map_err(|what| Violation {
                time_us: 0,
                property: invariant.name(),
                node: Some(id),
                what,
            })?;
        }
        Ok(())
    }

    fn carry_out(
        &mut self,
        id: NodeId,
        effect: Effect<P::Message>,
        queue: &mut Consequences<P>,
    ) -> Result<(), Violation> {
        let Some(node) = self.nodes.get_mut(&id) else {
            return Ok(());
        };
        let mut settle = |request, outcome| queue.push(Consequence::Outcome { request, outcome });
        match effect {
            Effect::Persist { write, record } => {
                node.disk.append(write, record);
                queue.extend(node.claim(write));
            }
            Effect::Compact {
                write,
                snapshot,
                records,
            } => {
                self.counts.snapshots += 1;
                node.disk.compact(write, snapshot, records);
                queue.extend(node.claim(write));
            }
            Effect::TakeSnapshot => queue.push(Consequence::At {
                delay: self.disk_random.random_range(0..20 * MILLISECOND),
                node: id,
                event: NodeEvent::Copied {
                    incarnation: node.incarnation,
                    index: node.applied,
                    state: node.store.snapshot().to_bytes().into(),
                },
            }),
            Effect::Restore { index, state } => {
                self.counts.restored += 1;
                node.applied = index;
                node.store
                    .restore(&state)
                    .map_err(|error| decoding(id, index, &error))?;
            }
            Effect::Send { to, message } => {
                let delays = self.network.deliveries(id, to);
                self.counts.messages_lost += u64::from(delays.is_empty());
                queue.extend(delays.into_iter().map(|delay| {
                    let event = NodeEvent::Deliver {
                        from: id,
                        message: message.clone(),
                    };
                    Consequence::At {
                        delay,
                        node: to,
                        event,
                    }
                }));
            }
            Effect::Apply {
                command,
                request,
                index,
            } => {
                if index != node.applied + 1 {
                    return Err(Violation {
                        time_us: 0,
                        property: "order of application",
                        node: Some(id),
                        what: format!("{index} was applied after {}", node.applied),
                    });
                }
                node.applied = index;
                let Some(command) = command else { return Ok(()) };
                let answer = node
                    .store
                    .apply_bytes(&command)
                    .map_err(|error| decoding(id, index, &error))?;
                if let Some(request) = request {
                    settle(request, Outcome::Answer(answer));
                }
            }
            Effect::ReadReady(request) => {
                if let Some(command) = node.reads.remove(&request) {
                    let answer = node
                        .store
                        .query_bytes(&command)
                        .map_err(|error| decoding(id, node.applied, &error))?;
                    settle(request, Outcome::Answer(answer));
                }
            }
            Effect::Refuse { request, leader } => {
                node.reads.remove(&request);
                settle(request, Outcome::Refused(leader));
            }
            Effect::Unknown(request) => {
                node.reads.remove(&request);
                settle(request, Outcome::Unknown);
            }
            Effect::Done(request) => settle(request, Outcome::Done),
            Effect::Reject { request, .. } => settle(request, Outcome::Rejected),
        }
        Ok(())
    }

    /// Has the disk sync what is written, unless it is at it.
    fn sync(&mut self, id: NodeId, queue: &mut Consequences<P>) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        if let Some((last, delay)) = node.disk.begin_sync(&mut self.disk_random) {
            let incarnation = node.incarnation;
            if node.crash_at_sync {
                queue.push(Consequence::At {
                    delay: self.disk_random.random_range(0..=delay),
                    node: id,
                    event: NodeEvent::SyncCrash { incarnation },
                });
            }
            let event = NodeEvent::Synced { incarnation, last };
            queue.push(Consequence::At {
                delay,
                node: id,
                event,
            });
        }
    }
}

fn decoding(node: NodeId, index: u64, error: &dyn std::fmt::Display) -> Violation {
    Violation {
        time_us: 0,
        property: "decoding",
        node: Some(node),
        what: format!("at {index}: {error}"),
    }
}

/// What a step leads to, gathered.
pub(crate) type Consequences<P> = Vec<Consequence<<P as Protocol>::Message>>;

/// Everything that may happen in a run.
pub(crate) type Events<P> = Queue<crate::simulation::Event<<P as Protocol>::Message>>;
