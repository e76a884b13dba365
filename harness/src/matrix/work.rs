//! The order of the cells, how many go on at a time, and until when.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use partita_checker::Verdict;

use super::cell::{Cell, Done, Kind};
use super::night::Place;
use super::perform::perform;

/// Cores that a cluster and its controller want for themselves, so that another beside it does not disturb timing.
const CORES_A_RUN: usize = 4;

/// How many clusters this machine bears at a time.
pub(crate) fn jobs_by_default() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / CORES_A_RUN).max(1)
}

/// Does all that is still to be done, and keeps what comes of it; `tell` hears of each.
///
/// A simulation takes every core, so nothing goes on beside it.
///
/// # Errors
/// When what came of a cell can't be kept.
pub(crate) fn work(place: &mut Place, tell: &dyn Fn(usize, &Cell, &Done)) -> anyhow::Result<()> {
    let deadline = place
        .time_left()
        .and_then(|left| Instant::now().checked_add(left));
    let mut to_do: VecDeque<usize> = place.to_do().into();
    while let Some(&first) = to_do.front() {
        let kind = place.night.cells[first].kind;
        let alike = to_do
            .iter()
            .take_while(|&&number| place.night.cells[number].kind == kind)
            .count();
        let batch: VecDeque<usize> = to_do.drain(..alike).collect();
        let jobs = match kind {
            Kind::Run => place.night.jobs,
            Kind::Simulation => 1,
        };
        side_by_side(place, batch, jobs, deadline, tell)?;
    }
    Ok(())
}

fn side_by_side(
    place: &mut Place,
    batch: VecDeque<usize>,
    jobs: usize,
    deadline: Option<Instant>,
    tell: &dyn Fn(usize, &Cell, &Done),
) -> anyhow::Result<()> {
    let queue = Mutex::new(batch);
    let (runs, retries) = (place.runs(), place.night.retries);
    let cells = place.night.cells.clone();
    let before = place.done.clone();
    let (sender, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let sender = sender.clone();
            let (queue, cells, runs, before) = (&queue, &cells, &runs, &before);
            scope.spawn(move || {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(number) = next else { return };
                    // A night that can't see is not worth its time, but it must know: canaries are always tried.
                    let is_canary = cells[number].canary.is_some();
                    if !is_canary && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        continue;
                    }
                    // Who would keep it may be gone.
                    let keep = |done| drop(sender.send((number, done)));
                    if let Some(done) =
                        perform(&cells[number], runs, retries, before.get(&number).cloned(), &keep)
                    {
                        keep(done);
                    }
                }
            });
        }
        drop(sender);
        for (number, done) in results {
            if !done.unfinished {
                tell(number, &cells[number], &done);
            }
            place.keep(number, done)?;
        }
        Ok(())
    })
}

/// What came of a cell, in a line.
pub(crate) fn line(number: usize, of: usize, cell: &Cell, done: &Done) -> String {
    let sign = match done.verdict {
        Verdict::Valid => "ok  ",
        _ => "FAIL",
    };
    let seconds = Duration::try_from_secs_f64(done.seconds)
        .unwrap_or_default()
        .as_secs();
    format!(
        "{sign} [{}/{of}] {}: {} ({}) {seconds} s",
        number + 1,
        cell.name,
        done.verdict,
        done.reason
    )
}
