//! Causal memory (Ahamad et al., 1995), for a register with unique values.
//!
//! A write depends on all that its client had written or read before it, and on what those depended on. Views as
//! in `guarantees`, but every view keeps writes behind what they depend on. What a view puts before a client's
//! operations is then what they depend on, and that is known from vector clocks (Mattern, 1988).

use super::scene::Scene;
use super::sessions::{Breach, Sessions, Source};
use super::waits::{self, Walk};
use crate::monitor::register::NONE;

/// The most numbers of vector clocks that are looked at.
const WORK_MAX: usize = 2_000_000_000;

/// Why it was not found out.
pub(super) enum Unknown {
    TooManyClients,
    Stopped,
}

/// How many writes of each client (completed ones; those of unknown outcome count as clients of their own) are
/// known.
pub(super) type Clock = Vec<u32>;

struct Causal<'a> {
    scene: &'a Scene<'a>,
    sessions: &'a Sessions,
    /// For each value with a source of unknown outcome that was read, its place in clocks.
    places: Vec<u32>,
    clocks: Vec<Clock>,
    /// For each client, what it saw or wrote last.
    current: Vec<Option<(u32, u32)>>,
    /// For each value that is still to be read, what its write depends on, itself included.
    known: Vec<Clock>,
    /// For each value, how many reads of it are still to be handled.
    readers: Vec<u32>,
}

/// The breach that is found first, if there is one.
pub(super) fn causal(
    scene: &Scene<'_>,
    sessions: &Sessions,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Breach>, Unknown> {
    let mut this = Causal::new(scene, sessions);
    let width = this.clocks.len() + this.places.iter().filter(|&&place| place != NONE).count();
    if width.saturating_mul(scene.acts.len()) > WORK_MAX {
        return Err(Unknown::TooManyClients);
    }
    // What each operation waits for: the one before it in its session, and the writer of what it found.
    let mut waits: Vec<(u32, u32)> = Vec::with_capacity(2 * scene.acts.len());
    let mut last = vec![NONE; scene.sessions as usize];
    for (i, act) in (0..).zip(&scene.acts) {
        let before = last[act.session as usize];
        if before != NONE {
            waits.push((before, i));
        }
        if act.is_pending() {
            continue;
        }
        last[act.session as usize] = i;
        if let Some(value) = act.step.requires() {
            if scene.is_from_nowhere(value) {
                return Ok(Some(this.breach(i, value, NONE)));
            }
            let writer = scene.writers[value as usize];
            if writer != NONE {
                waits.push((writer, i));
            }
        }
    }
    waits.sort_unstable();
    Ok(
        match waits::walk(scene.acts.len(), &waits, stop, |i| this.handle(i))? {
            Walk::Done => None,
            Walk::Broken(breach) => Some(breach),
            Walk::Stuck { open, first } => Some(circle(scene, &waits, &open, first)),
        },
    )
}

impl<'a> Causal<'a> {
    fn new(scene: &'a Scene<'a>, sessions: &'a Sessions) -> Causal<'a> {
        let mut readers = vec![0; scene.values() as usize];
        for act in scene.acts.iter().filter(|act| !act.is_pending()) {
            if let Some(value) = act.step.requires() {
                readers[value as usize] += 1;
            }
        }
        let mut places = vec![NONE; scene.values() as usize];
        let mut next = scene.sessions;
        for (value, source) in sessions.sources.iter().enumerate() {
            if matches!(source, Source::Pending { .. }) && readers[value] > 0 {
                places[value] = next;
                next += 1;
            }
        }
        Causal {
            scene,
            sessions,
            places,
            clocks: vec![Clock::new(); scene.sessions as usize],
            current: vec![None; scene.sessions as usize],
            known: vec![Clock::new(); scene.values() as usize],
            readers,
        }
    }

    /// Where a value's write is counted, and its number there.
    fn place(&self, value: u32) -> Option<(usize, u32)> {
        match self.sessions.source(value) {
            Source::Completed { session, index } => Some((session as usize, index)),
            Source::Pending { .. } => Some((self.places[value as usize] as usize, 0)),
            Source::Initial | Source::Nowhere => None,
        }
    }

    fn handle(&mut self, i: u32) -> Option<Breach> {
        let act = self.scene.acts[i as usize];
        let session = act.session as usize;
        if let Some(value) = act.step.requires().filter(|_| !act.is_pending()) {
            if let Some(breach) = self.see(i, session, value, false) {
                return Some(breach);
            }
            let known = &mut self.known[value as usize];
            join(&mut self.clocks[session], known);
            self.readers[value as usize] -= 1;
            if self.readers[value as usize] == 0 {
                *known = Clock::new();
            }
        }
        let value = act.step.produces()?;
        let is_read = self.readers[value as usize] > 0;
        if act.is_pending() {
            if is_read && let Some((place, _)) = self.place(value) {
                let mut clock = self.clocks[session].clone();
                raise(&mut clock, place, 1);
                self.known[value as usize] = clock;
            }
            return None;
        }
        if let Some(breach) = self.see(i, session, value, true) {
            return Some(breach);
        }
        if let Some((place, index)) = self.place(value) {
            raise(&mut self.clocks[session], place, index + 1);
        }
        if is_read {
            self.known[value as usize] = self.clocks[session].clone();
        }
        None
    }

    /// A client sees a value: it must not be behind what it has seen.
    fn see(&mut self, i: u32, session: usize, value: u32, writes: bool) -> Option<Breach> {
        if let Some((last, by)) = self.current[session]
            && (last != value || writes)
        {
            let is_behind = match self.place(value) {
                None => true,
                Some((place, index)) => self.clocks[session]
                    .get(place)
                    .is_some_and(|&count| index < count),
            };
            if is_behind {
                return Some(self.breach(i, value, by));
            }
        }
        self.current[session] = Some((value, i));
        None
    }

    fn breach(&self, at: u32, value: u32, earlier: u32) -> Breach {
        Breach {
            at,
            value,
            earlier,
            others: vec![self.scene.writers[value as usize]],
        }
    }
}

pub(super) fn raise(clock: &mut Clock, place: usize, count: u32) {
    if clock.len() <= place {
        clock.resize(place + 1, 0);
    }
    clock[place] = clock[place].max(count);
}

pub(super) fn join(clock: &mut Clock, other: &Clock) {
    if clock.len() < other.len() {
        clock.resize(other.len(), 0);
    }
    for (count, other) in clock.iter_mut().zip(other) {
        *count = (*count).max(*other);
    }
}

/// Operations that wait for each other. `start` waits, and whatever waits is waiting for one that waits: going back,
/// one comes round.
fn circle(scene: &Scene<'_>, waits: &[(u32, u32)], open: &[u8], start: u32) -> Breach {
    let mut before = vec![NONE; scene.acts.len()];
    for &(earlier, i) in waits {
        if open[earlier as usize] > 0 {
            before[i as usize] = earlier;
        }
    }
    let mut place = vec![usize::MAX; scene.acts.len()];
    let (mut path, mut at) = (Vec::new(), start);
    while at != NONE && place[at as usize] == usize::MAX {
        place[at as usize] = path.len();
        path.push(at);
        at = before[at as usize];
    }
    if at != NONE {
        path.drain(..place[at as usize]);
    }
    let reader = path
        .iter()
        .find_map(|&i| Some((i, scene.acts[i as usize].step.requires()?)));
    let (at, value) = reader.unwrap_or((start, 0));
    Breach {
        at,
        value,
        earlier: NONE,
        others: path,
    }
}
