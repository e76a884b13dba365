//! A node that finds its disk empty (section 4.3): is it new, or has it forgotten everything?
//!
//! A node whose disk is intact resumes; it needs nobody's help, as every promise was durable before it was
//! given. (The paper's replicas need no disk as long as never more than f fail at once. Ours may all fail at
//! once, and so have one.) A node whose disk is empty may have lost promises: operations that it acknowledged,
//! views that it left. It may not act as a replica before that is harmless.
//!
//! **Is the cluster new?** It asks all others, with a nonce that names this life of its own, so that no answer
//! to an earlier life counts. If every one of them answers that it has not started either, the cluster is
//! new. Why every one, and not f + 1: a member that was always slow has an empty disk in a cluster that is
//! old. With the answers of all, it would take more than f lost disks to be wrong, since whatever this node
//! may have promised was of effect only together with others that had started, f of them at least. The first
//! start therefore needs every member, once. It goes in two steps, so that a crash in the midst of it does
//! not leave some started, and others that can not tell that they are new: first each writes down that the
//! cluster is new (*founded*), and only when all have it, they start.
//!
//! **If it is not new**, the node that forgot is a failed one, and comes back by a reconfiguration: it asks
//! the primary (Recovery), which has the group agree on an epoch in which this life of the node, by its
//! nonce, has a vote (section 7). Until then it follows as a learner. Whatever its earlier life promised, and
//! whatever of its messages is still under way, belongs to an earlier epoch and is void. The paper instead
//! has the node take over the state of the latest primary and go on in the same view; then messages of its
//! earlier life may still count, which Michael et al. (*Recovering Shared Objects Without Stable Storage*, DISC
//! 2017) show to break such protocols. An epoch costs more, but is simpler to be sure of, and disks are
//! seldom lost.

use std::collections::BTreeMap;

use super::defects;
use super::disk::Promise;
use super::message::{Body, Condition};
use super::node::{Effects, Standing, Viewstamped};
use super::record::Record;
use crate::config::NodeId;

/// What a node with an empty disk knows.
#[derive(Debug)]
pub(super) struct Unstarted {
    /// Names this life.
    nonce: u64,
    /// It is written down that the cluster is new.
    founded: bool,
    /// And if not, is it being written?
    founding: bool,
    /// How matters stood at the others, when they last said.
    heard: BTreeMap<NodeId, Condition>,
}

impl Unstarted {
    pub(super) fn new(nonce: u64, founded: bool) -> Unstarted {
        Unstarted {
            nonce,
            founded,
            founding: founded,
            heard: BTreeMap::new(),
        }
    }
}

impl Viewstamped {
    pub(super) fn begin_unstarted(&mut self, effects: &mut Effects) {
        if self.group.contains(self.config.me) {
            self.ask_all(effects);
            self.consider_starting(effects);
        } else {
            // It was started to join, and waits to be contacted.
            self.wait_for_vote(effects);
        }
    }

    pub(super) fn ask_how_matters_stand(&mut self, effects: &mut Effects) {
        if self.is_heartbeat() {
            self.ask_all(effects);
        }
    }

    fn ask_all(&mut self, effects: &mut Effects) {
        let Standing::Unstarted(unstarted) = &self.standing else {
            return;
        };
        let nonce = unstarted.nonce;
        for peer in self.others() {
            self.send(peer, Body::Recovery { nonce, waits: false }, effects);
        }
    }

    /// Says how matters stand here, when that is durable; and if the other waits for a vote, has the group
    /// give it one.
    pub(super) fn answer_recovery(&mut self, from: NodeId, nonce: u64, waits: bool, effects: &mut Effects) {
        let condition = match &self.standing {
            Standing::Unstarted(unstarted) if unstarted.founded => Condition::Founded,
            Standing::Unstarted(_) => Condition::Empty,
            _ => Condition::Started,
        };
        if waits {
            self.readmit(from, nonce, effects);
        } else {
            self.promise_message(from, Body::RecoveryResponse { nonce, condition }, effects);
        }
    }

    pub(super) fn hear_condition(
        &mut self,
        from: NodeId,
        nonce: u64,
        condition: Condition,
        effects: &mut Effects,
    ) {
        let Standing::Unstarted(unstarted) = &mut self.standing else {
            return;
        };
        if nonce == unstarted.nonce {
            unstarted.heard.insert(from, condition);
            self.consider_starting(effects);
        }
    }

    fn consider_starting(&mut self, effects: &mut Effects) {
        let others = self.others();
        let Standing::Unstarted(unstarted) = &mut self.standing else {
            return;
        };
        let least = |condition| {
            others
                .iter()
                .all(|other| unstarted.heard.get(other) >= Some(&condition))
        };
        let all_founded = least(Condition::Founded);
        let all_heard = least(Condition::Empty);
        let any_started = unstarted.heard.values().any(|&heard| heard == Condition::Started);
        if unstarted.founded {
            if any_started || all_founded {
                self.start(effects);
            }
        } else if any_started {
            self.wait_for_vote(effects);
        } else if all_heard && !unstarted.founding {
            unstarted.founding = true;
            self.disk.persist(&Record::Founded, effects);
            self.promise(Promise::Founded, effects);
        }
    }

    pub(super) fn note_founded(&mut self, effects: &mut Effects) {
        if let Standing::Unstarted(unstarted) = &mut self.standing {
            unstarted.founded = true;
            self.ask_all(effects);
            self.consider_starting(effects);
        }
    }

    /// Others act as replicas, so the cluster has started. Gives whether this node has now started, too.
    pub(super) fn learn_that_others_started(&mut self, effects: &mut Effects) -> bool {
        match &self.standing {
            Standing::Unstarted(unstarted) if unstarted.founded => self.start(effects),
            Standing::Unstarted(unstarted) if unstarted.founding => return false,
            _ => self.wait_for_vote(effects),
        }
        true
    }

    /// The first view of the first epoch begins, with an empty log. From here on this node answers that it
    /// has started, and that is durable first.
    fn start(&mut self, effects: &mut Effects) {
        self.view_unsaved = true;
        self.draw_patience();
        self.take_part_in_view(effects);
    }

    /// Becomes a learner, until an epoch begins that gives this life of it a vote.
    fn wait_for_vote(&mut self, effects: &mut Effects) {
        if self.config.has(&defects::RECOVERY_WITHOUT_NONCE) && self.group.contains(self.config.me) {
            return self.start(effects);
        }
        if let Standing::Unstarted(unstarted) = &self.standing {
            self.nonce = Some(unstarted.nonce);
            self.disk.persist(&Record::Waits(self.nonce), effects);
            self.standing = Standing::Backup;
        }
    }

    /// A member that waits for a vote asks for it.
    pub(super) fn tick_recovery(&mut self, effects: &mut Effects) {
        if let Some(nonce) = self.nonce
            && self.is_heartbeat()
            && self.group.contains(self.config.me)
        {
            for peer in self.others() {
                self.send(peer, Body::Recovery { nonce, waits: true }, effects);
            }
        }
    }
}
