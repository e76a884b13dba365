//! One step of a node, and what its effects do to disk, network and store.

use std::fmt::Debug;

use partita_protocols::{Effect, Encode as _, Input, NodeId, Role};
use rand::RngExt;

use crate::ahead::Ahead;
use crate::clients::{Outcome, Request};
use crate::invariants::{Observed, Simulated};
use crate::network::Deliveries;
use crate::node::{AtSync, NodeEvent};
use crate::queue::MILLISECOND;
use crate::report::Violation;
use crate::trace::{Happened, text_of};
use crate::world::World;

impl<P: Simulated> World<P> {
    /// Something happens at a node.
    pub(crate) fn happen(
        &mut self,
        id: NodeId,
        event: NodeEvent<P::Message>,
        ahead: &mut Ahead<P>,
    ) -> Result<(), Violation> {
        let Some(node) = self.nodes.get_mut(&id) else {
            return Ok(());
        };
        if node.core.is_none() {
            if let NodeEvent::Deliver { from, number, .. } = event {
                self.lose(from, id, number);
            }
            return Ok(());
        }
        if let NodeEvent::Synced { incarnation, last } = event
            && incarnation == node.incarnation
        {
            // The disk works on even when the process is paused; it learns of it later.
            node.disk.end_sync(last);
            self.recorder
                .note(self.now, Some(id), || Happened::Synced { write: last.0 });
            if !node.disk.lies() {
                ahead.at(0, id, NodeEvent::Claimed { incarnation, last });
            }
            self.sync(id, ahead);
            return Ok(());
        }
        if let Some(backlog) = &mut node.backlog {
            backlog.push(event);
            return Ok(());
        }
        let current = node.incarnation;
        if node.clock.keeps_time() {
            self.catch_up(id, ahead)?;
        }
        let Some(node) = self.nodes.get_mut(&id) else {
            return Ok(());
        };
        let input = match event {
            NodeEvent::Tick { incarnation } if incarnation == current => {
                self.catch_up(id, ahead)?;
                self.plan_tick(id, ahead);
                return Ok(());
            }
            NodeEvent::SyncCrash { incarnation } if incarnation == current => {
                let what = node.at_sync;
                self.counts.crashes_at_sync += u64::from(what.is_some());
                match what {
                    Some(AtSync::Crash) => self.crash(id),
                    Some(AtSync::Tear) => self.tear(id),
                    None => {}
                }
                return Ok(());
            }
            NodeEvent::Claimed { incarnation, last } if incarnation == current => Input::Persisted(last),
            NodeEvent::Tick { .. }
            | NodeEvent::Claimed { .. }
            | NodeEvent::Synced { .. }
            | NodeEvent::SyncCrash { .. } => return Ok(()),
            NodeEvent::Deliver { from, number, .. } if self.network.is_cut(from, id) => {
                self.lose(from, id, number);
                return Ok(());
            }
            NodeEvent::Deliver {
                from,
                number,
                message,
            } => {
                self.recorder.note(self.now, Some(id), || delivered(number, from));
                self.fingerprint.delivery(id, number);
                Input::Receive { from, message }
            }
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
        self.step(id, input, ahead)
    }

    fn lose(&mut self, from: NodeId, to: NodeId, message: u64) {
        self.counts.messages_lost += 1;
        self.recorder.note(self.now, Some(to), || Happened::Lost {
            message,
            from: from.to_string(),
        });
    }

    pub(crate) fn step(
        &mut self,
        id: NodeId,
        input: Input<P::Message>,
        ahead: &mut Ahead<P>,
    ) -> Result<(), Violation> {
        let Some(node) = self.nodes.get_mut(&id) else {
            return Ok(());
        };
        let Some(core) = &mut node.core else {
            return Ok(());
        };
        self.counts.steps += 1;
        let mut effects = std::mem::take(&mut self.effects);
        let ticks = matches!(input, Input::Tick);
        self.fingerprint.input(id, &input);
        core.step(input, &mut effects);
        if ticks && effects.is_empty() && node.status == Some(core.status()) {
            // Most ticks. Nothing that an invariant looks at has changed.
            self.effects = effects;
            return Ok(());
        }
        let installs = |effect: &&Effect<_>| matches!(effect, Effect::Restore { .. });
        self.counts.installed += effects.iter().filter(installs).count() as u64;
        self.conclude(id, effects, ahead)
    }

    /// Looks at a node after a step, and carries out what it wants done.
    pub(crate) fn conclude(
        &mut self,
        id: NodeId,
        mut effects: Vec<Effect<P::Message>>,
        ahead: &mut Ahead<P>,
    ) -> Result<(), Violation> {
        self.observe(id, &effects)?;
        for effect in effects.drain(..) {
            self.fingerprint.effect(&effect);
            if self.recorder.is_on() {
                self.recorder.effect(self.now, id, &effect);
            }
            self.carry_out(id, effect, ahead)?;
        }
        self.effects = effects;
        self.sync(id, ahead);
        Ok(())
    }

    fn observe(&mut self, id: NodeId, effects: &[Effect<P::Message>]) -> Result<(), Violation> {
        let Some(node) = self.nodes.get_mut(&id) else {
            return Ok(());
        };
        let Some(core) = node.core.as_ref() else {
            return Ok(());
        };
        let status = core.status();
        let before = node.status.replace(status);
        let same = before.is_some_and(|before| (before.role, before.term) == (status.role, status.term));
        if self.recorder.is_on() && !same {
            self.recorder.note(self.now, Some(id), || Happened::Became {
                role: status.role.name().to_owned(),
                term: status.term,
            });
        }
        if status.role == Role::Leader && status.term > self.last_leadership {
            self.last_leadership = status.term;
            self.counts.leaderships += 1;
        }
        let observed = Observed {
            node: id,
            core,
            status,
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
        ahead: &mut Ahead<P>,
    ) -> Result<(), Violation> {
        let Some(node) = self.nodes.get_mut(&id) else {
            return Ok(());
        };
        let mut settle = |request, outcome| ahead.outcomes.push((request, outcome));
        match effect {
            Effect::Persist { write, record } => {
                node.disk.append(write, record);
                if let Some(event) = node.claim(write) {
                    ahead.at(0, id, event);
                }
            }
            Effect::Compact {
                write,
                snapshot,
                records,
            } => {
                self.counts.snapshots += 1;
                node.disk.compact(write, snapshot, records);
                if let Some(event) = node.claim(write) {
                    ahead.at(0, id, event);
                }
            }
            Effect::TakeSnapshot => {
                let delay = self.disk_random.random_range(0..20 * MILLISECOND);
                let event = NodeEvent::Copied {
                    incarnation: node.incarnation,
                    index: node.applied,
                    state: node.store.snapshot().to_bytes().into(),
                };
                ahead.at(delay, id, event);
            }
            Effect::Restore { index, state } => {
                self.counts.restored += 1;
                node.applied = index;
                node.store
                    .restore(&state)
                    .map_err(|error| decoding(id, index, &error))?;
            }
            Effect::Send { to, message } => {
                self.messages += 1;
                let number = self.messages;
                self.recorder
                    .note(self.now, Some(id), || sent(number, to, &message));
                let mut deliver = |delay, message| {
                    let from = id;
                    let event = NodeEvent::Deliver {
                        from,
                        number,
                        message,
                    };
                    ahead.at(delay, to, event);
                };
                match self.network.deliveries(id, to) {
                    Deliveries::None => self.lose(id, to, number),
                    Deliveries::One(delay) => deliver(delay, message),
                    Deliveries::Two(delay, again) => {
                        deliver(delay, message.clone());
                        deliver(again, message);
                    }
                }
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
    fn sync(&mut self, id: NodeId, ahead: &mut Ahead<P>) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        if let Some((last, delay)) = node.disk.begin_sync(&mut self.disk_random) {
            let incarnation = node.incarnation;
            if node.at_sync.is_some() {
                let until = self.disk_random.random_range(0..=delay);
                ahead.at(until, id, NodeEvent::SyncCrash { incarnation });
            }
            ahead.at(delay, id, NodeEvent::Synced { incarnation, last });
        }
    }
}

fn sent(message: u64, to: NodeId, what: &impl Debug) -> Happened {
    Happened::Sent {
        message,
        to: to.to_string(),
        text: text_of(what),
    }
}

fn delivered(message: u64, from: NodeId) -> Happened {
    Happened::Delivered {
        message,
        from: from.to_string(),
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
