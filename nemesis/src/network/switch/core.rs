//! What becomes of each frame: a function of the frames, their times and the seeds of the faults, and nothing
//! else. No sockets, no clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use partita_generator::{Random, random};
use rand::RngExt;

use super::frame::{self, Refusal};
use super::tally::Tally;
use crate::network::link::{Endpoint, Force, Interference, Link};

/// Time since the switch began.
pub(super) type Time = Duration;

/// Over a link of limited rate, what would wait longer than this is lost, as in the queue of a router.
const QUEUE: Duration = Duration::from_millis(300);
/// What such a link lets through at once, after a rest, in time.
const BURST: Duration = Duration::from_millis(20);
/// The most that the switch keeps; more than that is lost. TCP does not send as much unacknowledged.
const KEPT_MAX: usize = 256 << 20;

/// What is to be done with a frame that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on at once.
    PassOn,
    /// It is kept, to go on later, or dropped.
    Taken,
    /// It is dropped, and this is sent back at once.
    SendBack(Vec<u8>),
}

#[derive(Debug, Default)]
pub(super) struct Core {
    lanes: BTreeMap<Link, Lane>,
    /// What is under way, by the time at which it goes on, and by its number: first come, first served.
    queue: BTreeMap<(Time, u64), (Link, Vec<u8>)>,
    numbered: u64,
    kept: usize,
    /// A link may have ceased to be busy.
    idled: bool,
}

/// One directed link.
#[derive(Debug, Default)]
struct Lane {
    /// The strongest first.
    conditions: Vec<Condition>,
    /// How many of the link's frames are in the queue.
    waiting: usize,
    /// When the last frame that keeps to the order goes on.
    last_due: Time,
    held: VecDeque<Vec<u8>>,
    tally: Tally,
}

/// What one fault does to one link.
#[derive(Debug)]
struct Condition {
    force: Force,
    rng: Random,
    /// When a link of limited rate has sent all that came before.
    free_at: Time,
}

/// What the conditions of a link decided of a frame.
struct Journey {
    due: Time,
    copies: usize,
    spoilt: Option<u32>,
    /// How long it is held up while others overtake it.
    held_up: Duration,
}

impl Core {
    /// A frame that would go over this link.
    pub(super) fn arrive(&mut self, now: Time, link: Link, frame: &[u8]) -> Fate {
        let lane = self.lanes.entry(link).or_default();
        lane.tally.arrived += 1;
        if lane.conditions.is_empty() && lane.waiting == 0 {
            lane.tally.forward(frame.len());
            return Fate::PassOn;
        }
        match lane.strongest() {
            Some(Interference::Reset) => return lane.refuse(frame),
            Some(Interference::Stall) => {
                lane.tally.cut += 1;
                return Fate::Taken;
            }
            Some(Interference::Hold) => {
                if self.kept + frame.len() > KEPT_MAX {
                    lane.tally.overflowed += 1;
                } else {
                    self.kept += frame.len();
                    lane.tally.held += 1;
                    lane.held.push_back(frame.to_vec());
                }
                return Fate::Taken;
            }
            _ => {}
        }
        let Some(journey) = lane.travel(now, frame.len()) else {
            return Fate::Taken;
        };
        if journey.due <= now && journey.copies == 1 && journey.spoilt.is_none() && lane.waiting == 0 {
            lane.tally.forward(frame.len());
            return Fate::PassOn;
        }
        for _ in 0..journey.copies {
            let mut copy = frame.to_vec();
            if let Some(choice) = journey.spoilt {
                frame::spoil(&mut copy, choice);
            }
            self.enqueue(journey.due, link, copy);
        }
        Fate::Taken
    }

    /// The next frame that is to go on by now, and where to.
    pub(super) fn take_due(&mut self, now: Time) -> Option<(Endpoint, Vec<u8>)> {
        let first = self.queue.first_entry().filter(|first| first.key().0 <= now)?;
        let (link, frame) = first.remove();
        self.kept -= frame.len();
        let lane = self.lanes.entry(link).or_default();
        lane.waiting -= 1;
        self.idled |= !lane.is_busy();
        lane.tally.forward(frame.len());
        Some((link.to, frame))
    }

    /// When the next frame is to go on.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.queue.first_key_value().map(|(&(due, _), _)| due)
    }

    /// From now on this is in force and nothing else: on all links at once.
    pub(super) fn set(&mut self, now: Time, mut in_force: BTreeMap<Link, Vec<Force>>) {
        for (link, lane) in &mut self.lanes {
            lane.set(*link, now, in_force.remove(link).unwrap_or_default());
        }
        for (link, forces) in in_force {
            let mut lane = Lane::default();
            lane.set(link, now, forces);
            self.lanes.insert(link, lane);
        }
        self.seize();
        self.hurry(now);
        self.release(now);
        self.may_have_idled();
    }

    pub(super) fn may_have_idled(&mut self) {
        self.idled = true;
    }

    /// Whether a link may have ceased to be busy since this was asked last.
    pub(super) fn take_idled(&mut self) -> bool {
        std::mem::take(&mut self.idled)
    }

    /// The links to which something is done, or of which something waits.
    pub(super) fn busy(&self) -> BTreeSet<Link> {
        let busy = self.lanes.iter().filter(|(_, lane)| lane.is_busy());
        busy.map(|(link, _)| *link).collect()
    }

    pub(super) fn tally(&self, link: Link) -> Tally {
        self.lanes.get(&link).map(|lane| lane.tally).unwrap_or_default()
    }

    fn enqueue(&mut self, due: Time, link: Link, frame: Vec<u8>) {
        let lane = self.lanes.entry(link).or_default();
        if self.kept + frame.len() > KEPT_MAX {
            lane.tally.overflowed += 1;
            return;
        }
        lane.waiting += 1;
        self.kept += frame.len();
        self.queue.insert((due, self.numbered), (link, frame));
        self.numbered += 1;
    }

    /// What is under way when a link is cut does not arrive: from then on nothing does. What is under way when it is
    /// held is held, before all that comes later.
    fn seize(&mut self) {
        let stopped: Vec<(Time, u64)> = self
            .queue
            .iter()
            .filter(|(_, (link, _))| self.lanes.get(link).is_some_and(Lane::is_cut))
            .map(|(key, _)| *key)
            .collect();
        for key in stopped {
            let Some((link, frame)) = self.queue.remove(&key) else {
                continue;
            };
            let lane = self.lanes.entry(link).or_default();
            lane.waiting -= 1;
            if lane.strongest() == Some(Interference::Hold) {
                lane.tally.held += 1;
                lane.held.push_back(frame);
            } else {
                lane.tally.cut += 1;
                self.kept -= frame.len();
            }
        }
    }

    /// What waits on links that make nothing wait any more goes on, in its order.
    fn hurry(&mut self, now: Time) {
        let free: Vec<(Time, u64)> = self
            .queue
            .iter()
            .filter(|(_, (link, _))| self.lanes.get(link).is_some_and(Lane::is_prompt))
            .map(|(key, _)| *key)
            .collect();
        for key in free {
            let Some(entry) = self.queue.remove(&key) else {
                continue;
            };
            self.queue.insert((now.min(key.0), self.numbered), entry);
            self.numbered += 1;
        }
    }

    /// What was held on links that hold nothing any more goes on.
    fn release(&mut self, now: Time) {
        let released: Vec<(Link, VecDeque<Vec<u8>>)> = self
            .lanes
            .iter_mut()
            .filter(|(_, lane)| !lane.is_cut())
            .map(|(link, lane)| (*link, std::mem::take(&mut lane.held)))
            .collect();
        for (link, frames) in released {
            let due = now.max(self.lanes[&link].last_due);
            for frame in frames {
                self.kept -= frame.len();
                self.enqueue(due, link, frame);
            }
        }
    }
}

impl Lane {
    fn strongest(&self) -> Option<Interference> {
        self.conditions
            .first()
            .map(|condition| condition.force.interference)
    }

    fn is_busy(&self) -> bool {
        !self.conditions.is_empty() || self.waiting > 0
    }

    fn is_cut(&self) -> bool {
        self.strongest().is_some_and(Interference::is_cut)
    }

    /// Does it let go on at once whatever it lets go on?
    fn is_prompt(&self) -> bool {
        !self.conditions.iter().any(|condition| {
            matches!(
                condition.force.interference,
                Interference::Delay { .. } | Interference::Rate(_) | Interference::Reorder { .. }
            )
        })
    }

    fn set(&mut self, link: Link, now: Time, mut forces: Vec<Force>) {
        forces.reverse();
        let mut before = std::mem::take(&mut self.conditions);
        let mut condition = |force: Force| {
            let same = before.iter().position(|condition| condition.force == force);
            same.map_or_else(
                || Condition {
                    force,
                    rng: random(force.seed, &format!("{link:?}")),
                    free_at: now,
                },
                |same| before.swap_remove(same),
            )
        };
        self.conditions = forces.into_iter().map(&mut condition).collect();
        if self.is_prompt() {
            self.last_due = now;
        }
    }

    fn refuse(&mut self, frame: &[u8]) -> Fate {
        match frame::refuse(frame) {
            Refusal::Answered(reset) => {
                self.tally.refused += 1;
                Fate::SendBack(reset)
            }
            Refusal::Silent => {
                self.tally.cut += 1;
                Fate::Taken
            }
            Refusal::Passes => Fate::PassOn,
        }
    }

    /// What becomes of a frame that nothing stops for good; `None` if it is lost.
    fn travel(&mut self, now: Time, length: usize) -> Option<Journey> {
        let mut journey = Journey {
            due: now,
            copies: 1,
            spoilt: None,
            held_up: Duration::ZERO,
        };
        let tally = &mut self.tally;
        for Condition { force, rng, free_at } in &mut self.conditions {
            match force.interference {
                Interference::Loss(share) if share.draw(rng) => {
                    tally.lost += 1;
                    return None;
                }
                Interference::Corrupt(share) if share.draw(rng) => {
                    tally.corrupted += 1;
                    journey.spoilt = Some(rng.random());
                }
                Interference::Duplicate(share) if share.draw(rng) => {
                    tally.duplicated += 1;
                    journey.copies += 1;
                }
                Interference::Reorder { share, by } if share.draw(rng) => {
                    tally.reordered += 1;
                    journey.held_up += by;
                }
                // A token bucket, told by the time at which it will be full again.
                Interference::Rate(bytes_per_second) => {
                    if free_at.saturating_sub(journey.due) > QUEUE {
                        tally.overflowed += 1;
                        return None;
                    }
                    let takes = Duration::from_secs_f64(length as f64 / bytes_per_second.max(1) as f64);
                    *free_at = (*free_at).max(journey.due.saturating_sub(BURST)) + takes;
                    if *free_at > journey.due {
                        tally.throttled += 1;
                        journey.due = *free_at;
                    }
                }
                Interference::Delay { least, jitter } => {
                    tally.delayed += 1;
                    journey.due += least + jitter.draw(rng);
                }
                _ => {}
            }
        }
        if journey.held_up.is_zero() {
            journey.due = journey.due.max(self.last_due);
            self.last_due = journey.due;
        } else {
            journey.due += journey.held_up;
        }
        Some(journey)
    }
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
