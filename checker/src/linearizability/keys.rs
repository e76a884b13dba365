//! All keys, in parallel, and with the same result whatever the timing.
//!
//! The largest keys come first, so that none of them is left for the end. The searches share the memory: each has an
//! equal part, and a key for which that is too little is judged again, alone, with all of it.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::iter::{ParallelBridge, ParallelIterator};

use super::entry::Object;
use super::judge::{self, Judgement, Outcome};
use super::search::Budget;

/// Judges all keys, in the threads of the rayon pool that this is called in.
pub(crate) fn judge_all(
    objects: &[Object<'_>],
    budget: Budget<'_>,
    first_violation_only: bool,
) -> Vec<Judgement> {
    let mut order: Vec<usize> = (0..objects.len()).collect();
    order.sort_by_key(|&i| Reverse(objects[i].entries.len()));
    // The place in the order of the first key known to be violated: what comes after it need not be judged.
    let violated = AtomicUsize::new(usize::MAX);
    let lanes = rayon::current_num_threads().min(objects.len()).max(1);
    let is_idle = |rank: usize| first_violation_only && violated.load(Ordering::Relaxed) < rank;
    let judge = |rank: usize, bytes: u64| {
        let stop = || (budget.stop)() || is_idle(rank);
        let part = Budget {
            bytes,
            stop: &stop,
            ..budget
        };
        let judgement = judge::judge(&objects[order[rank]], part);
        if matches!(judgement.outcome, Outcome::Violated(_)) {
            violated.fetch_min(rank, Ordering::Relaxed);
        }
        judgement
    };
    let part = budget.bytes / lanes as u64;
    let mut judgements: Vec<(usize, Judgement)> = if lanes == 1 {
        (0..order.len()).map(|rank| (rank, judge(rank, part))).collect()
    } else {
        let ranks = (0..order.len()).par_bridge();
        ranks.map(|rank| (rank, judge(rank, part))).collect()
    };
    judgements.sort_by_key(|&(rank, _)| rank);
    if lanes > 1 {
        for (rank, judgement) in &mut judgements {
            if judgement.wants_memory && !is_idle(*rank) {
                let second = judge(*rank, budget.bytes);
                judgement.and_then(second);
            }
        }
    }
    if first_violation_only {
        let violated = violated.load(Ordering::Relaxed);
        for (_, judgement) in judgements.iter_mut().filter(|(rank, _)| *rank > violated) {
            *judgement = Judgement::none();
        }
    }
    judgements.sort_by_key(|&(rank, _)| order[rank]);
    judgements.into_iter().map(|(_, judgement)| judgement).collect()
}
