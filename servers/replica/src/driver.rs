//! The one task that owns the core and the store.
//!
//! It takes all inputs that are ready, steps the core through them, and then carries out the effects: so one
//! write to the log, one message to each peer, and one round of heartbeats serve all of them.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail};
use partita_protocols::store::{Answer, Store};
use partita_protocols::{
    Command, Effect, Input, NodeId, Proposal, Protocol, Query, RequestId, Status, WriteId,
};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::info;

use crate::options::TICK;
use crate::transport::Link;
use crate::wal::{Wal, Write};

/// How many events are taken together at most.
const BATCH_EVENTS_MAX: usize = 1024;
/// How many bytes of commands are proposed together at most, but for the last: they become one record of the
/// log.
const BATCH_COMMAND_BYTES_MAX: usize = 1024 * 1024;

/// What happens to the driver.
#[derive(Debug)]
pub(crate) enum Event<M> {
    /// A peer's message.
    Message { from: NodeId, message: M },
    /// A client's request.
    Client(ClientRequest),
    /// This write, and all before it, are durable.
    Persisted(WriteId),
    /// The log can not be written any more.
    DiskFailed(io::Error),
}

/// A client's request, on its way to its outcome.
#[derive(Debug)]
pub(crate) struct ClientRequest {
    pub(crate) what: Request,
    pub(crate) outcome: oneshot::Sender<Outcome>,
    /// Its place among the requests that may wait. Held until there is an outcome, even if the client gave
    /// up: what the cluster has not settled is load.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// What a client wants.
#[derive(Debug)]
pub(crate) enum Request {
    /// What this command gives, which changes nothing.
    Read(Command),
    /// This command, applied.
    Apply(Command),
}

/// How a client's request ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The command was applied, or settled by its session.
    Answer(Answer),
    /// It had no effect: another node leads.
    NotLeader(Option<NodeId>),
    /// It may have an effect.
    Unknown,
}

/// A request that waits, with what it will read when it may.
struct Waiting {
    query: Option<Command>,
    outcome: oneshot::Sender<Outcome>,
    _permit: OwnedSemaphorePermit,
}

/// What the status page shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) status: Status,
    pub(crate) log_bytes: u64,
}

/// The last view, for the status page to read.
pub(crate) type SharedView = Arc<Mutex<View>>;

/// Owns the core and the store.
pub(crate) struct Driver<P: Protocol> {
    core: P,
    store: Store,
    wal: Wal,
    links: BTreeMap<NodeId, Link>,
    waiting: BTreeMap<RequestId, Waiting>,
    requests: u64,
    view: SharedView,
    effects: Vec<Effect<P::Message>>,
    proposals: Vec<Proposal>,
    proposed_bytes: usize,
    reads: Vec<Query>,
}

impl<P: Protocol> Driver<P> {
    /// A driver that begins with the effects of the core's recovery.
    pub(crate) fn new(
        core: P,
        effects: Vec<Effect<P::Message>>,
        wal: Wal,
        links: BTreeMap<NodeId, Link>,
    ) -> Driver<P> {
        let view = View {
            status: core.status(),
            log_bytes: wal.counters().log_bytes,
        };
        Driver {
            core,
            store: Store::default(),
            wal,
            links,
            waiting: BTreeMap::new(),
            requests: 0,
            view: Arc::new(Mutex::new(view)),
            effects,
            proposals: Vec::new(),
            proposed_bytes: 0,
            reads: Vec::new(),
        }
    }

    pub(crate) fn view(&self) -> SharedView {
        Arc::clone(&self.view)
    }

    /// Runs until the disk fails, or all senders of events are gone.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<Event<P::Message>>) -> anyhow::Result<()> {
        let mut ticker = ticker();
        self.carry_out()?;
        loop {
            tokio::select! {
                biased;
                _ = ticker.tick() => self.step(Input::Tick),
                event = events.recv() => {
                    let Some(event) = event else { return Ok(()) };
                    self.take(event)?;
                }
            }
            for _ in 1..BATCH_EVENTS_MAX {
                let Ok(event) = events.try_recv() else { break };
                self.take(event)?;
            }
            self.step_clients();
            self.carry_out()?;
            self.show();
        }
    }

    fn step(&mut self, input: Input<P::Message>) {
        self.core.step(input, &mut self.effects);
    }

    fn take(&mut self, event: Event<P::Message>) -> anyhow::Result<()> {
        match event {
            Event::Message { from, message } => self.step(Input::Receive { from, message }),
            Event::Persisted(write) => self.step(Input::Persisted(write)),
            Event::DiskFailed(error) => {
                return Err(error)
                    .context("failed to write the log; the node stops, since what is durable is unknown");
            }
            Event::Client(request) => self.take_request(request),
        }
        Ok(())
    }

    fn take_request(&mut self, request: ClientRequest) {
        let ClientRequest {
            what,
            outcome,
            permit,
        } = request;
        self.requests += 1;
        let request = RequestId(self.requests);
        let (query, command) = match what {
            Request::Read(query) => (Some(query), None),
            Request::Apply(command) => (None, Some(command)),
        };
        self.waiting.insert(
            request,
            Waiting {
                query: query.clone(),
                outcome,
                _permit: permit,
            },
        );
        if let Some(command) = query {
            self.reads.push(Query { request, command });
        }
        if let Some(command) = command {
            self.proposed_bytes += command.len();
            self.proposals.push(Proposal { request, command });
            if self.proposed_bytes > BATCH_COMMAND_BYTES_MAX {
                self.step_clients();
            }
        }
    }

    /// Clients come after messages and durable writes, which may have changed who leads.
    fn step_clients(&mut self) {
        if !self.proposals.is_empty() {
            self.proposed_bytes = 0;
            let proposals = std::mem::take(&mut self.proposals);
            self.step(Input::Propose(proposals));
        }
        if !self.reads.is_empty() {
            let reads = std::mem::take(&mut self.reads);
            self.step(Input::Read(reads));
        }
    }

    fn carry_out(&mut self) -> anyhow::Result<()> {
        let mut writes = Vec::new();
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Persist { write, record } => writes.push(Write::Record { write, record }),
                Effect::Send { to, message } => {
                    if let Some(link) = self.links.get(&to) {
                        link.send(&message);
                    }
                }
                Effect::Apply {
                    index,
                    command,
                    request,
                } => self.apply(index, command, request)?,
                Effect::ReadReady(request) => self.read(request)?,
                Effect::Refuse { request, leader } => self.settle(request, Outcome::NotLeader(leader)),
                Effect::Unknown(request) => self.settle(request, Outcome::Unknown),
                Effect::Compact { .. }
                | Effect::TakeSnapshot
                | Effect::Restore { .. }
                | Effect::Done(_)
                | Effect::Reject { .. } => bail!("snapshots and administration are not served yet"),
            }
        }
        self.effects = effects;
        if !writes.is_empty() {
            self.wal.append(writes);
        }
        Ok(())
    }

    fn apply(
        &mut self,
        index: u64,
        command: Option<Command>,
        request: Option<RequestId>,
    ) -> anyhow::Result<()> {
        let Some(command) = command else { return Ok(()) };
        let answer = self
            .store
            .apply_bytes(&command)
            .with_context(|| format!("failed to apply entry {index}"))?;
        if let Some(request) = request {
            self.settle(request, Outcome::Answer(answer));
        }
        Ok(())
    }

    fn read(&mut self, request: RequestId) -> anyhow::Result<()> {
        let Some(waiting) = self.waiting.remove(&request) else {
            return Ok(());
        };
        let Some(query) = waiting.query else {
            bail!("request {} is no read", request.0)
        };
        let answer = self.store.query_bytes(&query).context("failed to read")?;
        let _ = waiting.outcome.send(Outcome::Answer(answer));
        Ok(())
    }

    /// The client may have given up; then nobody hears.
    fn settle(&mut self, request: RequestId, outcome: Outcome) {
        if let Some(waiting) = self.waiting.remove(&request) {
            let _ = waiting.outcome.send(outcome);
        }
    }

    /// Shows the status, and logs what changed of it.
    fn show(&self) {
        let now = View {
            status: self.core.status(),
            log_bytes: self.wal.counters().log_bytes,
        };
        let before = {
            let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *view, now)
        };
        let (before, now) = (before.status, now.status);
        if (before.role, before.term, before.leader) != (now.role, now.term, now.leader) {
            let leader = now
                .leader
                .map_or_else(|| "nobody".to_owned(), |leader| leader.to_string());
            info!(role = now.role.name(), term = now.term, %leader, last_index = now.last_index, "now");
        }
    }
}

/// A process that was stopped for a while has missed many ticks. They come as one: it can not know what
/// happened meanwhile, and a burst of them would only make it stand for election in haste.
fn ticker() -> Interval {
    let mut ticker = interval(TICK);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}
