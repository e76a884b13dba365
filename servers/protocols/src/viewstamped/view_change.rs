//! View changes (section 4.2): who leads next, and with which log.
//!
//! **Who moves when.** In the paper, a replica whose patience is over moves to the next view at once, and
//! whoever hears of it follows. Here it first only *wishes* for the view: it says so by StartViewChange, and
//! moves when f + 1 replicas wish for it. Until then it goes on in its view, as it has promised nothing. So
//! one that was cut off and comes back deposes nobody, since those who hear their primary do not share its
//! wish. Once a replica has moved, there is no way back; the primary that hears of it gives way (else that
//! member would be lost to the group), and the others follow *it*, or their own impatience. That nobody
//! leaves a primary that it hears is also what leases rest on.
//!
//! **What is promised.** A replica that has sent DoViewChange for a view acknowledges nothing in an earlier
//! one, ever; so its view, its last normal view and its log are durable when the message leaves.

use std::collections::BTreeMap;

use super::defects;
use super::disk::Promise;
use super::log::{Entry, Position};
use super::message::Body;
use super::node::{Effects, Standing, Viewstamped};
use super::record::Record;
use super::view::View;
use crate::config::NodeId;
use crate::protocol::Effect;

/// How much of the end of a log goes with DoViewChange and StartView; for more, there is state transfer
/// (section 5.3).
const SUFFIX_ENTRIES_MAX: usize = 256;
const SUFFIX_BYTES_MAX: usize = 256 * 1024;
/// For how many heartbeats a wish is taken for one that is still held.
const WISH_HEARTBEATS: u64 = 4;

/// What a node knows of the view change that it takes part in.
#[derive(Debug, Default)]
pub(super) struct ViewChange {
    /// Has it sent its DoViewChange?
    word_given: bool,
    /// At the new primary: what it was sent.
    received: BTreeMap<NodeId, DoViewChange>,
    /// At the new primary: whose log it has chosen.
    chosen: Option<NodeId>,
}

impl ViewChange {
    /// Has this node said to the new primary what its log is? It stays as it is for as long as the view
    /// change lasts.
    pub(super) fn word_given(&self) -> bool {
        self.word_given
    }
}

#[derive(Debug)]
struct DoViewChange {
    normal_view: View,
    previous: Position,
    entries: Vec<Entry>,
    commit: u64,
}

impl DoViewChange {
    fn op(&self) -> u64 {
        self.previous.op + self.entries.len() as u64
    }
}

impl Viewstamped {
    /// Has it heard its primary within the shortest patience? Then it will not help to replace it.
    fn has_live_primary(&self) -> bool {
        let heard = self.leader.is_some() && self.silence_ticks < self.config.election_ticks;
        heard || self.now < self.bound_until
    }

    pub(super) fn tick_view_change(&mut self, effects: &mut Effects) {
        if !self.has_vote() {
            return;
        }
        if self.silence_ticks >= self.patience_ticks {
            self.leader = None;
            self.draw_patience();
            let wishes = self.wanted_by.iter().filter(|(_, wish)| self.is_held(**wish));
            let latest = wishes.map(|(_, (view, _))| *view).max();
            self.wanted = self.wanted.max(Some(self.view.next())).max(latest);
            self.say_wish(effects);
            self.consider_moving(effects);
        } else if self.is_heartbeat() && self.leader.is_none() {
            self.say_wish(effects);
        }
    }

    fn is_held(&self, (view, said): (View, u64)) -> bool {
        let heartbeat = u64::from(self.config.heartbeat_ticks);
        view.epoch == self.view.epoch && said + WISH_HEARTBEATS * heartbeat >= self.now
    }

    /// Says which view it wants, or is in, if it does not hear the primary of any; and again what it has
    /// said to the new primary.
    fn say_wish(&mut self, effects: &mut Effects) {
        let moved = matches!(self.standing, Standing::ViewChange(_));
        let Some(wanted) = self.wanted.or(moved.then_some(self.view)) else {
            return;
        };
        for peer in self.others() {
            self.promise_message(peer, Body::StartViewChange { wanted }, effects);
        }
        if let Standing::ViewChange(change) = &self.standing
            && change.word_given
        {
            self.give_word(effects);
        }
    }

    pub(super) fn hear_wish(&mut self, from: NodeId, wanted: View, effects: &mut Effects) {
        if !self.has_vote() || !self.group.contains(from) {
            return;
        }
        self.wanted_by.insert(from, (wanted, self.now));
        if let Standing::Primary(_) = self.standing {
            return;
        }
        let impatient = self.wanted.is_some() || self.silence_ticks >= self.config.election_ticks;
        if impatient && !self.has_live_primary() && wanted > self.view && Some(wanted) > self.wanted {
            self.leader = None;
            self.wanted = Some(wanted);
            self.say_wish(effects);
        }
        self.consider_moving(effects);
    }

    /// A member has moved to a later view, and can not come back.
    pub(super) fn consider_joining(&mut self, from: NodeId, view: View, effects: &mut Effects) {
        if !self.has_vote() || !self.group.contains(from) {
            return;
        }
        let leads = matches!(self.standing, Standing::Primary(_));
        if leads || self.leader == Some(from) || !self.has_live_primary() {
            self.enter_view(view, effects);
        }
    }

    /// Moves to the view that f others want, too; and if it is there already, gives its word (section 4.2,
    /// step 2).
    fn consider_moving(&mut self, effects: &mut Effects) {
        let wanted_by_quorum = |view: View| {
            let others = self
                .wanted_by
                .iter()
                .filter(|(node, wish)| wish.0 >= view && self.is_held(**wish) && self.group.contains(**node));
            others.count() + 1 >= self.group.quorum()
        };
        match self.wanted {
            Some(wanted) if wanted > self.view && wanted_by_quorum(wanted) => {
                self.enter_view(wanted, effects);
            }
            _ => {
                let due = wanted_by_quorum(self.view);
                if let Standing::ViewChange(change) = &mut self.standing
                    && due
                    && !change.word_given
                {
                    change.word_given = true;
                    self.give_word(effects);
                }
            }
        }
    }

    /// Moves to a later view, in which it takes part in the view change.
    pub(super) fn enter_view(&mut self, view: View, effects: &mut Effects) {
        self.move_to(view, effects);
        self.say_wish(effects);
        self.consider_moving(effects);
    }

    /// In a later view, nothing of the earlier ones is promised any more.
    pub(super) fn move_to(&mut self, view: View, effects: &mut Effects) {
        assert!(view > self.view, "views only grow: {:?} to {view:?}", self.view);
        let before = std::mem::replace(&mut self.standing, Standing::ViewChange(Box::default()));
        if let Standing::Primary(primary) = before {
            self.abandon_clients(*primary, effects);
        }
        self.view = view;
        self.view_unsaved = true;
        self.leader = None;
        self.wanted = None;
        self.fetch = None;
        self.disk.forget_promises();
        self.draw_patience();
        if let Some((request, _)) = self.handing_over.take() {
            effects.push(Effect::Unknown(request));
        }
    }

    /// Sends DoViewChange to the primary of the view (section 4.2, step 2).
    fn give_word(&mut self, effects: &mut Effects) {
        match self.group.primary(self.view) {
            Some(primary) if primary == self.config.me => self.promise(Promise::OwnDoViewChange, effects),
            Some(primary) => {
                let (previous, entries) = self.log.suffix(self.commit, SUFFIX_ENTRIES_MAX, SUFFIX_BYTES_MAX);
                let body = Body::DoViewChange {
                    normal_view: self.normal_view,
                    previous,
                    entries,
                    commit: self.commit,
                };
                self.promise_message(primary, body, effects);
            }
            None => {}
        }
    }

    pub(super) fn count_own_do_view_change(&mut self, effects: &mut Effects) {
        let (me, normal_view) = (self.config.me, self.normal_view);
        let (previous, commit) = (self.log.last(), self.commit);
        self.count_do_view_change(me, normal_view, previous, Vec::new(), commit, effects);
    }

    pub(super) fn count_do_view_change(
        &mut self,
        from: NodeId,
        normal_view: View,
        previous: Position,
        entries: Vec<Entry>,
        commit: u64,
        effects: &mut Effects,
    ) {
        let mine = self.has_vote() && self.group.primary(self.view) == Some(self.config.me);
        if !mine || !self.group.contains(from) {
            return;
        }
        let Standing::ViewChange(change) = &mut self.standing else {
            return;
        };
        change.received.insert(
            from,
            DoViewChange {
                normal_view,
                previous,
                entries,
                commit,
            },
        );
        if change.chosen.is_none() && self.normal_view < self.view {
            self.choose_log(effects);
        }
    }

    /// With the word of f + 1, its own among them, the new primary takes the log of those with the largest
    /// last normal view, and of these the longest (section 4.2, step 3).
    ///
    /// Every committed operation was acknowledged by f + 1 replicas in one view, so one of these is among the
    /// f + 1 here, and was normal in that view or in a later one, whose log had it, too. And logs of one view
    /// differ only in length.
    fn choose_log(&mut self, effects: &mut Effects) {
        let me = self.config.me;
        let lonely = usize::from(self.config.has(&defects::LONELY_VIEW));
        let longest = self.config.has(&defects::LONGEST_LOG_WINS);
        let quorum = self.group.quorum() - lonely;
        let Standing::ViewChange(change) = &mut self.standing else {
            return;
        };
        if change.received.len() < quorum || !change.received.contains_key(&me) {
            return;
        }
        let rank = |(node, word): &(&NodeId, &DoViewChange)| {
            let normal_view = if longest {
                View::default()
            } else {
                word.normal_view
            };
            (normal_view, word.op(), **node == me)
        };
        let Some((&chosen, word)) = change.received.iter().max_by_key(rank) else {
            return;
        };
        change.chosen = Some(chosen);
        let (previous, entries) = (word.previous, word.entries.clone());
        let commit = change.received.values().map(|word| word.commit).max();
        if !self.connects(previous) {
            self.want_state(chosen, effects);
            return;
        }
        self.begin_view_with(previous, entries, commit.unwrap_or(0), effects);
    }

    /// Does the log hold all that comes before, and this? Up to the commit-number all logs are the same.
    pub(super) fn connects(&self, previous: Position) -> bool {
        previous.op <= self.commit || self.log.holds(previous)
    }

    /// The view begins with what is here up to `previous` and these entries.
    pub(super) fn begin_view_with(
        &mut self,
        previous: Position,
        entries: Vec<Entry>,
        commit: u64,
        effects: &mut Effects,
    ) {
        self.install(previous, entries, effects);
        if self.config.has(&defects::DROPPED_SUFFIX) {
            self.log.truncate_from(self.commit.max(commit) + 1);
        }
        let view = self.view;
        self.learn_commit(commit, effects);
        if self.view != view {
            return; // What is committed has begun another epoch.
        }
        self.take_part_in_view(effects);
    }

    /// Has the log of this view. If it is the primary, it begins when that is durable: in another life it
    /// might otherwise begin the same view with another log.
    pub(super) fn take_part_in_view(&mut self, effects: &mut Effects) {
        if self.has_vote() && self.group.primary(self.view) == Some(self.config.me) {
            self.standing = Standing::ViewChange(Box::default());
            self.promise(Promise::Begin, effects);
        } else {
            self.standing = Standing::Backup;
        }
    }

    /// The log is that of this view from here on. It and the view that it counts for are one write: with the
    /// log of one view and the number of another, it would lie in the next view change.
    fn install(&mut self, previous: Position, mut entries: Vec<Entry>, effects: &mut Effects) {
        let base = self.log.base().op;
        let same = (previous.op + 1..)
            .zip(&entries)
            .take_while(|(op, entry)| *op <= base || self.log.view_at(*op) == Some(entry.view))
            .count();
        entries.drain(..same);
        let mut first = (previous.op + same as u64 + 1).max(base + 1);
        if entries.is_empty() && self.log.view_at(first) == Some(self.view) {
            // The start of this view comes late: what of it was taken over since follows it.
            first = self.log.last().op + 1;
        }
        assert!(
            first > self.commit || self.config.defect.is_some(),
            "{} would lose the committed operation {first}",
            self.config.me
        );
        self.commit = self.commit.min(first - 1);
        self.applied = self.applied.min(first - 1);
        self.log.truncate_from(first);
        self.log.append(entries.iter().cloned());
        self.normal_view = self.view;
        self.wanted = None;
        self.save_view(effects);
        let normal_view = self.normal_view;
        self.disk.persist(
            &Record::Log {
                normal_view,
                first,
                entries,
            },
            effects,
        );
        self.disk.note_installed();
    }

    /// Tells all that the view has begun, and with which log (section 4.2, step 4).
    pub(super) fn send_start_view(&mut self, effects: &mut Effects) {
        let (previous, entries) = self.log.suffix(self.commit, SUFFIX_ENTRIES_MAX, SUFFIX_BYTES_MAX);
        for peer in self.others() {
            let body = Body::StartView {
                previous,
                entries: entries.clone(),
                commit: self.commit,
            };
            self.send(peer, body, effects);
        }
    }

    /// Takes the log with which the view began, and acknowledges what of it is not known to be committed
    /// (section 4.2, step 5).
    pub(super) fn accept_start_view(
        &mut self,
        primary: NodeId,
        previous: Position,
        entries: Vec<Entry>,
        commit: u64,
        effects: &mut Effects,
    ) {
        self.follow(primary, effects);
        if self.normal_view == self.view {
            self.learn_commit(commit, effects);
        } else if self.connects(previous) {
            self.begin_view_with(previous, entries, commit, effects);
        } else {
            self.want_state(primary, effects);
            return;
        }
        self.acknowledge(primary, effects);
    }
}
