//! The follower's side of replication.

use super::defects;
use super::log::{Entry, Payload, Position};
use super::message::Body;
use super::node::{Effects, Raft};
use super::record::Record;
use crate::config::NodeId;

impl Raft {
    /// Makes its log agree with what the leader sent (paper 5.3 and figure 2, "AppendEntries, receiver").
    pub(super) fn accept_entries(
        &mut self,
        leader: NodeId,
        mut previous: Position,
        mut entries: Vec<Entry>,
        commit: u64,
        effects: &mut Effects,
    ) {
        let gone = self.log.base();
        if previous.index < gone.index {
            // What is gone was committed, so it is the leader's, too.
            let known = usize::try_from(gone.index - previous.index).unwrap_or(usize::MAX);
            if entries.len() < known {
                let matched = previous.index + entries.len() as u64;
                return self.promise_message(leader, Body::Appended { matched }, effects);
            }
            entries.drain(..known);
            previous = gone;
        }
        if !self.log.holds(previous) {
            let hint = self.conflict_hint(previous.index);
            self.promise_message(
                leader,
                Body::Conflict {
                    previous: previous.index,
                    hint,
                },
                effects,
            );
            return;
        }
        let matched = previous.index + entries.len() as u64;
        // What the log has already is left alone: a message may come late, and the log have grown since. Only
        // where an entry differs does the rest go.
        let same = (previous.index + 1..)
            .zip(&entries)
            .take_while(|(index, entry)| {
                self.log.holds(Position {
                    term: entry.term,
                    index: *index,
                })
            })
            .count();
        let same = if self.config.has(&defects::EAGER_TRUNCATION) {
            0
        } else {
            same
        };
        entries.drain(..same);
        if !entries.is_empty() {
            let first_index = previous.index + same as u64 + 1;
            self.truncate_from(first_index);
            self.append_to_log(&entries);
            self.save_state(effects);
            self.disk
                .persist(&Record::Entries { first_index, entries }, effects);
        }
        if self.config.has(&defects::HASTY_ACKS) {
            self.send(leader, Body::Appended { matched }, effects);
        } else {
            self.promise_message(leader, Body::Appended { matched }, effects);
        }
        // Beyond `matched` the log may hold what the leader has not: it is not known to be committed here.
        let commit = if self.config.has(&defects::EARLY_APPLY) {
            matched
        } else {
            commit
        };
        self.learn_commit(commit.min(matched), effects);
    }

    /// Says that no later term was known here when the heartbeat came. That vouches for the term alone, so it
    /// does not wait for entries that are being written, and reads do not wait behind writes.
    pub(super) fn accept_heartbeat(
        &mut self,
        leader: NodeId,
        round: u64,
        commit: u64,
        effects: &mut Effects,
    ) {
        self.learn_commit(commit.min(self.log.last().index), effects);
        self.save_state(effects);
        if self.disk.state_is_durable() {
            self.send(leader, Body::HeartbeatReply { round }, effects);
        } else {
            self.promise_message(leader, Body::HeartbeatReply { round }, effects);
        }
    }

    /// Where the leader should go on (paper 5.3, end): over the whole run of entries of the conflicting term.
    fn conflict_hint(&self, previous: u64) -> Position {
        match self.log.term_at(previous) {
            Some(term) => Position {
                term,
                index: self.log.first_of_term_at(previous),
            },
            None => Position {
                term: 0,
                index: self.log.last().index + 1,
            },
        }
    }

    /// Removes entries that conflict with the leader's. What is committed is in every leader's log (leader
    /// completeness, paper 5.4.3), so nothing committed ever goes, unless a deliberate bug broke that
    /// promise.
    fn truncate_from(&mut self, index: u64) {
        assert!(
            index > self.commit || self.config.defect.is_some(),
            "{} would lose the committed entry {index}",
            self.config.me
        );
        let left = self.log.base().index.max(index - 1);
        self.commit = self.commit.min(left);
        self.applied = self.applied.min(left);
        self.log.truncate_from(index);
        if !self.config.has(&defects::STUCK_MEMBERS) {
            self.members.truncate_from(index);
        }
    }

    /// Puts entries at the end of the log. A membership among them holds at once (paper section 6).
    pub(super) fn append_to_log(&mut self, entries: &[Entry]) {
        for (index, entry) in (self.log.last().index + 1..).zip(entries) {
            if let Payload::Members(members) = &entry.payload {
                self.members.append(index, members.clone());
                self.welcome_voters();
            }
        }
        self.log.append(entries.iter().cloned());
    }
}
