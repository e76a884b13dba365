//! State transfer (section 5.2): what is missing is asked for, and comes in pieces.
//!
//! The paper has a replica that hears of a later view drop what it has beyond its commit-number, and then ask
//! for the rest. What it drops may be committed, though, and if it takes part in another view change
//! before the answer is there, nobody may remember it. So here the log stays, and counts for its last normal
//! view, until all with which the later view began is here to take its place. What the answer says is
//! committed is taken over at once: that is the same in every view.

use super::log::{Entry, Position};
use super::message::{Body, NewState};
use super::node::{Effects, Standing, Viewstamped};
use super::record::Record;
use crate::config::NodeId;
use crate::transfer::{Arrived, Arriving, Chunk, chunk};

/// How much there is in one answer.
const STATE_ENTRIES_MAX: usize = 4096;
const STATE_BYTES_MAX: usize = 512 * 1024;
/// After how many questions without an answer another node is to be asked.
const QUESTIONS_MAX: u32 = 4;

/// What is being asked for.
#[derive(Debug)]
pub(super) struct Fetch {
    from: NodeId,
    /// What has come of a later view's log, and is not committed; and after which op-number it goes.
    staged_after: u64,
    staged: Vec<Entry>,
    snapshot: Arriving,
    /// The part of a snapshot that is asked for, if it is not entries.
    wanted: Option<(u64, u64)>,
    asked_at: u64,
    questions: u32,
}

impl Fetch {
    fn staged_upto(&self) -> u64 {
        self.staged_after + self.staged.len() as u64
    }
}

impl Viewstamped {
    /// Asks this node for what is missing, unless that is under way.
    pub(super) fn want_state(&mut self, from: NodeId, effects: &mut Effects) {
        if self.fetch.as_ref().is_some_and(|fetch| fetch.from == from) {
            return;
        }
        self.fetch = Some(Fetch {
            from,
            staged_after: 0,
            staged: Vec::new(),
            snapshot: Arriving::default(),
            wanted: None,
            asked_at: self.now,
            questions: 0,
        });
        self.ask(effects);
    }

    fn ask(&mut self, effects: &mut Effects) {
        let Some(fetch) = &mut self.fetch else { return };
        fetch.asked_at = self.now;
        fetch.questions += 1;
        let from = fetch.from;
        let body = match fetch.wanted {
            Some((index, offset)) => Body::GetSnapshot { index, offset },
            None => Body::GetState {
                commit: self.commit,
                outline: self.outline(),
            },
        };
        self.send(from, body, effects);
    }

    /// The outline of the log as it would be with what has come.
    fn outline(&self) -> Vec<Position> {
        let Some(fetch) = self.fetch.as_ref().filter(|fetch| !fetch.staged.is_empty()) else {
            return self.log.outline(self.log.last().op);
        };
        let mut staged = super::log::Log::after(Position {
            op: fetch.staged_after,
            view: self.log.view_at(fetch.staged_after).unwrap_or_default(),
        });
        staged.append(fetch.staged.iter().cloned());
        let mut outline = staged.outline(fetch.staged_upto());
        outline.extend(self.log.outline(fetch.staged_after));
        outline
    }

    pub(super) fn tick_fetch(&mut self, effects: &mut Effects) {
        let Some(fetch) = &self.fetch else { return };
        if self.now - fetch.asked_at < 2 * u64::from(self.config.heartbeat_ticks) {
            return;
        }
        if fetch.questions >= QUESTIONS_MAX {
            self.fetch = None;
        } else {
            self.ask(effects);
        }
    }

    /// Answers with what comes after what the other has. Of a view's log speak its primary, and before the
    /// view has begun whoever gave its word to the new primary; others tell what is committed.
    pub(super) fn tell_state(
        &mut self,
        to: NodeId,
        same_view: bool,
        commit: u64,
        outline: &[Position],
        effects: &mut Effects,
    ) {
        let new_primary = same_view && self.group.primary(self.view) == Some(to);
        let (start, last) = match &self.standing {
            Standing::Unstarted(_) => return,
            Standing::Primary(primary) => (Some(primary.start), self.log.last().op),
            Standing::ViewChange(change) if new_primary && change.word_given() => {
                let last = self.log.last().op;
                (Some(last), last)
            }
            Standing::ViewChange(_) | Standing::Backup => (None, self.commit),
        };
        let same = self.log.same_upto(outline).unwrap_or(0).max(commit);
        if same > self.log.last().op {
            return; // The other is ahead.
        }
        let Some(view) = self.log.view_at(same) else {
            self.send_chunk(to, 0, 0, effects);
            return;
        };
        let mut entries = self.log.batch_after(same, STATE_ENTRIES_MAX, STATE_BYTES_MAX);
        entries.truncate(last.saturating_sub(same) as usize);
        let body = Body::NewState(NewState {
            previous: Position { view, op: same },
            entries,
            last,
            start,
            commit: self.commit,
        });
        // It speaks of a log that others may take for the view's: so it waits until that is durable.
        self.promise_message(to, body, effects);
    }

    /// Takes what comes after what is here.
    pub(super) fn learn_state(&mut self, from: NodeId, state: NewState, effects: &mut Effects) {
        let NewState {
            previous,
            entries,
            last,
            start,
            commit,
        } = state;
        let Some(fetch) = self.fetch.as_mut().filter(|fetch| fetch.from == from) else {
            return;
        };
        fetch.questions = 0;
        fetch.wanted = None;
        if self.normal_view == self.view && start.is_some() {
            // The same view's log, further on.
            if previous.op <= self.log.last().op {
                self.append_in_view(previous.op + 1, entries, effects);
                self.learn_commit(commit, effects);
                self.acknowledge(from, effects);
            }
            return self.go_on_fetching(last, self.log.last().op, effects);
        }
        if !self.stage(previous, entries) {
            return;
        }
        let view = self.view;
        self.take_over_committed(commit, effects);
        let Some(fetch) = &mut self.fetch else { return };
        let staged_upto = fetch.staged_upto().max(self.commit);
        if let Some(start) = start
            && self.view == view
            && self.normal_view != view
            && staged_upto >= start
        {
            let staged = std::mem::take(&mut fetch.staged);
            let previous = Position {
                op: fetch.staged_after,
                view: self.log.view_at(fetch.staged_after).unwrap_or_default(),
            };
            self.fetch = None;
            self.begin_view_with(previous, staged, commit, effects);
            if self.leader == Some(from) {
                self.acknowledge(from, effects);
            }
            return;
        }
        self.go_on_fetching(last, staged_upto, effects);
    }

    fn go_on_fetching(&mut self, last: u64, here: u64, effects: &mut Effects) {
        if here >= last {
            self.fetch = None;
        } else if self.fetch.is_some() {
            self.ask(effects);
        }
    }

    /// Puts what has come behind what had come before, if it goes on there.
    fn stage(&mut self, previous: Position, entries: Vec<Entry>) -> bool {
        let connects = self.connects(previous);
        let Some(fetch) = &mut self.fetch else {
            return false;
        };
        let behind = previous
            .op
            .checked_sub(fetch.staged_after)
            .filter(|_| !fetch.staged.is_empty());
        match behind {
            Some(0) | None if connects => {
                fetch.staged_after = previous.op;
                fetch.staged = entries;
                true
            }
            Some(behind @ 1..) => {
                let behind = behind as usize;
                let goes_on = fetch
                    .staged
                    .get(behind - 1)
                    .is_some_and(|entry| entry.view == previous.view);
                if goes_on {
                    fetch.staged.truncate(behind);
                    fetch.staged.extend(entries);
                }
                goes_on
            }
            _ => false,
        }
    }

    /// Takes over what has come and is committed. Where it differs from what is here, all that follows here
    /// goes, too: nothing after an operation that was not committed is. What does not differ stays: it may
    /// be committed, though the sender does not know.
    fn take_over_committed(&mut self, commit: u64, effects: &mut Effects) {
        let Some(fetch) = &mut self.fetch else { return };
        let from = fetch.from;
        let upto = commit.min(fetch.staged_upto());
        if upto > fetch.staged_after {
            let count = (upto - fetch.staged_after) as usize;
            let mut entries: Vec<_> = fetch.staged.drain(..count).collect();
            let after = std::mem::replace(&mut fetch.staged_after, upto);
            let base = self.log.base().op;
            let same = (after + 1..)
                .zip(&entries)
                .take_while(|(op, entry)| *op <= base || self.log.view_at(*op) == Some(entry.view))
                .count();
            entries.drain(..same);
            if !entries.is_empty() {
                let first = after + same as u64 + 1;
                assert!(
                    first > self.commit || self.config.defect.is_some(),
                    "{} would lose the committed operation {first}",
                    self.config.me
                );
                self.log.truncate_from(first);
                self.log.append(entries.iter().cloned());
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
        }
        // What lies beyond may be of another view than what the sender knows to be committed.
        self.learn_commit(upto, effects);
        self.move_to_view_of_log(from, effects);
    }

    /// What was taken over may be of a later view than was known of: that one has begun. Else the late start of
    /// one in between could be believed, whose log is shorter.
    fn move_to_view_of_log(&mut self, from: NodeId, effects: &mut Effects) {
        let latest = self.log.last().view;
        if latest > self.view {
            self.move_to(latest, effects);
            self.want_state(from, effects);
        }
    }

    /// Sends part of the newest snapshot: the part that is wanted, or the first if it is of another.
    pub(super) fn send_chunk(&mut self, to: NodeId, index: u64, offset: u64, effects: &mut Effects) {
        let Some((newest, bytes)) = self.snapshots.newest() else {
            return;
        };
        let offset = if index == newest { offset } else { 0 };
        let part = chunk(bytes, newest, offset);
        self.send(to, Body::Snapshot(part), effects);
    }

    pub(super) fn take_chunk(&mut self, from: NodeId, part: Chunk, effects: &mut Effects) {
        let Some(fetch) = self.fetch.as_mut().filter(|fetch| fetch.from == from) else {
            return;
        };
        if part.index <= self.commit {
            return; // Late: all that is here already.
        }
        fetch.questions = 0;
        match fetch.snapshot.take(part) {
            Arrived::Wanted { index, offset } => {
                fetch.wanted = Some((index, offset));
                self.ask(effects);
            }
            Arrived::Whole(bytes) => {
                fetch.wanted = None;
                fetch.staged.clear();
                fetch.staged_after = 0;
                self.install_snapshot(bytes, effects);
                self.move_to_view_of_log(from, effects);
                self.ask(effects);
            }
        }
    }
}
