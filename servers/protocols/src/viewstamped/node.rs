//! One node: its state, one step of it, and what the view of a message means.

use std::collections::BTreeMap;

use rand::RngExt;

use super::defects;
use super::disk::{Disk, Promise};
use super::log::Log;
use super::message::{Body, Message, NewState};
use super::primary::Primary;
use super::reconfiguration::Beginning;
use super::record::{Record, Recovered};
use super::recovery::Unstarted;
use super::snapshot::Snapshots;
use super::state_transfer::Fetch;
use super::view::{Group, View};
use super::view_change::ViewChange;
use crate::Random;
use crate::config::{Config, NodeId};
use crate::protocol::{
    Administration, Effect, Input, OnDisk, Protocol, RecoverError, RequestId, Role, Status, WriteId,
};

pub(super) type Effects = Vec<Effect<Message>>;

/// A node of a cluster that runs Viewstamped Replication. See the module for the map.
#[derive(Debug)]
pub struct Viewstamped {
    pub(super) config: Config,
    pub(super) random: Random,

    // What is on disk, as it is in memory; `disk` knows how much of it is durable.
    /// The epoch-number and the view-number.
    pub(super) view: View,
    /// The last view in which the status was normal: the paper's v'. The log counts for that view.
    pub(super) normal_view: View,
    pub(super) log: Log,
    pub(super) snapshots: Snapshots,
    pub(super) disk: Disk,
    /// The view has changed since it was last written.
    pub(super) view_unsaved: bool,
    /// The group of the last epoch whose beginning is known to be committed.
    pub(super) group: Group,
    /// In which life this node waits to be given a vote: its disk was empty when the cluster was not new.
    pub(super) nonce: Option<u64>,

    // What is in memory alone.
    pub(super) standing: Standing,
    /// The primary of this view, once it has been heard.
    pub(super) leader: Option<NodeId>,
    pub(super) commit: u64,
    pub(super) applied: u64,
    pub(super) fetch: Option<Fetch>,
    pub(super) beginning: Option<Beginning>,
    /// Who spoke last in the epoch of this view. Until this node knows the epoch's group, that may be a member that it
    /// has never heard of.
    pub(super) informant: Option<NodeId>,
    /// Ticks so far.
    pub(super) now: u64,
    /// Ticks since the primary was last heard, or since this node last did something about its silence.
    pub(super) silence_ticks: u32,
    /// How long a silence it bears this time.
    pub(super) patience_ticks: u32,
    /// Until when promises of an earlier life may hold, that leases rest on.
    pub(super) bound_until: u64,
    /// The view that it would like to move to, as its patience is over.
    pub(super) wanted: Option<View>,
    /// The views that others would like to move to, or have moved to, and when they last said so.
    pub(super) wanted_by: BTreeMap<NodeId, (View, u64)>,
    /// The operator who had this node hand over, and to whom.
    pub(super) handing_over: Option<(RequestId, NodeId)>,
}

/// What the node does in its view: the paper's status, and more.
#[derive(Debug)]
pub(super) enum Standing {
    /// Status recovering, with a disk that is empty: takes no part in anything.
    Unstarted(Box<Unstarted>),
    /// Status normal, at a node that is not the primary.
    Backup,
    /// Status normal, at the primary.
    Primary(Box<Primary>),
    /// Status view-change; or transitioning, if the log does not reach into the view's epoch.
    ViewChange(Box<ViewChange>),
}

impl Protocol for Viewstamped {
    const NAME: &'static str = "viewstamped";
    type Message = Message;

    fn recover(
        config: Config,
        mut disk: OnDisk<'_>,
        mut random: Random,
        effects: &mut Effects,
    ) -> Result<Self, RecoverError> {
        let mut recovered = Recovered::from_disk(&mut disk)?;
        if config.has(&defects::FORGOTTEN_VIEW) {
            recovered.view = View::first_of(recovered.view.epoch);
            recovered.normal_view = View::first_of(recovered.normal_view.epoch);
        }
        let first_group = Group {
            epoch: 0,
            members: config.members().to_vec(),
            admitted: Vec::new(),
        };
        let unstarted = Unstarted::new(random.random(), recovered.founded);
        let snapshots = Snapshots::recovered(recovered.snapshot, effects);
        let commit = snapshots.index();
        let mut node = Viewstamped {
            bound_until: match config.lease_reads {
                true => u64::from(config.election_ticks),
                false => 0,
            },
            config,
            random,
            view: recovered.view,
            normal_view: recovered.normal_view,
            disk: Disk::recovered(&disk, recovered.log.last().op),
            log: recovered.log,
            snapshots,
            view_unsaved: false,
            group: recovered.group.unwrap_or(first_group),
            nonce: recovered.nonce,
            standing: Standing::Unstarted(Box::new(unstarted)),
            leader: None,
            commit,
            applied: commit,
            fetch: None,
            beginning: None,
            informant: None,
            now: 0,
            silence_ticks: 0,
            patience_ticks: 0,
            wanted: None,
            wanted_by: BTreeMap::new(),
            handing_over: None,
        };
        node.draw_patience();
        node.end_waiting(effects);
        if recovered.started || recovered.nonce.is_some() {
            // Of what was committed it only knows what lies before its epoch; and must, as it may be the one
            // that others learn it from.
            node.learn_commit(recovered.epoch_begun_by, effects);
            node.resume(effects);
        } else {
            node.begin_unstarted(effects);
        }
        node.save_view(effects);
        Ok(node)
    }

    fn step(&mut self, input: Input<Message>, effects: &mut Effects) {
        match input {
            Input::Tick => self.tick(effects),
            Input::Receive { from, message } => self.receive(from, message, effects),
            Input::Propose(proposals) => self.propose(proposals, effects),
            Input::Read(queries) => {
                self.read(queries.into_iter().map(|query| query.request).collect(), effects)
            }
            Input::Administer { request, what } => match what {
                Administration::AddMember(node) => self.add_member(request, node, effects),
                Administration::RemoveMember(node) => self.remove_member(request, node, effects),
                Administration::Transfer { to } => self.hand_over(request, to, effects),
                Administration::Snapshot => self.snapshot_now(request, effects),
            },
            Input::Persisted(write) => self.persisted(write, effects),
            Input::SnapshotTaken { index, state } => self.snapshot_taken(index, state, effects),
        }
        self.save_view(effects);
    }

    fn status(&self) -> Status {
        Status {
            role: match self.standing {
                Standing::Primary(_) => Role::Leader,
                // Whether it may vote is still to be found out.
                Standing::Unstarted(_) => Role::Learner,
                _ if !self.has_vote() => Role::Learner,
                Standing::ViewChange(_) => Role::Candidate,
                _ if self.wanted.is_some() => Role::Candidate,
                _ => Role::Follower,
            },
            term: self.view.shown(),
            leader: self.leader,
            commit: self.commit,
            applied: self.applied,
            last_index: self.log.last().op,
            snapshot_index: self.snapshots.index(),
        }
    }

    fn members(&self) -> Vec<NodeId> {
        self.group.members.clone()
    }
}

impl Viewstamped {
    /// The log, durable or not.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The view that it is in.
    pub fn view(&self) -> View {
        self.view
    }

    /// The last view in which its status was normal.
    pub fn normal_view(&self) -> View {
        self.normal_view
    }

    /// Goes on with what the disk had: it is as if the process had only been paused, since every promise was
    /// durable before it was given.
    ///
    /// But what this node did as the primary was not: it may have given op-numbers to operations that are on
    /// other disks and not on its own. It must not give them again, so it leaves such a view.
    fn resume(&mut self, effects: &mut Effects) {
        self.standing = Standing::Backup;
        if self.config.has(&defects::PRIMARY_RESUMES) && self.normal_view == self.view {
            self.take_part_in_view(effects);
        } else if self.has_vote() && self.group.primary(self.view) == Some(self.config.me) {
            self.enter_view(self.view.next(), effects);
        } else if self.normal_view != self.view {
            self.standing = Standing::ViewChange(Box::default());
        }
    }

    /// Is this node a member of its view's group, with all that it ever promised in mind?
    ///
    /// Not so while it does not know all that was before its epoch: the paper's status transitioning.
    pub(super) fn has_vote(&self) -> bool {
        self.nonce.is_none()
            && self.group.epoch == self.view.epoch
            && self.normal_view.epoch == self.view.epoch
            && self.group.contains(self.config.me)
    }

    fn tick(&mut self, effects: &mut Effects) {
        self.now += 1;
        self.silence_ticks = self.silence_ticks.saturating_add(1);
        match self.standing {
            Standing::Unstarted(_) => self.ask_how_matters_stand(effects),
            Standing::Primary(_) => self.tick_primary(effects),
            Standing::Backup | Standing::ViewChange(_) => self.tick_view_change(effects),
        }
        self.tick_fetch(effects);
        self.tick_recovery(effects);
        self.tick_epoch(effects);
    }

    /// Is it time for what is repeated at every heartbeat?
    pub(super) fn is_heartbeat(&self) -> bool {
        self.now.is_multiple_of(u64::from(self.config.heartbeat_ticks))
    }

    fn receive(&mut self, from: NodeId, message: Message, effects: &mut Effects) {
        if from == self.config.me {
            return;
        }
        let Message { view, body } = message;
        let body = match body {
            Body::Recovery { nonce, waits } => return self.answer_recovery(from, nonce, waits, effects),
            Body::RecoveryResponse { nonce, condition } => {
                return self.hear_condition(from, nonce, condition, effects);
            }
            body => body,
        };
        if let Standing::Unstarted(_) = self.standing
            && !self.learn_that_others_started(effects)
        {
            return;
        }
        let view = self.view_of_message(view);
        if view.epoch < self.view.epoch {
            // Discarded, and its sender informed (section 7.1).
            return self.tell_of_epoch(from, &body, effects);
        }
        if view.epoch > self.view.epoch {
            self.learn_of_epoch(from, view.epoch, effects);
        }
        self.informant = Some(from);
        if view < self.view {
            return self.receive_from_earlier(from, body, effects);
        }
        if view > self.view {
            match body {
                Body::StartViewChange { .. } | Body::DoViewChange { .. } => {
                    self.consider_joining(from, view, effects);
                }
                // Only nodes whose status is normal say these, so the view has begun, and its log is needed.
                Body::Prepare { .. } | Body::Commit { .. } | Body::StartView { .. } => {
                    self.move_to(view, effects);
                }
                Body::NewState(NewState { start: Some(_), .. }) => self.move_to(view, effects),
                _ => {}
            }
        }
        match body {
            Body::StartViewChange { wanted } => self.hear_wish(from, wanted, effects),
            Body::GetState { commit, outline } => {
                self.tell_state(from, view == self.view, commit, &outline, effects);
            }
            Body::GetSnapshot { index, offset } => self.send_chunk(from, index, offset, effects),
            Body::Snapshot(chunk) => self.take_chunk(from, chunk, effects),
            Body::NewState(state) => {
                let start = state.start.filter(|_| view == self.view);
                self.learn_state(from, NewState { start, ..state }, effects);
            }
            Body::StartEpoch { group } => self.hear_of_group(from, &group, effects),
            Body::EpochStarted => self.hear_epoch_started(from, effects),
            // All else is of this view alone.
            _ if view != self.view => {}
            Body::Prepare {
                first,
                entries,
                commit,
            } => self.accept_prepare(from, first, entries, commit, effects),
            Body::Commit { round, op, commit } => self.accept_commit(from, round, op, commit, effects),
            Body::StartView {
                previous,
                entries,
                commit,
            } => self.accept_start_view(from, previous, entries, commit, effects),
            Body::PrepareOk { op } => self.peer_prepared(from, op, effects),
            Body::CommitOk { round, op, nonce } => self.peer_answered(from, round, op, nonce, effects),
            Body::DoViewChange {
                normal_view,
                previous,
                entries,
                commit,
            } => self.count_do_view_change(from, normal_view, previous, entries, commit, effects),
            Body::Recovery { .. } | Body::RecoveryResponse { .. } => {}
        }
    }

    /// Whoever is behind may still ask, and wish for a view that is later than this one; the rest is void
    /// (section 4.2: messages of earlier views are dropped).
    fn receive_from_earlier(&mut self, from: NodeId, body: Body, effects: &mut Effects) {
        match body {
            Body::StartViewChange { wanted } => self.hear_wish(from, wanted, effects),
            Body::GetState { commit, outline } => {
                self.tell_state(from, false, commit, &outline, effects);
            }
            Body::GetSnapshot { index, offset } => self.send_chunk(from, index, offset, effects),
            Body::Snapshot(chunk) => self.take_chunk(from, chunk, effects),
            _ => {}
        }
    }

    /// Draws how long the next silence is borne: a random time, so that rarely all lose patience at once, and
    /// never a growing one.
    pub(super) fn draw_patience(&mut self) {
        self.silence_ticks = 0;
        let shortest = self.config.election_ticks;
        self.patience_ticks = self.random.random_range(shortest..shortest.saturating_mul(2));
    }

    /// Writes the view if it has changed.
    pub(super) fn save_view(&mut self, effects: &mut Effects) {
        if std::mem::take(&mut self.view_unsaved) {
            self.disk.persist(&Record::View(self.view), effects);
        }
    }

    /// Sends at once: for messages that promise nothing about this node's state.
    pub(super) fn send(&self, to: NodeId, body: Body, effects: &mut Effects) {
        let view = self.view;
        effects.push(Effect::Send {
            to,
            message: Message { view, body },
        });
    }

    /// Sends when all that was written so far is durable.
    pub(super) fn promise_message(&mut self, to: NodeId, body: Body, effects: &mut Effects) {
        let message = Message {
            view: self.view,
            body,
        };
        self.promise(Promise::Send { to, message }, effects);
    }

    /// Does what is promised when all that was written so far is durable.
    pub(super) fn promise(&mut self, promise: Promise, effects: &mut Effects) {
        self.save_view(effects);
        if let Some(promise) = self.disk.promise(promise) {
            self.keep(promise, effects);
        }
    }

    fn keep(&mut self, promise: Promise, effects: &mut Effects) {
        match promise {
            Promise::Send { to, message } => effects.push(Effect::Send { to, message }),
            Promise::OwnDoViewChange => self.count_own_do_view_change(effects),
            Promise::Begin => self.begin_as_primary(effects),
            Promise::Founded => self.note_founded(effects),
            Promise::OwnEpochStarted { epoch } => self.note_own_epoch_started(epoch, effects),
        }
    }

    fn persisted(&mut self, write: WriteId, effects: &mut Effects) {
        let mut due = self.disk.persisted(write).into_iter().peekable();
        while let Some(promise) = due.next() {
            // Of acknowledgements that one fsync released together, the last says all.
            if !due.peek().is_some_and(|next| supersedes(next, &promise)) {
                self.keep(promise, effects);
            }
        }
        // The primary's own copy of an operation counts like any other: when it is durable.
        self.advance_commit(effects);
    }

    /// The other members, in order of name.
    pub(super) fn others(&self) -> Vec<NodeId> {
        let me = self.config.me;
        self.group
            .members
            .iter()
            .copied()
            .filter(|&member| member != me)
            .collect()
    }
}

/// Do both acknowledge operations to the same primary, the later one at least as many?
fn supersedes(later: &Promise, earlier: &Promise) -> bool {
    let acknowledged = |promise: &Promise| match promise {
        Promise::Send {
            to,
            message:
                Message {
                    view,
                    body: Body::PrepareOk { op },
                },
        } => Some((*to, *view, *op)),
        _ => None,
    };
    match (acknowledged(earlier), acknowledged(later)) {
        (Some((first, old, before)), Some((second, new, after))) => {
            (first, old) == (second, new) && before <= after
        }
        _ => false,
    }
}
