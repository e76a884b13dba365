//! Reconfiguration (section 7): the group of the next epoch.
//!
//! The request goes through normal operation in the old group, as the last operation of its epoch. Whoever
//! knows that it is committed belongs to the next epoch from then on, in its view 0, whose log begins with
//! all that was before: no view change is needed, as that log is the same everywhere. Messages of an earlier
//! epoch are discarded, and their senders told (StartEpoch); they, and the new members, then fetch what they
//! lack by state transfer (status transitioning) and have no vote before they have it all.
//!
//! A node that is to be added first catches up as a learner (section 7.5: warming up), so that the new group
//! does not wait for it.

use std::collections::BTreeSet;

use rand::seq::IndexedRandom;

use super::defects;
use super::disk::Promise;
use super::log::Operation;
use super::message::Body;
use super::node::{Effects, Standing, Viewstamped};
use super::record::Record;
use super::view::{Group, View};
use crate::config::NodeId;
use crate::protocol::{Effect, RequestId};

/// How long a new node may take to catch up, in shortest patiences.
const CATCH_UP_PATIENCES: u64 = 60;

/// A change of the group that its primary is at.
#[derive(Debug)]
pub(super) enum Change {
    /// The node catches up.
    Admits {
        node: NodeId,
        request: RequestId,
        until: u64,
    },
    /// The reconfiguration is in the log.
    Proposed {
        request: Option<RequestId>,
        newcomer: Option<NodeId>,
    },
}

impl Change {
    /// The node that is no member yet, and is kept up to date like one.
    pub(super) fn newcomer(&self) -> Option<NodeId> {
        match self {
            Change::Admits { node, .. } => Some(*node),
            Change::Proposed { newcomer, .. } => *newcomer,
        }
    }

    /// The primary gives way. What is in the log may yet be committed.
    pub(super) fn abandon(self, effects: &mut Effects) {
        match self {
            Change::Admits { request, .. } => effects.push(Effect::Refuse {
                request,
                leader: None,
            }),
            Change::Proposed { request, .. } => effects.extend(request.map(Effect::Unknown)),
        }
    }
}

/// An epoch that has begun here, and that f' + 1 of the new group are to begin, durably (section 7.1.1).
///
/// A replica that was replaced falls silent only then. And only then does the primary that proposed the change
/// call it done, so that the operator may switch off who was replaced: before, the new group may depend on the
/// old one to learn that its epoch has begun at all.
#[derive(Debug, Default)]
pub(super) struct Beginning {
    started: BTreeSet<NodeId>,
    /// The operator who waits for it.
    request: Option<RequestId>,
}

impl Viewstamped {
    /// Is the last operation in the log a reconfiguration? Nothing may follow it in its epoch.
    pub(super) fn last_is_reconfiguration(&self) -> Option<&Group> {
        match &self.log.entry(self.log.last().op)?.operation {
            Operation::Reconfiguration(group) if group.epoch > self.group.epoch => Some(group),
            _ => None,
        }
    }

    /// Says why the group can not be changed here now, if so.
    fn refuse_change(&mut self, request: RequestId, effects: &mut Effects) -> bool {
        let pending = self.last_is_reconfiguration().is_some();
        match &self.standing {
            Standing::Primary(primary) if primary.change.is_some() || pending => {
                let why = "another change of members is under way";
                effects.push(Effect::Reject { request, why });
                true
            }
            Standing::Primary(_) => false,
            _ => {
                let leader = self.leader;
                effects.push(Effect::Refuse { request, leader });
                true
            }
        }
    }

    pub(super) fn add_member(&mut self, request: RequestId, node: NodeId, effects: &mut Effects) {
        if self.refuse_change(request, effects) {
            return;
        }
        if self.group.contains(node) {
            let why = "the node is a member already";
            effects.push(Effect::Reject { request, why });
            return;
        }
        if let Standing::Primary(primary) = &mut self.standing {
            let patience = u64::from(self.config.election_ticks);
            let until = self.now + CATCH_UP_PATIENCES * patience;
            primary.change = Some(Change::Admits { node, request, until });
            self.send_commit(effects);
        }
    }

    /// A node that is not a member says how far it is.
    pub(super) fn note_newcomer(&mut self, from: NodeId, op: u64, nonce: Option<u64>, effects: &mut Effects) {
        let Standing::Primary(primary) = &mut self.standing else {
            return;
        };
        let Some(Change::Admits { node, request, .. }) = &primary.change else {
            return;
        };
        if *node == from && op >= self.commit {
            let request = Some(*request);
            self.propose_group(self.group.with(from, nonce), request, effects);
        }
    }

    pub(super) fn tick_change(&mut self, effects: &mut Effects) {
        if let Standing::Primary(primary) = &mut self.standing
            && let Some(Change::Admits { request, until, .. }) = primary.change
            && self.now > until
        {
            primary.change = None;
            let why = "the node does not catch up";
            effects.push(Effect::Reject { request, why });
        }
    }

    pub(super) fn remove_member(&mut self, request: RequestId, node: NodeId, effects: &mut Effects) {
        if self.refuse_change(request, effects) {
            return;
        }
        let why = if !self.group.contains(node) {
            "the node is no member"
        } else if self.group.members.len() == 1 {
            "it is the only member"
        } else {
            return self.propose_group(self.group.without(node), Some(request), effects);
        };
        effects.push(Effect::Reject { request, why });
    }

    /// A member that has forgotten everything is given a vote in its new life.
    pub(super) fn readmit(&mut self, node: NodeId, nonce: u64, effects: &mut Effects) {
        let free = self.last_is_reconfiguration().is_none();
        if let Standing::Primary(primary) = &self.standing
            && primary.change.is_none()
            && free
            && self.group.contains(node)
            && !self.group.admits(node, nonce)
        {
            self.propose_group(self.group.with(node, Some(nonce)), None, effects);
        }
    }

    fn propose_group(&mut self, group: Group, request: Option<RequestId>, effects: &mut Effects) {
        if let Standing::Primary(primary) = &mut self.standing {
            let newcomer = primary.change.take().and_then(|change| change.newcomer());
            primary.change = Some(Change::Proposed { request, newcomer });
            self.prepare(vec![Operation::Reconfiguration(group)], effects);
        }
    }

    /// The reconfiguration is committed, and with it all of its epoch.
    pub(super) fn begin_epoch(&mut self, group: Group, effects: &mut Effects) {
        if group.epoch <= self.group.epoch {
            return;
        }
        let mut request = None;
        if let Standing::Primary(primary) = &mut self.standing {
            if let Some(Change::Proposed { request: asked, .. }) = primary.change.take() {
                request = asked;
            }
            // The last message of this view: whoever holds the reconfiguration learns that it is committed.
            self.send_commit(effects);
        }
        let before = self.group.members.clone();
        let retires = before.contains(&self.config.me) && !group.contains(self.config.me);
        self.enter_epoch(group, effects);
        if retires || request.is_some() {
            let started = BTreeSet::new();
            self.beginning = Some(Beginning { started, request });
            self.have_all_begin(effects);
            return;
        }
        for member in self.others() {
            if !before.contains(&member) {
                self.start_epoch(member, effects);
            }
        }
    }

    /// Tells those of the new group who have not said that they have begun the epoch.
    fn have_all_begin(&mut self, effects: &mut Effects) {
        let Some(beginning) = &self.beginning else {
            return;
        };
        let mut missing = self.group.members.clone();
        missing.retain(|member| !beginning.started.contains(member));
        let epoch = self.group.epoch;
        for member in missing {
            if member != self.config.me {
                self.start_epoch(member, effects);
            } else if self.has_vote() {
                self.promise(Promise::OwnEpochStarted { epoch }, effects);
            }
        }
    }

    fn start_epoch(&mut self, to: NodeId, effects: &mut Effects) {
        let group = self.group.clone();
        self.promise_message(to, Body::StartEpoch { group }, effects);
    }

    /// Belongs to the next epoch, with all that was before it: status normal in its view 0, unless a later
    /// view is known of.
    pub(super) fn enter_epoch(&mut self, group: Group, effects: &mut Effects) {
        let first = View::first_of(group.epoch);
        if group.epoch > self.group.epoch {
            // A quorum of the epoch before has agreed on this one, so it had begun.
            self.conclude_beginning(effects);
        }
        self.group = group;
        self.wanted_by.clear();
        self.end_waiting(effects);
        if self.view < first {
            self.move_to(first, effects);
        }
        if self.normal_view < first {
            self.normal_view = first;
            let record = Record::Log {
                normal_view: first,
                first: self.log.last().op + 1,
                entries: Vec::new(),
            };
            // Before the view: a node of which only that survived would know of an epoch, and not how it began; and
            // if all crashed then, nobody might know.
            self.disk.persist(&record, effects);
            self.disk.note_installed();
            self.view_unsaved &= self.view > first;
            self.save_view(effects);
        }
        if self.view == first {
            self.take_part_in_view(effects);
        }
    }

    /// If the group has given this life of the node its vote, it waits for none any more.
    pub(super) fn end_waiting(&mut self, effects: &mut Effects) {
        if let Some(nonce) = self.nonce
            && self.group.admits(self.config.me, nonce)
        {
            self.nonce = None;
            self.disk.persist(&Record::Waits(None), effects);
        }
    }

    /// The message is of an earlier epoch: its sender has missed the beginning of this one.
    pub(super) fn tell_of_epoch(&mut self, to: NodeId, body: &Body, effects: &mut Effects) {
        match body {
            Body::GetState { commit, outline } => self.tell_state(to, false, *commit, outline, effects),
            Body::GetSnapshot { index, offset } => self.send_chunk(to, *index, *offset, effects),
            Body::NewState(_) | Body::Snapshot(_) | Body::EpochStarted => {}
            _ if self.group.epoch == self.view.epoch => self.start_epoch(to, effects),
            _ => {}
        }
    }

    /// There is a later epoch, and this node does not have all that was before it: status transitioning.
    pub(super) fn learn_of_epoch(&mut self, from: NodeId, epoch: u64, effects: &mut Effects) {
        self.move_to(View::first_of(epoch), effects);
        self.want_state(from, effects);
    }

    /// Is told the group of this epoch: by one that is being replaced, and waits to hear that it is no longer
    /// needed, or by one that takes this node for behind.
    pub(super) fn hear_of_group(&mut self, from: NodeId, group: &Group, effects: &mut Effects) {
        if group.epoch > self.group.epoch {
            if self.config.has(&defects::EPOCH_BEFORE_STATE) {
                self.enter_epoch(group.clone(), effects);
            }
            self.want_state(from, effects);
        } else if self.has_vote() {
            self.promise_message(from, Body::EpochStarted, effects);
        }
    }

    pub(super) fn note_own_epoch_started(&mut self, epoch: u64, effects: &mut Effects) {
        if epoch == self.group.epoch {
            self.hear_epoch_started(self.config.me, effects);
        }
    }

    pub(super) fn hear_epoch_started(&mut self, from: NodeId, effects: &mut Effects) {
        let quorum = self.group.quorum();
        if let Some(beginning) = &mut self.beginning
            && self.group.contains(from)
        {
            beginning.started.insert(from);
            if beginning.started.len() >= quorum {
                self.conclude_beginning(effects);
            }
        }
    }

    fn conclude_beginning(&mut self, effects: &mut Effects) {
        let request = self.beginning.take().and_then(|beginning| beginning.request);
        effects.extend(request.map(Effect::Done));
    }

    pub(super) fn tick_epoch(&mut self, effects: &mut Effects) {
        if !self.is_heartbeat() {
            return;
        }
        self.have_all_begin(effects);
        if self.normal_view.epoch < self.view.epoch && self.fetch.is_none() {
            // Nobody it asked has answered. Any of those it knows may, and whoever spoke of the epoch; by lot, for in turn
            // it could keep step with its own patience and come back to the same dead node each time.
            let mut others = self.others();
            others.extend(self.informant.filter(|informant| !others.contains(informant)));
            if let Some(&other) = others.choose(&mut self.random) {
                self.want_state(other, effects);
            }
        }
    }

    /// The view of a message, as this node takes it. Views of different epochs are not the same, whatever
    /// their numbers.
    pub(super) fn view_of_message(&self, view: View) -> View {
        if self.config.has(&defects::OLD_EPOCH_COUNTS) {
            View {
                epoch: self.view.epoch,
                ..view
            }
        } else {
            view
        }
    }
}
