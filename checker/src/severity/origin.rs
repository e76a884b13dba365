//! What each read can have seen at best (ALGORITHMS.md 2.5 and 4). Repeated values are no obstacle.
//!
//! An operation r that found v may have found it only from a mutator w that left v and was invoked before r
//! returned. It was certainly overwritten if a completed mutator lies wholly between w and r. Of several w, the
//! one that returned last leaves the least time for that, and the fewest mutators.

use super::scene::{Act, Scene};
use crate::monitor::register::INITIAL;

/// What an operation found, at best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It required nothing, or something that may have been there.
    Possible,
    /// Nothing can have left the value before the operation returned.
    Nowhere,
    /// The value had certainly been overwritten when the operation began.
    Overwritten {
        /// What left the value last; none for the initial value.
        writer: Option<u32>,
        /// The first completed operation that had overwritten it.
        overwriter: u32,
        /// How many completed mutators lie wholly in between.
        missed: u32,
    },
}

/// For each operation, what it found.
pub(crate) fn origins(scene: &Scene<'_>) -> Vec<Origin> {
    let producers = Producers::new(scene);
    let overwriters = Overwriters::new(&scene.acts);
    let mut origins = vec![Origin::Possible; scene.acts.len()];
    // For each stale one: from when on, and until when, mutators are counted.
    let mut missed: Vec<(u32, i64, usize)> = Vec::new();
    for (i, act) in scene.acts.iter().enumerate() {
        let Some(value) = act.step.requires().filter(|_| !act.is_pending()) else {
            continue;
        };
        let Some((returned, writer)) = producers.last_before(value, act.deadline) else {
            origins[i] = Origin::Nowhere;
            continue;
        };
        if let Some(overwriter) = overwriters.first_after(returned)
            && scene.acts[overwriter as usize].deadline < act.invoked
        {
            origins[i] = Origin::Overwritten {
                writer,
                overwriter,
                missed: 0,
            };
            missed.push((act.invoked, returned, i));
        }
    }
    missed.sort_unstable();
    let mut counter = Counter::new(&scene.acts);
    for (until, since, i) in missed {
        let count = counter.between(since, until);
        if let Origin::Overwritten { missed, .. } = &mut origins[i] {
            *missed = count;
        }
    }
    origins
}

/// For each value: what leaves it, by invocation, each with the return and the name of that which returned last
/// until then. The initial value returned before all.
struct Producers {
    all: Vec<(u32, u32)>,
    starts: Vec<usize>,
    last: Vec<(i64, Option<u32>)>,
}

impl Producers {
    fn new(scene: &Scene<'_>) -> Producers {
        let mut all: Vec<(u32, u32, u32)> = (0..)
            .zip(&scene.acts)
            .filter_map(|(i, act)| Some((act.step.produces()?, act.invoked, i)))
            .collect();
        all.sort_unstable();
        let mut starts = vec![0; scene.values() as usize + 1];
        for &(value, ..) in &all {
            starts[value as usize + 1] += 1;
        }
        for value in 1..starts.len() {
            starts[value] += starts[value - 1];
        }
        let mut last: Vec<(i64, Option<u32>)> = Vec::with_capacity(all.len());
        for (at, &(value, _, i)) in all.iter().enumerate() {
            let mut best = (returned(&scene.acts[i as usize]), Some(i));
            if at > starts[value as usize] {
                best = best.max(last[at - 1]);
            }
            last.push(best);
        }
        Producers {
            all: all.into_iter().map(|(_, invoked, i)| (invoked, i)).collect(),
            starts,
            last,
        }
    }

    /// Of what left the value and was invoked before `deadline`, the one that returned last.
    fn last_before(&self, value: u32, deadline: u32) -> Option<(i64, Option<u32>)> {
        let range = self.starts[value as usize]..self.starts[value as usize + 1];
        let candidates = self.all[range.clone()].partition_point(|&(invoked, _)| invoked < deadline);
        match candidates {
            0 if value == INITIAL => Some((-1, None)),
            0 => None,
            n => Some(self.last[range.start + n - 1]),
        }
    }
}

fn returned(act: &Act) -> i64 {
    if act.is_pending() {
        i64::MAX
    } else {
        act.deadline.into()
    }
}

/// Completed mutators by invocation, and for each suffix the one that returned first.
struct Overwriters {
    invoked: Vec<i64>,
    first: Vec<(u32, u32)>,
}

impl Overwriters {
    fn new(acts: &[Act]) -> Overwriters {
        let mut list: Vec<(i64, (u32, u32))> = (0..)
            .zip(acts)
            .filter(|(_, act)| act.step.produces().is_some() && !act.is_pending())
            .map(|(i, act)| (act.invoked.into(), (act.deadline, i)))
            .collect();
        list.sort_unstable();
        let (invoked, mut first): (Vec<i64>, Vec<(u32, u32)>) = list.into_iter().unzip();
        for i in (0..first.len().saturating_sub(1)).rev() {
            first[i] = first[i].min(first[i + 1]);
        }
        Overwriters { invoked, first }
    }

    fn first_after(&self, time: i64) -> Option<u32> {
        let at = self.invoked.partition_point(|&invoked| invoked <= time);
        self.first.get(at).map(|&(_, i)| i)
    }
}

/// Counts completed mutators that lie between two moments; the second one never goes back.
struct Counter {
    /// Deadline and rank by invocation, by deadline.
    by_deadline: Vec<(u32, usize)>,
    invoked: Vec<i64>,
    added: usize,
    /// A Fenwick tree over ranks (Fenwick, 1994).
    tree: Vec<u32>,
}

impl Counter {
    fn new(acts: &[Act]) -> Counter {
        let mut list: Vec<(i64, u32)> = acts
            .iter()
            .filter(|act| act.step.produces().is_some() && !act.is_pending())
            .map(|act| (act.invoked.into(), act.deadline))
            .collect();
        list.sort_unstable();
        let mut by_deadline: Vec<(u32, usize)> = list
            .iter()
            .enumerate()
            .map(|(rank, &(_, deadline))| (deadline, rank))
            .collect();
        by_deadline.sort_unstable();
        Counter {
            tree: vec![0; list.len() + 1],
            invoked: list.into_iter().map(|(invoked, _)| invoked).collect(),
            by_deadline,
            added: 0,
        }
    }

    fn between(&mut self, since: i64, until: u32) -> u32 {
        while let Some(&(deadline, rank)) = self.by_deadline.get(self.added)
            && deadline < until
        {
            let mut at = rank + 1;
            while at < self.tree.len() {
                self.tree[at] += 1;
                at += at & at.wrapping_neg();
            }
            self.added += 1;
        }
        let mut at = self.invoked.partition_point(|&invoked| invoked <= since);
        let mut before = 0;
        while at > 0 {
            before += self.tree[at];
            at -= at & at.wrapping_neg();
        }
        self.added as u32 - before
    }
}
