//! The loop: takes the next event, whatever its kind.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use partita_protocols::{NodeId, Random, RequestId};
use rand::{RngExt, SeedableRng};

use crate::ahead::Ahead;
use crate::clients::{Clients, Outcome};
use crate::faults::{Faults, View};
use crate::invariants::Simulated;
use crate::load::Load;
use crate::network::Network;
use crate::node::NodeEvent;
use crate::operator::Operator;
use crate::queue::{MILLISECOND, Time};
use crate::report::{Counts, Options, Report, Violation};
use crate::requests::Requester;
use crate::schedule::{Agenda, Schedule, Turn};
use crate::settings::Settings;
use crate::trace::{Happened, Recorder, TraceEvent};
use crate::world::World;

/// How long a run goes on when the cluster has shown that it works again: what was wrong before may show only when
/// those that were behind have caught up.
const SETTLING: Time = 500 * MILLISECOND;

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
    /// A client's patience is over, if it has waited for so long.
    Impatience(usize),
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
    /// When clients want something, instead of whenever they have thought enough. So few operations can show no
    /// progress: none is asked for.
    pub turns: Option<Vec<Turn>>,
    /// Whether what a client wants at its turn depends on nothing but the seed and the moment, so that turns can be left
    /// out and the others stay what they are.
    pub independent_turns: bool,
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
    /// When clients wanted something.
    pub turns: Vec<Turn>,
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
        time_us: simulation.ahead.events.now(),
        ..violation
    });
    let virtual_us = simulation.ahead.events.now();
    let Simulation {
        mut world,
        clients,
        calm_from,
        agenda,
        turns,
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
        virtual_us,
        counts,
        trace: world.fingerprint.value(),
    };
    Recorded {
        report,
        schedule: agenda.schedule,
        turns,
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

pub(crate) struct Simulation<P: Simulated> {
    pub(crate) ahead: Ahead<P>,
    pub(crate) world: World<P>,
    pub(crate) clients: Clients,
    /// Draws faults, unless a schedule was given.
    faults: Option<Faults>,
    pub(crate) agenda: Agenda,
    pub(crate) operator: Operator,
    pub(crate) settings: Settings,
    /// Whose request each one is, by its number, from 1.
    pub(crate) requesters: Vec<Requester>,
    pub(crate) seed: u64,
    /// When clients wanted something.
    pub(crate) turns: Vec<Turn>,
    /// When they are to, if that was given.
    pub(crate) script: Option<Vec<Turn>>,
    pub(crate) independent_turns: bool,
    /// The terms with a leader that whoever draws faults has seen.
    leaderships_seen: u64,
    /// The writes and reads that were done when all faults were over.
    pub(crate) calm_from: Option<(u64, u64)>,
    /// The cluster has shown that it works without faults.
    works: bool,
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
            jumps_under_leases: options.jumps_under_leases,
            defect: options.defect,
            members: members.clone(),
        };
        let load = extras.load.unwrap_or_else(|| P::load(options.clients, random(9)));
        let faults = match extras.schedule {
            Some(_) => None,
            None => Some(Faults::new(
                random(5),
                options.clock_drift_percent,
                options.faulty_ms,
            )),
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
            ahead: Ahead::default(),
            world,
            settings,
            clients: Clients::new(random(4), members, options.clients, load),
            faults,
            agenda,
            operator: Operator::new(random(7), options.nodes, options.spares),
            requesters: Vec::new(),
            seed,
            turns: Vec::new(),
            script: extras.turns,
            independent_turns: extras.independent_turns,
            leaderships_seen: 0,
            calm_from: None,
            works: false,
        }
    }

    fn run(&mut self, options: &Options) -> Result<(), Violation> {
        if self.settings.members.is_empty() {
            return Ok(());
        }
        for node in self.world.names() {
            self.world.start(node, &mut self.ahead)?;
        }
        match &self.script {
            Some(turns) => {
                for turn in turns.iter().filter(|turn| turn.client < options.clients) {
                    self.ahead
                        .events
                        .after(turn.at_us, Event::ClientNext(turn.client));
                }
            }
            None => {
                for client in 0..options.clients {
                    self.ahead.events.after(client as Time, Event::ClientNext(client));
                }
            }
        }
        if let Some(faults) = &mut self.faults {
            self.ahead.events.after(faults.pause(), Event::NextFault);
        }
        self.ahead
            .events
            .after(options.faulty_ms * MILLISECOND, Event::Healed);
        self.ahead
            .events
            .after((options.faulty_ms + options.calm_ms) * MILLISECOND, Event::End);
        self.answer_all();
        while let Some(next) = self.ahead.events.next_time() {
            if let Some(due) = self.agenda.next_time().filter(|&due| due <= next) {
                self.ahead.events.advance_to(due);
                self.world.now = due;
                self.follow_agenda()?;
            } else {
                match self.ahead.events.next() {
                    None | Some(Event::End) => break,
                    Some(event) => {
                        self.world.now = self.ahead.events.now();
                        self.happen(event)?;
                    }
                }
            }
            self.answer_all();
            self.watch_leaders();
            if !self.works
                && self
                    .calm_operations()
                    .is_some_and(|done| done >= options.calm_operations_min)
            {
                self.works = true;
                self.ahead.events.after(SETTLING, Event::End);
            }
        }
        self.judge_progress(options)
    }

    /// How many writes ended well since all faults were over, or reads, if those are fewer.
    fn calm_operations(&self) -> Option<u64> {
        let (writes, reads) = self.calm_from?;
        Some((self.clients.writes - writes).min(self.clients.reads - reads))
    }

    /// Liveness: when no fault is left, a quorum makes progress.
    fn judge_progress(&self, options: &Options) -> Result<(), Violation> {
        if self.works || self.script.is_some() {
            return Ok(());
        }
        let (writes, reads) = self.calm_from.map_or((0, 0), |(writes, reads)| {
            (self.clients.writes - writes, self.clients.reads - reads)
        });
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
            Event::Node { node, event } => self.world.happen(node, event, &mut self.ahead)?,
            Event::ClientNext(client) => self.ask(client),
            Event::Answer {
                client,
                request,
                outcome,
            } => self.settle(client, request, outcome)?,
            Event::Impatience(client) => self.lose_patience(client)?,
            Event::NextFault if self.calm_from.is_none() => {
                let view = self.view();
                if let Some(faults) = &mut self.faults {
                    let drawn = faults.draw(&view);
                    drawn.into_iter().for_each(|entry| self.agenda.push(entry));
                    self.ahead.events.after(faults.pause(), Event::NextFault);
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
            now: self.ahead.events.now(),
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

    pub(crate) fn note(&mut self, node: Option<NodeId>, what: impl FnOnce() -> Happened) {
        self.world.recorder.note(self.ahead.events.now(), node, what);
    }
}
