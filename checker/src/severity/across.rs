//! Causal consistency across keys: is every read explained by what its client, and those whom it had learned
//! from, had done before?
//!
//! This is weak causal consistency (Bouajjani, Enea, Guerraoui and Hamza, POPL 2017): a read depends on what its
//! client had done before, on the write that it saw, and on what those depend on. It is explained unless something
//! depends on itself, or it depends on a write to the same key that itself depends on the one it saw (or, if it
//! saw the initial value, on any write to the key). With unique values that is exact.

use rustc_hash::FxHashMap;

use super::causal::{Clock, Unknown, join, raise};
use super::result::Holds;
use super::scene::Scene;
use super::waits::{self, Walk};
use crate::linearizability::entry::Object;
use crate::linearizability::words::client_via;
use crate::monitor::register::{INITIAL, NONE};

/// The most numbers of vector clocks that are kept, and looked at.
const KEPT_MAX: usize = 32_000_000;
const WORK_MAX: usize = 500_000_000;

/// An operation on one of the keys.
struct Op {
    key: u32,
    /// Its place among those on its key.
    act: u32,
    invoked: u32,
    session: u32,
    pending: bool,
    /// The versions that it found and left, numbered over all keys.
    found: Option<u32>,
    left: Option<u32>,
}

/// Where a version was written: a place in clocks, and its number there.
#[derive(Clone, Copy)]
struct Written {
    by: u32,
    place: u32,
    number: u32,
}

struct Across<'a> {
    scenes: &'a [Scene<'a>],
    ops: Vec<Op>,
    /// For each version, where it was written; none for initial values.
    written: Vec<Option<Written>>,
    /// For each key, its initial version.
    initials: Vec<u32>,
    /// For each place and key, the writes there: number and version.
    writes: FxHashMap<(u32, u32), Vec<(u32, u32)>>,
    clocks: Vec<Clock>,
    /// For each version, what its write depends on, itself included.
    known: Vec<Clock>,
    width: u32,
}

/// Whether all keys together are causally consistent; none if some object is no register.
pub(super) fn across(objects: &[Object<'_>], stop: &dyn Fn() -> bool) -> Option<Holds> {
    let scenes: Vec<Scene<'_>> = objects
        .iter()
        .map(|object| Scene::new(object, &object.entries))
        .collect::<Option<_>>()?;
    let not_known = |why: String| Holds::NotKnown { why };
    if let Some(muddle) = scenes.iter().find_map(|scene| scene.muddle) {
        return Some(not_known(muddle.why()));
    }
    let mut this = Across::new(&scenes);
    let found = match this.first_breach(stop) {
        Ok(None) => return Some(Holds::Yes),
        Ok(Some(found)) => found,
        Err(Unknown::TooManyClients) => return Some(not_known("there are too many clients".to_owned())),
        Err(Unknown::Stopped) => return Some(not_known("the time for it was up".to_owned())),
    };
    Some(this.told(&found))
}

impl<'a> Across<'a> {
    fn new(scenes: &'a [Scene<'a>]) -> Across<'a> {
        let (mut ops, mut versions) = (Vec::new(), 0);
        let mut initials = Vec::with_capacity(scenes.len());
        let mut sessions: FxHashMap<u64, u32> = FxHashMap::default();
        for (key, scene) in (0..).zip(scenes) {
            for (i, act) in (0..).zip(&scene.acts) {
                let next = sessions.len() as u32;
                ops.push(Op {
                    key,
                    act: i,
                    invoked: act.invoked,
                    session: *sessions.entry(scene.recorded(act).process).or_insert(next),
                    pending: act.is_pending(),
                    found: act.step.requires().map(|value| versions + value),
                    left: act.step.produces().map(|value| versions + value),
                });
            }
            initials.push(versions + INITIAL);
            versions += scene.values();
        }
        ops.sort_unstable_by_key(|op| op.invoked);
        let mut this = Across {
            scenes,
            ops,
            written: vec![None; versions as usize],
            initials,
            writes: FxHashMap::default(),
            clocks: vec![Clock::new(); sessions.len()],
            known: vec![Clock::new(); versions as usize],
            width: sessions.len() as u32,
        };
        this.place_writes();
        this
    }

    /// A write of unknown outcome has a place of its own: nothing need come after it.
    fn place_writes(&mut self) {
        let mut counts = vec![0; self.clocks.len()];
        for (i, op) in (0..).zip(&self.ops) {
            let Some(version) = op.left else { continue };
            let (place, number) = if op.pending {
                self.width += 1;
                (self.width - 1, 0)
            } else {
                let count = &mut counts[op.session as usize];
                *count += 1;
                (op.session, *count - 1)
            };
            self.written[version as usize] = Some(Written { by: i, place, number });
            self.writes
                .entry((place, op.key))
                .or_default()
                .push((number, version));
        }
    }

    /// Operations that show that something is not explained: the last is the one that is not.
    fn first_breach(&mut self, stop: &dyn Fn() -> bool) -> Result<Option<Vec<u32>>, Unknown> {
        let width = self.width as usize;
        if width * self.written.len() > KEPT_MAX || width * self.ops.len() > WORK_MAX {
            return Err(Unknown::TooManyClients);
        }
        let mut waits: Vec<(u32, u32)> = Vec::with_capacity(2 * self.ops.len());
        let mut last = vec![NONE; self.clocks.len()];
        for (i, op) in (0..).zip(&self.ops) {
            let before = last[op.session as usize];
            if before != NONE {
                waits.push((before, i));
            }
            if op.pending {
                continue;
            }
            last[op.session as usize] = i;
            if let Some(version) = op.found {
                match self.written[version as usize] {
                    Some(written) => waits.push((written.by, i)),
                    None if self.initials[op.key as usize] == version => {}
                    None => return Ok(Some(vec![i])),
                }
            }
        }
        waits.sort_unstable();
        let found = waits::walk(self.ops.len(), &waits, stop, |i| {
            let newer = self.handle(i)?;
            Some(vec![newer, i])
        })?;
        Ok(match found {
            Walk::Done => None,
            Walk::Broken(breach) => Some(breach),
            Walk::Stuck { first, .. } => Some(vec![first]),
        })
    }

    /// A write that this operation depends on, and that is newer than the one it saw.
    fn handle(&mut self, i: u32) -> Option<u32> {
        let Op {
            key,
            session,
            pending,
            found,
            left,
            ..
        } = self.ops[i as usize];
        let session = session as usize;
        if let Some(version) = found.filter(|_| !pending) {
            join(&mut self.clocks[session], &self.known[version as usize]);
            if let Some(newer) = self.newer(session, key, version) {
                return Some(newer);
            }
        }
        let version = left?;
        let Written { place, number, .. } = self.written[version as usize]?;
        let mut clock = self.clocks[session].clone();
        raise(&mut clock, place as usize, number + 1);
        if !pending {
            self.clocks[session].clone_from(&clock);
        }
        self.known[version as usize] = clock;
        None
    }

    fn newer(&self, session: usize, key: u32, version: u32) -> Option<u32> {
        let seen = self.written[version as usize];
        for (place, &count) in (0..).zip(&self.clocks[session]) {
            let Some(writes) = self.writes.get(&(place, key)).filter(|_| count > 0) else {
                continue;
            };
            // The last of that client's to this key which is known.
            let known = writes.partition_point(|&(number, _)| number < count);
            let Some(&(_, other)) = known.checked_sub(1).and_then(|last| writes.get(last)) else {
                continue;
            };
            let is_newer = match seen {
                None => true,
                Some(seen) => {
                    let depends = self.known[other as usize].get(seen.place as usize);
                    other != version && depends.is_some_and(|&count| seen.number < count)
                }
            };
            if is_newer {
                return self.written[other as usize].map(|written| written.by);
            }
        }
        None
    }

    fn told(&self, found: &[u32]) -> Holds {
        let act = |i: u32| {
            let op = &self.ops[i as usize];
            let scene = &self.scenes[op.key as usize];
            (scene, &scene.acts[op.act as usize])
        };
        let operations = found.iter().map(|&i| act(i).1.id).collect();
        let last = found.last().copied().unwrap_or_default();
        let (scene, reader) = act(last);
        let seen = reader.step.requires().map(|value| scene.name(value));
        let on = match scene.object.key {
            Some(key) => format!(" on key {key}"),
            None => String::new(),
        };
        let read = format!(
            "{} found {}{on}",
            client_via(scene.recorded(reader)),
            seen.map(ToString::to_string).unwrap_or_default()
        );
        let why = match found {
            [newer, _] => {
                let (scene, newer) = act(*newer);
                let value = newer.step.produces().map(|value| scene.name(value));
                format!(
                    "{read}, though what it had seen before depends on the newer {}",
                    value.map(ToString::to_string).unwrap_or_default()
                )
            }
            _ => format!("{read} before that can have been there"),
        };
        Holds::No { operations, why }
    }
}
