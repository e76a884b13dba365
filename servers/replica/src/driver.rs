//! The one task that owns the core and the store.
//!
//! It takes all inputs that are ready, steps the core through them, and then carries out the effects: so one
//! write to the log, one message to each peer, and one round of heartbeats serve all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, bail};
use partita_protocols::store::Store;
use partita_protocols::{
    Administration, Command, Effect, Encode as _, Input, NodeId, Proposal, Protocol, Query, RequestId,
};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tracing::info;

use crate::event::{ClientRequest, Event, Outcome, Request, SharedView, View};
use crate::silence::Silence;
use crate::ticks::Ticks;
use crate::transport::Link;
use crate::wal::{Wal, Write};

/// How many events are taken together at most.
const BATCH_EVENTS_MAX: usize = 1024;
/// How many bytes of commands are proposed together at most, but for the last: they become one record of the
/// log.
const BATCH_COMMAND_BYTES_MAX: usize = 1024 * 1024;

/// A request that waits, with what it will read when it may.
struct Waiting {
    query: Option<Command>,
    outcome: oneshot::Sender<Outcome>,
    _permit: OwnedSemaphorePermit,
}

/// Owns the core and the store.
pub(crate) struct Driver<P: Protocol> {
    me: NodeId,
    core: P,
    store: Store,
    /// The last index applied to the store.
    applied: u64,
    wal: Wal,
    /// By which a snapshot that was taken beside the driver comes back.
    events: mpsc::WeakSender<Event<P::Message>>,
    messages_sent: u64,
    snapshots_installed: u64,
    silence: Silence,
    links: BTreeMap<NodeId, Link>,
    waiting: BTreeMap<RequestId, Waiting>,
    requests: u64,
    view: SharedView,
    effects: Vec<Effect<P::Message>>,
    proposals: Vec<Proposal>,
    proposed_bytes: usize,
    reads: Vec<Query>,
    ticks: Ticks,
}

impl<P: Protocol<Message: Send> + 'static> Driver<P> {
    /// A driver that begins with the effects of the core's recovery.
    pub(crate) fn new(
        me: NodeId,
        core: P,
        effects: Vec<Effect<P::Message>>,
        store: Store,
        wal: Wal,
        links: BTreeMap<NodeId, Link>,
        events: &mpsc::Sender<Event<P::Message>>,
    ) -> Driver<P> {
        let view = View {
            status: core.status(),
            members: core.members(),
            log: wal.counters(),
            messages_sent: 0,
            snapshots_installed: 0,
            leader_silence: None,
        };
        Driver {
            me,
            core,
            store,
            applied: 0,
            wal,
            events: events.downgrade(),
            messages_sent: 0,
            snapshots_installed: 0,
            silence: Silence::default(),
            links,
            waiting: BTreeMap::new(),
            requests: 0,
            view: Arc::new(Mutex::new(view)),
            effects,
            proposals: Vec::new(),
            proposed_bytes: 0,
            reads: Vec::new(),
            ticks: Ticks::new(false),
        }
    }

    /// The same, with no tick lost, as leases want it.
    pub(crate) fn with_leases(self, leases: bool) -> Self {
        Driver {
            ticks: Ticks::new(leases),
            ..self
        }
    }

    pub(crate) fn view(&self) -> SharedView {
        Arc::clone(&self.view)
    }

    /// Runs until the disk fails, or all senders of events are gone.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<Event<P::Message>>) -> anyhow::Result<()> {
        self.carry_out()?;
        // What recovery restored was the node's own.
        self.snapshots_installed = 0;
        loop {
            tokio::select! {
                biased;
                () = self.ticks.wait() => {}
                event = events.recv() => {
                    let Some(event) = event else { return Ok(()) };
                    self.take(event)?;
                }
            }
            for _ in 1..BATCH_EVENTS_MAX {
                let Ok(event) = events.try_recv() else { break };
                self.take(event)?;
            }
            // Before clients' reads, which may rest on a lease.
            for _ in 0..self.ticks.take_due() {
                self.step(Input::Tick);
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
            Event::Message { from, message } => {
                self.step(Input::Receive { from, message });
                // It may be this very message that tells who leads.
                if self.core.status().leader == Some(from) {
                    self.silence.heard(Instant::now());
                }
            }
            Event::Persisted(write) => self.step(Input::Persisted(write)),
            Event::SnapshotTaken { index, state } => self.step(Input::SnapshotTaken { index, state }),
            Event::DiskFailed(error) => {
                return Err(error)
                    .context("failed to write the log; the node stops, since what is durable is unknown");
            }
            Event::Client(request) => self.take_request(request)?,
        }
        Ok(())
    }

    fn take_request(&mut self, request: ClientRequest) -> anyhow::Result<()> {
        let ClientRequest {
            what,
            outcome,
            permit,
        } = request;
        self.requests += 1;
        let request = RequestId(self.requests);
        if let Request::ReadLocal(query) = &what {
            let answer = self.store.query_bytes(query).context("failed to read")?;
            let _ = outcome.send(Outcome::Answer(answer));
            return Ok(());
        }
        if let Request::Checksum = what {
            self.sum_up(outcome, permit);
            return Ok(());
        }
        let query = match &what {
            Request::Read(query) => Some(Arc::clone(query)),
            _ => None,
        };
        self.waiting.insert(
            request,
            Waiting {
                query,
                outcome,
                _permit: permit,
            },
        );
        match what {
            Request::Read(command) => self.reads.push(Query { request, command }),
            Request::Apply(command) => {
                self.proposed_bytes += command.len();
                self.proposals.push(Proposal { request, command });
                if self.proposed_bytes > BATCH_COMMAND_BYTES_MAX {
                    self.step_clients();
                }
            }
            Request::Administer(what) => self.administer(request, what),
            // Answered above.
            Request::ReadLocal(_) | Request::Checksum => {}
        }
        Ok(())
    }

    fn administer(&mut self, request: RequestId, what: Administration) {
        let named = match what {
            Administration::AddMember(node) | Administration::Transfer { to: Some(node) } => Some(node),
            _ => None,
        };
        // The core would send to it in vain, for ever.
        if named.is_some_and(|node| node != self.me && !self.links.contains_key(&node)) {
            let why = "this node was not told where that one is (--peer)";
            self.settle(request, Outcome::Rejected(why));
            return;
        }
        self.step(Input::Administer { request, what });
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
                        self.messages_sent += 1;
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
                Effect::Compact {
                    write,
                    snapshot,
                    records,
                } => writes.push(Write::Compact {
                    write,
                    snapshot,
                    records,
                }),
                Effect::TakeSnapshot => self.take_snapshot(),
                Effect::Restore { index, state } => self.restore(index, &state)?,
                Effect::Done(request) => self.settle(request, Outcome::Done),
                Effect::Reject { request, why } => self.settle(request, Outcome::Rejected(why)),
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
        self.applied = index;
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

    /// Encodes a copy of the store beside the driver, which goes on meanwhile.
    fn take_snapshot(&mut self) {
        let (copy, index, events) = (self.store.snapshot(), self.applied, self.events.clone());
        tokio::task::spawn_blocking(move || {
            let state = copy.to_bytes().into();
            drop(copy);
            if let Some(events) = events.upgrade() {
                // Nobody listens any more when the node stops.
                let _ = events.blocking_send(Event::SnapshotTaken { index, state });
            }
        });
    }

    /// Sums a copy of the store up beside the driver, which goes on meanwhile.
    fn sum_up(&self, outcome: oneshot::Sender<Outcome>, permit: OwnedSemaphorePermit) {
        let (copy, applied) = (self.store.snapshot().whole(), self.applied);
        tokio::task::spawn_blocking(move || {
            let checksum = crc32fast::hash(&copy.to_bytes());
            let _ = outcome.send(Outcome::Checksum { applied, checksum });
            drop(permit);
        });
    }

    fn restore(&mut self, index: u64, state: &[u8]) -> anyhow::Result<()> {
        self.store
            .restore(state)
            .with_context(|| format!("failed to restore the store as it was at index {index}"))?;
        self.applied = index;
        self.snapshots_installed += 1;
        info!(index, bytes = state.len(), "restored from a snapshot");
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
    fn show(&mut self) {
        let status = self.core.status();
        let now = View {
            status,
            leader_silence: self.silence.longest(Instant::now()),
            members: self.core.members(),
            log: self.wal.counters(),
            messages_sent: self.messages_sent,
            snapshots_installed: self.snapshots_installed,
        };
        let before = {
            let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *view, now)
        };
        let (before, now) = (before.status, status);
        if before.leader != now.leader {
            self.silence.forget();
        }
        if (before.role, before.term, before.leader) != (now.role, now.term, now.leader) {
            let leader = now
                .leader
                .map_or_else(|| "nobody".to_owned(), |leader| leader.to_string());
            info!(role = now.role.name(), term = now.term, %leader, last_index = now.last_index, "now");
        }
        if before.snapshot_index != now.snapshot_index {
            info!(index = now.snapshot_index, "has a snapshot");
        }
    }
}
