//! The loop: takes the next event, whatever its kind.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use partita_protocols::{Administration, Config, Defect, NodeId, Random, RequestId};
use rand::{RngExt, SeedableRng};

use crate::clients::{CLIENT_PATIENCE, Clients, Outcome, Request};
use crate::faults::{Faults, View};
use crate::invariants::Simulated;
use crate::load::Load;
use crate::network::Network;
use crate::node::{ELECTION_TICKS, HEARTBEAT_TICKS, NodeEvent};
use crate::operator::Operator;
use crate::queue::{MILLISECOND, Time};
use crate::report::{Counts, Options, Report, Violation};
use crate::schedule::{Agenda, Edge, Fault, Schedule};
use crate::trace::{Happened, Recorder, TraceEvent, text_of};
use crate::world::{Consequence, Consequences, Events, World};

/// How long a client waits that has nothing to do.
const IDLE: Time = 5 * MILLISECOND;

/// The window of slots (alpha) of Multi-Paxos: small, so that its end is reached.
const WINDOW: u64 = 16;

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
    /// A node that was removed is stopped.
    Retire(NodeId),
    /// All faults are over.
    Healed,
    /// The run is over.
    End,
}

/// What is seldom asked for.
#[derive(Default)]
pub struct Extras {
    /// What goes wrong, instead of what the seed would draw.
    pub schedule: Option<Schedule>,
    /// What clients do, instead of what the protocol's clients do.
    pub load: Option<Box<dyn Load>>,
    /// Whether to keep what happens, which takes time and memory.
    pub traced: bool,
}

/// Runs a cluster under faults, all drawn from the seed. Ends at the first violation.
///
/// With a configuration that can not be (no nodes, or more than names are good for) nothing runs, and the
/// counts are zero.
pub fn simulate<P: Simulated>(seed: u64, options: &Options) -> Report {
    simulate_with::<P>(seed, options, Extras::default()).report
}

/// A run, with what is seldom asked for.
#[derive(Debug)]
pub struct Recorded {
    /// What came of it.
    pub report: Report,
    /// What went wrong.
    pub schedule: Schedule,
    /// What happened, if that was asked for.
    pub events: Vec<TraceEvent>,
}

/// The same as [`simulate`], with extras.
pub fn simulate_with<P: Simulated>(seed: u64, options: &Options, extras: Extras) -> Recorded {
    let mut simulation = Simulation::<P>::new(seed, options, extras);
    // A core may check itself, too. What it was in the midst of is not looked at again.
    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| simulation.run(options)));
    let violation = ended.unwrap_or_else(|panic| Err(assertion(&*panic))).err();
    let violation = violation.map(|violation| Violation {
        time_us: simulation.queue.now(),
        ..violation
    });
    let Simulation {
        mut world,
        clients,
        calm_from,
        agenda,
        ..
    } = simulation;
    if let Some(violation) = &violation {
        world
            .recorder
            .note(violation.time_us, violation.node, || Happened::Violated {
                property: violation.property.to_owned(),
                text: violation.what.clone(),
            });
    }
    let (writes, reads) = calm_from.unwrap_or((clients.writes, clients.reads));
    let counts = Counts {
        writes: clients.writes,
        reads: clients.reads,
        calm_writes: clients.writes - writes,
        calm_reads: clients.reads - reads,
        ..world.counts
    };
    let report = Report {
        seed,
        violation,
        counts,
        trace: world.fingerprint.value(),
    };
    Recorded {
        report,
        schedule: agenda.schedule,
        events: world.recorder.into_events(),
    }
}

/// A core found itself in a state that must not be.
fn assertion(panic: &dyn Any) -> Violation {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Violation {
        time_us: 0,
        property: "assertion",
        node: None,
        what: text.unwrap_or_else(|| "a panic without words".to_owned()),
    }
}

struct Simulation<P: Simulated> {
    queue: Events<P>,
    world: World<P>,
    clients: Clients,
    /// Draws faults, unless a schedule was given.
    faults: Option<Faults>,
    agenda: Agenda,
    operator: Operator,
    settings: Settings,
    /// Whose request each one is, by its number, from 1.
    requesters: Vec<Requester>,
    consequences: Consequences<P>,
    /// The terms with a leader that whoever draws faults has seen.
    leaderships_seen: u64,
    /// The writes and reads that were done when all faults were over.
    calm_from: Option<(u64, u64)>,
}

/// What nodes are told when they start.
#[derive(Debug)]
struct Settings {
    /// The first members.
    members: Vec<NodeId>,
    snapshot_entries: u64,
    lease_reads: bool,
    defect: Option<&'static Defect>,
}

impl Settings {
    fn config(&self, me: NodeId) -> Option<Config> {
        let peers = self.members.iter().copied().filter(|&node| node != me);
        let mut config = Config::new(me, peers, HEARTBEAT_TICKS, ELECTION_TICKS).ok()?;
        config.snapshot_entries = self.snapshot_entries;
        config.lease_reads = self.lease_reads;
        config.window = WINDOW;
        Some(config.with_defect(self.defect))
    }
}

/// Who asked for something.
#[derive(Clone, Copy, Debug)]
enum Requester {
    Client(usize),
    Operator,
}

impl<P: Simulated> Simulation<P> {
    fn new(seed: u64, options: &Options, extras: Extras) -> Self {
        // One stream for each purpose: what one draws does not disturb another.
        let random = |stream: u64| {
            let mut random = Random::seed_from_u64(seed);
            random.set_stream(stream);
            random
        };
        let members: Vec<NodeId> = (1..=options.nodes)
            .filter_map(|number| NodeId::new(&format!("n{number}")).ok())
            .collect();
        let mut drawn = random(6);
        let lease_reads = drawn.random_bool(0.5);
        let fewest_entries = options.snapshot_entries.min(5);
        let settings = Settings {
            snapshot_entries: drawn.random_range(fewest_entries..=options.snapshot_entries),
            lease_reads: options.lease_reads.unwrap_or(lease_reads),
            defect: options.defect,
            members: members.clone(),
        };
        let load = extras.load.unwrap_or_else(|| P::load(options.clients, random(9)));
        let faults = match extras.schedule {
            Some(_) => None,
            None => Some(Faults::new(random(5), options.clock_drift_percent)),
        };
        let mut agenda = Agenda::default();
        let given = extras.schedule.unwrap_or_default();
        given.0.into_iter().for_each(|entry| agenda.push(entry));
        let configs = members.iter().filter_map(|&node| settings.config(node));
        let mut world = World::new(
            configs.collect(),
            Network::new(random(1)),
            random(2),
            random(3),
            random(8),
            options.clock_drift_percent,
        );
        if extras.traced {
            world.recorder = Recorder::on();
        }
        Simulation {
            queue: Events::<P>::default(),
            world,
            settings,
            clients: Clients::new(random(4), members, options.clients, load),
            faults,
            agenda,
            operator: Operator::new(random(7), options.nodes, options.spares),
            requesters: Vec::new(),
            consequences: Vec::new(),
            leaderships_seen: 0,
            calm_from: None,
        }
    }

    fn run(&mut self, options: &Options) -> Result<(), Violation> {
        if self.settings.members.is_empty() {
            return Ok(());
        }
        for node in self.world.names() {
            self.world.start(node, &mut self.consequences)?;
        }
        for client in 0..options.clients {
            self.queue.after(client as Time, Event::ClientNext(client));
        }
        if let Some(faults) = &mut self.faults {
            self.queue.after(faults.pause(), Event::NextFault);
        }
        self.queue.after(options.faulty_ms * MILLISECOND, Event::Healed);
        self.queue
            .after((options.faulty_ms + options.calm_ms) * MILLISECOND, Event::End);
        self.plan();
        while let Some(next) = self.queue.next_time() {
            if let Some(due) = self.agenda.next_time().filter(|&due| due <= next) {
                self.queue.advance_to(due);
                self.world.now = due;
                self.follow_agenda()?;
            } else {
                match self.queue.next() {
                    None | Some(Event::End) => break,
                    Some(event) => {
                        self.world.now = self.queue.now();
                        self.happen(event)?;
                    }
                }
            }
            self.plan();
            self.watch_leaders();
        }
        self.judge_progress(options)
    }

    /// Liveness: when no fault is left, a quorum makes progress.
    fn judge_progress(&self, options: &Options) -> Result<(), Violation> {
        let (writes, reads) = self.calm_from.map_or((0, 0), |(writes, reads)| {
            (self.clients.writes - writes, self.clients.reads - reads)
        });
        if writes.min(reads) >= options.calm_operations_min {
            return Ok(());
        }
        Err(Violation {
            time_us: 0,
            property: "progress",
            node: None,
            what: format!(
                "in {} ms without faults {writes} writes and {reads} reads ended well, and not {} of each",
                options.calm_ms, options.calm_operations_min
            ),
        })
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
                let view = self.view();
                if let Some(faults) = &mut self.faults {
                    let drawn = faults.draw(&view);
                    drawn.into_iter().for_each(|entry| self.agenda.push(entry));
                    self.queue.after(faults.pause(), Event::NextFault);
                }
            }
            Event::Retire(node) => {
                self.world.retire(node);
                self.clients.nodes = self.world.names();
            }
            Event::Healed => self.heal()?,
            Event::NextFault | Event::End => {}
        }
        Ok(())
    }

    fn view(&self) -> View {
        let leader = self.world.leader();
        let nodes = self.world.names();
        let members = leader.map_or_else(Vec::new, |leader| self.world.members(leader));
        View {
            now: self.queue.now(),
            leader,
            candidates: self.operator.candidates(&nodes, &members),
            nodes,
            members,
        }
    }

    /// Something may go wrong because somebody has begun to lead.
    fn watch_leaders(&mut self) {
        if self.world.counts.leaderships == self.leaderships_seen || self.calm_from.is_some() {
            return;
        }
        self.leaderships_seen = self.world.counts.leaderships;
        let view = self.view();
        if let Some(faults) = &mut self.faults {
            let drawn = faults.draw_at_new_leader(&view);
            drawn.into_iter().for_each(|entry| self.agenda.push(entry));
        }
    }

    fn note(&mut self, node: Option<NodeId>, what: impl FnOnce() -> Happened) {
        self.world.recorder.note(self.queue.now(), node, what);
    }

    fn new_request(&mut self, requester: Requester) -> RequestId {
        self.requesters.push(requester);
        RequestId(self.requesters.len() as u64)
    }

    fn ask(&mut self, client: usize) {
        let request = self.new_request(Requester::Client(client));
        let Some((node, asked)) = self.clients.next(client, request, self.queue.now()) else {
            self.queue.after(IDLE, Event::ClientNext(client));
            return;
        };
        self.note(Some(node), || Happened::Asked {
            request: request.0,
            by: format!("c{client}"),
            text: asked.text(),
        });
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
        let now = self.queue.now();
        self.clients
            .settle(client, outcome, now)
            .map_err(|what| Violation {
                time_us: 0,
                property: "linearizability",
                node: None,
                what,
            })?;
        let delay = self.clients.delay();
        self.queue.after(delay, Event::ClientNext(client));
        Ok(())
    }

    /// A fault begins or ends.
    fn follow_agenda(&mut self) -> Result<(), Violation> {
        let Some((fault, edge)) = self.agenda.next() else {
            return Ok(());
        };
        self.world.fingerprint.text(&format!("{fault:?} {edge:?}"));
        match edge {
            Edge::Begins => {
                self.note(None, || Happened::FaultBegan(format!("{fault:?}")));
                self.begin(fault)
            }
            Edge::Ends => {
                self.note(None, || Happened::FaultEnded(format!("{fault:?}")));
                self.end(fault)
            }
        }
    }

    fn begin(&mut self, fault: Fault) -> Result<(), Violation> {
        match fault {
            Fault::Crash(nodes) => nodes.into_iter().for_each(|node| self.world.crash(node)),
            Fault::CrashAtSync(node) => self.world.crash_at_sync(node, true),
            Fault::Pause(node) => self.world.pause(node),
            Fault::Partition { one, other, one_way } => {
                self.world.counts.partitions += 1;
                self.world.network.cut(&one, &other);
                if !one_way {
                    self.world.network.cut(&other, &one);
                }
            }
            Fault::Storm => self.world.network.stormy = true,
            Fault::Clock { node, percent } => self.world.set_clock(node, Some(percent)),
            Fault::AddMember(node) => {
                self.join(node)?;
                self.ask_leader(Administration::AddMember(node));
            }
            // Who has a broken node replaces that one first.
            Fault::RemoveMember(node) if self.world.rotten().is_none_or(|rotten| rotten == node) => {
                self.ask_leader(Administration::RemoveMember(node));
            }
            Fault::RemoveMember(_) => {}
            Fault::SlowDisk(node) => self.world.set_slow(node, true),
            Fault::Rot(node) => self.rot(node),
            Fault::Transfer(to) => self.ask_leader(Administration::Transfer { to }),
            Fault::Snapshot(node) => self.administer(node, Administration::Snapshot),
        }
        Ok(())
    }

    fn end(&mut self, fault: Fault) -> Result<(), Violation> {
        match fault {
            Fault::Crash(nodes) => {
                for node in nodes {
                    self.world.start(node, &mut self.consequences)?;
                }
            }
            Fault::CrashAtSync(node) => {
                self.world.crash_at_sync(node, false);
                self.world.start(node, &mut self.consequences)?;
            }
            Fault::Pause(node) => self.world.resume(node, &mut self.consequences),
            Fault::Partition { one, other, one_way } => {
                self.world.network.mend(&one, &other);
                if !one_way {
                    self.world.network.mend(&other, &one);
                }
            }
            Fault::Storm => self.world.network.stormy = false,
            Fault::Clock { node, .. } => self.world.set_clock(node, None),
            Fault::SlowDisk(node) => self.world.set_slow(node, false),
            Fault::Rot(node) => self.replace_disk(node)?,
            Fault::AddMember(_) | Fault::RemoveMember(_) | Fault::Transfer(_) | Fault::Snapshot(_) => {}
        }
        Ok(())
    }

    /// A bit rots, unless a majority could then be gone for good: because another has rotted, or because the
    /// members are few, or becoming fewer.
    fn rot(&mut self, node: NodeId) {
        let members = self
            .world
            .leader()
            .map_or_else(Vec::new, |leader| self.world.members(leader));
        if members.len() >= 3 && self.world.rotten().is_none() && !self.operator.may_remove(&members) {
            self.world.rot(node);
        }
    }

    /// Where the protocol has a way back for a member that has forgotten everything, it is given an empty disk.
    fn replace_disk(&mut self, node: NodeId) -> Result<(), Violation> {
        let members = |leader| self.world.members(leader);
        let is_member = self
            .world
            .leader()
            .is_some_and(|leader| members(leader).contains(&node));
        if P::RECOVERS_LOST_DISKS && is_member {
            self.world.replace_disk(node, &mut self.consequences)?;
        }
        Ok(())
    }

    /// Starts a node that is to become a member, unless it is there.
    fn join(&mut self, node: NodeId) -> Result<(), Violation> {
        if self.world.names().contains(&node) {
            return Ok(());
        }
        let Some(config) = self.settings.config(node) else {
            return Ok(());
        };
        self.world.insert(config.joining());
        self.clients.nodes = self.world.names();
        self.world.start(node, &mut self.consequences)
    }

    fn ask_leader(&mut self, what: Administration) {
        if let Some(leader) = self.world.leader() {
            self.administer(leader, what);
        }
    }

    fn administer(&mut self, node: NodeId, what: Administration) {
        let request = self.new_request(Requester::Operator);
        self.operator.ask(request, what, &mut self.world.counts);
        let asked = Request::Administer { request, what };
        self.note(Some(node), || Happened::Asked {
            request: request.0,
            by: "operator".to_owned(),
            text: asked.text(),
        });
        let event = NodeEvent::Request(asked);
        self.queue
            .after(self.operator.delay(), Event::Node { node, event });
    }

    /// Ends all faults. Members stay who they are.
    fn heal(&mut self) -> Result<(), Violation> {
        self.calm_from = Some((self.clients.writes, self.clients.reads));
        self.agenda.end();
        self.world.fingerprint.text("healed");
        self.note(None, || Happened::Healed);
        self.world.network.heal();
        self.world.network.stormy = false;
        for node in self.world.names() {
            self.world.resume(node, &mut self.consequences);
            self.world.crash_at_sync(node, false);
            self.world.set_slow(node, false);
            self.world.start(node, &mut self.consequences)?;
        }
        Ok(())
    }

    /// A request has ended, as far as its node knows: the answer travels.
    fn answer(&mut self, request: RequestId, outcome: Outcome) {
        self.note(None, || Happened::Ended {
            request: request.0,
            text: text_of(&outcome),
        });
        match self.requesters.get(request.0 as usize - 1) {
            Some(&Requester::Client(client)) => {
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
            Some(Requester::Operator) => {
                let counts = &mut self.world.counts;
                if let Some((delay, node)) = self.operator.settle(request, &outcome, counts) {
                    self.queue.after(delay, Event::Retire(node));
                }
            }
            None => {}
        }
    }

    /// Plans what the last event led to.
    fn plan(&mut self) {
        for consequence in std::mem::take(&mut self.consequences) {
            match consequence {
                Consequence::At { delay, node, event } => {
                    self.queue.after(delay, Event::Node { node, event })
                }
                Consequence::Outcome { request, outcome } => {
                    self.answer(request, outcome);
                }
            }
        }
    }
}
