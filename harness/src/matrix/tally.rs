//! The verdict of a night.

use std::collections::{BTreeMap, BTreeSet};

use partita_checker::Verdict;
use serde::Serialize;

use super::cell::Done;
use super::night::Place;
use crate::cli::units;

/// What a night came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Tally {
    /// The worst of all.
    pub(crate) verdict: Verdict,
    /// One sentence: why this verdict.
    pub(crate) reason: String,
    /// How many cells there are, canaries not counted.
    pub(crate) cells: usize,
    /// Cells that were carried out, by their verdicts.
    pub(crate) verdicts: BTreeMap<String, usize>,
    /// Canaries that were caught, and all of them.
    pub(crate) canaries: (usize, usize),
    /// Cells of which nothing is known: they were not begun in time, or broken off.
    pub(crate) left_out: usize,
    /// Operations that ended ok, in processes.
    pub(crate) ok_operations: u64,
    /// Seeds tried, in virtual time.
    pub(crate) seeds: u64,
    /// Faults that took effect.
    pub(crate) faults: BTreeMap<String, u64>,
}

impl Tally {
    /// Of all that was done.
    ///
    /// A night is red if any cell is, if a canary was not caught, if nothing was done, or if time left no room for
    /// some kind of cell at all. That it left no room for all seeds of a kind is what a time budget is for.
    pub(crate) fn of(place: &Place) -> Tally {
        let cells = &place.night.cells;
        let is_canary = |number: &usize| cells[*number].canary.is_some();
        let (canaries, done): (Vec<_>, Vec<_>) = place.done.iter().partition(|(number, _)| is_canary(number));
        let canaries_all = cells.iter().filter(|cell| cell.canary.is_some()).count();
        let caught = canaries
            .iter()
            .filter(|(_, it)| it.verdict == Verdict::Valid)
            .count();
        let groups: BTreeSet<_> = cells.iter().map(|cell| cell.group.as_str()).collect();
        let met: BTreeSet<_> = place
            .done
            .keys()
            .map(|&number| cells[number].group.as_str())
            .collect();
        let never: Vec<_> = groups.difference(&met).collect();

        let mut verdict = Verdict::Valid;
        let mut reason = None;
        let mut worse = |it: Verdict, why: String| {
            if it > verdict {
                verdict = it;
                reason = Some(why);
            }
        };
        // Who is blind, sees nothing wrong with the rest: so that comes first.
        for (number, it) in canaries.iter().chain(&done) {
            worse(it.verdict, format!("{}: {}", cells[**number].name, it.reason));
        }
        if done.is_empty() {
            worse(Verdict::NotExercised, "nothing was done".into());
        }
        if canaries_all == 0 {
            worse(
                Verdict::NotExercised,
                "no run had to fail, so nobody knows whether any could".into(),
            );
        }
        if let Some(first) = never.first() {
            let all = units::counted(never.len() as u64, "kind");
            worse(
                Verdict::NotExercised,
                format!("the time budget left no room for {all} of cells, such as {first}"),
            );
        }

        let left_out = cells.len() - place.done.len();
        if left_out > 0 && place.night.time_budget_ms.is_none() {
            worse(Verdict::NotExercised, format!("{left_out} cells were broken off"));
        }

        let mut verdicts = BTreeMap::new();
        let mut faults = BTreeMap::new();
        let mut ok_operations = 0;
        let mut seeds = 0;
        for (_, it) in &done {
            *verdicts.entry(it.verdict.to_string()).or_default() += 1;
            for attempt in &it.attempts {
                ok_operations += attempt.operations.values().map(|count| count.ok).sum::<u64>();
                seeds += attempt.seeds;
                for (name, count) in &attempt.faults {
                    *faults.entry(name.clone()).or_default() += count.took;
                }
            }
        }
        let all = cells.len() - canaries_all;
        let reason = reason.unwrap_or_else(|| {
            format!(
                "{} of {all} cells passed, and {caught} of {canaries_all} canaries were caught",
                done.len()
            )
        });
        Tally {
            verdict,
            reason,
            cells: all,
            verdicts,
            canaries: (caught, canaries_all),
            left_out,
            ok_operations,
            seeds,
            faults,
        }
    }

    /// What was done, in a line.
    pub(crate) fn work(&self) -> String {
        let mut parts: Vec<String> = self
            .verdicts
            .iter()
            .map(|(verdict, count)| format!("{count} {verdict}"))
            .collect();
        parts.push(format!(
            "{} of {} canaries caught",
            self.canaries.0, self.canaries.1
        ));
        if self.left_out > 0 {
            parts.push(format!("{} not done", self.left_out));
        }
        parts.push(format!("{} ok operations", self.ok_operations));
        if self.seeds > 0 {
            parts.push(format!("{} simulated seeds", self.seeds));
        }
        let faults: u64 = self.faults.values().sum();
        parts.push(format!("{faults} faults took effect"));
        parts.join(", ")
    }
}

/// The attempt that shows best why a cell is as it is.
pub(crate) fn telling(done: &Done) -> Option<&super::cell::Attempt> {
    let attempts = &done.attempts;
    attempts.iter().rev().max_by_key(|attempt| attempt.verdict)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::cell::tests::{attempt, cell};
    use super::super::night::tests::night;
    use super::*;

    /// A night of a canary and three cells, of which one failed, and one was not begun. `<b>` is in its name.
    pub(crate) fn place(home: &std::path::Path) -> Place {
        let cells = vec![
            cell("canary raft stale-reads", Some("stale-reads")),
            cell("raft register kill seed 7", None),
            cell("raft set <b>|all seed 7", None),
            cell("raft register kill seed 8", None),
        ];
        let mut place = Place::create(&home.join("night"), night(cells.clone())).unwrap();
        let results = [
            vec![attempt(Verdict::Invalid, "stale read")],
            vec![attempt(Verdict::Valid, "")],
            vec![
                attempt(Verdict::Invalid, "lost <write>"),
                attempt(Verdict::Valid, ""),
            ],
        ];
        for (number, attempts) in results.into_iter().enumerate() {
            place.keep(number, cells[number].judge(attempts, 20.0)).unwrap();
        }
        place
    }

    #[test]
    fn a_night_is_as_good_as_its_worst_cell() {
        let home = tempfile::tempdir().unwrap();
        let tally = Tally::of(&place(home.path()));
        assert_eq!(tally.verdict, Verdict::Invalid);
        assert_eq!(
            tally.reason,
            "raft set <b>|all seed 7: 1 of 2 attempts: because lost <write>"
        );
        assert_eq!((tally.cells, tally.canaries, tally.left_out), (3, (1, 1), 1));
        assert_eq!(
            tally.work(),
            "1 invalid, 1 valid, 1 of 1 canaries caught, 1 not done, 0 ok operations, 0 faults took effect"
        );
    }

    #[test]
    fn a_canary_that_passes_outranks_everything() {
        let home = tempfile::tempdir().unwrap();
        let mut place = place(home.path());
        let blind = place.night.cells[0].judge(vec![attempt(Verdict::Valid, "")], 1.0);
        place.keep(0, blind).unwrap();
        let tally = Tally::of(&place);
        assert_eq!(tally.verdict, Verdict::HarnessFailure);
        assert!(tally.reason.contains("the harness is blind"), "{}", tally.reason);
    }

    #[test]
    fn no_work_and_kinds_without_work_are_red() {
        let home = tempfile::tempdir().unwrap();
        let mut place = place(home.path());
        let passed = place.night.cells[2].judge(vec![attempt(Verdict::Valid, "")], 1.0);
        place.keep(2, passed).unwrap();
        assert_eq!(Tally::of(&place).verdict, Verdict::Valid, "seeds may be left out");
        place.night.time_budget_ms = None;
        let tally = Tally::of(&place);
        assert_eq!(tally.verdict, Verdict::NotExercised);
        assert_eq!(tally.reason, "1 cells were broken off");
        place.night.time_budget_ms = Some(60_000);
        place.done.remove(&2);
        let tally = Tally::of(&place);
        assert_eq!(tally.verdict, Verdict::NotExercised);
        assert!(tally.reason.contains("1 kind of cells"), "{}", tally.reason);
        place.done.retain(|number, _| *number == 0);
        assert_eq!(Tally::of(&place).reason, "nothing was done");
        place.night.cells.remove(0);
        place.done.clear();
        assert_eq!(Tally::of(&place).verdict, Verdict::NotExercised);
    }
}
