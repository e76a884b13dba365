//! Smaller runs that still fail.
//!
//! Whatever is left out of a run changes all that is drawn after it, so a smaller run that could fail need
//! not do so at the same seed: each is tried with a few. What is left in the end is small, not smallest.

use serde::{Deserialize, Serialize};

use crate::report::{Options, Violation};
use crate::schedule::{Entry, Schedule};
use crate::simulation::Recorded;

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
    /// What clients do, by the name of the workload, if it is not what the protocol's clients do.
    #[serde(default)]
    pub workload: Option<String>,
    /// What to run.
    pub options: Options,
    /// What goes wrong.
    pub schedule: Schedule,
}

/// How a seed is run: with its options, and with what goes wrong, if it is not to draw that. It is the caller's, as
/// it may have clients of its own.
pub type Run<'a, E> = dyn Fn(u64, &Options, Option<&Schedule>) -> Result<Recorded, E> + 'a;

/// A smaller scenario in which the same property is violated, found within so many runs; or nothing if
/// nothing is violated in this one.
///
/// It begins with fewer nodes and clients, if such a run fails alike. Faults are left out, by halves, quarters and so
/// on (delta debugging), then lasting ones are made shorter, and there are fewer clients and nodes.
///
/// # Errors
/// Those of `run`.
pub fn minimize<E>(
    scenario: &Scenario,
    runs_max: u64,
    run: &Run<'_, E>,
) -> Result<Option<(Scenario, Violation)>, E> {
    let recorded = run(scenario.seed, &scenario.options, Some(&scenario.schedule))?;
    let Some(violation) = recorded.report.violation else {
        return Ok(None);
    };
    let mut search = Search {
        best: scenario.clone(),
        violation,
        runs_left: runs_max,
        run,
    };
    search.begin_small()?;
    let until = search.violation.time_us;
    search.try_schedule(|entries| entries.retain(|entry| entry.at_us <= until))?;
    loop {
        let before = search.size();
        search.leave_out()?;
        search.shorten()?;
        search.fewer(|options| &mut options.clients, 1)?;
        search.fewer(|options| &mut options.spares, 0)?;
        search.fewer(|options| &mut options.nodes, 1)?;
        if search.size() >= before || search.runs_left == 0 {
            break;
        }
    }
    Ok(Some((search.best, search.violation)))
}

struct Search<'a, E> {
    best: Scenario,
    violation: Violation,
    runs_left: u64,
    run: &'a Run<'a, E>,
}

impl<E> Search<'_, E> {
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
    fn improves(&mut self, mut candidate: Scenario) -> Result<bool, E> {
        for offset in 0..SEEDS_TRIED {
            if self.runs_left == 0 {
                return Ok(false);
            }
            candidate.seed = self.best.seed.wrapping_add(offset);
            let recorded = self.try_run(candidate.seed, &candidate.options, Some(&candidate.schedule))?;
            if let Some(violation) = self.fails_alike(&recorded) {
                self.violation = violation;
                self.best = candidate;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Looks for a run with few nodes and clients that fails alike with what *it* draws to go wrong: faults
    /// name nodes, so that of a schedule for five nodes little is left with three.
    fn begin_small(&mut self) -> Result<(), E> {
        for (nodes, spares, clients) in [(3, 0, 2), (3, 0, 4), (3, 2, 4)] {
            let mut options = self.best.options.clone();
            options.nodes = options.nodes.min(nodes);
            options.spares = options.spares.min(spares);
            options.clients = options.clients.min(clients);
            for seed in (self.best.seed..).take(SMALL_SEEDS_TRIED) {
                if self.runs_left == 0 {
                    return Ok(());
                }
                let recorded = self.try_run(seed, &options, None)?;
                if let Some(violation) = self.fails_alike(&recorded) {
                    self.violation = violation;
                    self.best.seed = seed;
                    self.best.options = options;
                    self.best.schedule = recorded.schedule;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn try_run(&mut self, seed: u64, options: &Options, schedule: Option<&Schedule>) -> Result<Recorded, E> {
        self.runs_left -= 1;
        (self.run)(seed, options, schedule)
    }

    /// Is the same property violated there?
    fn fails_alike(&self, recorded: &Recorded) -> Option<Violation> {
        let found = recorded.report.violation.as_ref();
        found
            .filter(|found| found.property == self.violation.property)
            .cloned()
    }

    fn try_schedule(&mut self, change: impl FnOnce(&mut Vec<Entry>)) -> Result<bool, E> {
        let mut candidate = self.best.clone();
        change(&mut candidate.schedule.0);
        Ok(candidate.schedule != self.best.schedule && self.improves(candidate)?)
    }

    /// Leaves out faults: larger parts first.
    fn leave_out(&mut self) -> Result<(), E> {
        let mut size = self.best.schedule.0.len().div_ceil(2);
        while size > 0 {
            let mut start = 0;
            while start < self.best.schedule.0.len() {
                let left_out = self.try_schedule(|entries| {
                    let end = entries.len().min(start + size);
                    entries.drain(start..end);
                })?;
                if !left_out {
                    start += size;
                }
            }
            size /= 2;
        }
        Ok(())
    }

    /// Has faults end sooner.
    fn shorten(&mut self) -> Result<(), E> {
        for number in 0..self.best.schedule.0.len() {
            while self
                .best
                .schedule
                .0
                .get(number)
                .is_some_and(|entry| entry.for_us > 20_000)
                && self.try_schedule(|entries| entries[number].for_us /= 2)?
            {}
        }
        Ok(())
    }

    /// Has fewer of something.
    fn fewer(&mut self, field: fn(&mut Options) -> &mut usize, at_least: usize) -> Result<(), E> {
        loop {
            let mut candidate = self.best.clone();
            let number = field(&mut candidate.options);
            if *number <= at_least {
                return Ok(());
            }
            *number -= 1;
            if !self.improves(candidate)? {
                return Ok(());
            }
        }
    }
}
