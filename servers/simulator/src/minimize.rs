//! Smaller runs that still fail.
//!
//! Whatever is left out of a run changes all that is drawn after it, so a smaller run that could fail need
//! not do so at the same seed: each is tried with a few. What is left in the end is small, not smallest.

use serde::{Deserialize, Serialize};

use crate::invariants::Simulated;
use crate::report::{Options, Report, Violation};
use crate::schedule::{Entry, Schedule};
use crate::simulation::{Extras, simulate_with};

/// How many seeds a smaller run is tried with.
const SEEDS_TRIED: u64 = 4;
/// With how many it is tried to begin with few nodes.
const SMALL_SEEDS_TRIED: usize = 30;

/// A run, as data: it is the same wherever and whenever it is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// The protocol, by its name.
    pub protocol: String,
    /// Of all that is drawn.
    pub seed: u64,
    /// What to run.
    pub options: Options,
    /// What goes wrong.
    pub schedule: Schedule,
}

impl Scenario {
    /// The run of this seed, with what it draws to go wrong.
    pub fn of_seed<P: Simulated>(seed: u64, options: &Options) -> Scenario {
        Scenario {
            protocol: P::NAME.to_owned(),
            seed,
            options: options.clone(),
            schedule: simulate_with::<P>(seed, options, Extras::default()).schedule,
        }
    }

    /// Runs it. The caller has made sure that it is of this protocol.
    pub fn run<P: Simulated>(&self) -> Report {
        simulate_with::<P>(self.seed, &self.options, self.extras()).report
    }

    /// What goes wrong, to be given to a run.
    pub fn extras(&self) -> Extras {
        Extras {
            schedule: Some(self.schedule.clone()),
            ..Extras::default()
        }
    }
}

/// A smaller scenario in which the same property is violated, found within so many runs; or nothing if
/// nothing is violated in this one.
///
/// It begins with fewer nodes and clients, if such a run fails alike. Faults are left out, by halves, quarters and so on (delta debugging), then lasting ones are made shorter,
/// and there are fewer clients and nodes.
pub fn minimize<P: Simulated>(scenario: &Scenario, runs_max: u64) -> Option<(Scenario, Violation)> {
    let violation = scenario.run::<P>().violation?;
    let mut search = Search {
        best: scenario.clone(),
        violation,
        runs_left: runs_max,
    };
    search.begin_small::<P>();
    let until = search.violation.time_us;
    search.try_schedule::<P>(|entries| entries.retain(|entry| entry.at_us <= until));
    loop {
        let before = search.size();
        search.leave_out::<P>();
        search.shorten::<P>();
        search.fewer::<P>(|options| &mut options.clients, 1);
        search.fewer::<P>(|options| &mut options.spares, 0);
        search.fewer::<P>(|options| &mut options.nodes, 1);
        if search.size() >= before || search.runs_left == 0 {
            break;
        }
    }
    Some((search.best, search.violation))
}

struct Search {
    best: Scenario,
    violation: Violation,
    runs_left: u64,
}

impl Search {
    fn size(&self) -> (usize, usize, u64) {
        let Scenario {
            options, schedule, ..
        } = &self.best;
        let lasting = schedule.0.iter().map(|entry| entry.for_us).sum();
        (
            schedule.0.len(),
            options.nodes + options.spares + options.clients,
            lasting,
        )
    }

    /// Does the same property fail there, at one seed or another? If so that is the best so far.
    fn improves<P: Simulated>(&mut self, mut candidate: Scenario) -> bool {
        for offset in 0..SEEDS_TRIED {
            if self.runs_left == 0 {
                return false;
            }
            self.runs_left -= 1;
            candidate.seed = self.best.seed.wrapping_add(offset);
            if let Some(violation) = self.fails_alike::<P>(&candidate) {
                self.violation = violation;
                self.best = candidate;
                return true;
            }
        }
        false
    }

    /// Looks for a run with few nodes and clients that fails alike with what *it* draws to go wrong: faults
    /// name nodes, so that of a schedule for five nodes little is left with three.
    fn begin_small<P: Simulated>(&mut self) {
        for (nodes, spares, clients) in [(3, 0, 2), (3, 0, 4), (3, 2, 4)] {
            let mut options = self.best.options.clone();
            options.nodes = options.nodes.min(nodes);
            options.spares = options.spares.min(spares);
            options.clients = options.clients.min(clients);
            for seed in (self.best.seed..).take(SMALL_SEEDS_TRIED) {
                if self.runs_left == 0 {
                    return;
                }
                self.runs_left -= 1;
                let candidate = Scenario::of_seed::<P>(seed, &options);
                if let Some(violation) = self.fails_alike::<P>(&candidate) {
                    self.violation = violation;
                    self.best = candidate;
                    return;
                }
            }
        }
    }

    /// Is the same property violated there?
    fn fails_alike<P: Simulated>(&self, candidate: &Scenario) -> Option<Violation> {
        let found = candidate.run::<P>().violation;
        found.filter(|found| found.property == self.violation.property)
    }

    fn try_schedule<P: Simulated>(&mut self, change: impl FnOnce(&mut Vec<Entry>)) -> bool {
        let mut candidate = self.best.clone();
        change(&mut candidate.schedule.0);
        candidate.schedule != self.best.schedule && self.improves::<P>(candidate)
    }

    /// Leaves out faults: larger parts first.
    fn leave_out<P: Simulated>(&mut self) {
        let mut size = self.best.schedule.0.len().div_ceil(2);
        while size > 0 {
            let mut start = 0;
            while start < self.best.schedule.0.len() {
                let left_out = self.try_schedule::<P>(|entries| {
                    let end = entries.len().min(start + size);
                    entries.drain(start..end);
                });
                if !left_out {
                    start += size;
                }
            }
            size /= 2;
        }
    }

    /// Has faults end sooner.
    fn shorten<P: Simulated>(&mut self) {
        for number in 0..self.best.schedule.0.len() {
            while self
                .best
                .schedule
                .0
                .get(number)
                .is_some_and(|entry| entry.for_us > 20_000)
                && self.try_schedule::<P>(|entries| entries[number].for_us /= 2)
            {}
        }
    }

    /// Has fewer of something.
    fn fewer<P: Simulated>(&mut self, field: fn(&mut Options) -> &mut usize, at_least: usize) {
        loop {
            let mut candidate = self.best.clone();
            let number = field(&mut candidate.options);
            if *number <= at_least {
                return;
            }
            *number -= 1;
            if !self.improves::<P>(candidate) {
                return;
            }
        }
    }
}
