//! Peels items off (ALGORITHMS.md 3.9), in time O(n log n): each gap is looked at once, and so is each operation.

use super::stabbing::Stabbing;
use super::tally::Tally;
use crate::monitor::collection::NONE;
use crate::monitor::collection::table::{Moment, Span, Table};

/// An operation of an item: putting it in, the peeks in the order of invocations, taking it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) operation: u32,
    pub(super) item: u32,
    /// The gaps in which it may happen, all other operations of the item considered.
    pub(super) window: (Moment, Moment),
    /// A gap that is its own: none of the items peeled off later had to be there.
    pub(super) gap: Moment,
}

/// All steps by item.
pub(super) struct Steps {
    pub(super) all: Vec<Step>,
    /// For each item, its first step; and the number of steps.
    firsts: Vec<u32>,
}

impl Steps {
    fn new(table: &Table) -> Steps {
        let mut all = Vec::with_capacity(2 * table.items.len());
        let mut firsts = Vec::with_capacity(table.items.len() + 1);
        for (i, item) in (0..).zip(&table.items) {
            firsts.push(all.len() as u32);
            let step = |span: &Span, window| Step {
                operation: span.operation,
                item: i,
                window,
                gap: NONE,
            };
            all.push(step(&item.put, item.putting()));
            all.extend(
                table
                    .peeks(item)
                    .iter()
                    .map(|peek| step(peek, item.peeking(peek))),
            );
            all.push(step(&item.take, item.taking()));
        }
        firsts.push(all.len() as u32);
        Steps { all, firsts }
    }

    fn range(&self, item: u32) -> (u32, u32) {
        (self.firsts[item as usize], self.firsts[item as usize + 1])
    }

    /// The steps of an item.
    pub(super) fn of(&self, item: u32) -> &[Step] {
        let (from, until) = self.range(item);
        &self.all[from as usize..until as usize]
    }
}

/// All items that had to be there at some time, in the order in which they were peeled off.
pub(super) struct Peeled {
    pub(super) items: Vec<u32>,
    pub(super) steps: Steps,
}

/// The items that can't be peeled off, and the steps that have no gap.
pub(super) struct Stuck {
    pub(super) items: Vec<u32>,
    pub(super) steps: Vec<Step>,
}

/// `counts` says how many items had to be there in each gap.
pub(super) fn peel(table: &Table, counts: &[u32]) -> Result<Peeled, Stuck> {
    let presences: Vec<_> = table.presences().collect();
    let mut peeling = Peeling::new(table);
    let mut tally = peeling.start(counts, &presences);
    let mut items = Vec::with_capacity(presences.len());
    loop {
        while let Some(item) = peeling.bare.pop() {
            items.push(item);
            if let Some(presence) = table.items[item as usize].presence() {
                tally.uncover(presence, item);
            }
            let mut gap = peeling.parked[item as usize];
            while gap != NONE {
                peeling.free_all(gap);
                gap = peeling.next_parked[gap as usize];
            }
        }
        match tally.least() {
            Some(least) if least.count == 0 => {
                peeling.free_all(least.gap);
                tally.retire(least.gap);
            }
            Some(least) if least.count == 1 => {
                peeling.free(least.item, least.gap);
                tally.retire(least.gap);
            }
            _ if peeling.bare.is_empty() => break,
            _ => {}
        }
    }
    let steps = peeling.steps;
    if items.len() == presences.len() {
        return Ok(Peeled { items, steps });
    }
    let is_held = |(_, _, item): &(Moment, Moment, u32)| peeling.held[*item as usize] > 0;
    let items = presences.iter().filter(|presence| is_held(presence));
    Err(Stuck {
        items: items.map(|&(.., item)| item).collect(),
        steps: steps
            .all
            .into_iter()
            .filter(|step| step.gap == NONE && peeling.held[step.item as usize] > 0)
            .collect(),
    })
}

struct Peeling {
    steps: Steps,
    /// For each item, how many of its steps have no gap yet; 0 for items that never had to be there.
    held: Vec<u32>,
    /// Items of which all steps have a gap, not yet peeled off.
    bare: Vec<u32>,
    /// By item: steps without a gap.
    own: Stabbing,
    /// By start: the same.
    started: Stabbing,
    /// For each place in `started`, the step; and the other way round.
    by_start: Vec<u32>,
    places: Vec<u32>,
    /// For each gap, how many steps start in it or before.
    starts: Vec<u32>,
    /// For each item, a gap that only it covers of all that are left; for each such gap, the next one.
    parked: Vec<u32>,
    next_parked: Vec<u32>,
    found: Vec<u32>,
}

impl Peeling {
    fn new(table: &Table) -> Peeling {
        let steps = Steps::new(table);
        let gaps = table.never() as usize;
        let mut starts = vec![0; gaps + 1];
        for step in &steps.all {
            starts[step.window.0 as usize + 1] += 1;
        }
        for gap in 1..=gaps {
            starts[gap] += starts[gap - 1];
        }
        let mut by_start = vec![0; steps.all.len()];
        let mut places = vec![0; steps.all.len()];
        for (i, step) in steps.all.iter().enumerate() {
            let next = &mut starts[step.window.0 as usize];
            by_start[*next as usize] = i as u32;
            places[i] = *next;
            *next += 1;
        }
        let is_present: Vec<bool> = table.items.iter().map(|item| item.presence().is_some()).collect();
        let end = |step: &Step| match is_present[step.item as usize] {
            true => step.window.1,
            false => 0,
        };
        let held = (0..)
            .zip(&is_present)
            .map(|(item, &is_present)| match is_present {
                true => steps.of(item).len() as u32,
                false => 0,
            });
        Peeling {
            held: held.collect(),
            bare: Vec::new(),
            own: Stabbing::new(steps.all.iter().map(end)),
            started: Stabbing::new(by_start.iter().map(|&i| end(&steps.all[i as usize]))),
            by_start,
            places,
            starts,
            parked: vec![NONE; table.items.len()],
            next_parked: vec![NONE; gaps],
            found: Vec::new(),
            steps,
        }
    }

    /// Looks at the gaps that at most one item covers.
    fn start(&mut self, counts: &[u32], presences: &[(Moment, Moment, u32)]) -> Tally {
        let mut sums = vec![0u32; counts.len()];
        for &(from, until, item) in presences {
            sums[from as usize] = sums[from as usize].wrapping_add(item);
            sums[until as usize] = sums[until as usize].wrapping_sub(item);
        }
        let mut sum = 0u32;
        for (gap, &count) in (0..).zip(counts) {
            sum = sum.wrapping_add(sums[gap as usize]);
            sums[gap as usize] = sum;
            match count {
                0 => self.free_all(gap),
                1 => self.free(sum, gap),
                _ => {}
            }
        }
        Tally::new(counts, &sums)
    }

    /// A gap that no item covers.
    fn free_all(&mut self, gap: Moment) {
        self.started
            .find(0, self.starts[gap as usize], gap, &mut self.found);
        while let Some(place) = self.found.pop() {
            self.give(self.by_start[place as usize], gap);
        }
    }

    /// A gap that only this item covers.
    fn free(&mut self, item: u32, gap: Moment) {
        let (from, until) = self.steps.range(item);
        let begun = self.steps.of(item).partition_point(|step| step.window.0 <= gap);
        debug_assert!(from + begun as u32 <= until);
        self.own.find(from, from + begun as u32, gap, &mut self.found);
        while let Some(step) = self.found.pop() {
            self.give(step, gap);
        }
        self.next_parked[gap as usize] = self.parked[item as usize];
        self.parked[item as usize] = gap;
    }

    fn give(&mut self, step: u32, gap: Moment) {
        self.own.remove(step);
        self.started.remove(self.places[step as usize]);
        let step = &mut self.steps.all[step as usize];
        step.gap = gap;
        let held = &mut self.held[step.item as usize];
        *held -= 1;
        if *held == 0 {
            self.bare.push(step.item);
        }
    }
}
