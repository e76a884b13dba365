//! The nodes, and what their effects do to disk, network and store.

use std::collections::BTreeMap;
use std::sync::Arc;

use partita_protocols::store::Store;
use partita_protocols::{
    Command, Config, Effect, Encode as _, Input, NodeId, Protocol, Random, RequestId, Role, WriteId, defect,
};
use rand::RngExt;
use rand::SeedableRng;

use crate::clients::{Outcome, Request};
use crate::disk::Disk;
use crate::invariants::{Invariant, Observed, Simulated};
use crate::network::Network;
use crate::queue::{MILLISECOND, Queue, Time};
use crate::report::{Counts, Violation};
use crate::trace::Trace;

/// The length of a tick, and heartbeats and elections in ticks: as in the real replica.
const TICK: Time = 10 * MILLISECOND;
pub(crate) const HEARTBEAT_TICKS: u32 = 5;
pub(crate) const ELECTION_TICKS: u32 = 50;

/// What happens at a node.
#[derive(Clone, Debug)]
pub(crate) enum NodeEvent<M> {
    Tick {
        incarnation: u64,
    },
    Deliver {
        from: NodeId,
        message: M,
    },
    /// A sync is done.
    Synced {
        incarnation: u64,
        last: WriteId,
    },
    /// A disk that lies says that a write is durable.
    Claimed {
        incarnation: u64,
        last: WriteId,
    },
    Request(Request),
    /// A copy of the store is made.
    Copied {
        incarnation: u64,
        index: u64,
        state: Arc<[u8]>,
    },
}

/// A node: a core while it is up, and a disk that outlives it.
struct Node<P: Protocol> {
    config: Config,
    /// Nothing while it is down.
    core: Option<P>,
    incarnation: u64,
    disk: Disk,
    store: Store,
    /// The last index applied to the store.
    applied: u64,
    reads: BTreeMap<RequestId, Command>,
    /// What happens while the node is paused, and reaches it when it goes on.
    backlog: Option<Vec<NodeEvent<P::Message>>>,
}

impl<P: Protocol> Node<P> {
    /// A disk that lies says at once that a write is durable.
    fn claim(&self, write: WriteId) -> Option<Consequence<P::Message>> {
        self.disk.lies().then(|| Consequence::At {
            delay: 0,
            node: self.config.me,
            event: NodeEvent::Claimed {
                incarnation: self.incarnation,
                last: write,
            },
        })
    }
}

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
    pub(crate) network: Network,
    disk_random: Random,
    node_random: Random,
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
    ) -> Self {
        let node = |config: Config| {
            let lies = config.defect == Some(&defect::UNSYNCED_ACKS);
            let node = Node {
                core: None,
                incarnation: 0,
                disk: Disk::new(lies),
                store: Store::with_defect(config.defect),
                applied: 0,
                reads: BTreeMap::new(),
                backlog: None,
                config: config.clone(),
            };
            (config.me, node)
        };
        World {
            nodes: configs.into_iter().map(node).collect(),
            network,
            disk_random,
            node_random,
            invariants: P::invariants(),
            counts: Counts::default(),
            trace: Trace::default(),
            last_leadership: 0,
        }
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
        let tick = NodeEvent::Tick {
            incarnation: node.incarnation,
        };
        node.core = Some(core);
        queue.push(Consequence::At {
            delay: self.node_random.random_range(0..TICK),
            node: id,
            event: tick,
        });
        self.conclude(id, effects, queue)
    }

    /// Kills a node, if it is up.
    pub(crate) fn crash(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(&id).filter(|node| node.core.is_some()) else {
            return;
        };
        node.core = None;
        node.backlog = None;
        node.reads.clear();
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
        let input = match event {
            NodeEvent::Tick { incarnation } if incarnation == current => {
                queue.push(Consequence::At {
                    delay: TICK,
                    node: id,
                    event: NodeEvent::Tick { incarnation },
                });
                Input::Tick
            }
            NodeEvent::Claimed { incarnation, last } if incarnation == current => Input::Persisted(last),
            NodeEvent::Tick { .. } | NodeEvent::Claimed { .. } | NodeEvent::Synced { .. } => return Ok(()),
            NodeEvent::Deliver { from, .. } if self.network.is_cut(from, id) => {
                self.counts.messages_lost += 1;
                return Ok(());
            }
            NodeEvent::Deliver { from, message } => Input::Receive { from, message },
            NodeEvent::Request(Request::Append(proposal)) => Input::Propose(vec![proposal]),
            NodeEvent::Request(Request::Read(query)) => {
                node.reads.insert(query.request, query.command.clone());
                Input::Read(vec![query])
            }
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
            Effect::Done(_) | Effect::Reject { .. } => {}
        }
        Ok(())
    }

    /// Has the disk sync what is written, unless it is at it.
    fn sync(&mut self, id: NodeId, queue: &mut Consequences<P>) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        if let Some((last, delay)) = node.disk.begin_sync(&mut self.disk_random) {
            let event = NodeEvent::Synced {
                incarnation: node.incarnation,
                last,
            };
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
