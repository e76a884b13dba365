//! Smaller runs that still fail.
//!
//! Whatever is left out of a run changes all that is drawn after it, so a smaller run that could fail need
//! not do so at the same seed: each is tried with a few. What is left in the end is small, not smallest.

use serde::{Deserialize, Serialize};

use crate::report::{Options, Violation};
use crate::schedule::{Schedule, Turn};
use crate::simulation::{Extras, Recorded};

/// How many seeds a smaller run is tried with; and one of few operations, which takes hardly any time.
const SEEDS_TRIED: u64 = 4;
const FEW_SEEDS_TRIED: u64 = 30;
const FEW_OPERATIONS: usize = 60;
/// How long a run with few operations goes on after the moment at which something was violated, in virtual
/// milliseconds, both with faults and without.
const AFTERWARDS_MS: u64 = 100;
/// With how many it is tried to have operations at given moments.
const TURNS_SEEDS_TRIED: u64 = 60;
/// With how many it is tried to begin with few nodes.
const SMALL_SEEDS_TRIED: u64 = 30;
/// What a person can go through: so many faults, and so many operations.
const READABLE: (usize, usize) = (3, 10);
/// Some runs do not become so, and others that fail alike do: of the runs that may be tried, one part of so many goes
/// to each.
const BEGINNINGS: u64 = 6;
/// With how many seeds another run that fails alike is looked for.
const OTHER_SEEDS_TRIED: u64 = 100;

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
    /// When clients want something, if not whenever they have thought enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<Vec<Turn>>,
    /// Whether what a client wants at its turn depends on nothing but the seed and the moment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub independent_turns: bool,
}

impl Scenario {
    /// What is given to whoever runs it.
    pub fn extras(&self) -> Extras {
        Extras {
            schedule: Some(self.schedule.clone()),
            turns: self.turns.clone(),
            independent_turns: self.independent_turns,
            ..Extras::default()
        }
    }
}

/// How a seed is run. It is the caller's, as it may have clients of its own.
pub type Run<'a, E> = dyn Fn(u64, &Options, Extras) -> Result<Recorded, E> + 'a;

/// A smaller scenario in which the same property is violated, found within so many runs; or nothing if
/// nothing is violated in this one.
///
/// It begins with fewer nodes and clients, if such a run fails alike. Faults are left out, by halves, quarters and so
/// on (delta debugging), then lasting ones are made shorter, and there are fewer clients and nodes. Then what
/// clients want is left out in the same way.
///
/// # Errors
/// Those of `run`.
pub fn minimize<E>(
    scenario: &Scenario,
    runs_max: u64,
    run: &Run<'_, E>,
) -> Result<Option<(Scenario, Violation)>, E> {
    let recorded = run(scenario.seed, &scenario.options, scenario.extras())?;
    let Some(violation) = recorded.report.violation else {
        return Ok(None);
    };
    let mut search = Search {
        best: scenario.clone(),
        violation,
        turns: recorded.turns,
        began_at: scenario.seed,
        runs_left: runs_max,
        run,
    };
    let mut kept: Option<(Scenario, Violation)> = None;
    let mut to_spend = runs_max;
    while to_spend > 0 {
        search.runs_left = to_spend.min(runs_max.div_ceil(BEGINNINGS));
        to_spend -= search.runs_left;
        search.shrink()?;
        to_spend += search.runs_left;
        let sum = |scenario: &Scenario| {
            let (faults, turns) = size(scenario);
            faults.saturating_add(turns)
        };
        let is_smaller = |(kept, _): &(Scenario, Violation)| sum(&search.best) < sum(kept);
        if kept.as_ref().is_none_or(is_smaller) {
            kept = Some((search.best.clone(), search.violation.clone()));
        }
        // A scenario that was given with its operations is not to become another run.
        let (faults, turns) = size(&search.best);
        let is_readable = faults <= READABLE.0 && turns <= READABLE.1;
        if is_readable || scenario.turns.is_some() || !search.begin_elsewhere(scenario, &mut to_spend)? {
            break;
        }
    }
    Ok(kept)
}

/// How much there is to read: faults, and operations.
fn size(scenario: &Scenario) -> (usize, usize) {
    let turns = scenario.turns.as_ref().map_or(usize::MAX, Vec::len);
    (scenario.schedule.0.len(), turns)
}

struct Search<'a, E> {
    best: Scenario,
    violation: Violation,
    /// When clients wanted something in the best run.
    turns: Vec<Turn>,
    /// The seed that the best run was made of.
    began_at: u64,
    runs_left: u64,
    run: &'a Run<'a, E>,
}

impl<E> Search<'_, E> {
    fn shrink(&mut self) -> Result<(), E> {
        self.begin_small()?;
        let until = self.violation.time_us;
        self.try_change(|it| it.schedule.0.retain(|entry| entry.at_us <= until))?;
        self.reduce()?;
        if self.give_turns()? {
            self.reduce()?;
        }
        Ok(())
    }

    /// Goes to the next seed at which the run fails alike, with what that draws; false if none is found.
    fn begin_elsewhere(&mut self, scenario: &Scenario, to_spend: &mut u64) -> Result<bool, E> {
        self.runs_left = OTHER_SEEDS_TRIED.min(*to_spend);
        *to_spend -= self.runs_left;
        let last = self.began_at;
        while self.runs_left > 0 {
            self.began_at = self.began_at.wrapping_add(1);
            let recorded = self.try_run(self.began_at, &scenario.options, Extras::default())?;
            if let Some(violation) = self.fails_alike(&recorded) {
                self.violation = violation;
                self.turns = recorded.turns;
                self.best = Scenario {
                    seed: self.began_at,
                    schedule: recorded.schedule,
                    ..scenario.clone()
                };
                *to_spend += self.runs_left;
                return Ok(true);
            }
        }
        self.began_at = last;
        Ok(false)
    }

    /// Makes everything smaller, as long as anything becomes so.
    fn reduce(&mut self) -> Result<(), E> {
        loop {
            let before = self.size();
            if self.best.turns.is_some() {
                self.leave_out(|scenario| scenario.turns.get_or_insert_default())?;
            }
            self.leave_out(|scenario| &mut scenario.schedule.0)?;
            self.shorten()?;
            self.fewer(|options| &mut options.clients, 1)?;
            self.fewer(|options| &mut options.spares, 0)?;
            self.fewer(|options| &mut options.nodes, 1)?;
            if self.size() >= before || self.runs_left == 0 {
                return Ok(());
            }
        }
    }

    /// Has clients want something only when they did before the violation, and the run end soon after it. Does that
    /// fail alike?
    fn give_turns(&mut self) -> Result<bool, E> {
        if self.best.turns.is_some() {
            return Ok(true);
        }
        let until = self.violation.time_us;
        let mut turns = self.turns.clone();
        turns.retain(|turn| turn.at_us <= until);
        let mut candidate = self.best.clone();
        candidate.turns = Some(turns);
        candidate.options.faulty_ms = candidate.options.faulty_ms.min(until / 1_000 + AFTERWARDS_MS);
        candidate.options.calm_ms = AFTERWARDS_MS;
        // What each operation is, is drawn anew then: that takes more seeds.
        candidate.independent_turns = true;
        if self.improves(candidate.clone(), TURNS_SEEDS_TRIED)? {
            return Ok(true);
        }
        candidate.independent_turns = false;
        self.improves(candidate, SEEDS_TRIED)
    }

    fn size(&self) -> (usize, usize, usize, u64) {
        let Scenario {
            options,
            schedule,
            turns,
            ..
        } = &self.best;
        let lasting = schedule.0.iter().map(|entry| entry.for_us).sum();
        (
            turns.as_ref().map_or(usize::MAX, Vec::len),
            schedule.0.len(),
            options.nodes + options.spares + options.clients,
            lasting,
        )
    }

    /// Does the same property fail there, at one seed or another? If so that is the best so far.
    fn improves(&mut self, mut candidate: Scenario, seeds: u64) -> Result<bool, E> {
        for offset in 0..seeds {
            if self.runs_left == 0 {
                return Ok(false);
            }
            candidate.seed = self.best.seed.wrapping_add(offset);
            let recorded = self.try_run(candidate.seed, &candidate.options, candidate.extras())?;
            if let Some(violation) = self.fails_alike(&recorded) {
                self.violation = violation;
                self.turns = recorded.turns;
                self.best = candidate;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Looks for a run with few nodes and clients that fails alike with what *it* draws to go wrong: faults
    /// name nodes, so that of a schedule for five nodes little is left with three.
    fn begin_small(&mut self) -> Result<(), E> {
        if self.best.turns.is_some() {
            // It has been made small before.
            return Ok(());
        }
        for (nodes, spares, clients) in [(3, 0, 2), (3, 0, 4), (3, 2, 4)] {
            let mut options = self.best.options.clone();
            options.nodes = options.nodes.min(nodes);
            options.spares = options.spares.min(spares);
            options.clients = options.clients.min(clients);
            for seed in (self.best.seed..).take(SMALL_SEEDS_TRIED as usize) {
                if self.runs_left == 0 {
                    return Ok(());
                }
                let recorded = self.try_run(seed, &options, Extras::default())?;
                if let Some(violation) = self.fails_alike(&recorded) {
                    self.violation = violation;
                    self.turns = recorded.turns;
                    self.best.seed = seed;
                    self.best.options = options;
                    self.best.schedule = recorded.schedule;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn try_run(&mut self, seed: u64, options: &Options, extras: Extras) -> Result<Recorded, E> {
        self.runs_left -= 1;
        (self.run)(seed, options, extras)
    }

    /// Is the same property violated there?
    fn fails_alike(&self, recorded: &Recorded) -> Option<Violation> {
        let found = recorded.report.violation.as_ref();
        found
            .filter(|found| found.property == self.violation.property)
            .cloned()
    }

    fn seeds_tried(&self) -> u64 {
        let turns = self.best.turns.as_ref();
        if turns.is_some_and(|turns| turns.len() <= FEW_OPERATIONS) {
            FEW_SEEDS_TRIED
        } else {
            SEEDS_TRIED
        }
    }

    fn try_change(&mut self, change: impl FnOnce(&mut Scenario)) -> Result<bool, E> {
        let mut candidate = self.best.clone();
        change(&mut candidate);
        Ok(candidate != self.best && self.improves(candidate, self.seeds_tried())?)
    }

    /// Leaves out faults, or turns: larger parts first.
    fn leave_out<T>(&mut self, list: fn(&mut Scenario) -> &mut Vec<T>) -> Result<(), E> {
        let mut size = list(&mut self.best).len().div_ceil(2);
        while size > 0 {
            let mut start = 0;
            while start < list(&mut self.best).len() {
                let left_out = self.try_change(|scenario| {
                    let entries = list(scenario);
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
                && self.try_change(|scenario| scenario.schedule.0[number].for_us /= 2)?
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
            if !self.improves(candidate, self.seeds_tried())? {
                return Ok(());
            }
        }
    }
}
