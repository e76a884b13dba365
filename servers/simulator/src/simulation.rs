//! The loop: takes the next event, whatever its kind.

use partita_protocols::{Config, NodeId, Random, RequestId};
use rand::SeedableRng;

use crate::clients::{CLIENT_PATIENCE, Clients, Outcome};
use crate::faults::{Fault, Faults};
use crate::invariants::Simulated;
use crate::network::Network;
use crate::queue::{MILLISECOND, Time};
use crate::report::{Counts, Options, Report, Violation};
use crate::world::{Consequence, Consequences, ELECTION_TICKS, Events, HEARTBEAT_TICKS, NodeEvent, World};

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Event<M> {
    Node {
        node: NodeId,
        event: NodeEvent<M>,
    },
    /// A client has thought enough.
    ClientNext(usize),
    /// An answer reaches a client.
    Answer {
        client: usize,
        request: RequestId,
        outcome: Outcome,
    },
    /// A client's patience is over, if it still waits for this.
    Impatience {
        client: usize,
        request: RequestId,
    },
    /// The next thing goes wrong.
    NextFault,
    /// A fault is over.
    FaultEnds(Fault),
    /// All faults are over.
    Healed,
    /// The run is over.
    End,
}

/// Runs a cluster under faults, all drawn from the seed. Ends at the first violation.
///
/// With a configuration that can not be (no nodes, or more than names are good for) nothing runs, and the
/// counts are zero.
pub fn simulate<P: Simulated>(seed: u64, options: &Options) -> Report {
    let mut simulation = Simulation::<P>::new(seed, options);
    let violation = simulation.run(options).err().map(|violation| Violation {
        time_us: simulation.queue.now(),
        ..violation
    });
    let Simulation {
        world,
        clients,
        calm_from,
        ..
    } = simulation;
    let (writes, reads) = calm_from.unwrap_or((clients.writes, clients.reads));
    let counts = Counts {
        writes: clients.writes,
        reads: clients.reads,
        calm_writes: clients.writes - writes,
        calm_reads: clients.reads - reads,
        ..world.counts
    };
    Report {
        seed,
        violation,
        counts,
        trace: world.trace.value(),
    }
}

struct Simulation<P: Simulated> {
    queue: Events<P>,
    world: World<P>,
    clients: Clients,
    faults: Faults,
    nodes: Vec<NodeId>,
    /// Whose request each one is, by its number, from 1.
    requesters: Vec<usize>,
    consequences: Consequences<P>,
    /// The writes and reads that were done when all faults were over.
    calm_from: Option<(u64, u64)>,
}

impl<P: Simulated> Simulation<P> {
    fn new(seed: u64, options: &Options) -> Self {
        // One stream for each purpose: what one draws does not disturb another.
        let random = |stream: u64| {
            let mut random = Random::seed_from_u64(seed);
            random.set_stream(stream);
            random
        };
        let nodes: Vec<NodeId> = (1..=options.nodes)
            .filter_map(|number| NodeId::new(&format!("n{number}")).ok())
            .collect();
        let config = |&me: &NodeId| {
            let peers = nodes.iter().copied().filter(|&node| node != me);
            let mut config = Config::new(me, peers, HEARTBEAT_TICKS, ELECTION_TICKS).ok()?;
            config.snapshot_entries = options.snapshot_entries;
            Some(config.with_defect(options.defect))
        };
        let configs = nodes.iter().filter_map(config).collect();
        Simulation {
            queue: Events::<P>::default(),
            world: World::new(configs, Network::new(random(1)), random(2), random(3)),
            clients: Clients::new(random(4), nodes.clone(), options.clients),
            faults: Faults::new(random(5), nodes.clone()),
            nodes,
            requesters: Vec::new(),
            consequences: Vec::new(),
            calm_from: None,
        }
    }

    fn run(&mut self, options: &Options) -> Result<(), Violation> {
        if self.nodes.is_empty() {
            return Ok(());
        }
        for node in self.nodes.clone() {
            self.world.start(node, &mut self.consequences)?;
        }
        for client in 0..options.clients {
            self.queue.after(client as Time, Event::ClientNext(client));
        }
        self.queue.after(self.faults.pause(), Event::NextFault);
        self.queue.after(options.faulty_ms * MILLISECOND, Event::Healed);
        self.queue
            .after((options.faulty_ms + options.calm_ms) * MILLISECOND, Event::End);
        self.plan();
        while let Some(event) = self.queue.next() {
            if matches!(event, Event::End) {
                break;
            }
            self.happen(event)?;
            self.plan();
        }
        Ok(())
    }

    fn happen(&mut self, event: Event<P::Message>) -> Result<(), Violation> {
        match event {
            Event::Node { node, event } => self.world.happen(node, event, &mut self.consequences)?,
            Event::ClientNext(client) => self.ask(client),
            Event::Answer {
                client,
                request,
                outcome,
            } => self.settle(client, request, outcome)?,
            Event::Impatience { client, request } => self.settle(client, request, Outcome::Unknown)?,
            Event::NextFault if self.calm_from.is_none() => {
                let (fault, duration, end) = self.faults.draw(self.world.leader());
                self.befall(fault)?;
                self.queue.after(duration, Event::FaultEnds(end));
                self.queue.after(self.faults.pause(), Event::NextFault);
            }
            Event::FaultEnds(end) if self.calm_from.is_none() => self.befall(end)?,
            Event::Healed => self.heal()?,
            Event::NextFault | Event::FaultEnds(_) | Event::End => {}
        }
        Ok(())
    }

    fn ask(&mut self, client: usize) {
        let (node, asked) = self.clients.next(client);
        self.requesters.push(client);
        let request = RequestId(self.requesters.len() as u64);
        let delay = self.clients.delay();
        self.queue.after(
            delay,
            Event::Node {
                node,
                event: NodeEvent::Request(asked),
            },
        );
        self.queue
            .after(CLIENT_PATIENCE, Event::Impatience { client, request });
    }

    fn settle(&mut self, client: usize, request: RequestId, outcome: Outcome) -> Result<(), Violation> {
        if !self.clients.waits_for(client, request) {
            return Ok(());
        }
        self.clients.settle(client, outcome).map_err(|what| Violation {
            time_us: 0,
            property: "linearizability",
            node: None,
            what,
        })?;
        let delay = self.clients.delay();
        self.queue.after(delay, Event::ClientNext(client));
        Ok(())
    }

    fn befall(&mut self, fault: Fault) -> Result<(), Violation> {
        self.world.trace.note(&fault);
        match fault {
            Fault::Crash(nodes) => nodes.into_iter().for_each(|node| self.world.crash(node)),
            Fault::Restart(nodes) => {
                for node in nodes {
                    self.world.start(node, &mut self.consequences)?;
                }
            }
            Fault::Pause(node) => self.world.pause(node),
            Fault::Resume(node) => self.world.resume(node, &mut self.consequences),
            Fault::Partition { one, other, one_way } => {
                self.world.counts.partitions += 1;
                if one_way {
                    self.world.network.cut_one_way(&one, &other);
                } else {
                    self.world.network.cut(&one, &other);
                }
            }
            Fault::Mend => self.world.network.heal(),
            Fault::Storm => self.world.network.stormy = true,
            Fault::Calm => self.world.network.stormy = false,
        }
        Ok(())
    }

    /// Ends all faults.
    fn heal(&mut self) -> Result<(), Violation> {
        self.calm_from = Some((self.clients.writes, self.clients.reads));
        self.befall(Fault::Mend)?;
        self.befall(Fault::Calm)?;
        for node in self.nodes.clone() {
            self.befall(Fault::Resume(node))?;
        }
        self.befall(Fault::Restart(self.nodes.clone()))
    }

    /// Plans what the last event led to.
    fn plan(&mut self) {
        for consequence in self.consequences.drain(..) {
            match consequence {
                Consequence::At { delay, node, event } => {
                    self.queue.after(delay, Event::Node { node, event })
                }
                Consequence::Outcome { request, outcome } => {
                    if let Some(&client) = self.requesters.get(request.0 as usize - 1) {
                        let delay = self.clients.delay();
                        self.queue.after(
                            delay,
                            Event::Answer {
                                client,
                                request,
                                outcome,
                            },
                        );
                    }
                }
            }
        }
    }
}
