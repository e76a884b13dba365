//! Any object, judged return by return: the breadth-first search of `crate::linearizability`, which needs only the
//! configurations of one level, fed by a lagging stream (ALGORITHMS.md 2.4 and 5).
//!
//! R1 to R4 apply as there: what ends when is known, thanks to the lag. R5 does not, as it asks what is to come:
//! crashed operations stay available, as counts by class.

use std::collections::BTreeMap;
use std::sync::Arc;

use partita_history::Value;
use rustc_hash::FxHashMap;

use super::lag::{Begin, Ready};
use super::states::States;
use super::{End, Follow, Halt, Thrift, Time};
use crate::model::{Class, Specification};

/// How many configurations are visited at one return.
const VISITS_MAX: usize = 10_000;
/// How many operations may be open: one has a bit each.
const SLOTS_MAX: u32 = u128::BITS;

/// The bounds are reached.
const TOO_MUCH: Halt = Halt::NotApplicable("too many orders are possible");

/// How many crashed operations of each class took effect, by class.
type Used = Vec<(u32, u32)>;

/// What has taken effect.
#[derive(Clone, Debug)]
struct Configuration {
    state: u32,
    mask: u128,
    used: Used,
}

impl Configuration {
    fn has(&self, slot: u32) -> bool {
        self.mask >> slot & 1 == 1
    }
}

fn count(used: &Used, class: u32) -> u32 {
    used.binary_search_by_key(&class, |&(class, _)| class)
        .map_or(0, |at| used[at].1)
}

fn with_one_more(used: &Used, class: u32) -> Used {
    let mut more = used.clone();
    match more.binary_search_by_key(&class, |&(class, _)| class) {
        Ok(at) => more[at].1 += 1,
        Err(at) => more.insert(at, (class, 1)),
    }
    more
}

fn at_most(a: &Used, b: &Used) -> bool {
    a.iter().all(|&(class, used)| used <= count(b, class))
}

/// Configurations, without those that have used more than another.
#[derive(Debug, Default)]
struct Layer(FxHashMap<(u32, u128), Vec<Used>>);

impl Layer {
    fn insert(&mut self, configuration: &Configuration) -> bool {
        let Configuration { state, mask, used } = configuration;
        let all = self.0.entry((*state, *mask)).or_default();
        if all.iter().any(|seen| at_most(seen, used)) {
            return false;
        }
        all.retain(|seen| !at_most(used, seen));
        all.push(used.clone());
        true
    }

    fn into_configurations(self) -> Vec<Configuration> {
        let all = self.0.into_iter();
        all.flat_map(|((state, mask), all)| {
            all.into_iter()
                .map(move |used| Configuration { state, mask, used })
        })
        .collect()
    }
}

/// A completed operation that is open.
#[derive(Clone, Copy, Debug)]
struct Open {
    slot: u32,
    class: u32,
    is_observer: bool,
}

/// An object as far as operations to come can tell.
pub(super) struct Levels {
    states: States,
    /// By when they end.
    open: BTreeMap<Time, Open>,
    slots: u128,
    /// Observers that began since the last return: slot and class.
    arrivals: Vec<(u32, u32)>,
    /// How many crashed operations of each class there are.
    crashed: BTreeMap<u32, u32>,
    layer: Vec<Configuration>,
    thrift: Thrift,
}

impl Levels {
    /// An object in one of these states, on which these operations may still take effect.
    pub(super) fn new(
        specification: Arc<dyn Specification>,
        initial: Vec<Value>,
        pending: Vec<Class>,
        thrift: Thrift,
    ) -> Levels {
        let mut states = States::new(specification);
        let layer = initial
            .into_iter()
            .map(|value| Configuration {
                state: states.state(value),
                mask: 0,
                used: Used::new(),
            })
            .collect();
        let mut this = Levels {
            states,
            open: BTreeMap::new(),
            slots: 0,
            arrivals: Vec::new(),
            crashed: BTreeMap::new(),
            layer,
            thrift,
        };
        pending.into_iter().for_each(|class| this.crash(class));
        this
    }

    fn crash(&mut self, class: Class) {
        if !self.states.is_observer(&class) {
            let class = self.states.class(class);
            *self.crashed.entry(class).or_default() += 1;
        }
    }

    /// All configurations that get past the return of `due`; none if they are too many.
    fn pass(&mut self, due: Open) -> Option<Layer> {
        let mutators: Vec<Open> = self
            .open
            .values()
            .filter(|open| !open.is_observer)
            .copied()
            .collect();
        let observers: Vec<Open> = self
            .open
            .values()
            .filter(|open| open.is_observer)
            .copied()
            .collect();
        let arrivals = std::mem::take(&mut self.arrivals);
        let mut passed = Layer::default();
        // By the number of crashed operations used, so that what dominates comes first.
        let mut waiting: Vec<Vec<Configuration>> = Vec::new();
        let mut sort = |mut configuration: Configuration, waiting: &mut Vec<Vec<_>>| {
            if configuration.has(due.slot) {
                configuration.mask &= !(1 << due.slot);
                passed.insert(&configuration);
                return;
            }
            let total = configuration.used.iter().map(|&(_, used)| used as usize).sum();
            if waiting.len() <= total {
                waiting.resize_with(total + 1, Vec::new);
            }
            waiting[total].push(configuration);
        };
        for mut configuration in std::mem::take(&mut self.layer) {
            for &(slot, class) in &arrivals {
                if self.states.after(configuration.state, class).is_some() {
                    configuration.mask |= 1 << slot;
                }
            }
            sort(configuration, &mut waiting);
        }
        let mut seen = Layer::default();
        let (mut visited, mut total) = (0, 0);
        while total < waiting.len() {
            let Some(configuration) = waiting[total].pop() else {
                total += 1;
                continue;
            };
            if !seen.insert(&configuration) {
                continue;
            }
            visited += 1;
            if visited > VISITS_MAX {
                return None;
            }
            for mut next in self.choices(&configuration, &mutators) {
                for open in &observers {
                    if self.states.after(next.state, open.class).is_some() {
                        next.mask |= 1 << open.slot;
                    }
                }
                sort(next, &mut waiting);
            }
        }
        Some(passed)
    }

    /// What may take effect next.
    fn choices(&mut self, configuration: &Configuration, mutators: &[Open]) -> Vec<Configuration> {
        let mut choices = Vec::new();
        let mut tried: Vec<u32> = Vec::new();
        for open in mutators {
            if configuration.has(open.slot) || tried.contains(&open.class) {
                continue;
            }
            tried.push(open.class);
            if let Some(state) = self.states.after(configuration.state, open.class) {
                choices.push(Configuration {
                    state,
                    mask: configuration.mask | 1 << open.slot,
                    used: configuration.used.clone(),
                });
            }
        }
        for (&class, &available) in &self.crashed {
            if tried.contains(&class) || count(&configuration.used, class) == available {
                continue;
            }
            match self.states.after(configuration.state, class) {
                Some(state) if state != configuration.state => choices.push(Configuration {
                    state,
                    mask: configuration.mask,
                    used: with_one_more(&configuration.used, class),
                }),
                _ => {}
            }
        }
        choices
    }

    /// Forgets the states and classes that nothing is in or of any more.
    fn forget(&mut self) {
        let empty = self.states.emptied();
        let old = std::mem::replace(&mut self.states, empty);
        let new = &mut self.states;
        let mut renamed = |class: u32| new.class(old.class_of(class).clone());
        for open in self.open.values_mut() {
            open.class = renamed(open.class);
        }
        for (_, class) in &mut self.arrivals {
            *class = renamed(*class);
        }
        self.crashed = std::mem::take(&mut self.crashed)
            .into_iter()
            .map(|(class, count)| (renamed(class), count))
            .collect();
        for configuration in &mut self.layer {
            for (class, _) in &mut configuration.used {
                *class = renamed(*class);
            }
            configuration.used.sort_unstable();
        }
        for configuration in &mut self.layer {
            configuration.state = self.states.state(old.value(configuration.state).clone());
        }
        self.thrift.done(self.states.len());
    }

    fn begin(&mut self, begin: Begin) -> Result<(), Halt> {
        let Begin { class, deadline, .. } = begin;
        let Some(deadline) = deadline else {
            self.crash(class);
            return Ok(());
        };
        let slot = self.slots.trailing_ones();
        if slot == SLOTS_MAX {
            return Err(TOO_MUCH);
        }
        self.slots |= 1 << slot;
        let is_observer = self.states.is_observer(&class);
        let class = self.states.class(class);
        if is_observer {
            self.arrivals.push((slot, class));
        }
        let open = Open {
            slot,
            class,
            is_observer,
        };
        self.open.insert(deadline, open);
        Ok(())
    }

    fn end(&mut self, end: End) -> Result<(), Halt> {
        let Some(&due) = self.open.get(&end.time) else {
            return Ok(());
        };
        self.layer = self.pass(due).ok_or(TOO_MUCH)?.into_configurations();
        self.open.remove(&end.time);
        self.slots &= !(1 << due.slot);
        if self.layer.is_empty() {
            return Err(Halt::Violation(end));
        }
        if self.thrift.is_due(self.states.len()) {
            self.forget();
        }
        Ok(())
    }
}

impl Follow for Levels {
    fn follow(&mut self, event: Ready) -> Result<(), Halt> {
        match event {
            Ready::Begin(begin) => self.begin(begin),
            Ready::End(end) => self.end(end),
        }
    }

    fn size(&self) -> usize {
        self.layer.len() + self.states.len() + self.open.len()
    }
}
