//! Phase 0: who should lead (fast leader election; Medeiros, section 4.2).
//!
//! Every node that looks for a leader votes for itself at first, and takes over any vote that it hears of and
//! that is for a more recent history; when a quorum has the same vote, and a moment has passed in which no
//! better one came, the election is decided. A node that has a leader answers with what it is; so who comes
//! late finds a quorum that follows some leader, and joins.
//!
//! **Nothing rests on the outcome but progress.** Two nodes may take themselves for elected, or one with an
//! old history: discovery finds that out.
//!
//! **Members may know different ensembles.** Whoever has the more recent history knows better who the members
//! are; one that is behind may wait for a quorum of nodes that are gone, while it is needed itself for a quorum
//! that it does not know of. ZooKeeper's notifications carry the configuration, and who is behind takes over
//! the later one. Here who is behind takes the word of who is ahead: it votes when it is asked to, member or
//! not as far as it knows, and joins whoever is ahead of it and says that it leads.

use std::collections::BTreeMap;

use super::defects;
use super::message::{Body, Message, Standing};
use super::node::{Effects, State, Zab};
use super::zxid::Vote;
use crate::config::NodeId;
use crate::protocol::Effect;

/// For how many ticks a better vote is waited for once a quorum agrees ("finalizeWait" in ZooKeeper).
const FINALIZE_TICKS: u32 = 3;

/// An election under way, as one node sees it.
#[derive(Debug)]
pub(super) struct Election {
    /// The votes of this round.
    votes: BTreeMap<NodeId, Vote>,
    /// What nodes say that look for no leader.
    elsewhere: BTreeMap<NodeId, Elsewhere>,
    /// Ticks until it is decided, if a quorum agrees.
    decide_in: Option<u32>,
    to_heartbeat: u32,
    /// Ticks until it is begun anew, if nothing comes of it.
    ticks_left: u32,
}

#[derive(Clone, Copy, Debug)]
struct Elsewhere {
    round: u64,
    leader: NodeId,
    leads: bool,
}

impl Zab {
    /// Looks for a leader, in a new round; unless it is no member, and waits for one to come.
    pub(super) fn look(&mut self, effects: &mut Effects) {
        self.leave(effects);
        self.waited_ticks = 0;
        if self.ensemble().contains(self.config.me) {
            self.stand(effects);
        }
    }

    fn stand(&mut self, effects: &mut Effects) {
        self.round += 1;
        self.vote = self.own_vote();
        self.state = State::Looking(Election {
            votes: [(self.config.me, self.vote)].into(),
            elsewhere: BTreeMap::new(),
            decide_in: None,
            to_heartbeat: self.config.heartbeat_ticks,
            ticks_left: self.config.election_ticks,
        });
        self.notify_all(effects);
        self.consider_votes(effects);
    }

    /// A node that was removed, but does not know that to be committed, lets the others elect one of them
    /// first: they would not agree on it, unless they need it.
    pub(super) fn tick_waiting(&mut self, effects: &mut Effects) {
        self.waited_ticks = self.waited_ticks.saturating_add(1);
        if self.takes_part() && self.waited_ticks >= self.config.election_ticks.saturating_mul(2) {
            self.waited_ticks = 0;
            self.stand(effects);
        }
    }

    /// Does it take part in elections? So does a node whose removal is not known to be committed: it may be
    /// the only one to hold the activation, and so the only one that the others may follow.
    fn takes_part(&self) -> bool {
        let committed = self.ensembles.at(self.commit);
        self.ensemble().contains(self.config.me) || committed.contains(self.config.me)
    }

    pub(super) fn own_vote(&self) -> Vote {
        Vote {
            recency: self.recency(),
            leader: self.config.me,
        }
    }

    pub(super) fn tick_looking(&mut self, effects: &mut Effects) {
        let State::Looking(election) = &mut self.state else {
            return;
        };
        election.to_heartbeat = election.to_heartbeat.saturating_sub(1);
        let notify = election.to_heartbeat == 0;
        if notify {
            election.to_heartbeat = self.config.heartbeat_ticks;
        }
        let decided = match &mut election.decide_in {
            Some(ticks) => {
                *ticks = ticks.saturating_sub(1);
                *ticks == 0
            }
            None => false,
        };
        election.ticks_left = election.ticks_left.saturating_sub(1);
        let stuck = election.ticks_left == 0;
        if decided {
            self.conclude(effects);
        } else if stuck {
            self.look(effects);
        } else if notify {
            self.notify_all(effects);
        }
    }

    /// What it says that it is.
    pub(super) fn standing(&self) -> Standing {
        match &self.state {
            State::Looking(_) | State::Waiting => Standing::Looking,
            State::Following(_) => Standing::Following,
            State::Leading(_) => Standing::Leading,
        }
    }

    fn notification(&self) -> Message {
        Message::Notification {
            round: self.round,
            vote: self.vote,
            standing: self.standing(),
        }
    }

    fn notify(&self, to: NodeId, effects: &mut Effects) {
        let message = self.notification();
        effects.push(Effect::Send { to, message });
    }

    fn notify_all(&self, effects: &mut Effects) {
        let mut voters = self.ensemble().voters();
        if !voters.contains(&self.vote.leader) {
            // It became a member in what this node lacks, and counts on this vote.
            voters.push(self.vote.leader);
        }
        for to in voters {
            if to != self.config.me {
                self.notify(to, effects);
            }
        }
    }

    /// Somebody says how it votes, or has voted.
    pub(super) fn notified(
        &mut self,
        from: NodeId,
        round: u64,
        vote: Vote,
        standing: Standing,
        effects: &mut Effects,
    ) {
        match (&self.state, standing) {
            (State::Looking(_), Standing::Looking) => self.count_vote(from, round, vote, effects),
            (State::Looking(_), _) => self.note_elsewhere(from, round, vote, standing, effects),
            (State::Following(following), Standing::Looking)
                if following.leader == from && round > self.round =>
            {
                // It leads no more.
                self.look(effects);
                self.count_vote(from, round, vote, effects);
            }
            (State::Following(_) | State::Leading(_), Standing::Looking) => self.notify(from, effects),
            (State::Waiting, Standing::Looking) if vote.recency > self.recency() => {
                // Only voters are asked: there is a reconfiguration, not known here, that makes this node one.
                self.stand(effects);
                self.count_vote(from, round, vote, effects);
            }
            _ => {}
        }
    }

    /// Is a vote for a node that is no member, as far as this one knows, to be reckoned with? Only if that
    /// node knows more: then this one may not have heard that it became a member. Who was removed, and has not
    /// heard of it, has an older history than all who have.
    fn may_lead(&self, vote: &Vote) -> bool {
        self.ensemble().contains(vote.leader) || vote.recency > self.recency()
    }

    fn is_better(&self, one: &Vote, other: &Vote) -> bool {
        if self.config.has(&defects::BLIND_ELECTIONS) {
            return one.leader > other.leader;
        }
        one > other
    }

    fn count_vote(&mut self, from: NodeId, round: u64, vote: Vote, effects: &mut Effects) {
        if round < self.round {
            self.notify(from, effects);
            return;
        }
        let may_lead = self.may_lead(&vote);
        let own = self.own_vote();
        let newer = round > self.round;
        let against = if newer { own } else { self.vote };
        let adopt = may_lead && self.is_better(&vote, &against);
        let State::Looking(election) = &mut self.state else {
            return;
        };
        if newer {
            // Its own round is over: the others are further.
            self.round = round;
            election.votes.clear();
        }
        if newer || adopt {
            self.vote = if adopt { vote } else { own };
            election.decide_in = None;
            election.votes.insert(self.config.me, self.vote);
        }
        election.votes.insert(from, vote);
        if newer || adopt {
            self.notify_all(effects);
        }
        if !self.ensemble().contains(from) {
            self.notify(from, effects);
        }
        self.consider_votes(effects);
    }

    /// Has a quorum the same vote as this node?
    fn consider_votes(&mut self, effects: &mut Effects) {
        let State::Looking(election) = &mut self.state else {
            return;
        };
        let ensemble = self.ensembles.current();
        let agrees = |node: NodeId| election.votes.get(&node) == Some(&self.vote);
        if !ensemble.is_quorum(agrees) {
            election.decide_in = None;
        } else if ensemble.voters().into_iter().all(agrees) {
            // Nobody is left who could have a better vote.
            self.conclude(effects);
        } else if election.decide_in.is_none() {
            election.decide_in = Some(FINALIZE_TICKS);
        }
    }

    fn conclude(&mut self, effects: &mut Effects) {
        if self.vote.leader == self.config.me {
            self.lead(effects);
        } else {
            self.follow(self.vote.leader, effects);
        }
    }

    /// Somebody has a leader. If a quorum has that one, and it says itself that it leads, it is joined. What a
    /// quorum is, a leader knows better whose history is the more recent: its own word is enough.
    fn note_elsewhere(
        &mut self,
        from: NodeId,
        round: u64,
        vote: Vote,
        standing: Standing,
        effects: &mut Effects,
    ) {
        let ahead = vote.recency > self.recency();
        let State::Looking(election) = &mut self.state else {
            return;
        };
        let leader = vote.leader;
        let said = Elsewhere {
            round,
            leader,
            leads: standing == Standing::Leading,
        };
        election.elsewhere.insert(from, said);
        let follows = |node: NodeId| {
            let said = election.elsewhere.get(&node);
            said.is_some_and(|said| said.leader == leader && said.round == round)
        };
        let leads = election.elsewhere.get(&leader).is_some_and(|said| said.leads);
        let knows_better = leader == from && ahead;
        if leader != self.config.me && leads && (knows_better || self.ensembles.current().is_quorum(follows))
        {
            self.round = round;
            self.follow(leader, effects);
        } else if round == self.round && standing == Standing::Following {
            // It was decided for it in this round: its vote counts, and may have been lost (Medeiros, section
            // 4.2). So does a node learn that it was elected itself.
            election.votes.insert(from, vote);
            self.consider_votes(effects);
        }
    }

    /// A leader that a quorum follows is heard of by a node that has none: it is joined, as the quorum that
    /// follows it makes it the outcome of every election. So also does a node learn of its leader that was not
    /// a member when it last heard of the ensemble.
    pub(super) fn invited(&mut self, from: NodeId, epoch: u64, body: &Body, effects: &mut Effects) {
        let Body::Ping {
            established: true, ..
        } = body
        else {
            return;
        };
        if matches!(&self.state, State::Leading(leading) if leading.epoch >= epoch) {
            return;
        }
        let promised_another = epoch == self.accepted.epoch && self.accepted.leader != Some(from);
        if epoch < self.accepted.epoch || promised_another {
            // It can not be joined, in that epoch; and it should know.
            self.introduce(from, effects);
        } else {
            self.follow(from, effects);
        }
    }
}
