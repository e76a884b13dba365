//! A backup in normal operation (section 4.1).

use super::defects;
use super::log::Entry;
use super::message::{Body, Message};
use super::node::{Effects, Standing, Viewstamped};
use super::record::Record;
use crate::config::NodeId;
use crate::protocol::Effect;

impl Viewstamped {
    /// Takes operations that the primary has given op-numbers to, if all before them are here (section 4.1,
    /// step 4); or else asks for what is missing.
    pub(super) fn accept_prepare(
        &mut self,
        primary: NodeId,
        first: u64,
        entries: Vec<Entry>,
        commit: u64,
        effects: &mut Effects,
    ) {
        self.follow(primary, effects);
        if self.normal_view != self.view {
            self.want_state(primary, effects);
            return;
        }
        if first > self.log.last().op + 1 {
            if self.config.has(&defects::PREPARE_OK_WITH_GAPS) && self.has_vote() {
                let op = first + entries.len() as u64 - 1;
                self.promise_message(primary, Body::PrepareOk { op }, effects);
            }
            self.want_state(primary, effects);
            return;
        }
        self.append_in_view(first, entries, effects);
        self.acknowledge(primary, effects);
        self.commit_on_prepare(effects);
        self.learn_commit(commit, effects);
    }

    /// Appends what goes on where the log ends. In a view there is one log, which only grows: what is here
    /// already is the same.
    pub(super) fn append_in_view(&mut self, first: u64, mut entries: Vec<Entry>, effects: &mut Effects) {
        let known = (self.log.last().op + 1).saturating_sub(first) as usize;
        if known >= entries.len() {
            return;
        }
        entries.drain(..known);
        let first = self.log.last().op + 1;
        self.log.append(entries.iter().cloned());
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
    }

    /// Acknowledges all that is in the log, when it is durable.
    pub(super) fn acknowledge(&mut self, primary: NodeId, effects: &mut Effects) {
        if !self.has_vote() {
            return;
        }
        let body = Body::PrepareOk {
            op: self.log.last().op,
        };
        self.promise_message(primary, body, effects);
    }

    /// Hears what is committed, and says that no later view is known here. That vouches for the view alone,
    /// so it does not wait for operations that are being written, and reads do not wait behind writes. Nor
    /// does it wait for the view: a view that this node forgets is one to which it has promised nothing.
    pub(super) fn accept_commit(
        &mut self,
        primary: NodeId,
        round: u64,
        op: u64,
        commit: u64,
        effects: &mut Effects,
    ) {
        self.follow(primary, effects);
        let view = self.view;
        let normal = self.normal_view == view;
        if normal {
            self.learn_commit(commit, effects);
        }
        if self.view != view {
            // What is committed has begun an epoch, in whose rounds this answer would say too much.
            return;
        }
        if !normal || op > self.log.last().op {
            self.want_state(primary, effects);
        }
        if self.view_unsaved {
            return;
        }
        let message = Message {
            view: self.view,
            body: Body::CommitOk {
                round,
                op: if normal { self.disk.durable_op() } else { 0 },
                nonce: self.nonce,
            },
        };
        effects.push(Effect::Send { to: primary, message });
    }

    /// The sender is the primary of this view, and it has begun.
    pub(super) fn follow(&mut self, primary: NodeId, effects: &mut Effects) {
        assert!(
            !matches!(self.standing, Standing::Primary(_)) || self.config.defect.is_some(),
            "{primary} and {} are both the primary of {:?}",
            self.config.me,
            self.view
        );
        if matches!(self.standing, Standing::Primary(_)) {
            return;
        }
        if self.leader != Some(primary) {
            self.leader = Some(primary);
            self.draw_patience();
        }
        self.silence_ticks = 0;
        self.wanted = None;
        self.note_handed_over(primary, effects);
    }
}
